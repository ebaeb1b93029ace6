/** Mean over samples of exp(logRate) and of logRate, without storing a sample's rates. */
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
import { logRates4, paddedRow } from "./log_rates";
import { expRate4, storeLanes } from "./math";
import { MAX_LOG_RATE } from "./readout";
import { scratch } from "./scratch";
import { Scalars } from "./scalars";

@unmanaged
export class PosteriorRatesArgs {
  factors_HRF: usize;
  w_FN: usize;
  b_N: usize;
  rates_TBN: usize;
  logRates_TBN: usize;
  T: i32;
  N: i32;
  F: i32;
}

export function posterior_rates(
  args: PosteriorRatesArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const S = s.S, F = args.F, N = args.N, total = args.T * s.B;
  const stride = <usize> paddedRow(N) << 2, factorRow = <usize> F << 2;
  const block = scratch(4 * stride), rates = scratch(stride), logs = scratch(stride);
  // the initial factors stand before bin 0
  const factors = args.factors_HRF + <usize> (s.B * S) * factorRow;
  const share = (total + threads - 1) / threads;
  const first = thread * share * S, end = min(thread * share + share, total) * S, last = end - 1;
  for (let row = first; row < end; row += 4) {
    logRates4(
      block,
      factors + <usize> row * factorRow,
      factors + <usize> min(row + 1, last) * factorRow,
      factors + <usize> min(row + 2, last) * factorRow,
      factors + <usize> min(row + 3, last) * factorRow,
      args.w_FN,
      args.b_N,
      N,
      F,
    );
    for (let k = 0; k < 4 && row + k < end; k++) {
      const sample = (row + k) % S;
      if (sample == 0) memory.fill(rates, 0, stride), memory.fill(logs, 0, stride);
      add(rates, logs, block + <usize> k * stride, stride);
      if (sample != S - 1) continue;
      const at = <usize> ((row + k) / S) * <usize> N << 2;
      writeMean(args.rates_TBN + at, rates, N, S);
      writeMean(args.logRates_TBN + at, logs, N, S);
    }
  }
}

/** Adds one sample's rates and log-rates to the sums. */
function add(rates: usize, logs: usize, row: usize, bytes: usize): void {
  const highest = f32x4.splat(MAX_LOG_RATE);
  for (let n: usize = 0; n < bytes; n += 16) {
    const l = v128.load(row + n);
    v128.store(rates + n, f32x4.add(v128.load(rates + n), expRate4(f32x4.pmin(l, highest))));
    v128.store(logs + n, f32x4.add(v128.load(logs + n), l));
  }
}

export function writeMean(out: usize, sums: usize, N: i32, S: i32): void {
  const divisor = f32x4.splat(<f32> S);
  for (let n = 0; n < N; n += 4) {
    const at = <usize> n << 2;
    const value = f32x4.div(v128.load(sums + at), divisor);
    if (N - n >= 4) v128.store(out + at, value);
    else storeLanes(out + at, value, N - n);
  }
}
