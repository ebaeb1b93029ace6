/** What is scored: a recording, its split, and what a model inferred. */
import { bitsPerSpike } from "../../analysis/metrics.ts";
import { takeColumns, takeTrials } from "../../analysis/take.ts";
import type { Dataset } from "../../data/dataset.ts";

/** What of a recording a model saw. */
export interface Seen {
  /** trials that it was fitted to, whether to train or to choose the best step */
  readonly train: Uint32Array;
  /** trials to score */
  readonly evaluation: Uint32Array;
  /** neurons that its encoders never see */
  readonly heldOut: readonly number[];
  /** bins that its encoders see; those after it are forecasts */
  readonly encodedBins: number;
}

/** What was inferred for every trial. */
export interface Inferred {
  readonly rates_BTN: Float64Array;
  readonly factors_BTF: Float64Array;
}

/** All of it, for the scores. */
export interface Scored {
  readonly data: Dataset;
  /** NaN where a count is missing */
  readonly counts_BTN: Float64Array;
  readonly seen: Seen;
  readonly inferred: Inferred;
  readonly F: number;
}

/**
 * One score, beside what stands for nothing (`null`), for everything, and what is simple. More is better,
 * but for nats, which are the negative log-likelihood of one number.
 */
export interface ScoreRow {
  readonly metric:
    | "bits per spike"
    | "co-bps"
    | "fp-bps"
    | "few-shot co-bps"
    | "nats per sample"
    | "explained variance"
    | "behaviour R²"
    | "PSTH R²"
    | "R² to the truth";
  /** what of: neurons and bins, a behaviour, a number of shots */
  readonly of: string;
  readonly null: number;
  readonly model: number;
  /** of the true rates, where they are known */
  readonly oracle: number | null;
  readonly baselines: Readonly<Record<string, number>>;
}

/** The name of the baseline that co-smoothing is measured by. */
export const PCA_POISSON = "smoothed PCA + Poisson";

/** Bins and neurons to look at. */
export interface Cut {
  readonly from: number;
  readonly to: number;
  readonly neurons: readonly number[];
}

/** Some bins and neurons of trials: `[trials, bins, neurons]`. */
export function cutOut(
  values_BTN: ArrayLike<number>,
  { T, N }: { readonly T: number; readonly N: number },
  { from, to, neurons }: Cut,
): Float64Array {
  const rows: number[] = [];
  for (let row = 0; row < values_BTN.length / N; row++) {
    if (row % T >= from && row % T < to) rows.push(row);
  }
  return takeColumns(takeTrials(values_BTN, rows, N), N, neurons);
}

/** The same of the evaluation trials alone, of values of all trials. */
export function cutEvaluation(scored: Scored, values_BTN: ArrayLike<number>, cut: Cut) {
  const { data: { T, N }, seen } = scored;
  return cutOut(takeTrials(values_BTN, seen.evaluation, T * N), { T, N }, cut);
}

/** Bits per spike of rates of the cut; NaN where there is no spike. */
export function bitsOf(rates: Float64Array, counts: Float64Array, neurons: number): number {
  return counts.some((count) => count > 0) ? bitsPerSpike(rates, counts, neurons) : NaN;
}

/** Counts as numbers, NaN where a bin was not observed. */
export function countsWithGaps(
  { counts_BTN, missing_BTN, lengths_B, trials, T, N }: Dataset,
): Float64Array {
  const counts = Float64Array.from(counts_BTN);
  missing_BTN?.forEach((missing, i) => {
    if (missing) counts[i] = NaN;
  });
  for (let b = 0; b < trials; b++) {
    counts.fill(NaN, (b * T + (lengths_B?.[b] ?? T)) * N, (b + 1) * T * N);
  }
  return counts;
}

/** "1 neuron", "3 neurons". */
export function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
