/**
 * The threads that share a program: a barrier between phases, and how threads sleep and wake. A
 * waiting thread first watches its word for a few microseconds, then sleeps until it is woken.
 */
import { ARRIVED, ERROR, PHASE, SLEEPERS } from "./control";

/**
 * Looks at a word before a thread goes to sleep: about 5 µs, what sleeping and waking costs. Threads on
 * processors of their own pass a barrier in 0.3 µs; where two share one, looking longer only delays.
 */
const SPINS: i32 = 10_000;

let teamSize: i32 = 1;

/** How many threads the barrier waits for. */
export function setTeam(threads: i32): void {
  teamSize = threads;
}

/** Returns when every thread of the program has called it. Traps if one of them failed. */
export function barrier(): void {
  if (teamSize == 1) return;
  const phase = atomic.load<i32>(PHASE);
  stopIfFailed();
  if (atomic.add<i32>(ARRIVED, 1) == teamSize - 1) {
    atomic.store<i32>(ARRIVED, 0);
    atomic.add<i32>(PHASE, 1);
    wake(PHASE);
  } else {
    waitWhile(PHASE, phase);
  }
  stopIfFailed();
}

/** Returns when the word at `address` is no longer `value`. */
export function waitWhile(address: usize, value: i32): void {
  for (let i = 0; i < SPINS; i++) {
    if (atomic.load<i32>(address) != value) return;
  }
  atomic.add<i32>(SLEEPERS, 1);
  while (atomic.load<i32>(address) == value) atomic.wait<i32>(address, value, -1);
  atomic.sub<i32>(SLEEPERS, 1);
}

/** Wakes the threads that sleep on a word. To be called after the word has changed. */
export function wake(address: usize): void {
  if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(address, -1);
}

/** A failing thread writes ERROR before it bumps PHASE, so nobody waits for a thread that is gone. */
function stopIfFailed(): void {
  if (atomic.load<i32>(ERROR) != 0) unreachable();
}
