/** Scores of the rates themselves: against averages over trials, and against the truth. */
import { rSquared } from "../../analysis/metrics.ts";
import { psthRSquared } from "../../analysis/psth.ts";
import { smoothTrials } from "../../analysis/smoothing.ts";
import { takeTrials } from "../../analysis/take.ts";
import type { Scored, ScoreRow } from "./scored.ts";
import { type Averages, scoreAverages } from "./spikes.ts";

/** What the Neural Latents Benchmark smooths spikes with before it averages them, in seconds. */
const PSTH_SIGMA = 0.07;
/** In bins, where their width is not known. */
const PSTH_BINS = 2;

/**
 * Averages of the inferred rates over the evaluation trials of each condition, against averages of the
 * smoothed counts over all trials of it. null where conditions are not known, or counts are missing.
 */
export function psthRow(scored: Scored, averages: Averages | null): ScoreRow | null {
  const { data, counts_BTN, seen: { evaluation }, inferred } = scored;
  const { T, N, condition, binWidth, trials } = data;
  if (!condition || counts_BTN.some(Number.isNaN)) return null;
  const sigma = binWidth === null ? PSTH_BINS : PSTH_SIGMA / binWidth;
  const smooth_BTN = smoothTrials(counts_BTN, { T, N }, sigma);
  const size = T * N;
  const values = [...new Set(condition)].sort((a, b) => a - b);
  const psth_CTN = new Float64Array(values.length * size);
  values.forEach((value, c) => {
    const of = Array.from({ length: trials }, (_, b) => b).filter((b) => condition[b] === value);
    for (const b of of) {
      for (let i = 0; i < size; i++) psth_CTN[c * size + i] += smooth_BTN[b * size + i] / of.length;
    }
  });
  const places = values.map((value) =>
    [...evaluation.keys()].filter((b) => condition[evaluation[b]] === value)
  );
  const r2 = (rates_BTN: Float64Array) => psthRSquared(psth_CTN, rates_BTN, places, { T, N });
  const known = places.filter(({ length }) => length > 0).length;
  return {
    metric: "PSTH R²",
    of: `${known} condition${known === 1 ? "" : "s"}`,
    null: 0,
    model: r2(takeTrials(inferred.rates_BTN, evaluation, size)),
    oracle: data.truth && r2(takeTrials(data.truth.rates_BTN, evaluation, size)),
    baselines: {
      ...scoreAverages(averages, r2),
      "smoothed counts": r2(takeTrials(smooth_BTN, evaluation, size)),
    },
  };
}

/** R² of the rates to the true ones on the evaluation trials; null where those are not known. */
export function truthRow(
  { data, seen, inferred }: Scored,
  averages: Averages | null,
): ScoreRow | null {
  if (!data.truth) return null;
  const { T, N } = data;
  const truth_BTN = takeTrials(data.truth.rates_BTN, seen.evaluation, T * N);
  const r2 = (rates_BTN: Float64Array) => rSquared(rates_BTN, truth_BTN, N);
  return {
    metric: "R² to the truth",
    of: "all neurons and bins",
    null: 0,
    model: r2(takeTrials(inferred.rates_BTN, seen.evaluation, T * N)),
    oracle: 1,
    baselines: scoreAverages(averages, r2),
  };
}
