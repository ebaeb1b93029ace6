// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * All weight gradients of a step: out[m][n] = Σ_rows a[row][m] · d[row][n] for each job.
 *
 * Rows are summed in blocks of 128 whose sums are then added up, which keeps float32's rounding from
 * growing with the number of rows. An output block belongs to one thread from the first row to the
 * last; threads take blocks from a shared counter. So the bits do not depend on the threads.
 */
import { NEXT_PIECE } from "./control";
import { Job } from "./job";
import { madd4, storeLanes } from "./math";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";
import { SPARSE_COLUMNS, sparseBlock, SparseScratch, sparseScratch } from "./sparse";

/** Rows whose products are summed before they join the total. */
export const ROW_BLOCK: i32 = 128;

const M_PANEL: i32 = 6;
const N_PANEL: i32 = 8;
/** Largest output block, in panels. */
const M_PANELS: i32 = 17;
const N_PANELS: i32 = 16;
/** Least number of panels of 8 in a block that is cut so that threads can share it. */
const LEAST_PANELS: i32 = 4;
/** Blocks for each thread, so that one that starts late still has something to do. */
const SHARES: i32 = 2;
/** Up to this many rows of output, packing costs more than it saves. */
const THIN: i32 = 2;

@unmanaged
export class WeightGradientsArgs {
  jobs: usize;
  count: i32;
}

/** What a column sum takes for `a`. */
const ONE: usize = memory.data<f32>([1, 1]);

@inline
function parts(length: i32, part: i32): i32 {
  return (length + part - 1) / part;
}

/** `length` cut into as few pieces of at most `most` panels as it takes, alike in size: the size. */
@inline
function pieces(length: i32, panel: i32, most: i32): i32 {
  const panels = parts(length, panel);
  return parts(panels, parts(panels, most)) * panel;
}

/** Whether zeros are skipped: not where making the lists costs more than the narrow products. */
@inline
function skipsZeros(job: Job): bool {
  return job.sparse != 0 && job.n >= SPARSE_COLUMNS;
}

/** Elements of the tiles that cover a [6-side][8-side] output. */
@inline
function covered(six: i32, eight: i32): i32 {
  return parts(six, M_PANEL) * M_PANEL * parts(eight, N_PANEL) * N_PANEL;
}

/** Whether tiles cover the output's transpose with clearly less to spare, as for [100][12]. */
@inline
function transposes(job: Job): bool {
  return 10 * covered(job.n, job.m) < 9 * covered(job.m, job.n);
}

/** A thread's share of all products, in products of a bin's row. */
function fairShare(args: WeightGradientsArgs, threads: i32): i64 {
  let all: i64 = 0;
  for (let i = 0; i < args.count; i++) {
    const job = jobAt(args, i);
    all += <i64>job.m * job.n * job.T;
  }
  return all / (threads * SHARES);
}

/** Columns (of `eights`) of a block that spans `sixes` lines and is no more than a fair share. */
@inline
function eightsInBlock(job: Job, sixes: i32, eights: i32, share: i64): i32 {
  const panels = share / max(<i64>sixes * N_PANEL * job.T, 1);
  const most = <i32>max(min(panels, <i64>N_PANELS), <i64>LEAST_PANELS);
  return pieces(eights, N_PANEL, most);
}

/** How the output of a job is cut: the columns of a block. */
@inline
function blockN(job: Job, threads: i32, share: i64): i32 {
  // each block looks through all spikes of its rows: as few as the threads allow
  if (skipsZeros(job)) return parts(parts(job.n, threads), 24) * 24;
  const lines = pieces(transposes(job) ? job.n : job.m, M_PANEL, M_PANELS);
  return transposes(job) ? lines : eightsInBlock(job, lines, job.n, share);
}

/** How the output of a job is cut: the lines of a block. */
@inline
function blockM(job: Job, share: i64): i32 {
  if (skipsZeros(job)) return job.m;
  const lines = pieces(transposes(job) ? job.n : job.m, M_PANEL, M_PANELS);
  return transposes(job) ? eightsInBlock(job, lines, job.m, share) : lines;
}

