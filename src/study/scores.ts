/** How well a model explains held-out trials, between the null model and (if known) the oracle. */
import { bitsPerSpike, explained, poissonNll, repeatRates, rSquared } from "../analysis/metrics.ts";
import { takeTrials } from "../analysis/take.ts";
import type { Dataset } from "../data/dataset.ts";
import { roomForMissing } from "../data/arrange.ts";
import { momentsOf } from "../train/moments.ts";
import type { Posterior } from "../inference/posterior.ts";

/** Scores on the trials that a posterior was inferred for. */
export interface Scores {
  /** negative log-likelihood in nats per trial, ln x! included; lower is better */
  readonly nll: { readonly null: number; readonly oracle: number | null; readonly model: number };
  /** bits per spike over the null model */
  readonly bitsPerSpike: { readonly oracle: number | null; readonly model: number };
  /** share of the way from the null model to the oracle; null without known rates */
  readonly explained: number | null;
  /** R² of the inferred to the true rates; null without known rates */
  readonly rateR2: number | null;
}

/**
 * Scores inferred rates on held-out trials. The null model is each neuron's mean rate over the
 * training trials; a neuron that was silent there is read as half a spike in all of them, so that a
 * held-out spike of it has a finite price.
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
  const counts_BTN = takeTrials(data.counts_BTN, split.evaluation, size);
  const least = 0.5 / (split.train.length * data.T);
  const null_N = momentsOf(roomForMissing(data.counts_BTN), data, split.train).mean_N
    .map((rate) => Math.max(rate, least));
  const truth = data.truth && takeTrials(data.truth.rates_BTN, split.evaluation, size);
  const nllOf = (rates_BTN: Float64Array) => poissonNll(rates_BTN, counts_BTN, { trials });
  const nll = {
    null: nllOf(repeatRates(null_N, trials * data.T)),
    oracle: truth && nllOf(truth),
    model: nllOf(posterior.rates_BTN),
  };
  const bits = (rates_BTN: Float64Array) => bitsPerSpike(rates_BTN, counts_BTN, data.N, null_N);
  const silent = counts_BTN.every((count) => count === 0);
  return {
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
