/** The baseline that looks at the trial: smoothed counts, their principal components, a regression. */
import { InputError } from "../../errors.ts";
import { interleavedFolds } from "../folds.ts";
import { fitPoisson, type PoissonFit, predictPoisson } from "../poisson_regression.ts";
import { principalComponents, project } from "../principal_components.ts";
import { smoothTrials } from "../smoothing.ts";
import { otherColumns, takeColumns, takeTrials } from "../take.ts";
import { BASELINE_FOLDS, type BaselineTask, best, nats, requireTrials } from "./task.ts";

/** What cross-validation chose. */
export interface PcaPoissonChoice {
  /** width of the smoothing in time, in bins */
  readonly sigma: number;
  readonly components: number;
  /** penalty of the regression, see `fitPoisson` */
  readonly l2: number;
}

/** Rates of the held-out neurons on the evaluation trials, and what was chosen. */
export interface PcaPoissonRates {
  /** M held-out neurons, in the order asked for */
  readonly rates_BTM: Float64Array;
  readonly choice: PcaPoissonChoice;
}

const SIGMAS = [0.5, 1, 2, 3, 4.5, 7];
const COMPONENTS = [3, 6, 10, 16, 24, 32];
/** Large first: each fit begins where the one before ended. */
const PENALTIES = [0.1, 0.03, 0.01, 3e-3, 1e-3];
/** The smoothing is chosen with these; then both are, with that smoothing. */
const FIRST = { components: 10, l2: 0.01 };
/** Of the fits that are only compared: far below what candidates differ by. */
const ROUGH = 1e-5;

/**
 * Smoothed counts of the seen neurons → principal components → Poisson regression → held-out neurons.
 * The width of the smoothing, the number of components and the penalty are chosen by cross-validation
 * among the training trials; the evaluation trials decide nothing. Components are in units of the first
 * one's standard deviation, so that the penalty has no unit.
 *
 * @param heldOut neurons to predict; all others are seen
 * @throws InputError for fewer than 4 training trials, or nothing seen or held out
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { pcaPoissonRates, simulateRotation } from "latentd";
 *
 * const { counts_BTN, T, N } = simulateRotation({ trials: 10, T: 20, N: 12 });
 * const task = { counts_BTN, T, N, train: [0, 1, 2, 3, 4, 5, 6, 7], evaluation: [8, 9] };
 * const { rates_BTM, choice } = pcaPoissonRates(task, [3, 7]);
 * assert.equal(rates_BTM.length, 2 * T * 2);
 * assert(choice.sigma > 0);
 * ```
 */
export function pcaPoissonRates(
  task: BaselineTask,
  heldOut: readonly number[],
): PcaPoissonRates {
  requireTrials("smoothed PCA and Poisson regression", task);
  const { T, N, train, evaluation } = task;
  const seen = otherColumns(N, heldOut);
  if (heldOut.length === 0 || seen.length === 0) {
    throw new InputError(
      `Cannot compute smoothed PCA and Poisson regression: expected neurons that are seen and neurons ` +
        `that are held out, found ${seen.length} and ${heldOut.length}.`,
    );
  }
  const all = trialsOf(task, heldOut, train);
  const folds = interleavedFolds(train.length, BASELINE_FOLDS);
  /** Cost of each of some penalties, with so many components, over all folds. */
  const costs = (
    features: readonly Features[],
    components: number,
    penalties: readonly number[],
  ) => {
    const sums = new Float64Array(penalties.length);
    features.forEach((one, fold) => {
      regress(one, components, penalties, ROUGH).forEach((rates_BTM, p) => {
        sums[p] += nats(rates_BTM, takeTrials(all.targets_BTM, folds[fold].validation, T * all.M));
      });
    });
    return sums;
  };
  const featuresOf = (sigma: number) =>
    folds.map(({ train, validation }) =>
      featuresFrom(someTrials(all, train), someTrials(all, validation), sigma)
    );
  const usable = COMPONENTS.filter((K) => K < seen.length);
  const components = usable.length === COMPONENTS.length ? usable : [...usable, seen.length];
  const first = Math.min(FIRST.components, seen.length);
  const sigma = best(
    SIGMAS.filter((sigma) => sigma < T || sigma === SIGMAS[0]),
    (sigma) => costs(featuresOf(sigma), first, [FIRST.l2])[0],
  );
  const features = featuresOf(sigma);
  const candidates = components.flatMap((K) => {
    const sums = costs(features, K, PENALTIES);
    return PENALTIES.map((l2, p) => ({ choice: { sigma, components: K, l2 }, cost: sums[p] }));
  });
  const { choice } = best(candidates, ({ cost }) => cost);
  const [rates_BTM] = regress(
    featuresFrom(all, trialsOf(task, heldOut, evaluation), sigma),
    choice.components,
    [choice.l2],
  );
  return { rates_BTM, choice };
}