@inline
function blocks(
  args: WeightGradientsArgs, sums: usize, job: Job, threads: i32, share: i64,
): i32 {
  if (isAdopted(args.count, sums, job)) return 0;
  return parts(job.m, blockM(job, share)) * parts(job.n, blockN(job, threads, share));
}

export function weight_gradients(
  args: WeightGradientsArgs, s: Scalars, _thread: i32, threads: i32,
): void {
  const share = fairShare(args, threads);
  const dense = denseScratch();
  const sparse = largestSparse(args, threads);
  let index = 0, start = 0, end = 0;
  const sums = adoptions(args);
  let job = changetype<Job>(args.jobs);
  if (args.count > 0) end = blocks(args, sums, job, threads, share);
  let own = 0;
  while (true) {
    // alone, a thread may stand beside others that run other programs
    const block = threads == 1 ? own++ : atomic.add<i32>(NEXT_PIECE, 1);
    while (index < args.count && block >= end) {
      start = end;
      index++;
      job = jobAt(args, index);
      if (index < args.count) end += blocks(args, sums, job, threads, share);
    }
    if (index == args.count) {
      // every thread gets exactly one number past the end, and the last of them rewinds
      if (threads > 1 && block == end + threads - 1) atomic.store<i32>(NEXT_PIECE, 0);
      return;
    }
    const columns = blockN(job, threads, share), lines = blockM(job, share);
    const across = parts(job.n, columns);
    const m = (block - start) / across * lines, n = (block - start) % across * columns;
    const mCount = min(lines, job.m - m), nCount = min(columns, job.n - n);
    // of the blocks that share columns, the first sums them
    let sum = m == 0 ? load<usize>(sums + (<usize>index << 2)) : 0;
    if (sum) sum += <usize>n << 2;
    if (skipsZeros(job)) sparseBlock(job, s.B, m, mCount, n, nCount, sum, sparse);
    else if (job.m <= THIN) thinBlock(job, s.B, n, nCount, sum);
    else denseBlock(job, s.B, m, mCount, n, nCount, sum, dense);
  }
}

/**
 * For each job, where the column sums of its `d` go that another job asks for, or 0. Whoever packs `d`
 * sums it on the way, and `d` is read once less.
 */
function adoptions(args: WeightGradientsArgs): usize {
  const sums = scratch(<usize>args.count << 2);
  for (let i = 0; i < args.count; i++) {
    store<usize>(sums + (<usize>i << 2), 0);
    const job = jobAt(args, i);
    if (job.a == 0 || job.T == 0) continue;
    if (!skipsZeros(job) && transposes(job)) continue;
    for (let j = 0; j < args.count; j++) {
      const sum = jobAt(args, j);
      // the first job that packs this `d` takes its sums along, and no other
      if (!sumsSame(sum, job) || isAdopted(i, sums, sum)) continue;
      store<usize>(sums + (<usize>i << 2), sum.out);
    }
  }
  return sums;
}

@inline
function jobAt(args: WeightGradientsArgs, i: i32): Job {
  return changetype<Job>(args.jobs + <usize>i * offsetof<Job>());
}

/** Whether `sum` asks for the column sums of all that `job` packs. */
@inline
function sumsSame(sum: Job, job: Job): bool {
  return sum.a == 0 && sum.d == job.d && sum.dStride == job.dStride && sum.n == job.n &&
    sum.T == job.T;
}

/** Whether a job is a column sum that one of the first `count` jobs takes along. */
function isAdopted(count: i32, sums: usize, job: Job): bool {
  if (job.a != 0) return false;
  for (let i = 0; i < count; i++) {
    if (load<usize>(sums + (<usize>i << 2)) == job.out) return true;
  }
  return false;
}

/** Working memory for the largest block of the sparse jobs. */
function largestSparse(args: WeightGradientsArgs, threads: i32): SparseScratch {
  let m = 0, n = 0;
  for (let i = 0; i < args.count; i++) {
    const job = jobAt(args, i);
    if (skipsZeros(job)) {
      m = max(m, job.m);
      n = max(n, blockN(job, threads, 0));
    }
  }
  return sparseScratch(m, n);
}

/** Address of row 0, column m of `a`. */
@inline
function left(job: Job, B: i32, m: i32): usize {
  return job.a + (<usize>(job.aSlot * B * job.aStride + m) << 2);
}

