/** How well behaviour can be read from rates, as the Neural Latents Benchmark asks. */
import { InputError } from "../errors.ts";
import type { Numbers } from "./metrics.ts";
import { columnRSquared, meanRSquared } from "./r_squared.ts";
import { BENCHMARK_PENALTIES, predictRidge, searchRidge } from "./ridge.ts";
import { takeTrials } from "./take.ts";

/** Rates and behaviour of the same bins. */
export interface Decodable {
  /** [bins of all trials, neurons], or any other features */
  readonly rates_XF: Numbers;
  /** [bins of all trials, dimensions]; a bin whose first dimension is NaN does not count */
  readonly behaviour_XD: Numbers;
}

/** How well a decoder does on trials that it has not seen. */
export interface Decoded {
  /** the mean over the dimensions */
  readonly r2: number;
  readonly r2_D: Float64Array;
  /** of the ridge regression, chosen on the training bins */
  readonly penalty: number;
}

/**
 * Fits a ridge regression from rates to behaviour on training trials, and says how well it does on
 * others: the Neural Latents Benchmark's `fit_and_eval_decoder` (its "vel R2"). The penalty is the one of
 * 10^-4 … 1 with the best mean R² over five folds of neighbouring bins.
 *
 * @param penalties others than the benchmark's
 * @throws InputError for rates that are not finite in bins that count, behaviour that is NaN in another
 * dimension than the first, and fewer than 5 training bins.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeBehaviour } from "latentd";
 *
 * const x = [0, 1, 2, 3, 4, 5, 6, 7];
 * const train = { rates_XF: x, behaviour_XD: x.map((v) => 2 * v + 1) };
 * const { r2 } = decodeBehaviour(train, { rates_XF: [9, 10], behaviour_XD: [19, 21] }, 1, 1);
 * assert(r2 > 0.999);
 * ```
 */
export function decodeBehaviour(
  train: Decodable,
  evaluation: Decodable,
  F: number,
  D: number,
  penalties: readonly number[] = BENCHMARK_PENALTIES,
): Decoded {
  const seen = measured("train on", train, F, D), other = measured("evaluate on", evaluation, F, D);
  const { fit } = searchRidge({ ...seen, F, D }, penalties);
  const found = predictRidge(other.x_XF, F, fit);
  return {
    r2: meanRSquared(found, other.y_XD, D),
    r2_D: columnRSquared(found, other.y_XD, D),
    penalty: fit.penalty,
  };
}

/** The bins whose behaviour was measured. */
function measured(what: string, { rates_XF, behaviour_XD }: Decodable, F: number, D: number) {
  const rows = behaviour_XD.length / D;
  if (rates_XF.length !== rows * F) {
    throw new InputError(
      `Cannot decode behaviour: expected ${F} rates for each of ${rows} bins to ${what}, found ` +
        `${rates_XF.length}.`,
    );
  }
  const known = Uint32Array.from({ length: rows }, (_, row) => row)
    .filter((row) => !Number.isNaN(behaviour_XD[row * D]));
  if (known.length === 0) {
    throw new InputError(
      `Cannot decode behaviour: expected bins to ${what} whose behaviour is known, found none of ${rows}.`,
    );
  }
  return { x_XF: takeTrials(rates_XF, known, F), y_XD: takeTrials(behaviour_XD, known, D) };
}
