/** A worker as the thread that started it sees it: calls that fail when the worker is gone. */
import * as Comlink from "comlink";
import { InputError } from "../errors.ts";
import { NotAcceptableError, TooLargeError, UnsupportedTypeError } from "./arrays/errors.ts";
import { noCalls } from "./awake.ts";
import type { DeviceHost } from "./device_host.ts";
import { ServingError } from "./errors.ts";
import type { HelperHost } from "./helper_host.ts";
import type { StartWorker } from "./start_worker.ts";

/** How long a worker may take to close what it has before it is ended anyway, in milliseconds. */
const CLOSE_LIMIT = 5000;

/** One worker that exposes a host, from its start to its end. */
export class WorkerClient<Host extends DeviceHost | HelperHost> {
  readonly #worker: Worker;
  readonly #remote: Comlink.Remote<Host>;
  /** how the calls that wait now fail when the worker is gone */
  readonly #waiting = new Set<(error: Error) => void>();
  #lost: Error | null = null;
  /** calls so far: the worker may see that another is on its way */
  readonly calls = noCalls();

  /** @param what names the worker in messages: "the device's thread" */
  constructor(
    start: StartWorker,
    private readonly what: string,
    private readonly onLost: (error: Error) => void,
  ) {
    this.#worker = start();
    this.#remote = Comlink.wrap<Host>(this.#worker);
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

  /**
   * Calls the host.
   *
   * @throws {InputError} where the host found fault with what the user gave
   * @throws {ServingError} `device` where the worker is gone
   */
  async call<X>(work: (host: Comlink.Remote<Host>) => Promise<X>): Promise<X> {
    if (this.#lost) throw this.#lost;
    // no race with one promise of the worker's end: that would keep every answer until then
    const { promise, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    Atomics.add(this.calls, 0, 1);
    try {
      return await Promise.race([work(this.#remote), promise]);
    } catch (error) {
      throw revived(error);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** Gives the worker up: everything that waits for it fails. */
  abandon(why: string): void {
    if (this.#lost) return;
    this.#lost = new ServingError(
      "device",
      `Cannot answer: ${this.what} ended while it worked (${why}). It is being started again.`,
      1000,
    );
    this.#fail(this.#lost);
    this.#worker.terminate();
    this.onLost(this.#lost);
  }

  #fail(error: Error): void {
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  /** Lets the worker close what it has, then ends it. */
  async close(closing: (host: Comlink.Remote<Host>) => Promise<unknown>): Promise<void> {
    if (this.#lost) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_LIMIT));
    await Promise.race([this.call(closing).catch(() => {}), limit]);
    clearTimeout(timer);
    this.#lost ??= new ServingError("closed", "Cannot answer: the server is shutting down.");
    this.#fail(this.#lost);
    this.#remote[Comlink.releaseProxy]();
    this.#worker.terminate();
  }
}

const INPUT_ERRORS = [InputError, UnsupportedTypeError, NotAcceptableError, TooLargeError];

/** An error that came through Comlink, which keeps of it name and message, as what it was. */
export function revived(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const Kind = INPUT_ERRORS.find((kind) => kind.name === error.name);
  if (Kind && !(error instanceof InputError)) return new Kind(error.message);
  if (error.name === "ServingError" && !(error instanceof ServingError)) {
    const { problem = "device", retryAfterMs = null } = error as Partial<ServingError>;
    return new ServingError(problem, error.message, retryAfterMs);
  }
  return error;
}
