/** Baselines that know the time in the trial, and perhaps its condition, but not the trial. */
import { interleavedFolds } from "../folds.ts";
import { nullRates } from "../metrics.ts";
import { smoothTrials } from "../smoothing.ts";
import { takeTrials } from "../take.ts";
import { BASELINE_FOLDS, type BaselineTask, best, nats, requireTrials } from "./task.ts";

/** What cross-validation chose for an average. */
export interface AverageChoice {
  /** width of the smoothing in time, in bins */
  readonly sigma: number;
  /** the average is drawn to the neuron's mean rate as by so many trials of it */
  readonly shrink: number;
}

/** Rates of a baseline on the evaluation trials, and what was chosen for it. */
export interface AverageRates {
  readonly rates_BTN: Float64Array;
  readonly choice: AverageChoice;
}

const SIGMAS = [0, 1, 2, 3, 5, 8];
const SHRINKS = [0.3, 1, 3, 10, 30];
const CANDIDATES: readonly AverageChoice[] = SIGMAS.flatMap((sigma) =>
  SHRINKS.map((shrink) => ({ sigma, shrink }))
);

/**
 * The mean count of each bin and neuron over the training trials, or over those of the same condition
 * where `task.condition` is given: what is known of a trial without looking at it. How much it is
 * smoothed in time and drawn to the neuron's mean rate is chosen by cross-validation among the training
 * trials. A neuron that was silent in them has the rate of half a spike in all of them.
 *
 * @returns rates of every neuron on the evaluation trials
 * @throws InputError for fewer than 4 training trials
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { averageRates } from "latentd";
 *
 * const counts_BTN = [0, 4, 0, 5, 0, 3, 0, 4, 0, 9]; // 5 trials of 2 bins of 1 neuron
 * const task = { counts_BTN, T: 2, N: 1, train: [0, 1, 2, 3], evaluation: [4] };
 * const { rates_BTN } = averageRates(task);
 * assert(rates_BTN[0] < 0.2 && rates_BTN[1] > 3.8);
 * ```
 */
export function averageRates(task: BaselineTask): AverageRates {
  requireTrials("averages over trials", task);
  const { counts_BTN, T, N } = task;
  const train = Uint32Array.from(task.train);
  const folds = interleavedFolds(train.length, BASELINE_FOLDS).map((fold) => ({
    train: fold.train.map((i) => train[i]),
    validation: fold.validation.map((i) => train[i]),
  }));
  const choice = best(CANDIDATES, (candidate) => {
    let sum = 0;
    for (const { train, validation } of folds) {
      const rates_BTN = average({ ...task, train, evaluation: validation }, candidate);
      sum += nats(rates_BTN, takeTrials(counts_BTN, validation, T * N));
    }
    return sum;
  });
  return { rates_BTN: average(task, choice), choice };
}

/** Averages of the training trials of each evaluation trial's condition. */
function average(task: BaselineTask, { sigma, shrink }: AverageChoice): Float64Array {
  const { counts_BTN, T, N, train, evaluation, condition } = task;
  const size = T * N, least = 0.5 / (train.length * T);
  const mean_N = nullRates(takeTrials(counts_BTN, train, size), N)
    .map((mean) => Number.isNaN(mean) ? least : Math.max(mean, least));
  const byCondition = new Map<number, Float64Array>();
  const ofCondition = (value: number): Float64Array => {
    const known = byCondition.get(value);
    if (known) return known;
    const sums = new Float64Array(size), seen = new Float64Array(size);
    for (let b = 0; b < train.length; b++) {
      if (condition && condition[train[b]] !== value) continue;
      for (let i = 0, at = train[b] * size; i < size; i++, at++) {
        if (Number.isNaN(counts_BTN[at])) continue;
        sums[i] += counts_BTN[at];
        seen[i]++;
      }
    }
    const shape = { T, N };
    const smoothSums = smoothTrials(sums, shape, sigma),
      smoothSeen = smoothTrials(seen, shape, sigma);
    const rates = smoothSums.map((sum, i) =>
      (sum + shrink * mean_N[i % N]) / (smoothSeen[i] + shrink)
    );
    byCondition.set(value, rates);
    return rates;
  };
  const out = new Float64Array(evaluation.length * size);
  for (let b = 0; b < evaluation.length; b++) {
    out.set(ofCondition(condition ? condition[evaluation[b]] : 0), b * size);
  }
  return out;
}
