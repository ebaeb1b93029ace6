/** Scores of real numbers: of what the model sees, of held-out neurons, and of bins to come. */
import { otherColumns, takeTrials } from "../../analysis/take.ts";
import type { Model } from "../../model/model.ts";
import { trialAverages } from "./averages.ts";
import { realLikelihood } from "./real_likelihood.ts";
import { type Cut, cutEvaluation, cutOut, plural, type Scored, type ScoreRow } from "./scored.ts";

/**
 * Two rows of each part that was seen or hidden: the likelihood of a number, beside that of the training
 * trials' moments, and the share of the numbers' variance that the expected values explain. The share has
 * no row where the numbers do not vary.
 */
export function realRows(scored: Scored, model: Model): ScoreRow[] {
  const { data: { T, N }, seen: { heldOut, encodedBins, train, evaluation }, inferred, F } = scored;
  const neurons = otherColumns(N, heldOut), all = otherColumns(N, []);
  const parts: { of: string; cut: Cut }[] = [
    {
      of: `${plural(neurons.length, "neuron")} seen`,
      cut: { from: 0, to: encodedBins, neurons },
    },
    {
      of: `${plural(heldOut.length, "neuron")} held out`,
      cut: { from: 0, to: encodedBins, neurons: heldOut },
    },
    {
      of: `${plural(T - encodedBins, "bin")} to come`,
      cut: { from: encodedBins, to: T, neurons: all },
    },
  ];
  const likelihood = realLikelihood(
    scored.data,
    { train, evaluation },
    model,
    takeTrials(inferred.factors_BTF, evaluation, T * F),
  );
  return parts
    .filter(({ cut: { from, to, neurons } }) => to > from && neurons.length > 0)
    .flatMap(({ of, cut }) => [
      { metric: NATS, of, ...likelihood(cut), oracle: null, baselines: {} },
      ...varianceRow(scored, of, cut),
    ]);
}

const NATS = "nats per sample";

/** None where the numbers do not vary, or were not observed. */
function varianceRow(scored: Scored, of: string, cut: Cut): ScoreRow[] {
  const { data, counts_BTN, seen: { train, evaluation }, inferred } = scored;
  const size = data.T * data.N, M = cut.neurons.length;
  const values = cutEvaluation(scored, counts_BTN, cut);
  const share = (estimate: Float64Array) => explainedVariance(estimate, values, M);
  const average = (condition: ArrayLike<number> | null) =>
    share(cutOut(
      trialAverages(takeTrials(counts_BTN, train, size), size, train, evaluation, condition),
      data,
      cut,
    ));
  const model = share(cutEvaluation(scored, inferred.rates_BTN, cut));
  if (!Number.isFinite(model)) return [];
  return [{
    metric: "explained variance",
    of,
    null: 0,
    model,
    oracle: data.truth && share(cutEvaluation(scored, data.truth.rates_BTN, cut)),
    baselines: {
      average: average(null),
      ...(data.condition ? { "per condition": average(data.condition) } : {}),
    },
  }];
}

/** 1 - Σ (estimate - value)² / Σ (value - the neuron's mean)², where there are a value and an estimate. */
function explainedVariance(estimate_XN: Float64Array, values_XN: Float64Array, N: number): number {
  const sums_N = new Float64Array(N), known_N = new Float64Array(N);
  const known = (i: number) => !Number.isNaN(values_XN[i]) && !Number.isNaN(estimate_XN[i]);
  for (let i = 0; i < values_XN.length; i++) {
    if (!known(i)) continue;
    sums_N[i % N] += values_XN[i];
    known_N[i % N]++;
  }
  let residual = 0, total = 0;
  for (let i = 0; i < values_XN.length; i++) {
    if (!known(i)) continue;
    residual += (estimate_XN[i] - values_XN[i]) ** 2;
    total += (values_XN[i] - sums_N[i % N] / known_N[i % N]) ** 2;
  }
  return 1 - residual / total;
}
