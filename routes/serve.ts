/**
 * What the server's process does: it reads its order from stdin, and drains when a signal or the end of
 * stdin says so: who started it is gone then.
 */
import { deviceWords, InputError, StorageError } from "../src/server.ts";
import { openBackend, type Workers } from "./backend.ts";
import { earlyLog } from "./early_log.ts";
import { type Order, OUTCOMES } from "./order.ts";
import { orderSchema } from "./order_schema.ts";
import { type App, openApp, within } from "./server.ts";

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

/** A terminal's Ctrl-C comes twice: from the terminal, and from the process that started this one. */
const SAME_MS = 500;

/** The first signal to stop, and one that insists. */
function stopSignals(): { first: Promise<string>; again: Promise<void> } {
  const first = Promise.withResolvers<string>(), again = Promise.withResolvers<void>();
  let since: number | null = null;
  const hear = (name: string) => {
    if (since === null) {
      since = performance.now();
      first.resolve(name);
    } else if (performance.now() - since > SAME_MS) again.resolve();
  };
  const names = Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGTERM", "SIGINT"] as const;
  for (const name of names) Deno.addSignalListener(name, () => hear(name));
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
    if (
      error instanceof Deno.errors.AddrNotAvailable ||
      error instanceof Error && /lookup|resolve|name or service/i.test(error.message)
    ) {
      throw new InputError(
        `Cannot listen: expected an address of this machine, found ${JSON.stringify(host)}.`,
      );
    }
    throw error;
  }
}

const utf8 = new TextEncoder();

/** Says a line to whoever started the process, where there is still someone to hear it. */
export function say(line: string): void {
  const bytes = utf8.encode(`${line}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** What takes this thread for long comes when those who waited for the server have had their answer. */
const SOON_MS = 500;

async function soon(work: () => Promise<void>): Promise<void> {
  await new Promise<void>((begin) => Deno.unrefTimer(Number(setTimeout(begin, SOON_MS))));
  await work();
}

/** Serves until it is told to stop; what the process exits with. */
export async function serveUntilStopped(workers: Workers): Promise<number> {
  const signals = stopSignals();
  const order = await readOrder();
  const backend = openBackend(order, workers);
  const log = earlyLog(order.logLevel);
  let app: App | null = null;
  try {
    const tracing = Deno.env.get("OTEL_DENO") === "true";
    app = await openApp({ ...order, log, tracing }, backend);
    const keys = app.context.keys.size;
    if (!order.loopback && keys === 0) {
      throw new InputError(
        `Cannot serve on ${order.host}: expected at least one key, as others in the network can ask, ` +
          `found none. \`deno task serve --data ${order.folder} keys add NAME\` makes one.`,
      );
    }
    const server = serve(app, order);
    const { hostname, port } = server.addr;
    const name = hostname.includes(":") ? `[${hostname}]` : hostname;
    const ms = Math.round(performance.now());
    say(`latentd listens on http://${name}:${port}/ (API at /docs; ${ms} ms after its start).`);
    say(`Data: ${order.folder}. ${keys === 0 ? "No key is needed." : "Requests need a key."}`);
    log.info({ host: hostname, port, keys, ms }, "listening");
    const { device, warm } = app;
    device.catch(() => {}).then(() => soon(() => log.load().then(warm)))
      .catch((error) => log.error({ stack: error.stack }, "what requests need"));
    const unusable = app.device.then(
      (device) => {
        say(`Device: ${deviceWords(device)} (${device.reason}).`);
        return new Promise<never>(() => {});
      },
      (error) => {
        // a device that was asked for and cannot be is a mistake; what failed otherwise is tried again
        if (error instanceof InputError) throw error;
        say(`The device cannot be opened, and is tried again: ${error.message}`);
        return new Promise<never>(() => {});
      },
    );
    const reason = await Promise.race([signals.first, orphaned(), unusable]);
    log.info({ reason }, "stopping");
    say(`Stops for ${reason}: finishes requests, runs save a checkpoint. Again to stop at once.`);
    const stopped = (async () => {
      await app.close();
      // whoever still takes an answer gets as long again
      await within(order.settings.drainMs, server.shutdown());
      return OUTCOMES.fine;
    })();
    return await Promise.race([stopped, signals.again.then(() => OUTCOMES.stoppedAtOnce)]);
  } catch (error) {
    await app?.close();
    const known = error instanceof InputError || error instanceof StorageError;
    console.error(known ? error.message : error);
    return error instanceof InputError ? OUTCOMES.input : OUTCOMES.failed;
  } finally {
    await log.load();
  }
}
