/**
 * The server's process: what `main.ts` starts with the narrowest permissions. It reads its order from
 * stdin, and drains when a signal or the end of stdin says so: who started it is gone then.
 */
const started = performance.now();
import { deviceWords, InputError, StorageError } from "../src/mod.ts";
import { createLogger } from "./logs.ts";
import { type Order, orderSchema, OUTCOMES } from "./order.ts";
import { type App, openApp } from "./server.ts";

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();

async function readOrder(): Promise<Order> {
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await lines.next();
    if (done) Deno.exit(OUTCOMES.fine);
    text += value;
  }
  return orderSchema.parse(JSON.parse(text));
}

/** Resolves when the process that started this one is gone. */
async function orphaned(): Promise<string> {
  while (!(await lines.next()).done);
  return "the end of the launcher";
}

function signalled(): { first: Promise<string>; again: Promise<void> } {
  const first = Promise.withResolvers<string>(), again = Promise.withResolvers<void>();
  let count = 0;
  for (
    const name of Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGTERM", "SIGINT"] as const
  ) {
    Deno.addSignalListener(name, () => count++ === 0 ? first.resolve(name) : again.resolve());
  }
  return { first: first.promise, again: again.promise };
}

function serve(app: App, { host, port }: Order): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({
      hostname: host,
      port,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    }, (request, info) => app.fetch(request, info.remoteAddr.hostname));
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new InputError(
        `Cannot listen: expected the port ${port} of ${host} to be free, found it in use.`,
      );
    }
    if (error instanceof Deno.errors.AddrNotAvailable) {
      throw new InputError(
        `Cannot listen: expected an address of this machine, found ${JSON.stringify(host)}.`,
      );
    }
    throw error;
  }
}

async function main(): Promise<number> {
  const signals = signalled();
  const order = await readOrder();
  const log = createLogger(order.logLevel);
  let app: App | null = null;
  try {
    app = await openApp({ ...order, log, tracing: Deno.env.get("OTEL_DENO") === "true" });
    const keys = app.context.keys.size;
    if (!order.loopback && keys === 0) {
      throw new InputError(
        `Cannot serve on ${order.host}: expected at least one key, as everyone in the network can ask, ` +
          `found none. \`deno task serve keys add NAME --data ${order.folder}\` makes one.`,
      );
    }
    const server = serve(app, order);
    const { hostname, port } = server.addr;
    const shown = hostname.includes(":") ? `[${hostname}]` : hostname;
    say(
      `latentd listens on http://${shown}:${port}/ (API at /docs; ${
        Math.round(performance.now())
      } ms)`,
    );
    say(
      `Data directory: ${order.folder}. ${
        keys === 0 ? "No key is needed." : "Requests need a key."
      }`,
    );
    log.info({ host: hostname, port, keys, ms: performance.now() - started }, "listening");
    app.device.then(
      (device) => say(`Device: ${deviceWords(device)} (${device.reason}).`),
      (error) => say(`The device cannot be opened: ${error.message}`),
    );
    const reason = await Promise.race([signals.first, orphaned()]);
    log.info({ reason }, "stopping");
    say(
      `Stops for ${reason}: finishes requests, and runs save a checkpoint. Again to stop at once.`,
    );
    const stopped = (async () => {
      await app.close();
      await server.shutdown();
      return OUTCOMES.fine;
    })();
    return await Promise.race([stopped, signals.again.then(() => OUTCOMES.stoppedAtOnce)]);
  } catch (error) {
    await app?.close();
    const known = error instanceof InputError || error instanceof StorageError;
    console.error(known ? error.message : error);
    return error instanceof InputError ? OUTCOMES.input : OUTCOMES.failed;
  }
}

function say(line: string): void {
  console.log(line);
}

Deno.exit(await main());