/** Working memory of a thread. */
@unmanaged
export class DenseScratch {
  sixes: usize;
  eights: usize;
  /** a transposed output block */
  turned: usize;
}

function denseScratch(): DenseScratch {
  const p = changetype<DenseScratch>(scratch(offsetof<DenseScratch>()));
  p.sixes = scratch(<usize>(ROW_BLOCK * M_PANELS * M_PANEL) << 2);
  p.eights = scratch(<usize>(ROW_BLOCK * N_PANELS * N_PANEL) << 2);
  p.turned = scratch(<usize>(M_PANELS * M_PANEL * N_PANELS * N_PANEL) << 2);
  return p;
}

/** @param sum where the column sums of `d` go, or 0 */
function denseBlock(
  job: Job, B: i32, m: i32, mCount: i32, n: i32, nCount: i32, sum: usize, p: DenseScratch,
): void {
  const rows = job.T * B;
  const aStep = <usize>job.aStride << 2, dStep = <usize>job.dStride << 2;
  const a = left(job, B, m), d = job.d + (<usize>n << 2);
  const out = job.out + (<usize>(m * job.n + n) << 2), outStep = <usize>job.n << 2;
  if (rows == 0) {
    clear(out, outStep, mCount, nCount);
  } else if (transposes(job)) {
    multiplyRows(d, dStep, nCount, a, aStep, mCount, rows, p.turned, <usize>mCount << 2, 0, p);
    transpose(p.turned, nCount, mCount, out, outStep);
  } else {
    multiplyRows(a, aStep, mCount, d, dStep, nCount, rows, out, outStep, sum, p);
  }
}

/** out[six][eight] = Σ_rows x[row][six] · y[row][eight]. */
function multiplyRows(
  x: usize, xStep: usize, sixes: i32, y: usize, yStep: usize, eights: i32, rows: i32,
  out: usize, outStep: usize, sum: usize, p: DenseScratch,
): void {
  for (let row = 0; row < rows; row += ROW_BLOCK) {
    const K = min(ROW_BLOCK, rows - row);
    packSixes(p.sixes, x, K, sixes, xStep);
    packEights(p.eights, y, K, eights, yStep, sum, row == 0);
    const xBytes = <usize>(K * M_PANEL) << 2, yBytes = <usize>(K * N_PANEL) << 2;
    let yPanel = p.eights;
    for (let j = 0; j < eights; j += N_PANEL, yPanel += yBytes) {
      let xPanel = p.sixes, c = out + (<usize>j << 2);
      for (let i = 0; i < sixes; i += M_PANEL, xPanel += xBytes, c += <usize>M_PANEL * outStep) {
        tile(K, xPanel, yPanel, c, outStep, sixes - i, eights - j, row == 0);
      }
    }
    x += <usize>ROW_BLOCK * xStep;
    y += <usize>ROW_BLOCK * yStep;
  }
}

/** out[j][i] = source[i][j] */
function transpose(source: usize, lines: i32, columns: i32, out: usize, outStep: usize): void {
  for (let i = 0; i < lines; i++, out += 4) {
    let to = out;
    for (let j = 0; j < columns; j++, source += 4, to += outStep) {
      store<f32>(to, load<f32>(source));
    }
  }
}

/** Panels of 6 columns. Columns past the end hold what stands there; nothing of them is kept. */
function packSixes(dest: usize, a: usize, K: i32, columns: i32, step: usize): void {
  for (let i = 0; i < columns; i += M_PANEL, a += <usize>M_PANEL << 2) {
    let source = a;
    for (let k = 0; k < K; k++, source += step, dest += <usize>M_PANEL << 2) {
      v128.store(dest, v128.load(source));
      store<u64>(dest, load<u64>(source, 16), 16);
    }
  }
}

