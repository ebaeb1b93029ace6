/**
 * Few-shot co-smoothing (Dabholkar and Barak, 2024): how well held-out neurons are read from the factors
 * with a regression that saw few trials. Factors that say more than the population needs do worse.
 */
import { InputError } from "../errors.ts";
import { seedWords, STREAMS, words } from "../random.ts";
import { best, nats } from "./baselines/task.ts";
import { interleavedFolds } from "./folds.ts";
import { bitsPerSpike, type Numbers } from "./metrics.ts";
import { fitPoisson, type PoissonFit, predictPoisson } from "./poisson_regression.ts";
import { takeColumns, takeTrials } from "./take.ts";

/** Factors of trials, and counts of neurons that the factors were inferred without. */
export interface FewShotTrials {
  /** [trials, bins, factors] */
  readonly factors_BTF: Numbers;
  /** [trials, bins, held-out neurons]; NaN: missing */
  readonly counts_BTM: Numbers;
}

/** Bins, factors, and held-out neurons. */
interface Sizes {
  readonly T: number;
  readonly F: number;
  readonly M: number;
}

/** Options of {@link fewShot}. */
export interface FewShotOptions {
  /** trials that a regression sees */
  readonly shots: number;
  /** regressions, each with trials of its own; their scores are averaged. Default 10 */
  readonly draws?: number;
  /** decides the trials */
  readonly seed?: number;
  /**
   * penalty of the regression, see `fitPoisson`. By default the one of 10 … 10^-4 that does best on the
   * drawn trials that it leaves out, so that the factors' unit does not matter; 0.1 with a single trial
   */
  readonly l2?: number;
}

const PENALTIES = [10, 1, 0.1, 0.01, 1e-3, 1e-4];
/** Where one trial leaves none out. */
const USUAL = 0.1;
const FOLDS = 4;

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
  { T, F, M }: Sizes,
  options: FewShotOptions,
): FewShot {
  const { shots, draws = 10, seed = 0 } = options;
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
    const some = takeShots(train, drawn, { T, F, M });
    const l2 = options.l2 ?? choosePenalty(some, shots, { T, F, M });
    const [rates_BTM] = regress(some, evaluation.factors_BTF, F, M, [l2]);
    return bitsPerSpike(rates_BTM, evaluation.counts_BTM, M);
  });
  return { bitsPerSpike: scores.reduce((sum, one) => sum + one, 0) / draws, draws: scores };
}

function takeShots(
  { factors_BTF, counts_BTM }: FewShotTrials,
  trials: Uint32Array,
  { T, F, M }: Sizes,
): FewShotTrials {
  return {
    factors_BTF: takeTrials(factors_BTF, trials, T * F),
    counts_BTM: takeTrials(counts_BTM, trials, T * M),
  };
}

/** The penalty that does best on drawn trials left out. */
function choosePenalty(drawn: FewShotTrials, shots: number, sizes: Sizes): number {
  if (shots < 2) return USUAL;
  const { F, M } = sizes;
  const costs = new Float64Array(PENALTIES.length);
  for (const { train, validation } of interleavedFolds(shots, Math.min(FOLDS, shots))) {
    const some = takeShots(drawn, train, sizes), other = takeShots(drawn, validation, sizes);
    regress(some, other.factors_BTF, F, M, PENALTIES, 1e-5).forEach((rates_BTM, p) => {
      costs[p] += nats(rates_BTM, other.counts_BTM);
    });
  }
  return best(PENALTIES.map((l2, p) => ({ l2, cost: costs[p] })), ({ cost }) => cost).l2;
}

/** Rates of other trials for each of some penalties. */
function regress(
  { factors_BTF, counts_BTM }: FewShotTrials,
  other_BTF: Numbers,
  F: number,
  M: number,
  penalties: readonly number[],
  tolerance?: number,
): Float64Array[] {
  const rates = penalties.map(() => new Float64Array(other_BTF.length / F * M));
  for (let m = 0; m < M; m++) {
    const counts_X = takeColumns(counts_BTM, M, [m]);
    let start: PoissonFit | undefined;
    penalties.forEach((l2, p) => {
      start = fitPoisson(factors_BTF, counts_X, F, { l2, start, tolerance });
      predictPoisson(other_BTF, start).forEach((rate, row) => rates[p][row * M + m] = rate);
    });
  }
  return rates;
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
