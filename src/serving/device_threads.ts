/**
 * The wasm device's threads, started by the thread that serves: a worker that starts workers of its own
 * waits half a second for each of them to load and to hear its first message.
 */
import * as Comlink from "comlink";
import type { WorkerStart } from "../compute/wasm_module.ts";
import { releaseThreads, startThread } from "../compute/wasm_threads.ts";

/** What the device's worker asks for. */
export interface ThreadCalls {
  start(start: WorkerStart): Promise<void>;
}

/** The threads of one device. */
export class DeviceThreads {
  readonly #started: WorkerStart[] = [];
  readonly #port: MessagePort;
  /** for the device's worker, which asks for threads there while it opens the device */
  readonly port: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.port = port2;
    const calls: ThreadCalls = {
      start: async (start) => {
        this.#started.push(start);
        await startThread(start);
      },
    };
    Comlink.expose(calls, port1);
  }

  /** The device is open, or it is not to be: no more threads are asked for. */
  opened(): void {
    this.#port.close();
  }

  /** Ends the threads of a device whose worker is gone; one that was closed has ended its own. */
  release(): void {
    this.opened();
    const [first] = this.#started.splice(0);
    if (first) releaseThreads(first);
  }
}
