/** How well behaviour is read from inferred rates, and from what is simple. */
import { decodeFromCounts, WIDE_PENALTIES } from "../../analysis/baselines/smoothed_ridge.ts";
import { decodeBehaviour } from "../../analysis/behaviour.ts";
import { meanRSquared } from "../../analysis/r_squared.ts";
import { BENCHMARK_PENALTIES } from "../../analysis/ridge.ts";
import { otherColumns, takeTrials } from "../../analysis/take.ts";
import type { ShapedArray } from "../../data/validate.ts";
import { trialAverages } from "./averages.ts";
import { cutOut, type Scored, type ScoreRow } from "./scored.ts";

/**
 * Two rows of one behaviour, in the bins that the model sees: by ridge regression with the Neural
 * Latents Benchmark's penalties, which end at 1, and with larger ones too, which counts need more than
 * rates do. Inferred rates are those of all neurons; smoothed counts those of the neurons seen.
 */
export function behaviourRows(
  scored: Scored,
  name: string,
  { shape: [, bins, D], data: values }: ShapedArray,
): ScoreRow[] {
  const { data, counts_BTN, seen, inferred } = scored;
  const { T, N, condition } = data;
  const { train, evaluation, heldOut, encodedBins } = seen;
  const all = otherColumns(N, []), neurons = otherColumns(N, heldOut);
  const behaviourOf = (trials: Uint32Array) =>
    cutOut(takeTrials(values, trials, bins * D), { T: bins, N: D }, {
      from: 0,
      to: encodedBins,
      neurons: otherColumns(D, []),
    });
  const of = (from_BTN: Float64Array, neurons: readonly number[], trials: Uint32Array) => ({
    rates_XF: cutOut(takeTrials(from_BTN, trials, T * N), data, {
      from: 0,
      to: encodedBins,
      neurons,
    }),
    behaviour_XD: behaviourOf(trials),
  });
  const size = encodedBins * D, truth = behaviourOf(evaluation);
  /** behaviour that is the mean over training trials, perhaps of the same condition */
  const meanR2 = (condition: ArrayLike<number> | null) => {
    const found = trialAverages(behaviourOf(train), size, train, evaluation, condition);
    const known: number[] = [], expected: number[] = [];
    for (let row = 0; row < truth.length; row += D) {
      if (Number.isNaN(truth[row]) || Number.isNaN(found[row])) continue;
      for (let d = 0; d < D; d++) {
        known.push(truth[row + d]);
        expected.push(found[row + d]);
      }
    }
    return known.length === 0 ? NaN : meanRSquared(expected, known, D);
  };
  const averages = {
    "average": meanR2(null),
    ...(condition ? { "per condition": meanR2(condition) } : {}),
  };
  const rows = [
    ["benchmark's penalties", BENCHMARK_PENALTIES],
    ["any penalty", WIDE_PENALTIES],
  ] as const;
  const { rates_BTN } = inferred;
  return rows.map(([words, penalties]) => ({
    metric: "behaviour R²",
    of: `${name}, ${words}`,
    null: 0,
    model:
      decodeBehaviour(of(rates_BTN, all, train), of(rates_BTN, all, evaluation), N, D, penalties)
        .r2,
    oracle: data.truth && decodeBehaviour(
      of(data.truth.rates_BTN, all, train),
      of(data.truth.rates_BTN, all, evaluation),
      N,
      D,
      penalties,
    ).r2,
    baselines: {
      ...averages,
      "smoothed counts": decodeFromCounts(
        of(counts_BTN, neurons, train),
        of(counts_BTN, neurons, evaluation),
        { T: encodedBins, F: neurons.length, D },
        penalties,
      ).r2,
    },
  }));
}
