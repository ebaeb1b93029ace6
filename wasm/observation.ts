// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Outputs of the readout and the loss of real numbers, with its gradients, four rows at a time as in
 * `readout`. Of a neuron's K outputs all neurons' first stand first; which they are, and the losses:
 *
 * - gaussian: mean m, log-variance v: ½ (ln 2π + ln var + (x - m)² / var), var = exp(v) + varMin
 * - gamma: a = ln α, b = ln β: -(α ln β + (α - 1) ln x - β x - ln Γ(α))
 * - zero-inflated gamma: besides c, the logit of x > 0: softplus(c) where x = 0, else
 *   softplus(-c) and the gamma's of x - floor
 */
import { put } from "./cells";
import { REAL } from "./data";
import { factorGradients4 } from "./factor_gradients";
import { digamma4, lnGamma4, shifted4 } from "./gamma";
import { logRates4, paddedRow } from "./log_rates";
import { weigh, Weighing, weighing } from "./loss_weights";
import { expRate4, laneSum, log4, sigmoid4 } from "./math";
import { MAX_LOG_RATE } from "./readout";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** `FAMILIES` of kernels.ts; the others are gammas. */
export const GAUSSIAN: i32 = 1;
export const ZERO_INFLATED: i32 = 3;

@unmanaged
export class ObservationArgs {
  factors_HRF: usize;
  w_FQ: usize;
  b_Q: usize;
  values: usize;
  encoded: usize;
  trials_B: usize;
  keepSpikes_BTN: usize;
  outputs_TRQ: usize;
  dFactors_HRF: usize;
  nll_R: usize;
  T: i32;
  N: i32;
  F: i32;
  family: i32;
  gaps: i32;
  gradient: i32;
  coordinated: i32;
  keepRate: f32;
  varMin: f32;
  floor: f32;
}

/** Outputs of each neuron: `OUTPUTS` of kernels.ts. */
@inline
export function outputsOf(family: i32): i32 {
  return family == ZERO_INFLATED ? 3 : 2;
}

export function observation(args: ObservationArgs, s: Scalars, thread: i32, threads: i32): void {
  const R = s.B * s.S, tiles = (R + 3) >> 2;
  const block = scratch((<usize> paddedRow(outputsOf(args.family) * args.N) << 2) * 4);
  const w = weighing(args.N);
  w.data = args.values;
  w.encoded = args.encoded;
  w.trials_B = args.trials_B;
  w.keepSpikes_BTN = args.keepSpikes_BTN;
  w.T = args.T;
  w.element = REAL;
  w.gaps = args.gaps;
  w.coordinated = args.coordinated;
  w.keepRate = args.keepRate;
  const end = tiles * (thread + 1) / threads;
  for (let tile = tiles * thread / threads; tile < end; tile++) {
    observeTile(args, s, tile << 2, block, w);
  }
}

/** Rows r … r + 3 through all bins; the last tile repeats row R - 1, which rewrites the same bits. */
function observeTile(args: ObservationArgs, s: Scalars, r: i32, block: usize, w: Weighing): void {
  const R = s.B * s.S, F = args.F, Q = outputsOf(args.family) * args.N;
  const r0 = r, r1 = min(r + 1, R - 1), r2 = min(r + 2, R - 1), r3 = min(r + 3, R - 1);
  const stride = <usize> paddedRow(Q) << 2, factorRow = <usize> F << 2;
  let nll0: f64 = 0, nll1: f64 = 0, nll2: f64 = 0, nll3: f64 = 0;
  for (let t = 0; t < args.T; t++) {
    const factors = args.factors_HRF + <usize> (t * R + R) * factorRow;
    logRates4(
      block,
      factors + <usize> r0 * factorRow, factors + <usize> r1 * factorRow,
      factors + <usize> r2 * factorRow, factors + <usize> r3 * factorRow,
      args.w_FQ, args.b_Q, Q, F,
    );
    nll0 += observeRow(args, s, w, r0, t, block);
    nll1 += observeRow(args, s, w, r1, t, block + stride);
    nll2 += observeRow(args, s, w, r2, t, block + 2 * stride);
    nll3 += observeRow(args, s, w, r3, t, block + 3 * stride);
    if (!args.gradient) continue;
    const d = args.dFactors_HRF + <usize> (t * R + R) * factorRow;
    factorGradients4(
      args.w_FQ, Q, F, block,
      d + <usize> r0 * factorRow, d + <usize> r1 * factorRow,
      d + <usize> r2 * factorRow, d + <usize> r3 * factorRow,
    );
  }
  store<f32>(args.nll_R + (<usize> r0 << 2), <f32> nll0);
  store<f32>(args.nll_R + (<usize> r1 << 2), <f32> nll1);
  store<f32>(args.nll_R + (<usize> r2 << 2), <f32> nll2);
  store<f32>(args.nll_R + (<usize> r3 << 2), <f32> nll3);
}

/** The loss of one row in one bin; `row` holds its outputs and gets their gradients. */
function observeRow(
  args: ObservationArgs, s: Scalars, w: Weighing, r: i32, t: i32, row: usize,
): f64 {
  const N = args.N, Q = outputsOf(args.family) * N, family = args.family;
  const out = args.outputs_TRQ + (<usize> ((t * s.B * s.S + r) * Q) << 2);
  if (!args.gradient) memory.copy(out, row, <usize> Q << 2);
  weigh(w, s, r / s.S, t);
  const loss = family == GAUSSIAN
    ? gaussianRow(args, s, w, row)
    : gammaRow(args, s, w, row, family == ZERO_INFLATED);
  if (args.gradient) {
    memory.copy(out, row, <usize> Q << 2);
    // what a last vector reads beyond the row
    for (let q = Q; q < paddedRow(Q); q++) store<f32>(row + (<usize> q << 2), 0);
  }
  return loss;
}

