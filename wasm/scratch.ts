/**
 * Private working memory of each thread, valid until its next kernel: a bump allocator over a region
 * that the operating system backs with pages only where they are touched.
 */
import { fail, OUT_OF_SCRATCH } from "./control";

/** Bytes of each thread's region. */
export const SCRATCH_BYTES: usize = 32 << 20;

// Globals of a module belong to its instance, and every thread has its own.
let base: usize = 0;
let top: usize = 0;

/** First byte after the threads' regions: where the executor may put buffers. */
export function scratchEnd(threads: i32): usize {
  return alignUp(__heap_base) + <usize> threads * SCRATCH_BYTES;
}

/** Empties this thread's region. The dispatcher does this before each kernel. */
export function resetScratch(thread: i32): void {
  base = alignUp(__heap_base) + <usize> thread * SCRATCH_BYTES;
  top = base;
}

/** `bytes` of this thread's region, 16-byte aligned, not cleared. Traps when the region is full. */
export function scratch(bytes: usize): usize {
  const start = top;
  const size = (bytes + 15) & ~15;
  // a vector may be read, never written, past the end: hence the margin
  if (size > base + SCRATCH_BYTES - 64 - start) fail(OUT_OF_SCRATCH, <i32> bytes);
  top = start + size;
  return start;
}

function alignUp(address: usize): usize {
  return (address + 63) & ~63;
}
