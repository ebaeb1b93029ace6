/** A device in a worker, as the serving thread sees it: calls that fail when the worker is gone. */
import * as Comlink from "comlink";
import type { DeviceInfo } from "../compute/executor.ts";
import { InputError } from "../errors.ts";
import type { DeviceHost, HostOptions } from "./device_host.ts";
import { ServingError } from "./errors.ts";

/** Starts the worker; a test may start another one. */
export type StartWorker = () => Worker;

export const startDeviceWorker: StartWorker = () =>
  new Worker(new URL("./device_worker.ts", import.meta.url), { type: "module", name: "device" });

/** How long a worker may take to give its device back before it is ended anyway, in milliseconds. */
const CLOSE_LIMIT = 5000;

/** One worker, from its start to its end. */
export class DeviceClient {
  readonly #worker: Worker;
  readonly #remote: Comlink.Remote<DeviceHost>;
  /** rejects when the worker is gone */
  readonly #gone: Promise<never>;
  #lose!: (error: Error) => void;
  #lost: Error | null = null;

  constructor(start: StartWorker, private readonly onLost: (error: Error) => void) {
    this.#worker = start();
    this.#remote = Comlink.wrap<DeviceHost>(this.#worker);
    this.#gone = new Promise((_, reject) => this.#lose = reject);
    this.#gone.catch(() => {});
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.abandon(event.message);
    });
    this.#worker.addEventListener(
      "messageerror",
      () => this.abandon("a message could not be read"),
    );
  }

  /** Why the worker is gone; null while it lives. */
  get lost(): Error | null {
    return this.#lost;
  }

  open(options: HostOptions): Promise<DeviceInfo> {
    return this.call((host) => host.open(options));
  }

  /**
   * Calls the host.
   *
   * @throws {InputError} where the host found fault with what the user gave
   * @throws {ServingError} `device` where the worker is gone
   */
  async call<X>(work: (host: Comlink.Remote<DeviceHost>) => Promise<X>): Promise<X> {
    if (this.#lost) throw this.#lost;
    try {
      return await Promise.race([work(this.#remote), this.#gone]);
    } catch (error) {
      // only name and message of an error come through Comlink
      if (error instanceof Error && error.name === "InputError" && !(error instanceof InputError)) {
        throw new InputError(error.message);
      }
      throw error;
    }
  }

  /** Gives the worker up: everything that waits for it fails. */
  abandon(why: string): void {
    if (this.#lost) return;
    this.#lost = new ServingError(
      "device",
      `Cannot answer: the device's thread ended while it worked (${why}). It is being started again.`,
      1000,
    );
    this.#lose(this.#lost);
    this.#worker.terminate();
    this.onLost(this.#lost);
  }

  /** Lets the worker close its device, then ends it. */
  async close(): Promise<void> {
    if (this.#lost) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_LIMIT));
    await Promise.race([this.call((host) => host.close()).catch(() => {}), limit]);
    clearTimeout(timer);
    this.#lost ??= new ServingError("closed", "Cannot answer: the device is closed.");
    this.#lose(this.#lost);
    this.#remote[Comlink.releaseProxy]();
    this.#worker.terminate();
  }
}
