// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Adam on the speed of every candidate, each point alone (docs/model.md, section 4). A thread keeps a block of
 * candidates for all iterations; it and the weights stay in the cache.
 */
import { activateAll, gruRows, gruRowsBackward, put, vanillaRowsBackward } from "./cells";
import { gemm, pack, packTransposed } from "./gemm";
import { firstLanes, laneSum, madd4 } from "./math";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** Candidates that a thread takes along together. */
const ROWS: i32 = 48;

@unmanaged
export class FixedPointsArgs {
  wGenInput: usize;
  wGenRecurrent: usize;
  wGenCandidate_GG: usize;
  bGen: usize;
  input_U: usize;
  points_KG: usize;
  m_KG: usize;
  v_KG: usize;
  speeds_K: usize;
  U: i32;
  G: i32;
  cell: i32;
  nonlinearity: i32;
  b1: f32;
  b2: f32;
  eps: f32;
  stepSize: f32;
  decay: f32;
}

@unmanaged
export class Prepared {
  recurrent: usize;
  candidate: usize;
  recurrentT: usize;
  candidateT: usize;
  /** bias and input: the part of the pre-activations that is the same for all points */
  constant: usize;
  gates: usize;
  reset: usize;
  /** F(h) */
  next: usize;
  /** F(h) - h */
  residual: usize;
  dState: usize;
  dReset: usize;
}

export function fixed_points(args: FixedPointsArgs, s: Scalars, thread: i32, threads: i32): void {
  const K = s.B, G = args.G;
  const first = <i32>(<i64>K * thread / threads), last = <i32>(<i64>K * (thread + 1) / threads);
  if (first == last) return;
  const p = prepare(args);
  const blocks = (last - first + ROWS - 1) / ROWS;
  const size = (last - first + blocks - 1) / blocks;
  for (let k = first; k < last; k += size) {
    const rows = min(size, last - k);
    for (let i = 0; i < s.iterations; i++) {
      step(args, rows, args.points_KG + (<usize>(k * G) << 2), p);
      measure(rows, G, p, args.speeds_K + (<usize>k << 2));
      update(args, <usize>(k * G) << 2, rows * G, s.count + i, p);
    }
  }
}

function prepare(args: FixedPointsArgs): Prepared {
  const G = args.G, U = args.U, width = args.cell ? 3 * G : G;
  const p = changetype<Prepared>(scratch(offsetof<Prepared>()));
  if (args.cell) {
    p.recurrent = pack(args.wGenRecurrent, G, 2 * G, 2 * G);
    p.candidate = pack(args.wGenCandidate_GG, G, G, G);
    p.recurrentT = packTransposed(args.wGenRecurrent, 2 * G, G, 2 * G);
    p.candidateT = packTransposed(args.wGenCandidate_GG, G, G, G);
  } else {
    p.recurrent = pack(args.wGenRecurrent, G, G, G);
    p.recurrentT = packTransposed(args.wGenRecurrent, G, G, G);
  }
  p.constant = scratch(<usize>width << 2);
  if (U > 0) {
    const packed = pack(args.wGenInput, U, width, width);
    gemm(1, width, U, args.input_U, U, packed, p.constant, width, args.bGen, 0);
  } else {
    memory.copy(p.constant, args.bGen, <usize>width << 2);
  }
  const state = <usize>(ROWS * G) << 2;
  p.gates = scratch(<usize>(ROWS * width) << 2);
  p.reset = scratch(state);
  p.next = scratch(state);
  p.residual = scratch(state);
  p.dState = scratch(state);
  p.dReset = scratch(state);
  return p;
}

/** F(h) - h of a block into `residual`, and Jᵀ (F(h) - h) into `dState`. */
function step(args: FixedPointsArgs, rows: i32, points: usize, p: Prepared): void {
  const G = args.G, gates = p.gates;
  let next = gates;
  if (args.cell) {
    const width = <usize>(3 * G) << 2;
    for (let i = 0; i < rows; i++) memory.copy(gates + <usize>i * width, p.constant, width);
    next = p.next;
    gruRows(rows, G, p.recurrent, p.candidate, points, G, gates, 3 * G, p.reset, G, next, G);
  } else {
    gemm(rows, G, G, points, G, p.recurrent, gates, G, p.constant, 0);
    activateAll(gates, rows * G, args.nonlinearity);
  }
  const bytes = <usize>(rows * G) << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    const difference = f32x4.sub(v128.load(next + at), v128.load(points + at));
    const room = <i32>((bytes - at) >> 2);
    put(p.residual + at, difference, room);
    put(p.dState + at, difference, room);
  }
  if (args.cell) {
    gruRowsBackward(
      rows, G, p.recurrentT, p.candidateT, points, G, gates, 3 * G, p.dState, p.dReset,
    );
  } else {
    vanillaRowsBackward(rows, G, args.nonlinearity, p.recurrentT, gates, p.dState);
  }
}

/** q of each row: the mean square of its residual. */
function measure(rows: i32, G: i32, p: Prepared, speeds: usize): void {
  for (let i = 0; i < rows; i++) {
    const row = p.residual + (<usize>(i * G) << 2);
    let sum = f32x4.splat(0);
    for (let g = 0; g < G; g += 4) {
      let x = v128.load(row + (<usize>g << 2));
      if (G - g < 4) x = v128.and(x, firstLanes(G - g));
      sum = madd4(x, x, sum);
    }
    store<f32>(speeds + (<usize>i << 2), <f32>(laneSum(sum) / <f64>G));
  }
}

/** Adam's step on `length` numbers from byte `offset` of the points, the n-th since the start. */
function update(
  args: FixedPointsArgs, offset: usize, length: i32, n: i32, p: Prepared,
): void {
  const b1 = <f64>args.b1, b2 = <f64>args.b2;
  const rate = <f32>(<f64>args.stepSize * Math.pow(args.decay, n - 1) / (1 - Math.pow(b1, n)));
  const rate4 = f32x4.splat(rate), eps = f32x4.splat(args.eps);
  const root4 = f32x4.splat(<f32>(1 / (1 - Math.pow(b2, n))));
  const keep1 = f32x4.splat(args.b1), take1 = f32x4.splat(<f32>(1 - b1));
  const keep2 = f32x4.splat(args.b2), take2 = f32x4.splat(<f32>(1 - b2));
  const scale = f32x4.splat(2 / <f32>args.G);
  let points = args.points_KG + offset, m = args.m_KG + offset, v = args.v_KG + offset;
  let d = p.dState, residual = p.residual;
  for (; length > 0; length -= 4) {
    const dq = f32x4.mul(scale, f32x4.sub(v128.load(d), v128.load(residual)));
    const m4 = madd4(keep1, v128.load(m), f32x4.mul(take1, dq));
    const v4 = madd4(keep2, v128.load(v), f32x4.mul(f32x4.mul(take2, dq), dq));
    const root = f32x4.add(f32x4.sqrt(f32x4.mul(v4, root4)), eps);
    const step = f32x4.div(f32x4.mul(rate4, m4), root);
    put(m, m4, length);
    put(v, v4, length);
    put(points, f32x4.sub(v128.load(points), step), length);
    points += 16;
    m += 16;
    v += 16;
    d += 16;
    residual += 16;
  }
}
