/** Scores of spikes: of seen neurons, of held-out ones, of bins to come, and from few trials. */
import type { AverageRates } from "../../analysis/baselines/averages.ts";
import {
  pcaFactors,
  type PcaPoissonChoice,
  type PcaPoissonRates,
} from "../../analysis/baselines/pca_poisson.ts";
import { fewShot } from "../../analysis/few_shot.ts";
import { otherColumns, takeTrials } from "../../analysis/take.ts";
import {
  bitsOf,
  type Cut,
  cutEvaluation,
  cutOut,
  PCA_POISSON,
  plural,
  type Scored,
  type ScoreRow,
} from "./scored.ts";

/** Baselines of all neurons and bins on the evaluation trials. */
export interface Averages {
  readonly average: AverageRates;
  /** null where conditions are not known */
  readonly perCondition: AverageRates | null;
}

/** How each of the averages scores. */
export function scoreAverages(
  averages: Averages | null,
  score: (rates_BTN: Float64Array) => number,
): Record<string, number> {
  if (!averages) return {};
  const { average, perCondition } = averages;
  return {
    "average": score(average.rates_BTN),
    ...(perCondition ? { "per condition": score(perCondition.rates_BTN) } : {}),
  };
}

/** The rows of the model, the truth and the averages, of some bins and neurons. */
function spikeRow(
  metric: ScoreRow["metric"],
  of: string,
  cut: Cut,
  scored: Scored,
  averages: Averages,
  more: Readonly<Record<string, Float64Array>> = {},
): ScoreRow {
  const { data, counts_BTN, inferred } = scored;
  const M = cut.neurons.length;
  const counts = cutEvaluation(scored, counts_BTN, cut);
  const bits = (rates: Float64Array) => bitsOf(rates, counts, M);
  return {
    metric,
    of,
    null: 0,
    model: bits(cutEvaluation(scored, inferred.rates_BTN, cut)),
    oracle: data.truth && bits(cutEvaluation(scored, data.truth.rates_BTN, cut)),
    baselines: {
      ...scoreAverages(averages, (rates_BTN) => bits(cutOut(rates_BTN, data, cut))),
      ...Object.fromEntries(Object.entries(more).map(([name, rates]) => [name, bits(rates)])),
    },
  };
}

/** Of the neurons and bins that the model infers from: how well it describes what it sees. */
export function seenRow(scored: Scored, averages: Averages): ScoreRow {
  const { data: { N }, seen: { heldOut, encodedBins } } = scored;
  const neurons = otherColumns(N, heldOut);
  const cut = { from: 0, to: encodedBins, neurons };
  return spikeRow(
    "bits per spike",
    `${plural(neurons.length, "neuron")} seen`,
    cut,
    scored,
    averages,
  );
}

/** Of the neurons that the model never sees, in the bins that it sees. */
export function coSmoothingRow(
  scored: Scored,
  averages: Averages,
  baseline: PcaPoissonRates | null,
): ScoreRow {
  const { heldOut: neurons, encodedBins: to } = scored.seen;
  return spikeRow(
    "co-bps",
    `${plural(neurons.length, "neuron")} held out`,
    { from: 0, to, neurons },
    scored,
    averages,
    baseline ? { [PCA_POISSON]: baseline.rates_BTM } : {},
  );
}

/** Of all neurons, in the bins that come after those that the model sees. */
export function forwardRow(scored: Scored, averages: Averages): ScoreRow {
  const { data: { T, N }, seen: { encodedBins: from } } = scored;
  const cut = { from, to: T, neurons: otherColumns(N, []) };
  return spikeRow("fp-bps", `${plural(T - from, "bin")} to come`, cut, scored, averages);
}

/** Held-out neurons read from the factors, with a regression that saw few trials. */
export function fewShotRow(scored: Scored, shots: number, choice: PcaPoissonChoice): ScoreRow {
  const { data, counts_BTN, seen, inferred, F } = scored;
  const { T, N } = data;
  const { heldOut: neurons, encodedBins: to, train, evaluation } = seen;
  const M = neurons.length, cut = { from: 0, to, neurons };
  const counts = (trials: Uint32Array) => cutOut(takeTrials(counts_BTN, trials, T * N), data, cut);
  const factors = (trials: Uint32Array) =>
    cutOut(takeTrials(inferred.factors_BTF, trials, T * F), { T, N: F }, {
      ...cut,
      neurons: otherColumns(F, []),
    });
  const score = (train_BTF: Float64Array, evaluation_BTF: Float64Array, F: number) =>
    fewShot(
      { factors_BTF: train_BTF, counts_BTM: counts(train) },
      { factors_BTF: evaluation_BTF, counts_BTM: counts(evaluation) },
      { T: to, F, M },
      { shots },
    ).bitsPerSpike;
  const { train_BTK, evaluation_BTK, K } = pcaFactors(seenTask(scored), neurons, choice);
  return {
    metric: "few-shot co-bps",
    of: `from ${plural(shots, "trial")}`,
    null: 0,
    model: score(factors(train), factors(evaluation), F),
    oracle: null,
    baselines: { [PCA_POISSON]: score(train_BTK, evaluation_BTK, K) },
  };
}

/** The counts in the bins that the model sees, for baselines that look at the trial. */
export function seenTask({ data, counts_BTN, seen }: Scored) {
  const { N } = data;
  const { encodedBins: T, train, evaluation } = seen;
  const cut = { from: 0, to: T, neurons: otherColumns(N, []) };
  return { counts_BTN: cutOut(counts_BTN, data, cut), T, N, train, evaluation };
}