/** Panels of 8 columns, as `packSixes`; their sums become or join `sum`, unless that is 0. */
function packEights(
  dest: usize, d: usize, K: i32, columns: i32, step: usize, sum: usize, first: bool,
): void {
  for (let j = 0; j < columns; j += N_PANEL, d += <usize>N_PANEL << 2) {
    let source = d, low = f32x4.splat(0), high = low;
    for (let k = 0; k < K; k++, source += step, dest += <usize>N_PANEL << 2) {
      const x = v128.load(source), y = v128.load(source, 16);
      v128.store(dest, x);
      v128.store(dest, y, 16);
      low = f32x4.add(low, x);
      high = f32x4.add(high, y);
    }
    if (sum) join(sum + (<usize>j << 2), low, high, columns - j, first);
  }
}

/** Eight numbers, of which `columns` count, become the total or join it. */
@inline
function join(out: usize, low: v128, high: v128, columns: i32, first: bool): void {
  if (!first) {
    low = f32x4.add(v128.load(out), low);
    if (columns > 4) high = f32x4.add(v128.load(out, 16), high);
  }
  if (columns >= 4) v128.store(out, low);
  else storeLanes(out, low, columns);
  if (columns >= 8) v128.store(out, high, 16);
  else if (columns > 4) storeLanes(out + 16, high, columns - 4);
}