/** A gradient's share in the batch; 0 where nothing counts, whatever it would be. */
@inline
function shared(gradient: v128, weight: v128, inverse: v128, counted: v128): v128 {
  return v128.and(f32x4.mul(f32x4.mul(gradient, inverse), weight), counted);
}

/** exp of what is read as at most MAX_LOG_RATE. */
@inline
function limitedExp(x: v128): v128 {
  return expRate4(f32x4.pmin(x, f32x4.splat(MAX_LOG_RATE)));
}

function gaussianRow(args: ObservationArgs, s: Scalars, w: Weighing, row: usize): f64 {
  const N = args.N, gradient = args.gradient, second = <usize> N << 2;
  const inverse = f32x4.splat(1 / <f32> s.B), varMin = f32x4.splat(args.varMin);
  const half = f32x4.splat(0.5), logTurn = f32x4.splat(1.8378770664093453);
  let x = w.x, weights = w.weights, sum = f32x4.splat(0);
  for (let n = 0; n < N; n += 4, row += 16, x += 16, weights += 16) {
    const weight = v128.load(weights), counted = f32x4.gt(weight, f32x4.splat(0));
    const spread = limitedExp(v128.load(row + second)), variance = f32x4.add(spread, varMin);
    const error = f32x4.sub(v128.load(x), v128.load(row));
    const scaled = f32x4.div(error, variance), squares = f32x4.mul(error, scaled);
    const terms = f32x4.add(f32x4.add(logTurn, log4(variance)), squares);
    sum = f32x4.add(sum, v128.and(f32x4.mul(weight, f32x4.mul(half, terms)), counted));
    if (!gradient) continue;
    const one = f32x4.splat(1);
    const share = f32x4.mul(half, f32x4.div(spread, variance));
    const dLogVar = f32x4.mul(share, f32x4.sub(one, squares));
    put(row, shared(f32x4.neg(scaled), weight, inverse, counted), N - n);
    put(row + second, shared(dLogVar, weight, inverse, counted), N - n);
  }
  return laneSum(sum);
}

/** `inflated`: with zeros that a third output accounts for. */
function gammaRow(args: ObservationArgs, s: Scalars, w: Weighing, row: usize, inflated: bool): f64 {
  const N = args.N, gradient = args.gradient, second = <usize> N << 2, third = <usize> N << 3;
  const inverse = f32x4.splat(1 / <f32> s.B), highest = f32x4.splat(MAX_LOG_RATE);
  const one = f32x4.splat(1), none = f32x4.splat(0), floor = f32x4.splat(args.floor);
  let at = w.x, weights = w.weights, sum = none;
  for (let n = 0; n < N; n += 4, row += 16, at += 16, weights += 16) {
    const weight = v128.load(weights), counted = f32x4.gt(weight, none);
    const given = v128.load(at), b = v128.load(row + second);
    const logBeta = f32x4.pmin(b, highest);
    // all bits where a gamma's number stands
    const isGamma = inflated ? f32x4.ne(given, none) : f32x4.eq(none, none);
    const x = inflated ? f32x4.sub(given, floor) : given;
    const alpha = limitedExp(v128.load(row)), betaX = f32x4.mul(limitedExp(b), x);
    const logX = log4(x), y = shifted4(alpha), logY = log4(y), inverseY = f32x4.div(one, y);
    const logs = f32x4.add(logBeta, logX);
    const fall = f32x4.sub(lnGamma4(alpha, y, logY, inverseY), f32x4.mul(alpha, logs));
    let loss = v128.and(f32x4.add(f32x4.add(fall, logX), betaX), isGamma);
    const c = inflated ? v128.load(row + third) : none;
    // softplus of c, or of -c where x is not 0
    if (inflated) loss = f32x4.add(loss, softplus4(v128.bitselect(f32x4.neg(c), c, isGamma)));
    sum = f32x4.add(sum, v128.and(f32x4.mul(weight, loss), counted));
    if (!gradient) continue;
    const dA = f32x4.mul(alpha, f32x4.sub(digamma4(alpha, logY, inverseY), logs));
    const dB = f32x4.sub(betaX, alpha), gammas = v128.and(counted, isGamma);
    put(row, shared(dA, weight, inverse, gammas), N - n);
    put(row + second, shared(dB, weight, inverse, gammas), N - n);
    if (!inflated) continue;
    const dZero = sigmoid4(c), dMore = f32x4.neg(sigmoid4(f32x4.neg(c)));
    const dC = v128.bitselect(dMore, dZero, isGamma);
    put(row + third, shared(dC, weight, inverse, counted), N - n);
  }
  return laneSum(sum);
}

/**
 * ln(1 + e^c), relative to itself where that is near 0 too: what the sum 1 + z of z = e^-|c| loses in
 * rounding is put back.
 */
@inline
function softplus4(c: v128): v128 {
  const one = f32x4.splat(1), z = expRate4(f32x4.neg(f32x4.abs(c)));
  const sum = f32x4.add(one, z), lost = f32x4.sub(z, f32x4.sub(sum, one));
  const log1p = f32x4.add(log4(sum), f32x4.div(lost, sum));
  return f32x4.add(f32x4.pmax(c, f32x4.splat(0)), log1p);
}