/**
 * The components themselves, scaled as the regression sees them: `[trials, bins, K]` of the training and
 * of the evaluation trials.
 *
 * @param choice the smoothing and the number of components
 */
export function pcaFactors(
  task: BaselineTask,
  heldOut: readonly number[],
  { sigma, components }: Pick<PcaPoissonChoice, "sigma" | "components">,
): { train_BTK: Float64Array; evaluation_BTK: Float64Array; K: number } {
  const { train, evaluation } = task;
  const features = featuresFrom(
    trialsOf(task, heldOut, train),
    trialsOf(task, heldOut, evaluation),
    sigma,
  );
  const K = Math.min(components, features.K);
  const first = Array.from({ length: K }, (_, k) => k);
  return {
    train_BTK: takeColumns(features.train_XK, features.K, first),
    evaluation_BTK: takeColumns(features.other_XK, features.K, first),
    K,
  };
}

function trialsOf(
  { counts_BTN, T, N }: BaselineTask,
  heldOut: readonly number[],
  trials: ArrayLike<number>,
): Trials {
  const all = takeTrials(counts_BTN, trials, T * N), seen = otherColumns(N, heldOut);
  return {
    seen_BTS: takeColumns(all, N, seen),
    targets_BTM: takeColumns(all, N, heldOut),
    T,
    S: seen.length,
    M: heldOut.length,
  };
}

/** Counts of some trials: S neurons that are seen, M that are to be predicted. */
interface Trials {
  readonly seen_BTS: Float64Array;
  readonly targets_BTM: Float64Array;
  readonly T: number;
  readonly S: number;
  readonly M: number;
}

function someTrials(of: Trials, trials: Uint32Array): Trials {
  const { T, S, M } = of;
  return {
    ...of,
    seen_BTS: takeTrials(of.seen_BTS, trials, T * S),
    targets_BTM: takeTrials(of.targets_BTM, trials, T * M),
  };
}

/** Components of training and other trials, and what is to be predicted. */
interface Features {
  readonly train_XK: Float64Array;
  readonly other_XK: Float64Array;
  readonly K: number;
  readonly targets_XM: Float64Array;
  readonly M: number;
}

function featuresFrom(train: Trials, other: Trials, sigma: number): Features {
  const { S, M } = train;
  const smooth = (trials: Trials) => smoothTrials(trials.seen_BTS, { T: trials.T, N: S }, sigma);
  const train_XS = smooth(train), other_XS = smooth(other);
  fillGaps(train_XS, other_XS, S);
  const pca = principalComponents(train_XS, S, Math.max(...COMPONENTS));
  const unit = Math.sqrt(pca.variances_K[0]) || 1;
  const scaled = (x_XS: Float64Array) => project(x_XS, pca).map((value) => value / unit);
  return {
    train_XK: scaled(train_XS),
    other_XK: scaled(other_XS),
    K: pca.variances_K.length,
    targets_XM: train.targets_BTM,
    M,
  };
}

/** What was not observed becomes the neuron's mean over the training trials. */
function fillGaps(train_XS: Float64Array, other_XS: Float64Array, S: number): void {
  const sums = new Float64Array(S), seen = new Float64Array(S);
  train_XS.forEach((value, i) => {
    if (Number.isNaN(value)) return;
    sums[i % S] += value;
    seen[i % S]++;
  });
  for (const array of [train_XS, other_XS]) {
    for (let i = 0; i < array.length; i++) {
      if (Number.isNaN(array[i])) array[i] = sums[i % S] / Math.max(1, seen[i % S]);
    }
  }
}

/** Rates of the other trials for each of some penalties. */
function regress(
  { train_XK, other_XK, K, targets_XM, M }: Features,
  components: number,
  penalties: readonly number[],
  tolerance?: number,
): Float64Array[] {
  const first = Array.from({ length: Math.min(components, K) }, (_, k) => k);
  const train_XF = takeColumns(train_XK, K, first), other_XF = takeColumns(other_XK, K, first);
  const rows = other_XK.length / K;
  const rates = penalties.map(() => new Float64Array(rows * M));
  for (let m = 0; m < M; m++) {
    const counts_X = takeColumns(targets_XM, M, [m]);
    if (counts_X.every(Number.isNaN)) {
      throw new InputError(
        `Cannot compute smoothed PCA and Poisson regression: expected a count of every held-out neuron ` +
          `in the training trials, found none of the ${m + 1}th.`,
      );
    }
    let start: PoissonFit | undefined;
    penalties.forEach((l2, p) => {
      start = fitPoisson(train_XF, counts_X, first.length, { l2, start, tolerance });
      const rates_X = predictPoisson(other_XF, start);
      for (let row = 0; row < rows; row++) rates[p][row * M + m] = rates_X[row];
    });
  }
  return rates;
}
