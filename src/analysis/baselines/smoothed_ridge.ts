/** The baseline for behaviour: ridge regression from smoothed counts. */
import { type Decodable, decodeBehaviour, type Decoded } from "../behaviour.ts";
import { BENCHMARK_PENALTIES, searchRidge } from "../ridge.ts";
import { smoothTrials } from "../smoothing.ts";
import { takeTrials } from "../take.ts";

/** Behaviour decoded from smoothed counts. */
export interface SmoothedRidge extends Decoded {
  /** width of the smoothing in time, in bins */
  readonly sigma: number;
}

const SIGMAS = [0, 1, 2, 3, 4.5, 7];

/** Ten to the power of -4 … 6 in half steps: beyond the benchmark's, since counts are noisier than rates. */
export const WIDE_PENALTIES: readonly number[] = Array.from(
  { length: 21 },
  (_, i) => 10 ** (-4 + i / 2),
);

/**
 * Decodes behaviour from counts that are smoothed in time, as {@link decodeBehaviour} does from rates.
 * The width and the penalty are those with the best cross-validated R² on the training bins.
 *
 * @param train counts and behaviour of the training trials, whole trials of T bins
 * @throws InputError as `decodeBehaviour`, and for counts that are missing
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeFromCounts } from "latentd";
 *
 * const behaviour_XD = Float64Array.from({ length: 30 }, (_, i) => Math.sin(i / 3));
 * const rates_XF = behaviour_XD.map((value) => Math.round(4 + 3 * value));
 * const trials = { rates_XF, behaviour_XD };
 * assert(decodeFromCounts(trials, trials, { T: 10, F: 1, D: 1 }).r2 > 0.9);
 * ```
 */
export function decodeFromCounts(
  train: Decodable,
  evaluation: Decodable,
  { T, F, D }: { readonly T: number; readonly F: number; readonly D: number },
  penalties: readonly number[] = BENCHMARK_PENALTIES,
): SmoothedRidge {
  const smooth = (of: Decodable, sigma: number): Decodable => ({
    rates_XF: smoothTrials(of.rates_XF, { T, N: F }, sigma),
    behaviour_XD: of.behaviour_XD,
  });
  let best = { sigma: SIGMAS[0], score: -Infinity };
  for (const sigma of SIGMAS.filter((sigma) => sigma < T)) {
    const { score } = search(smooth(train, sigma), F, D, penalties);
    if (score > best.score) best = { sigma, score };
  }
  const { sigma } = best;
  const decoded = decodeBehaviour(smooth(train, sigma), smooth(evaluation, sigma), F, D, penalties);
  return { ...decoded, sigma };
}

function search(
  { rates_XF, behaviour_XD }: Decodable,
  F: number,
  D: number,
  penalties: readonly number[],
) {
  const known = Uint32Array.from({ length: behaviour_XD.length / D }, (_, row) => row)
    .filter((row) => !Number.isNaN(behaviour_XD[row * D]));
  const x_XF = takeTrials(rates_XF, known, F), y_XD = takeTrials(behaviour_XD, known, D);
  return searchRidge({ x_XF, F, y_XD, D }, penalties);
}
