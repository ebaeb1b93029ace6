/**
 * Keeps a thread's processor awake between calls that come often: one that slept, or lent its units to
 * others meanwhile, does the next call's arithmetic at half the speed, and has to be woken first.
 */

/** Looks at the clock after so many looks at the calls. */
const LOOKS = 50;

/** How many calls a thread was told of, by the one that calls. */
export type Calls = Int32Array<SharedArrayBuffer>;

/** For whoever calls: no call yet. */
export function noCalls(): Calls {
  return new Int32Array(new SharedArrayBuffer(4));
}

/**
 * Keeps the processor for `ms`, or until another call than number `last` is on its way. Nothing else
 * happens on this thread meanwhile, and nothing is allocated.
 */
export function lookOut(calls: Calls, last: number, ms: number): void {
  const until = performance.now() + ms;
  do {
    for (let i = 0; i < LOOKS; i++) {
      if (Atomics.load(calls, 0) !== last) return;
      // a thread that shares this core's units goes first
      Atomics.pause();
    }
  } while (performance.now() < until);
}
