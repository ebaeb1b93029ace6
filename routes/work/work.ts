/** The thread for arrays, from the side that serves. It starts when it is first needed. */
import { type Remote, wrap } from "comlink";
import type { Dataset } from "../../src/server.ts";
import type { ArrayHost } from "./host.ts";

export interface ArrayWork {
  /** A dataset as a .npz archive. */
  toNpz(data: Dataset): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

export function createArrayWork(): ArrayWork {
  let thread: { worker: Worker; remote: Remote<ArrayHost>; died: Promise<never> } | null = null;
  const start = () => {
    const worker = new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
    const { promise: died, reject } = Promise.withResolvers<never>();
    died.catch(() => {});
    worker.onerror = (event) => {
      event.preventDefault();
      thread = null;
      reject(new Error(`The thread for arrays ended: ${event.message}`));
    };
    return { worker, remote: wrap<ArrayHost>(worker), died };
  };
  const call = <T>(work: (host: Remote<ArrayHost>) => Promise<T>): Promise<T> => {
    thread ??= start();
    return Promise.race([work(thread.remote), thread.died]);
  };
  return {
    toNpz: (data) => call((host) => host.toNpz(data)),
    close() {
      thread?.worker.terminate();
      thread = null;
    },
  };
}
