/** How well a model explains held-out trials, between the null model and (if known) the oracle. */
import {
  bitsPerSpike,
  explained,
  nullRates,
  poissonNll,
  repeatRates,
  rSquared,
} from "../analysis/metrics.ts";
import { otherColumns, takeTrials } from "../analysis/take.ts";
import type { Dataset } from "../data/dataset.ts";
import { observedValues } from "../data/observed.ts";
import type { Posterior } from "../inference/posterior.ts";
import type { Model } from "../model/model.ts";
import { realLikelihood } from "./evaluation/real_likelihood.ts";

/** Scores on the trials that a posterior was inferred for. */
export interface Scores {
  /** what a likelihood is of: a trial of counts, or one real number */
  readonly per: "trial" | "sample";
  /** negative log-likelihood in nats, of counts ln x! included; lower is better */
  readonly nll: { readonly null: number; readonly oracle: number | null; readonly model: number };
  /** bits per spike over the null model; null for real numbers */
  readonly bitsPerSpike: { readonly oracle: number | null; readonly model: number } | null;
  /** share of the way from the null model to the oracle; null without known rates */
  readonly explained: number | null;
  /** R² of the inferred to the true rates; null without known rates */
  readonly rateR2: number | null;
}

/**
 * Scores inferred rates on held-out trials. The null model is each neuron's mean rate over the
 * training trials; a neuron that was silent there is read as half a spike in all of them, so that a
 * held-out spike of it has a finite price. Bins that were not observed do not count.
 *
 * @param posterior of the trials `split.evaluation`, in that order
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { score, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 4, T: 50, N: 20 });
 * const split = { train: Uint32Array.of(0, 1, 2), evaluation: Uint32Array.of(3) };
 * const rates_BTN = data.truth!.rates_BTN.subarray(3 * 50 * 20); // as good as the oracle
 * assert.equal(score(data, split, { rates_BTN }).explained, 1);
 * ```
 */
export function score(
  data: Dataset,
  split: { readonly train: Uint32Array; readonly evaluation: Uint32Array },
  posterior: Pick<Posterior, "rates_BTN">,
): Scores {
  const size = data.T * data.N;
  const trials = split.evaluation.length;
  const values_BTN = observedValues(data);
  const counts_BTN = takeTrials(values_BTN, split.evaluation, size);
  const least = 0.5 / (split.train.length * data.T);
  const null_N = nullRates(takeTrials(values_BTN, split.train, size), data.N)
    // not a number where a neuron was never observed
    .map((rate) => rate > least ? rate : least);
  const truth = data.truth && takeTrials(data.truth.rates_BTN, split.evaluation, size);
  const nllOf = (rates_BTN: Float64Array) => poissonNll(rates_BTN, counts_BTN, { trials });
  const nll = {
    null: nllOf(repeatRates(null_N, trials * data.T)),
    oracle: truth && nllOf(truth),
    model: nllOf(posterior.rates_BTN),
  };
  const bits = (rates_BTN: Float64Array) => bitsPerSpike(rates_BTN, counts_BTN, data.N, null_N);
  const silent = !counts_BTN.some((count) => count > 0);
  return {
    per: "trial",
    nll,
    bitsPerSpike: {
      oracle: truth && !silent ? bits(truth) : null,
      model: silent ? NaN : bits(posterior.rates_BTN),
    },
    explained: nll.oracle !== null && nll.oracle < nll.null
      ? explained({ null: nll.null, oracle: nll.oracle, model: nll.model })
      : null,
    rateR2: truth && rSquared(posterior.rates_BTN, truth, data.N),
  };
}

/**
 * Scores a model of real numbers on held-out trials, by the likelihood of one number. The model's is at
 * the readout's outputs averaged over samples; the null model has each neuron's mean and variance over the
 * training trials (of a zero-inflated gamma: of what is not 0, and how often that is).
 *
 * @param posterior of the trials `split.evaluation`, in that order
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   datasetFromArrays,
 *   initialise,
 *   parseHyperparameters,
 *   scoreReal,
 * } from "latentd";
 *
 * const spikes = { shape: [3, 1, 1], data: Float64Array.of(0.5, -0.5, 0.5) };
 * const data = datasetFromArrays({ name: "small", spikes });
 * const split = { train: Uint32Array.of(0, 1), evaluation: Uint32Array.of(2) };
 * const hyperparameters = parseHyperparameters({ observation: "gaussian", factors: 2 });
 * const shape = architecture(hyperparameters, 1, 1);
 * // the readout of the start is the null model, where no factor is active
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(0, Math.log(0.25)));
 * const model = { hyperparameters, architecture: shape, params_P, seed: 0, step: 0, binWidth: null };
 * const posterior = { factors_BTF: new Float64Array(2), rates_BTN: new Float64Array(1) };
 * const { nll, per } = scoreReal(data, split, model, posterior);
 * assert.deepEqual([nll.model, per], [nll.null, "sample"]);
 * ```
 */
export function scoreReal(
  data: Dataset,
  split: { readonly train: Uint32Array; readonly evaluation: Uint32Array },
  model: Model,
  posterior: Pick<Posterior, "rates_BTN" | "factors_BTF">,
): Scores {
  const { T, N } = data;
  const likelihood = realLikelihood(data, split, model, posterior.factors_BTF);
  const { null: empty, model: found } = likelihood({
    from: 0,
    to: T,
    neurons: otherColumns(N, []),
  });
  const truth = data.truth && takeTrials(data.truth.rates_BTN, split.evaluation, T * N);
  return {
    per: "sample",
    nll: { null: empty, oracle: null, model: found },
    bitsPerSpike: null,
    explained: null,
    rateR2: truth && rSquared(posterior.rates_BTN, truth, N),
  };
}
