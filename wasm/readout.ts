// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Log-rates, the Poisson loss and its gradients (docs/model.md, section 2): nll = -Σ (x logRate - rate). Four
 * rows go through all bins together; a bin's log-rates stay in scratch, in the nearest cache.
 */
import { logRates4, paddedRow } from "./log_rates";
import { expRate4, firstLanes, laneSum, madd4, storeLanes } from "./math";
import { scratch } from "./scratch";
import { Scalars } from "./scalars";

@unmanaged
export class ReadoutArgs {
  factors_HRF: usize;
  w_FN: usize;
  b_N: usize;
  counts: usize;
  trials_B: usize;
  logRates_TRN: usize;
  dFactors_TRF: usize;
  nll_R: usize;
  T: i32;
  N: i32;
  F: i32;
  wide: i32;
  gradient: i32;
}

/** Beyond this a log-rate is read as this, so that its exponential stays finite: MAX_LOG_RATE. */
export const MAX_LOG_RATE: f32 = 30;

export function readout(args: ReadoutArgs, s: Scalars, thread: i32, threads: i32): void {
  const R = s.B * s.S, tiles = (R + 3) >> 2;
  const block = scratch(((paddedRow(args.N) as usize) << 2) * 4);
  const end = tiles * (thread + 1) / threads;
  for (let tile = tiles * thread / threads; tile < end; tile++) readTile(args, s, tile << 2, block);
}

/** Rows r … r + 3 through all bins; the last tile repeats row R - 1, which rewrites the same bits. */
function readTile(args: ReadoutArgs, s: Scalars, r: i32, block: usize): void {
  const R = s.B * s.S, F = args.F, N = args.N;
  const r0 = r, r1 = min(r + 1, R - 1), r2 = min(r + 2, R - 1), r3 = min(r + 3, R - 1);
  const x0 = firstCount(args, s, r0), x1 = firstCount(args, s, r1);
  const x2 = firstCount(args, s, r2), x3 = firstCount(args, s, r3);
  const rowBytes = (N as usize) << (args.wide ? 1 : 0);
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
    nll0 += lossRow(args, block, x0 + past, out + (r0 as usize) * outRow, inverseB);
    nll1 += lossRow(args, block + stride, x1 + past, out + (r1 as usize) * outRow, inverseB);
    nll2 += lossRow(args, block + 2 * stride, x2 + past, out + (r2 as usize) * outRow, inverseB);
    nll3 += lossRow(args, block + 3 * stride, x3 + past, out + (r3 as usize) * outRow, inverseB);
    if (!args.gradient) continue;
    const d = args.dFactors_TRF + bin * factorRow;
    factorGradients4(
      args, block,
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
  return args.counts + ((trial * ((args.T * args.N) as usize)) << (args.wide ? 1 : 0));
}

/**
 * The loss of one row in one bin. Leaves the row's log-rates, or their gradients, in `out`; gradients
 * also in `row`, with zeros up to a whole vector.
 */
@inline
function lossRow(args: ReadoutArgs, row: usize, x: usize, out: usize, inverseB: f32): f64 {
  const N = args.N, wide = args.wide, gradient = args.gradient;
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

@inline
function counts8(address: usize): v128 {
  const bytes = v128.load32_zero(address);
  const shorts = i16x8.extend_low_i8x16_u(bytes);
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(shorts));
}

@inline
function counts16(address: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(v128.load64_zero(address)));
}

/** dFactors = dLogRates Wᵀ for the four rows in `block`. */
@inline
function factorGradients4(
  args: ReadoutArgs, block: usize, d0: usize, d1: usize, d2: usize, d3: usize,
): void {
  const N = args.N, F = args.F;
  const row = (N as usize) << 2, stride = (paddedRow(N) as usize) << 2;
  const b1 = block + stride, b2 = b1 + stride, b3 = b2 + stride;
  let w = args.w_FN, f = 0;
  for (; f + 2 <= F; f += 2, w += 2 * row) {
    const v = w + row;
    let p0 = f32x4.splat(0), p1 = p0, p2 = p0, p3 = p0, q0 = p0, q1 = p0, q2 = p0, q3 = p0;
    for (let n: usize = 0; n < row; n += 16) {
      const wa = v128.load(w + n), wb = v128.load(v + n);
      const e0 = v128.load(block + n), e1 = v128.load(b1 + n);
      p0 = madd4(e0, wa, p0);
      q0 = madd4(e0, wb, q0);
      p1 = madd4(e1, wa, p1);
      q1 = madd4(e1, wb, q1);
      const e2 = v128.load(b2 + n), e3 = v128.load(b3 + n);
      p2 = madd4(e2, wa, p2);
      q2 = madd4(e2, wb, q2);
      p3 = madd4(e3, wa, p3);
      q3 = madd4(e3, wb, q3);
    }
    const at = (f as usize) << 2;
    store<f32>(d0 + at, laneSum(p0) as f32);
    store<f32>(d0 + at, laneSum(q0) as f32, 4);
    store<f32>(d1 + at, laneSum(p1) as f32);
    store<f32>(d1 + at, laneSum(q1) as f32, 4);
    store<f32>(d2 + at, laneSum(p2) as f32);
    store<f32>(d2 + at, laneSum(q2) as f32, 4);
    store<f32>(d3 + at, laneSum(p3) as f32);
    store<f32>(d3 + at, laneSum(q3) as f32, 4);
  }
  if (f < F) {
    let p0 = f32x4.splat(0), p1 = p0, p2 = p0, p3 = p0;
    for (let n: usize = 0; n < row; n += 16) {
      const wa = v128.load(w + n);
      p0 = madd4(v128.load(block + n), wa, p0);
      p1 = madd4(v128.load(b1 + n), wa, p1);
      p2 = madd4(v128.load(b2 + n), wa, p2);
      p3 = madd4(v128.load(b3 + n), wa, p3);
    }
    const at = (f as usize) << 2;
    store<f32>(d0 + at, laneSum(p0) as f32);
    store<f32>(d1 + at, laneSum(p1) as f32);
    store<f32>(d2 + at, laneSum(p2) as f32);
    store<f32>(d3 + at, laneSum(p3) as f32);
  }
}
