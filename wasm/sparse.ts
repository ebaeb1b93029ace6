// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Products with spikes, most of which are zero: lists of what is not zero, and sums over the lists.
 * A zero's product would add nothing, so the sums have the bits of the dense ones.
 *
 * An entry of a list is 8 bytes: how far the row of the other factor stands from the first, in bytes
 * of rows of 12 floats, and the value. Columns are taken 48 at a time (12 accumulators), then 12.
 */
import { Job } from "./job";
import { madd4, storeLanes } from "./math";
import { scratch } from "./scratch";

export const ENTRY: usize = 8;
const WIDE: i32 = 48;
const NARROW: i32 = 12;
const NARROW_BYTES: i32 = NARROW << 2;

/** Rows of a weight gradient that share lists; `ROW_BLOCK` of weight_gradients.ts. */
const ROWS: i32 = 128;

/** Appends the entries of a row of `n` numbers and returns where the list ends. */
export function list(row: usize, n: i32, entries: usize): usize {
  for (let i = 0; i < n; i += 4) {
    let mask = i32x4.bitmask(f32x4.ne(v128.load(row + (<usize>i << 2)), f32x4.splat(0)));
    if (n - i < 4) mask &= (1 << (n - i)) - 1;
    while (mask) {
      const j = i + ctz(mask);
      store<i32>(entries, j * NARROW_BYTES);
      store<f32>(entries, load<f32>(row + (<usize>j << 2)), 4);
      entries += ENTRY;
      mask &= mask - 1;
    }
  }
  return entries;
}

/** Packs B[K][N], rows `step` bytes apart, into panels of 48 columns, then of 12. */
export function packWide(dest: usize, B: usize, K: i32, N: i32, step: usize): void {
  for (let n = 0; n < N;) {
    const width = N - n >= WIDE ? WIDE : NARROW;
    let source = B + (<usize>n << 2);
    for (let k = 0; k < K; k++, source += step) {
      // a last panel that is not full takes along what stands behind it; nothing of that is kept
      for (let j = 0; j < width; j += 4, dest += 16) {
        v128.store(dest, v128.load(source + (<usize>j << 2)));
      }
    }
    n += width;
  }
}

/** Bytes that `packWide` writes. */
export function packedWideBytes(K: i32, N: i32): usize {
  const wide = N / WIDE * WIDE;
  return <usize>(K * (wide + (N - wide + NARROW - 1) / NARROW * NARROW)) << 2;
}

/**
 * out[N] = init + Σ over the entries, or that added to `out`.
 *
 * @param packed the other factor from `packWide`, K rows
 * @param init [N], or 0 for zeros
 */
export function sumEntries(
  entries: usize, end: usize, packed: usize, K: i32, N: i32, init: usize, out: usize, add: bool,
): void {
  let n = 0;
  for (; n + WIDE <= N; n += WIDE) {
    sum48(entries, end, packed, init, out, add);
    packed += <usize>(K * WIDE) << 2;
    out += <usize>WIDE << 2;
    if (init) init += <usize>WIDE << 2;
  }
  for (; n < N; n += NARROW) {
    sum12(entries, end, packed, init, out, N - n, add);
    packed += <usize>(K * NARROW) << 2;
    out += <usize>NARROW << 2;
    if (init) init += <usize>NARROW << 2;
  }
}

function sum48(
  entries: usize, end: usize, packed: usize, init: usize, out: usize, add: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0;
  let c6 = c0, c7 = c0, c8 = c0, c9 = c0, c10 = c0, c11 = c0;
  if (init) {
    c0 = v128.load(init);
    c1 = v128.load(init, 16);
    c2 = v128.load(init, 32);
    c3 = v128.load(init, 48);
    c4 = v128.load(init, 64);
    c5 = v128.load(init, 80);
    c6 = v128.load(init, 96);
    c7 = v128.load(init, 112);
    c8 = v128.load(init, 128);
    c9 = v128.load(init, 144);
    c10 = v128.load(init, 160);
    c11 = v128.load(init, 176);
  }
  for (; entries < end; entries += ENTRY) {
    const b = packed + (<usize>load<u32>(entries) << 2);
    const x = v128.load32_splat(entries, 4);
    c0 = madd4(x, v128.load(b), c0);
    c1 = madd4(x, v128.load(b, 16), c1);
    c2 = madd4(x, v128.load(b, 32), c2);
    c3 = madd4(x, v128.load(b, 48), c3);
    c4 = madd4(x, v128.load(b, 64), c4);
    c5 = madd4(x, v128.load(b, 80), c5);
    c6 = madd4(x, v128.load(b, 96), c6);
    c7 = madd4(x, v128.load(b, 112), c7);
    c8 = madd4(x, v128.load(b, 128), c8);
    c9 = madd4(x, v128.load(b, 144), c9);
    c10 = madd4(x, v128.load(b, 160), c10);
    c11 = madd4(x, v128.load(b, 176), c11);
  }
  if (add) {
    c0 = f32x4.add(v128.load(out), c0);
    c1 = f32x4.add(v128.load(out, 16), c1);
    c2 = f32x4.add(v128.load(out, 32), c2);
    c3 = f32x4.add(v128.load(out, 48), c3);
    c4 = f32x4.add(v128.load(out, 64), c4);
    c5 = f32x4.add(v128.load(out, 80), c5);
    c6 = f32x4.add(v128.load(out, 96), c6);
    c7 = f32x4.add(v128.load(out, 112), c7);
    c8 = f32x4.add(v128.load(out, 128), c8);
    c9 = f32x4.add(v128.load(out, 144), c9);
    c10 = f32x4.add(v128.load(out, 160), c10);
    c11 = f32x4.add(v128.load(out, 176), c11);
  }
  v128.store(out, c0);
  v128.store(out, c1, 16);
  v128.store(out, c2, 32);
  v128.store(out, c3, 48);
  v128.store(out, c4, 64);
  v128.store(out, c5, 80);
  v128.store(out, c6, 96);
  v128.store(out, c7, 112);
  v128.store(out, c8, 128);
  v128.store(out, c9, 144);
  v128.store(out, c10, 160);
  v128.store(out, c11, 176);
}

