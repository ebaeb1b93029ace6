// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Products with spikes, many of which are zero: lists of what is not zero, and sums over the lists.
 * A zero's product adds nothing, so the sums have the bits of the dense ones.
 *
 * Two rows of spikes share a list of the places where either has something, and a load of the other
 * factor serves both: loads, not arithmetic, are what such sums wait for. An entry is 16 bytes: the
 * two rows' values, and how far the row of the other factor stands from the first, in bytes of rows of
 * 12 floats. Columns are taken 24 at a time (2 × 6 accumulators), or 12 where fewer are left.
 */
import { put } from "./cells";
import { Job } from "./job";
import { madd4 } from "./math";
import { scratch } from "./scratch";

export const ENTRY: usize = 16;

/** Below this many columns the dense product is faster at any density. */
export const SPARSE_COLUMNS: i32 = 48;

const WIDE: i32 = 24;
const NARROW: i32 = 12;
const NARROW_BYTES: i32 = NARROW << 2;

/** Rows of a weight gradient that share lists; `ROW_BLOCK` of weight_gradients.ts. */
const ROWS: i32 = 128;

/**
 * Lists the places where either of two rows of `n` numbers has something; returns the list's end. The
 * list needs room for n + 1 entries: an entry is written first, and kept only if it counts, because a
 * branch would be guessed wrong too often.
 */
export function listPair(row0: usize, row1: usize, n: i32, entries: usize): usize {
  for (let i = 0, place = 0; i < n; i++, place += NARROW_BYTES) {
    const at = <usize>i << 2;
    const values = v128.load32_lane(row1 + at, v128.load32_zero(row0 + at), 1);
    v128.store(entries, i32x4.replace_lane(values, 2, place));
    entries += <usize>v128.any_true(values) << 4;
  }
  return entries;
}

/** Width of the panel that starts where `left` columns are left. */
@inline
function panelWidth(left: i32): i32 {
  return left > NARROW ? WIDE : NARROW;
}

/** Packs B[K][N], rows `step` bytes apart, into panels of 24 columns, the last perhaps of 12. */
export function packWide(dest: usize, B: usize, K: i32, N: i32, step: usize): void {
  for (let n = 0; n < N;) {
    const width = panelWidth(N - n);
    let source = B + (<usize>n << 2);
    for (let k = 0; k < K; k++, source += step) {
      // a last panel that is not full takes along what stands behind it; nothing of that is kept
      for (let j = 0; j < width; j += NARROW, dest += NARROW_BYTES) {
        const from = source + (<usize>j << 2);
        v128.store(dest, v128.load(from));
        v128.store(dest, v128.load(from, 16), 16);
        v128.store(dest, v128.load(from, 32), 32);
      }
    }
    n += width;
  }
}

/** Bytes that `packWide` writes. */
export function packedWideBytes(K: i32, N: i32): usize {
  return <usize>(K * ((N + NARROW - 1) / NARROW * NARROW + NARROW)) << 2;
}

/**
 * out0[N] and out1[N] = init + Σ over the entries, or those sums added to them.
 *
 * @param packed the other factor from `packWide`, K rows
 * @param init [N], or 0 for zeros
 */
export function sumEntries(
  entries: usize, end: usize, packed: usize, K: i32, N: i32, init: usize,
  out0: usize, out1: usize, add: bool,
): void {
  for (let n = 0; n < N;) {
    const width = panelWidth(N - n);
    if (width == WIDE) sum24(entries, end, packed, init, out0, out1, N - n, add);
    else sum12(entries, end, packed, init, out0, out1, N - n, add);
    const bytes = <usize>width << 2;
    packed += <usize>K * bytes;
    out0 += bytes;
    out1 += bytes;
    if (init) init += bytes;
    n += width;
  }
}

/** Four numbers, of which `room` count, become the result or join it. */
@inline
function join(out: usize, value: v128, room: i32, add: bool): void {
  if (room <= 0) return;
  put(out, add ? f32x4.add(v128.load(out), value) : value, room);
}