/** 6 × 8 sums over K rows, with the registers of gemm.ts. */
function tile(
  K: i32, a: usize, d: usize, out: usize, outStep: usize, rows: i32, columns: i32, first: bool,
): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  let b0: v128, b1: v128, x: v128;
  for (let k = K >> 1; k > 0; k--) {
    b0 = v128.load(d);
    b1 = v128.load(d, 16);
    x = v128.load32_splat(a);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
    b0 = v128.load(d, 32);
    b1 = v128.load(d, 48);
    x = v128.load32_splat(a, 24);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a, 28);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a, 32);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a, 36);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a, 40);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a, 44);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
    a += 48;
    d += 64;
  }
  if (K & 1) {
    b0 = v128.load(d);
    b1 = v128.load(d, 16);
    x = v128.load32_splat(a);
    c00 = madd4(x, b0, c00);
    c01 = madd4(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd4(x, b0, c10);
    c11 = madd4(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd4(x, b0, c20);
    c21 = madd4(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd4(x, b0, c30);
    c31 = madd4(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd4(x, b0, c40);
    c41 = madd4(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd4(x, b0, c50);
    c51 = madd4(x, b1, c51);
  }
  join(out, c00, c01, columns, first);
  if (rows == 1) return;
  join(out + outStep, c10, c11, columns, first);
  if (rows == 2) return;
  join(out + 2 * outStep, c20, c21, columns, first);
  if (rows == 3) return;
  join(out + 3 * outStep, c30, c31, columns, first);
  if (rows == 4) return;
  join(out + 4 * outStep, c40, c41, columns, first);
  if (rows == 5) return;
  join(out + 5 * outStep, c50, c51, columns, first);
}

/** One or two rows of output, or a column sum, straight from the arrays. */
function thinBlock(job: Job, B: i32, n: i32, nCount: i32, sum: usize): void {
  const rows = job.T * B;
  const aStep = job.a ? <usize>job.aStride << 2 : 0, dStep = <usize>job.dStride << 2;
  let a = job.a ? left(job, B, 0) : ONE, d = job.d + (<usize>n << 2);
  const second: usize = job.m == 2 ? 4 : 0;
  const out = job.out + (<usize>n << 2), outStep = <usize>job.n << 2;
  if (rows == 0) clear(out, outStep, job.m, nCount);
  for (let row = 0; row < rows; row += ROW_BLOCK) {
    const K = min(ROW_BLOCK, rows - row);
    let j = 0;
    for (; sum && j < nCount; j += 16) {
      const at = <usize>j << 2, room = nCount - j;
      thin16(K, a, aStep, second, d + at, dStep, out + at, outStep, sum + at, room, row == 0);
    }
    for (; j + 24 <= nCount; j += 24) {
      const shift = <usize>j << 2;
      thin24(K, a, aStep, second, d + shift, dStep, out + shift, outStep, row == 0);
    }
    for (; j < nCount; j += 8) {
      const shift = <usize>j << 2;
      thin8(K, a, aStep, second, d + shift, dStep, out + shift, outStep, nCount - j, row == 0);
    }
    a += <usize>ROW_BLOCK * aStep;
    d += <usize>ROW_BLOCK * dStep;
  }
}

function thin24(
  K: i32, a: usize, aStep: usize, second: usize, d: usize, dStep: usize, out: usize,
  outStep: usize, first: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0;
  let e0 = c0, e1 = c0, e2 = c0, e3 = c0, e4 = c0, e5 = c0;
  let x: v128, y: v128, b: v128;
  for (let k = K; k > 0; k--) {
    x = v128.load32_splat(a);
    y = v128.load32_splat(a + second);
    b = v128.load(d);
    c0 = madd4(x, b, c0);
    e0 = madd4(y, b, e0);
    b = v128.load(d, 16);
    c1 = madd4(x, b, c1);
    e1 = madd4(y, b, e1);
    b = v128.load(d, 32);
    c2 = madd4(x, b, c2);
    e2 = madd4(y, b, e2);
    b = v128.load(d, 48);
    c3 = madd4(x, b, c3);
    e3 = madd4(y, b, e3);
    b = v128.load(d, 64);
    c4 = madd4(x, b, c4);
    e4 = madd4(y, b, e4);
    b = v128.load(d, 80);
    c5 = madd4(x, b, c5);
    e5 = madd4(y, b, e5);
    a += aStep;
    d += dStep;
  }
  join(out, c0, c1, 8, first);
  join(out + 32, c2, c3, 8, first);
  join(out + 64, c4, c5, 8, first);
  if (!second) return;
  join(out + outStep, e0, e1, 8, first);
  join(out + outStep + 32, e2, e3, 8, first);
  join(out + outStep + 64, e4, e5, 8, first);
}

/** With the column sums as a third row. */
function thin16(
  K: i32, a: usize, aStep: usize, second: usize, d: usize, dStep: usize, out: usize,
  outStep: usize, sum: usize, columns: i32, first: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  let e0 = c0, e1 = c0, e2 = c0, e3 = c0, s0 = c0, s1 = c0, s2 = c0, s3 = c0;
  let x: v128, y: v128, b: v128;
  for (let k = K; k > 0; k--) {
    x = v128.load32_splat(a);
    y = v128.load32_splat(a + second);
    b = v128.load(d);
    c0 = madd4(x, b, c0);
    e0 = madd4(y, b, e0);
    s0 = f32x4.add(s0, b);
    b = v128.load(d, 16);
    c1 = madd4(x, b, c1);
    e1 = madd4(y, b, e1);
    s1 = f32x4.add(s1, b);
    b = v128.load(d, 32);
    c2 = madd4(x, b, c2);
    e2 = madd4(y, b, e2);
    s2 = f32x4.add(s2, b);
    b = v128.load(d, 48);
    c3 = madd4(x, b, c3);
    e3 = madd4(y, b, e3);
    s3 = f32x4.add(s3, b);
    a += aStep;
    d += dStep;
  }
  joinSixteen(out, c0, c1, c2, c3, columns, first);
  joinSixteen(sum, s0, s1, s2, s3, columns, first);
  if (second) joinSixteen(out + outStep, e0, e1, e2, e3, columns, first);
}

@inline
function joinSixteen(
  out: usize, x0: v128, x1: v128, x2: v128, x3: v128, columns: i32, first: bool,
): void {
  join(out, x0, x1, columns, first);
  if (columns > 8) join(out + 32, x2, x3, columns - 8, first);
}

function thin8(
  K: i32, a: usize, aStep: usize, second: usize, d: usize, dStep: usize, out: usize,
  outStep: usize, columns: i32, first: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, e0 = c0, e1 = c0;
  let x: v128, y: v128, b: v128;
  for (let k = K; k > 0; k--) {
    x = v128.load32_splat(a);
    y = v128.load32_splat(a + second);
    b = v128.load(d);
    c0 = madd4(x, b, c0);
    e0 = madd4(y, b, e0);
    b = v128.load(d, 16);
    c1 = madd4(x, b, c1);
    e1 = madd4(y, b, e1);
    a += aStep;
    d += dStep;
  }
  join(out, c0, c1, columns, first);
  if (second) join(out + outStep, e0, e1, columns, first);
}

function clear(out: usize, outStep: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++, out += outStep) memory.fill(out, 0, <usize>columns << 2);
}
