/**
 * The server's process, which `main.ts` starts with the narrowest permissions. What takes longest begins
 * first: threads load their modules while this one loads its own.
 */
import { startDeviceWorker, startStoreWorker } from "../src/server_threads.ts";
import { LAST_WORD } from "./order.ts";

/** Starts a worker now; whoever asks first gets it. */
function begun(start: () => Worker): () => Worker {
  let first: Worker | null = start();
  return () => {
    const worker = first ?? start();
    first = null;
    return worker;
  };
}

const workers = { store: begun(startStoreWorker), device: begun(startDeviceWorker) };
const { say, serveUntilStopped } = await import("./serve.ts");
const code = await serveUntilStopped(workers);
say(`${LAST_WORD}${code}`);
Deno.exit(code);