@inline
function put(address: usize, value: v128, room: i32): void {
  if (room >= 4) v128.store(address, value);
  else if (room > 0) storeLanes(address, value, room);
}

function sum12(
  entries: usize, end: usize, packed: usize, init: usize, out: usize, columns: i32, add: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0;
  if (init) {
    c0 = v128.load(init);
    c1 = v128.load(init, 16);
    c2 = v128.load(init, 32);
  }
  for (; entries < end; entries += ENTRY) {
    const b = packed + <usize>load<u32>(entries);
    const x = v128.load32_splat(entries, 4);
    c0 = madd4(x, v128.load(b), c0);
    c1 = madd4(x, v128.load(b, 16), c1);
    c2 = madd4(x, v128.load(b, 32), c2);
  }
  if (add) {
    c0 = f32x4.add(v128.load(out), c0);
    c1 = f32x4.add(v128.load(out, 16), c1);
    c2 = f32x4.add(v128.load(out, 32), c2);
  }
  put(out, c0, columns);
  put(out + 16, c1, columns - 4);
  put(out + 32, c2, columns - 8);
}

/** Working memory of `sparseBlock`: lists and their ends for m columns of `a`, and a packed block of d. */
@unmanaged
export class SparseScratch {
  lists: usize;
  ends: usize;
  packed: usize;
}

export function sparseScratch(m: i32, n: i32): SparseScratch {
  const memory_ = changetype<SparseScratch>(scratch(offsetof<SparseScratch>()));
  memory_.lists = scratch(<usize>(m * ROWS) * ENTRY);
  memory_.ends = scratch(<usize>m << 2);
  memory_.packed = scratch(packedWideBytes(ROWS, n));
  return memory_;
}

/** One block of a weight gradient whose `a` holds spikes: out[m…][n…] = Σ_rows a · d. */
export function sparseBlock(
  job: Job, B: i32, m: i32, mCount: i32, n: i32, nCount: i32, memory_: SparseScratch,
): void {
  const rows = job.T * B;
  const lists = memory_.lists, ends = memory_.ends, packed = memory_.packed;
  const aStep = <usize>job.aStride << 2, dStep = <usize>job.dStride << 2;
  const outStep = <usize>job.n << 2;
  const out = job.out + (<usize>(m * job.n + n) << 2);
  let a = job.a + (<usize>(job.aSlot * B * job.aStride + m) << 2);
  let d = job.d + (<usize>n << 2);
  if (rows == 0) {
    for (let i = 0; i < mCount; i++) memory.fill(out + <usize>i * outStep, 0, <usize>nCount << 2);
  }
  for (let row = 0; row < rows; row += ROWS) {
    const K = min(ROWS, rows - row);
    listColumns(a, aStep, K, mCount, lists, ends);
    packWide(packed, d, K, nCount, dStep);
    let entries = lists, o = out;
    for (let i = 0; i < mCount; i++) {
      const end = <usize>load<u32>(ends + (<usize>i << 2));
      if (row == 0 || end > entries) sumEntries(entries, end, packed, K, nCount, 0, o, row > 0);
      entries += <usize>ROWS * ENTRY;
      o += outStep;
    }
    a += <usize>ROWS * aStep;
    d += <usize>ROWS * dStep;
  }
}

/** For each column its list of rows: entries at `lists + column * ROWS * ENTRY` up to `ends[column]`. */
function listColumns(a: usize, aStep: usize, K: i32, columns: i32, lists: usize, ends: usize): void {
  for (let i = 0; i < columns; i++) {
    store<u32>(ends + (<usize>i << 2), <u32>(lists + <usize>(i * ROWS) * ENTRY));
  }
  for (let k = 0; k < K; k++, a += aStep) {
    for (let i = 0; i < columns; i += 4) {
      let mask = i32x4.bitmask(f32x4.ne(v128.load(a + (<usize>i << 2)), f32x4.splat(0)));
      if (columns - i < 4) mask &= (1 << (columns - i)) - 1;
      while (mask) {
        const j = <usize>(i + ctz(mask)) << 2;
        const entry = <usize>load<u32>(ends + j);
        store<i32>(entry, k * NARROW_BYTES);
        store<f32>(entry, load<f32>(a + j), 4);
        store<u32>(ends + j, <u32>(entry + ENTRY));
        mask &= mask - 1;
      }
    }
  }
}
