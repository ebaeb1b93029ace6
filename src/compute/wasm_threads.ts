/** The threads of the wasm executor: how they start, and how they end when nobody leads them any more. */
import { instantiate, type WorkerStart } from "./wasm_module.ts";

/** Starts one thread; resolves when it is about to wait for its first program. */
export type StartThread = (start: WorkerStart) => Promise<Worker | void>;

/** Starts a thread as a worker of the one that calls. */
export function startThread(start: WorkerStart): Promise<Worker> {
  const worker = new Worker(new URL("./wasm_worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot start a thread of the wasm device: ${event.message}`));
    };
    worker.postMessage(start);
  });
}

/**
 * Ends threads whose executor is gone, wherever they wait: they sleep inside WebAssembly, and do not
 * hear `terminate`.
 */
export function releaseThreads({ module, memory }: Pick<WorkerStart, "module" | "memory">): void {
  const wasm = instantiate(module, memory);
  // out of the program that they may wait in, then out of the wait for the next
  wasm.reportTrap();
  wasm.stop();
}
