/** The process of one run. It reads its order from stdin, tells its progress on stdout, and ends. */
import { InputError } from "../errors.ts";
import { storageError } from "./errors.ts";
import { type Line, orderSchema, readLines, STOP } from "./protocol.ts";
import { train } from "./training.ts";

const stop = new AbortController();
// a signal that ends the server may reach its processes too: they end with a checkpoint
for (const name of Deno.build.os === "windows" ? [] : ["SIGTERM", "SIGINT"] as const) {
  Deno.addSignalListener(name, () => stop.abort());
}
// stdout is for the server alone
console.log = console.info = console.debug = console.error;

const encoder = new TextEncoder();

function say(line: Line): void {
  const bytes = encoder.encode(`${JSON.stringify(line)}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    stop.abort(); // the server is gone
  }
}

const lines = readLines(Deno.stdin.readable);

/** Until the server says so, or is gone. */
async function listen(): Promise<void> {
  try {
    for await (const line of lines) if (line === STOP) break;
  } finally {
    stop.abort();
  }
}

async function main(): Promise<number> {
  const { value, done } = await lines.next();
  if (done) return 0;
  try {
    const order = orderSchema.parse(JSON.parse(value));
    listen();
    say(await train(order, say, stop.signal));
    return 0;
  } catch (error) {
    const reason = storageError("Cannot train", error);
    say({ kind: "failed", message: reason instanceof Error ? reason.message : String(reason) });
    if (!(reason instanceof InputError)) console.error(error);
    return 1;
  }
}

Deno.exit(await main());