function sum24(
  entries: usize, end: usize, packed: usize, init: usize, out0: usize, out1: usize,
  columns: i32, add: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0;
  if (init) {
    c0 = v128.load(init);
    c1 = v128.load(init, 16);
    c2 = v128.load(init, 32);
    c3 = v128.load(init, 48);
    c4 = v128.load(init, 64);
    c5 = v128.load(init, 80);
  }
  let d0 = c0, d1 = c1, d2 = c2, d3 = c3, d4 = c4, d5 = c5;
  let x: v128, y: v128, w: v128, b: usize;
  for (const pairs = end - ENTRY; entries < pairs; entries += 2 * ENTRY) {
    b = packed + (<usize>load<u32>(entries, 8) << 1);
    x = v128.load32_splat(entries);
    y = v128.load32_splat(entries, 4);
    w = v128.load(b);
    c0 = madd4(x, w, c0);
    d0 = madd4(y, w, d0);
    w = v128.load(b, 16);
    c1 = madd4(x, w, c1);
    d1 = madd4(y, w, d1);
    w = v128.load(b, 32);
    c2 = madd4(x, w, c2);
    d2 = madd4(y, w, d2);
    w = v128.load(b, 48);
    c3 = madd4(x, w, c3);
    d3 = madd4(y, w, d3);
    w = v128.load(b, 64);
    c4 = madd4(x, w, c4);
    d4 = madd4(y, w, d4);
    w = v128.load(b, 80);
    c5 = madd4(x, w, c5);
    d5 = madd4(y, w, d5);
    b = packed + (<usize>load<u32>(entries, 24) << 1);
    x = v128.load32_splat(entries, 16);
    y = v128.load32_splat(entries, 20);
    w = v128.load(b);
    c0 = madd4(x, w, c0);
    d0 = madd4(y, w, d0);
    w = v128.load(b, 16);
    c1 = madd4(x, w, c1);
    d1 = madd4(y, w, d1);
    w = v128.load(b, 32);
    c2 = madd4(x, w, c2);
    d2 = madd4(y, w, d2);
    w = v128.load(b, 48);
    c3 = madd4(x, w, c3);
    d3 = madd4(y, w, d3);
    w = v128.load(b, 64);
    c4 = madd4(x, w, c4);
    d4 = madd4(y, w, d4);
    w = v128.load(b, 80);
    c5 = madd4(x, w, c5);
    d5 = madd4(y, w, d5);
  }
  if (entries < end) {
    b = packed + (<usize>load<u32>(entries, 8) << 1);
    x = v128.load32_splat(entries);
    y = v128.load32_splat(entries, 4);
    w = v128.load(b);
    c0 = madd4(x, w, c0);
    d0 = madd4(y, w, d0);
    w = v128.load(b, 16);
    c1 = madd4(x, w, c1);
    d1 = madd4(y, w, d1);
    w = v128.load(b, 32);
    c2 = madd4(x, w, c2);
    d2 = madd4(y, w, d2);
    w = v128.load(b, 48);
    c3 = madd4(x, w, c3);
    d3 = madd4(y, w, d3);
    w = v128.load(b, 64);
    c4 = madd4(x, w, c4);
    d4 = madd4(y, w, d4);
    w = v128.load(b, 80);
    c5 = madd4(x, w, c5);
    d5 = madd4(y, w, d5);
  }
  join(out0, c0, columns, add);
  join(out0 + 16, c1, columns - 4, add);
  join(out0 + 32, c2, columns - 8, add);
  join(out0 + 48, c3, columns - 12, add);
  join(out0 + 64, c4, columns - 16, add);
  join(out0 + 80, c5, columns - 20, add);
  join(out1, d0, columns, add);
  join(out1 + 16, d1, columns - 4, add);
  join(out1 + 32, d2, columns - 8, add);
  join(out1 + 48, d3, columns - 12, add);
  join(out1 + 64, d4, columns - 16, add);
  join(out1 + 80, d5, columns - 20, add);
}

function sum12(
  entries: usize, end: usize, packed: usize, init: usize, out0: usize, out1: usize,
  columns: i32, add: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0;
  if (init) {
    c0 = v128.load(init);
    c1 = v128.load(init, 16);
    c2 = v128.load(init, 32);
  }
  let d0 = c0, d1 = c1, d2 = c2;
  for (; entries < end; entries += ENTRY) {
    const b = packed + <usize>load<u32>(entries, 8);
    const x = v128.load32_splat(entries), y = v128.load32_splat(entries, 4);
    let w = v128.load(b);
    c0 = madd4(x, w, c0);
    d0 = madd4(y, w, d0);
    w = v128.load(b, 16);
    c1 = madd4(x, w, c1);
    d1 = madd4(y, w, d1);
    w = v128.load(b, 32);
    c2 = madd4(x, w, c2);
    d2 = madd4(y, w, d2);
  }
  join(out0, c0, columns, add);
  join(out0 + 16, c1, columns - 4, add);
  join(out0 + 32, c2, columns - 8, add);
  join(out1, d0, columns, add);
  join(out1 + 16, d1, columns - 4, add);
  join(out1 + 32, d2, columns - 8, add);
}

