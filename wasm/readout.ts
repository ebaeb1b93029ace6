// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Log-rates, the Poisson loss and its gradients (docs/model.md, section 2): nll = -Σ (x logRate - rate). Four
 * rows go through all bins together; a bin's log-rates stay in scratch, in the nearest cache.
 */
import { put } from "./cells";
import { elementAt, REAL, U16, widen } from "./data";
import { factorGradients4 } from "./factor_gradients";
import { logRates4, paddedRow } from "./log_rates";
import { weigh, Weighing, weighing } from "./loss_weights";
import { expRate4, firstLanes, laneSum, storeLanes } from "./math";
import { scratch } from "./scratch";
import { Scalars } from "./scalars";

@unmanaged
export class ReadoutArgs {
  factors_HRF: usize;
  w_FN: usize;
  b_N: usize;
  counts: usize;
  encoded: usize;
  trials_B: usize;
  keepSpikes_BTN: usize;
  logRates_TRN: usize;
  dFactors_HRF: usize;
  nll_R: usize;
  T: i32;
  N: i32;
  F: i32;
  element: i32;
  gaps: i32;
  gradient: i32;
  coordinated: i32;
  keepRate: f32;
}

/** Beyond this a log-rate is read as this, so that its exponential stays finite: MAX_LOG_RATE. */
export const MAX_LOG_RATE: f32 = 30;

export function readout(args: ReadoutArgs, s: Scalars, thread: i32, threads: i32): void {
  const R = s.B * s.S, tiles = (R + 3) >> 2;
  const block = scratch(((paddedRow(args.N) as usize) << 2) * 4);
  const w = isWeighed(args) ? weighingOf(args) : changetype<Weighing>(0);
  const end = tiles * (thread + 1) / threads;
  for (let tile = tiles * thread / threads; tile < end; tile++) readTile(args, s, tile << 2, block, w);
}

/** Whether every element may count differently, and not each once. */
@inline
function isWeighed(args: ReadoutArgs): bool {
  return args.gaps != 0 || args.coordinated != 0 || args.element == REAL;
}

function weighingOf(args: ReadoutArgs): Weighing {
  const w = weighing(args.N);
  w.data = args.counts;
  w.encoded = args.encoded;
  w.trials_B = args.trials_B;
  w.keepSpikes_BTN = args.keepSpikes_BTN;
  w.T = args.T;
  w.element = args.element;
  w.gaps = args.gaps;
  w.coordinated = args.coordinated;
  w.keepRate = args.keepRate;
  return w;
}

/** Rows r … r + 3 through all bins; the last tile repeats row R - 1, which rewrites the same bits. */
function readTile(args: ReadoutArgs, s: Scalars, r: i32, block: usize, w: Weighing): void {
  const R = s.B * s.S, F = args.F, N = args.N;
  const r0 = r, r1 = min(r + 1, R - 1), r2 = min(r + 2, R - 1), r3 = min(r + 3, R - 1);
  const x0 = firstCount(args, s, r0), x1 = firstCount(args, s, r1);
  const x2 = firstCount(args, s, r2), x3 = firstCount(args, s, r3);
  const rowBytes = (N as usize) << args.element;
  const stride = (paddedRow(N) as usize) << 2, factorRow = (F as usize) << 2;
  const inverseB: f32 = 1 / (s.B as f32);
  let nll0: f64 = 0, nll1: f64 = 0, nll2: f64 = 0, nll3: f64 = 0;
  for (let t = 0; t < args.T; t++) {
    const bin = (t * R) as usize, past = (t as usize) * rowBytes;
    const factors = args.factors_HRF + (bin + (R as usize)) * factorRow;
    logRates4(
      block,
      factors + (r0 as usize) * factorRow, factors + (r1 as usize) * factorRow,
      factors + (r2 as usize) * factorRow, factors + (r3 as usize) * factorRow,
      args.w_FN, args.b_N, N, F,
    );
    const out = args.logRates_TRN + ((bin * (N as usize)) << 2), outRow = (N as usize) << 2;
    const o0 = out + (r0 as usize) * outRow, o1 = out + (r1 as usize) * outRow;
    const o2 = out + (r2 as usize) * outRow, o3 = out + (r3 as usize) * outRow;
    if (changetype<usize>(w) == 0) {
      nll0 += lossRow(args, block, x0 + past, o0, inverseB);
      nll1 += lossRow(args, block + stride, x1 + past, o1, inverseB);
      nll2 += lossRow(args, block + 2 * stride, x2 + past, o2, inverseB);
      nll3 += lossRow(args, block + 3 * stride, x3 + past, o3, inverseB);
    } else {
      nll0 += weighedRow(args, s, w, r0, t, block, o0);
      nll1 += weighedRow(args, s, w, r1, t, block + stride, o1);
      nll2 += weighedRow(args, s, w, r2, t, block + 2 * stride, o2);
      nll3 += weighedRow(args, s, w, r3, t, block + 3 * stride, o3);
    }
    if (!args.gradient) continue;
    const d = args.dFactors_HRF + (bin + (R as usize)) * factorRow;
    factorGradients4(
      args.w_FN, N, F, block,
      d + (r0 as usize) * factorRow, d + (r1 as usize) * factorRow,
      d + (r2 as usize) * factorRow, d + (r3 as usize) * factorRow,
    );
  }
  store<f32>(args.nll_R + ((r0 as usize) << 2), nll0 as f32);
  store<f32>(args.nll_R + ((r1 as usize) << 2), nll1 as f32);
  store<f32>(args.nll_R + ((r2 as usize) << 2), nll2 as f32);
  store<f32>(args.nll_R + ((r3 as usize) << 2), nll3 as f32);
}

