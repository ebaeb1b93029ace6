/**
 * Few-shot co-smoothing (Dabholkar and Barak, 2024): how well held-out neurons are read from the factors
 * with a regression that saw few trials. Factors that say more than the population needs do worse.
 */
import { InputError } from "../errors.ts";
import { seedWords, STREAMS, words } from "../random.ts";
import { bitsPerSpike, type Numbers } from "./metrics.ts";
import { fitPoisson, predictPoisson } from "./poisson_regression.ts";
import { takeColumns, takeTrials } from "./take.ts";

/** Factors of trials, and counts of neurons that the factors were inferred without. */
export interface FewShotTrials {
  /** [trials, bins, factors] */
  readonly factors_BTF: Numbers;
  /** [trials, bins, held-out neurons]; NaN: missing */
  readonly counts_BTM: Numbers;
}

/** Options of {@link fewShot}. */
export interface FewShotOptions {
  /** trials that a regression sees */
  readonly shots: number;
  /** regressions, each with trials of its own; their scores are averaged. Default 10 */
  readonly draws?: number;
  /** decides the trials */
  readonly seed?: number;
  /** penalty of the regression, see `fitPoisson`. Default 1e-3 */
  readonly l2?: number;
}

/** Bits per spike of every draw. */
export interface FewShot {
  /** the mean over the draws */
  readonly bitsPerSpike: number;
  readonly draws: Float64Array;
}

/**
 * Fits Poisson regressions from factors to held-out neurons on `shots` of the training trials, and scores
 * them in bits per spike on the evaluation trials.
 *
 * A neuron without a spike in the drawn trials has the rate of half a spike in all of them.
 *
 * @throws InputError for lengths that do not fit, and more shots than training trials.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { fewShot } from "latentd";
 *
 * const factors_BTF = [0, 1, 2, 0, 1, 2], counts_BTM = [0, 2, 6, 1, 1, 7]; // 2 trials of 3 bins
 * const trials = { factors_BTF, counts_BTM };
 * assert(fewShot(trials, trials, { T: 3, F: 1, M: 1 }, { shots: 1 }).bitsPerSpike > 0.3);
 * ```
 */
export function fewShot(
  train: FewShotTrials,
  evaluation: FewShotTrials,
  { T, F, M }: { readonly T: number; readonly F: number; readonly M: number },
  options: FewShotOptions,
): FewShot {
  const { shots, draws = 10, seed = 0, l2 = 1e-3 } = options;
  const trials = train.counts_BTM.length / (T * M);
  for (const { factors_BTF, counts_BTM } of [train, evaluation]) {
    if (factors_BTF.length * M !== counts_BTM.length * F) {
      throw new InputError(
        `Cannot score few-shot regressions: expected ${F} factors and ${M} counts for every bin, found ` +
          `${factors_BTF.length} and ${counts_BTM.length} numbers.`,
      );
    }
  }
  if (!(Number.isSafeInteger(shots) && shots >= 1 && shots <= trials)) {
    throw new InputError(
      `Cannot score few-shot regressions: expected from 1 to ${trials} trials to train on, found ${shots}.`,
    );
  }
  const scores = Float64Array.from({ length: draws }, (_, draw) => {
    const drawn = drawTrials(trials, shots, draw, seed);
    const factors_XF = takeTrials(train.factors_BTF, drawn, T * F);
    const counts_XM = takeTrials(train.counts_BTM, drawn, T * M);
    const rates_BTM = new Float64Array(evaluation.counts_BTM.length);
    for (let m = 0; m < M; m++) {
      const fit = fitPoisson(factors_XF, takeColumns(counts_XM, M, [m]), F, { l2 });
      predictPoisson(evaluation.factors_BTF, fit)
        .forEach((rate, row) => rates_BTM[row * M + m] = rate);
    }
    return bitsPerSpike(rates_BTM, evaluation.counts_BTM, M);
  });
  return { bitsPerSpike: scores.reduce((sum, one) => sum + one, 0) / draws, draws: scores };
}

/** Distinct trials, ascending: those with the smallest words of the draw's row. */
function drawTrials(trials: number, shots: number, draw: number, seed: number): Uint32Array {
  const at = { ...seedWords(seed), stream: STREAMS.fewShot };
  const drawn = Uint32Array.from({ length: trials }, (_, i) => words(at, draw, i)[0]);
  return Uint32Array.from(drawn.keys())
    .sort((a, b) => drawn[a] - drawn[b] || a - b)
    .slice(0, shots)
    .sort();
}
