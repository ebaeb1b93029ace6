/** Loss terms averaged over the batch; L2, the gradient through Ŵ, and the gradient's norm. */
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
import { barrier } from "./gang";
import { firstLanes, storeLanes } from "./math";
import { Scalars } from "./scalars";

@unmanaged
export class ReduceArgs {
  params_P: usize;
  l2_P: usize;
  grads_P: usize;
  w_GF: usize;
  dw_GF: usize;
  norms_F: usize;
  nll_R: usize;
  klIc_R: usize;
  klInputs_R: usize;
  partials: usize;
  losses: usize;
  P: i32;
  G: i32;
  F: i32;
  gradient: i32;
}

// Bytes into `losses`: LOSSES of kernels.ts. What is a mean over the batch stands before the norm.
const TOTAL: usize = 0;
const NLL: usize = 4;
const KL_IC: usize = 8;
const KL_INPUTS: usize = 12;
const L2: usize = 16;
export const GRAD_NORM: usize = 20;

/** Sums run over blocks of this many parameters, whatever the number of threads. */
export const BLOCK: i32 = 1024;

export function reduce(args: ReduceArgs, s: Scalars, thread: i32, threads: i32): void {
  if (args.gradient) {
    unnormalise(args, thread, threads);
    barrier();
  }
  const blocks = (args.P + BLOCK - 1) / BLOCK;
  for (let block = thread; block < blocks; block += threads) reduceBlock(args, s, block);
  barrier();
  if (thread != 0) return;

  const gradNorm = joinNorms(args.partials, blocks), penalty = joinNorms(args.partials + 4, blocks);
  const R = s.B * s.S;
  const nll = mean(args.nll_R, R), klIc = mean(args.klIc_R, R);
  const klInputs = args.klInputs_R ? mean(args.klInputs_R, R) : 0;
  const l2 = <f64> s.l2Scale * penalty * penalty;
  const total = nll + <f64> s.klIcScale * klIc + <f64> s.klInputsScale * klInputs + l2;
  store<f32>(args.losses + TOTAL, <f32> total);
  store<f32>(args.losses + NLL, <f32> nll);
  store<f32>(args.losses + KL_IC, <f32> klIc);
  store<f32>(args.losses + KL_INPUTS, <f32> klInputs);
  store<f32>(args.losses + L2, <f32> l2);
  store<f32>(args.losses + GRAD_NORM, <f32> gradNorm);
}

/** `dw` holds dŴ; w/|w| projects it: dw = (dŴ - Ŵ (Ŵ · dŴ)) / |w|, a column at a time. */
function unnormalise(args: ReduceArgs, thread: i32, threads: i32): void {
  const G = args.G, F = args.F, row = <usize> F << 2;
  for (let f = thread; f < F; f += threads) {
    const column = <usize> f << 2;
    const norm = <f64> load<f32>(args.norms_F + column);
    let along: f64 = 0;
    for (let g = 0, at = column; g < G; g++, at += row) {
      along += <f64> load<f32>(args.w_GF + at) / norm * <f64> load<f32>(args.dw_GF + at);
    }
    for (let g = 0, at = column; g < G; g++, at += row) {
      const hat = <f64> load<f32>(args.w_GF + at) / norm;
      store<f32>(
        args.dw_GF + at,
        <f32> ((<f64> load<f32>(args.dw_GF + at) - hat * along) / norm),
      );
    }
  }
}

/**
 * Adds L2's gradient, and leaves √Σ grads² and √Σ l2 params² of one block in `partials`: the squares of a
 * gradient that float32 can hold may be beyond it, and a clip must still bring such a gradient down.
 */
function reduceBlock(args: ReduceArgs, s: Scalars, block: i32): void {
  const first = block * BLOCK, end = min(first + BLOCK, args.P);
  const gradient = args.gradient, slope = f32x4.splat(2 * s.l2Scale);
  const penalised = s.l2Scale != 0;
  let gradSum = f64x2.splat(0), penalty = gradSum;
  for (let i = first; i < end; i += 4) {
    const at = <usize> i << 2, room = end - i;
    const valid = firstLanes(room);
    const p = v128.and(v128.load(args.params_P + at), valid);
    const l2 = v128.and(v128.load(args.l2_P + at), valid);
    penalty = addProducts(penalty, l2, p);
    if (!gradient) continue;
    let g = v128.and(v128.load(args.grads_P + at), valid);
    if (penalised) {
      g = f32x4.add(g, f32x4.mul(f32x4.mul(slope, l2), p));
      if (room >= 4) v128.store(args.grads_P + at, g);
      else storeLanes(args.grads_P + at, g, room);
    }
    gradSum = addSquares(gradSum, g);
  }
  const at = args.partials + (<usize> block << 3);
  store<f32>(at, <f32> sqrt(sumLanes(gradSum)));
  store<f32>(at + 4, <f32> sqrt(sumLanes(penalty)));
}

/** The norm of all blocks from the norms of each, 8 bytes apart. */
export function joinNorms(norms: usize, blocks: i32): f64 {
  let sum: f64 = 0;
  for (let block = 0; block < blocks; block++, norms += 8) {
    const norm = <f64> load<f32>(norms);
    sum += norm * norm;
  }
  return sqrt(sum);
}

/** Adds the squares of four floats to two float64 sums. */
@inline
export function addSquares(sum: v128, x: v128): v128 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
  return f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)));
}

/** Adds w x² of four floats to two float64 sums. */
@inline
function addProducts(sum: v128, w: v128, x: v128): v128 {
  const low = f64x2.promote_low_f32x4(x), wLow = f64x2.promote_low_f32x4(w);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
  const wHigh = f64x2.promote_low_f32x4(v128.shuffle<i32>(w, w, 2, 3, 2, 3));
  const lows = f64x2.mul(wLow, f64x2.mul(low, low));
  return f64x2.add(sum, f64x2.add(lows, f64x2.mul(wHigh, f64x2.mul(high, high))));
}

@inline
export function sumLanes(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

function mean(values_R: usize, R: i32): f64 {
  let sum: f64 = 0;
  for (let r = 0; r < R; r++) sum += <f64> load<f32>(values_R + (<usize> r << 2));
  return sum / <f64> R;
}