/** Working memory of `sparseBlock`: the lists of m columns of `a`, two by two, and a packed block of d. */
@unmanaged
export class SparseScratch {
  lists: usize;
  ends: usize;
  packed: usize;
  /** where the companion of an odd last row goes */
  spare: usize;
}

const LIST_BYTES: usize = <usize>(ROWS + 1) * ENTRY;

export function sparseScratch(m: i32, n: i32): SparseScratch {
  const memory_ = changetype<SparseScratch>(scratch(offsetof<SparseScratch>()));
  const pairs = <usize>((m + 1) / 2);
  memory_.lists = scratch(pairs * LIST_BYTES);
  memory_.ends = scratch(pairs << 2);
  memory_.packed = scratch(packedWideBytes(ROWS, n));
  memory_.spare = scratch(<usize>n << 2);
  return memory_;
}

/**
 * One block of a weight gradient whose `a` holds spikes: out[m…][n…] = Σ_rows a · d.
 *
 * @param sum where the column sums of `d` go, or 0
 */
export function sparseBlock(
  job: Job, B: i32, m: i32, mCount: i32, n: i32, nCount: i32, sum: usize, memory_: SparseScratch,
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
    if (sum) sumColumns(packed, K, nCount, sum, row > 0);
    let entries = lists, end = ends, o = out;
    for (let i = 0; i < mCount; i += 2) {
      const other = i + 1 < mCount ? o + outStep : memory_.spare;
      sumEntries(entries, load<u32>(end), packed, K, nCount, 0, o, other, row > 0);
      entries += LIST_BYTES;
      end += 4;
      o += 2 * outStep;
    }
    a += <usize>ROWS * aStep;
    d += <usize>ROWS * dStep;
  }
}

/** The column sums of a packed block become `sum`, or join it. */
function sumColumns(packed: usize, K: i32, N: i32, sum: usize, add: bool): void {
  for (let n = 0; n < N;) {
    const width = panelWidth(N - n), step = <usize>width << 2;
    for (let j = 0; j < width && n + j < N; j += NARROW) {
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, row = packed + (<usize>j << 2);
      for (let k = 0; k < K; k++, row += step) {
        c0 = f32x4.add(c0, v128.load(row));
        c1 = f32x4.add(c1, v128.load(row, 16));
        c2 = f32x4.add(c2, v128.load(row, 32));
      }
      const out = sum + (<usize>(n + j) << 2), room = N - n - j;
      join(out, c0, room, add);
      join(out + 16, c1, room - 4, add);
      join(out + 32, c2, room - 8, add);
    }
    packed += <usize>K * step;
    n += width;
  }
}

/** For each pair of columns its list of rows: entries from `lists + pair * LIST_BYTES` to `ends[pair]`. */
function listColumns(a: usize, aStep: usize, K: i32, columns: i32, lists: usize, ends: usize): void {
  const pairs = columns >> 1;
  for (let i = 0; 2 * i < columns; i++) {
    store<u32>(ends + (<usize>i << 2), <u32>(lists + <usize>i * LIST_BYTES));
  }
  for (let k = 0; k < K; k++, a += aStep) {
    const place = k * NARROW_BYTES;
    let end = ends, values = a;
    for (let i = 0; i < pairs; i++, end += 4, values += 8) {
      append(end, v128.load64_zero(values), place);
    }
    if (columns & 1) append(end, v128.load32_zero(values), place);
  }
}

/** Writes an entry at the end of a list, and keeps it if it holds anything. */
@inline
function append(end: usize, values: v128, place: i32): void {
  const entry = <usize>load<u32>(end);
  v128.store(entry, i32x4.replace_lane(values, 2, place));
  store<u32>(end, <u32>entry + (<u32>v128.any_true(values) << 4));
}
