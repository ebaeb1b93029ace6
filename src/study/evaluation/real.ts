/** Scores of real numbers: of what the model sees, of held-out neurons, and of bins to come. */
import { rSquaredWhere } from "../../analysis/metrics.ts";
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
  const size = data.T * data.N;
  const values = cutEvaluation(scored, counts_BTN, cut);
  const share = (estimate: Float64Array) =>
    rSquaredWhere(
      (i) => !Number.isNaN(values[i]) && !Number.isNaN(estimate[i]),
      estimate,
      values,
      cut.neurons.length,
    );
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
