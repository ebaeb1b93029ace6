// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Mean over samples of the expected value and of its logarithm (gaussian: of the mean), without storing
 * a sample's outputs.
 */
import { put } from "./cells";
import { logRates4, paddedRow } from "./log_rates";
import { exp4, sigmoid4 } from "./math";
import { GAUSSIAN, outputsOf, ZERO_INFLATED } from "./observation";
import { writeMean } from "./posterior_rates";
import { MAX_LOG_RATE } from "./readout";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

@unmanaged
export class PosteriorObservationsArgs {
  factors_HRF: usize;
  w_FQ: usize;
  b_Q: usize;
  rates_TBN: usize;
  logRates_TBN: usize;
  T: i32;
  N: i32;
  F: i32;
  family: i32;
  floor: f32;
}

export function posterior_observations(
  args: PosteriorObservationsArgs,
  s: Scalars,
  thread: i32,
  threads: i32,
): void {
  const S = s.S, F = args.F, N = args.N, total = args.T * s.B, Q = outputsOf(args.family) * N;
  const stride = <usize> paddedRow(Q) << 2, factorRow = <usize> F << 2;
  const bytes = <usize> paddedRow(N) << 2;
  const block = scratch(4 * stride), rates = scratch(bytes), logs = scratch(bytes);
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
      args.w_FQ,
      args.b_Q,
      Q,
      F,
    );
    for (let k = 0; k < 4 && row + k < end; k++) {
      const sample = (row + k) % S;
      if (sample == 0) {
        memory.fill(rates, 0, bytes);
        memory.fill(logs, 0, bytes);
      }
      add(args, rates, logs, block + <usize> k * stride);
      if (sample != S - 1) continue;
      const at = <usize> ((row + k) / S) * <usize> N << 2;
      writeMean(args.rates_TBN + at, rates, N, S);
      writeMean(args.logRates_TBN + at, logs, N, S);
    }
  }
}

/** Adds what one sample's outputs expect to the sums. */
function add(args: PosteriorObservationsArgs, rates: usize, logs: usize, row: usize): void {
  const N = args.N, second = <usize> N << 2, third = <usize> N << 3;
  const highest = f32x4.splat(MAX_LOG_RATE), floor = f32x4.splat(args.floor);
  for (let n = 0; n < N; n += 4, row += 16, rates += 16, logs += 16) {
    let mean = v128.load(row), log = mean;
    if (args.family != GAUSSIAN) {
      const b = v128.load(row + second);
      log = f32x4.sub(mean, b);
      mean = exp4(f32x4.sub(f32x4.pmin(mean, highest), f32x4.pmin(b, highest)));
      if (args.family == ZERO_INFLATED) {
        mean = f32x4.mul(sigmoid4(v128.load(row + third)), f32x4.add(mean, floor));
      }
    }
    put(rates, f32x4.add(v128.load(rates), mean), N - n);
    put(logs, f32x4.add(v128.load(logs), log), N - n);
  }
}
