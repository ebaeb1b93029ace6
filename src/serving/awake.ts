/**
 * Keeps a thread's processor awake between requests that come often: one that slept, or lent its units to
 * others meanwhile, does the next request's arithmetic at half the speed, and has to be woken first.
 */
import { setImmediate } from "node:timers";

export class Awake {
  #until = 0;
  #looking = false;

  /** From now on and for `ms`, this thread looks for messages without falling asleep. */
  stay(ms: number): void {
    this.#until = performance.now() + ms;
    if (!this.#looking && ms > 0) void this.#look();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    // a turn of the event loop takes some microseconds, and hears what came meanwhile
    while (performance.now() < this.#until) await new Promise<void>((turn) => setImmediate(turn));
    this.#looking = false;
  }
}
