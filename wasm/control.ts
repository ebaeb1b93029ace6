/**
 * The words at the front of the shared memory by which threads and executor speak. Each stands on a
 * cache line of its own, so that waiting for one does not slow writes to another.
 */

/** Bumped to start a program. */
export const GENERATION: usize = 64;
/** Bumped when every thread has reached the barrier, and by a failing thread. */
export const PHASE: usize = 128;
/** Threads that have reached the barrier. */
export const ARRIVED: usize = 192;
/** Threads asleep on PHASE or GENERATION. */
export const SLEEPERS: usize = 256;
/** Workers that have left a program, counted over all programs. */
export const RETURNED: usize = 320;
/** 1: leave `serve`. */
export const STOP: usize = 384;
/** 0, or why a thread failed; then what it was doing: detail, kernel, thread. */
export const ERROR: usize = 448;
export const ERROR_DETAIL: usize = 452;
export const ERROR_KERNEL: usize = 456;
export const ERROR_THREAD: usize = 460;
/** The program that GENERATION starts, and its scalars. */
export const PROGRAM: usize = 512;
export const SCALARS: usize = 516;
/**
 * 0: all threads share one program. Else so many fits, each of which one thread runs from front to
 * back; the programs and the scalars of each stand STRIDE bytes after those of the fit before.
 */
export const FITS: usize = 520;
export const STRIDE: usize = 524;
/**
 * The next piece of work, for a kernel whose threads take pieces as they come. A kernel leaves it at 0,
 * and so does a failure.
 */
export const NEXT_PIECE: usize = 576;
/** The next of FITS that nobody has taken. */
export const NEXT_FIT: usize = 640;

/** Reasons to fail, as `ERROR` holds them. */
export const TRAPPED: i32 = 1;
export const OUT_OF_SCRATCH: i32 = 2;
export const UNKNOWN_KERNEL: i32 = 3;

/** The kernel that this thread is running (-1: none), for the report of a trap. */
export let currentKernel: i32 = -1;

export function setCurrentKernel(kernel: i32): void {
  currentKernel = kernel;
}

let thisThread: i32 = 0;

export function setThisThread(thread: i32): void {
  thisThread = thread;
}

/** Records why this thread fails (the first failure of a program wins) and wakes those who wait. */
export function report(reason: i32, detail: i32): void {
  if (atomic.cmpxchg<i32>(ERROR, 0, -1) == 0) {
    store<i32>(ERROR_DETAIL, detail);
    store<i32>(ERROR_KERNEL, currentKernel);
    store<i32>(ERROR_THREAD, thisThread);
    atomic.store<i32>(ERROR, reason);
  }
  atomic.add<i32>(PHASE, 1);
  atomic.notify(PHASE, -1);
}

/** Records why this thread fails, and traps. */
export function fail(reason: i32, detail: i32): void {
  report(reason, detail);
  unreachable();
}