/** Where the counts of a decoder row's trial start. */
@inline
function firstCount(args: ReadoutArgs, s: Scalars, r: i32): usize {
  const trial = load<u32>(args.trials_B + (((r / s.S) as usize) << 2)) as usize;
  return elementAt(args.counts, trial * ((args.T * args.N) as usize), args.element);
}

/**
 * The loss of one row in one bin. Leaves the row's log-rates, or their gradients, in `out`; gradients
 * also in `row`, with zeros up to a whole vector.
 */
@inline
function lossRow(args: ReadoutArgs, row: usize, x: usize, out: usize, inverseB: f32): f64 {
  const N = args.N, wide = args.element == U16, gradient = args.gradient;
  const inverse = f32x4.splat(inverseB), highest = f32x4.splat(MAX_LOG_RATE);
  let sum = f32x4.splat(0);
  for (let n = 0; n < N; n += 4, row += 16, out += 16) {
    const l = v128.load(row);
    const counts = wide ? counts16(x + ((n as usize) << 1)) : counts8(x + (n as usize));
    const rate = expRate4(f32x4.pmin(l, highest));
    let loss = f32x4.sub(rate, f32x4.mul(counts, l));
    let value = gradient ? f32x4.mul(f32x4.sub(rate, counts), inverse) : l;
    const room = N - n;
    if (room >= 4) {
      v128.store(out, value);
    } else {
      const valid = firstLanes(room);
      loss = v128.and(loss, valid);
      value = v128.and(value, valid);
      storeLanes(out, value, room);
    }
    if (gradient) v128.store(row, value);
    sum = f32x4.add(sum, loss);
  }
  return laneSum(sum);
}

/** The same where each element has a weight of its own; what weighs nothing has a gradient of 0. */
function weighedRow(
  args: ReadoutArgs, s: Scalars, w: Weighing, r: i32, t: i32, row: usize, out: usize,
): f64 {
  const N = args.N, gradient = args.gradient;
  const inverse = f32x4.splat(1 / (s.B as f32)), highest = f32x4.splat(MAX_LOG_RATE);
  weigh(w, s, r / s.S, t);
  let x = w.x, weights = w.weights, sum = f32x4.splat(0);
  for (let n = 0; n < N; n += 4, row += 16, out += 16, x += 16, weights += 16) {
    const l = v128.load(row), counts = v128.load(x), weight = v128.load(weights);
    const counted = f32x4.gt(weight, f32x4.splat(0));
    const rate = expRate4(f32x4.pmin(l, highest));
    const loss = f32x4.mul(weight, f32x4.sub(rate, f32x4.mul(counts, l)));
    sum = f32x4.add(sum, v128.and(loss, counted));
    if (gradient) {
      const slope = f32x4.mul(f32x4.mul(f32x4.sub(rate, counts), inverse), weight);
      const value = v128.and(slope, counted);
      v128.store(row, value);
      put(out, value, N - n);
    } else {
      put(out, l, N - n);
    }
  }
  return laneSum(sum);
}

@inline
function counts8(address: usize): v128 {
  return widen(i16x8.extend_low_i8x16_u(v128.load32_zero(address)));
}

@inline
function counts16(address: usize): v128 {
  return widen(v128.load64_zero(address));
}
