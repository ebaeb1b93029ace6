/** What the counts of a dataset are like, and what about them should make one suspicious. */
import type { Dataset } from "./dataset.ts";
import { largest as largestOf } from "./range.ts";

/** Two neurons whose counts rise and fall together in the same bins. */
export interface NeuronPair {
  readonly neurons: readonly [number, number];
  /** Pearson's, over all bins that were compared. */
  readonly correlation: number;
}

/** A condition and its trials. */
export interface ConditionFacts {
  readonly value: number;
  readonly name: string | null;
  readonly trials: number;
  /** Spikes per bin and neuron. */
  readonly mean: number;
}

/** What the counts of a dataset are like. Neurons, trials and bins are counted from 0. */
export interface DatasetFacts {
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  readonly binWidth: number | null;
  readonly spikes: number;
  /** Spikes per bin and neuron, over bins that were observed. */
  readonly mean: number;
  /** Spikes per bin of single neurons: the least, 5 %, 25 %, the median, 75 %, 95 %, the most. */
  readonly quantiles: readonly number[];
  /** The largest count and the first place where it stands. */
  readonly largest: {
    readonly count: number;
    readonly trial: number;
    readonly bin: number;
    readonly neuron: number;
  };
  /** Bins of single neurons with more than 20 spikes. */
  readonly above20: number;
  /** What every count is a multiple of. 1 for counts as they should be, 0 without spikes. */
  readonly divisor: number;
  readonly silent: readonly number[];
  /** Pairs with a correlation above 0.95, most alike first; of neurons with 10 spikes or more. */
  readonly alike: readonly NeuronPair[];
  /** Of how many bins correlations are; null where there are too many neurons to compare. */
  readonly comparedBins: number | null;
  /** Trials without a spike. */
  readonly emptyTrials: readonly number[];
  /** Bins in which no neuron fires in any trial. */
  readonly emptyBins: readonly number[];
  /** Trials that end in more silence than chance allows (below 1 in 10^8), with its bins. */
  readonly silentEnds: readonly { readonly trial: number; readonly bins: number }[];
  /** Trials with the very counts of an earlier one. */
  readonly repeatedTrials: readonly { readonly trial: number; readonly of: number }[];
  readonly conditions: readonly ConditionFacts[];
  /** Bins that were not observed. */
  readonly missing: number;
  /** What should be looked into before a fit: sentences. */
  readonly suspicions: readonly string[];
}

const ALIKE = 0.95, FEWEST_SPIKES = 10;
/** Products of pairs: a second's work. */
const MOST_PRODUCTS = 2e8;
/** A table of pairs takes 8 bytes each. */
const MOST_COMPARED = 2500;
/** exp(-18.4) is 1 in 10^8. */
const IMPROBABLE = 18.4;

/**
 * What the counts of a dataset are like, and what about them is suspicious.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFacts, datasetFromArrays } from "latentd";
 *
 * const spikes = { shape: [2, 2, 2], data: Uint8Array.of(1, 0, 3, 0, 0, 0, 2, 0) };
 * const facts = datasetFacts(datasetFromArrays({ name: "small", spikes }));
 * assert.deepEqual([facts.spikes, facts.largest.count, facts.silent], [6, 3, [1]]);
 * ```
 */
export function datasetFacts(dataset: Dataset): DatasetFacts {
  const { counts_BTN, trials, T, N, binWidth } = dataset;
  const perNeuron = new Float64Array(N), seen_N = new Float64Array(N);
  const seen_B = new Float64Array(trials);
  const perTrial = new Float64Array(trials), perBin = new Float64Array(T);
  const ends = new Int32Array(trials).fill(T);
  let spikes = 0, largest = 0, at = 0, above20 = 0, divisor = 0;
  for (let i = 0; i < counts_BTN.length; i++) {
    const count = counts_BTN[i];
    const n = i % N, row = (i - n) / N, t = row % T, b = (row - t) / T;
    if (!isMissing(dataset, i, b, t)) {
      seen_N[n]++;
      seen_B[b]++;
    }
    if (count === 0) continue;
    spikes += count;
    perNeuron[n] += count;
    perTrial[b] += count;
    perBin[t] += count;
    ends[b] = T - 1 - t;
    if (count > 20) above20++;
    if (divisor !== 1) divisor = commonDivisor(divisor, count);
    if (count > largest) [largest, at] = [count, i];
  }
  // of each trial, the silent bins at its end; a trial without spikes is told as that
  const observed = seen_N.reduce((sum, bins) => sum + bins, 0);
  const mean = observed === 0 ? 0 : spikes / observed;
  const rates = perNeuron.map((count, n) => seen_N[n] === 0 ? 0 : count / seen_N[n]).sort();
  const { pairs, bins } = likePairs(dataset, perNeuron);
  const neuron = at % N, row = (at - neuron) / N;
  const perBinOfAll = spikes / (trials * T);
  const facts: Omit<DatasetFacts, "suspicions"> = {
    ...{ trials, T, N, binWidth, spikes, mean, above20, divisor },
    quantiles: [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1].map((share) => quantile(rates, share)),
    largest: { count: largest, trial: Math.floor(row / T), bin: row % T, neuron },
    silent: places(perNeuron, (count) => count === 0),
    alike: pairs,
    comparedBins: bins,
    emptyTrials: places(perTrial, (count) => count === 0),
    emptyBins: places(perBin, (count) => count === 0),
    silentEnds: places(
      ends,
      (bins, b) =>
        dataset.lengths_B === undefined && perTrial[b] > 0 && bins * perBinOfAll > IMPROBABLE,
    ).map((trial) => ({ trial, bins: ends[trial] })),
    repeatedTrials: repeated(dataset, perTrial),
    conditions: conditionFacts(dataset, perTrial, seen_B),
    missing: counts_BTN.length - observed,
  };
  return { ...facts, suspicions: suspicions(facts) };
}

function isMissing({ missing_BTN, lengths_B }: Dataset, i: number, b: number, t: number): boolean {
  return missing_BTN?.[i] === 1 || lengths_B !== undefined && t >= lengths_B[b];
}

function commonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

function places<A extends ArrayLike<number>>(
  values: A,
  test: (value: number, index: number) => boolean,
): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) if (test(values[i], i)) found.push(i);
  return found;
}

/** Between the two values that a share of the sorted ones stands between. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1), low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** Pairs of neurons that are alike: products are summed only where both fire. */
function likePairs(
  { counts_BTN, N }: Dataset,
  perNeuron: Float64Array,
): { pairs: NeuronPair[]; bins: number | null } {
  const some = places(perNeuron, (count) => count >= FEWEST_SPIKES);
  if (some.length > MOST_COMPARED) return { pairs: [], bins: null };
  const K = some.length, rows = counts_BTN.length / N;
  const index = new Int32Array(N).fill(-1);
  some.forEach((n, k) => index[n] = k);
  let products = 0;
  for (let row = 0; row < rows; row++) {
    let firing = 0;
    for (let n = 0; n < N; n++) if (counts_BTN[row * N + n] > 0) firing++;
    products += firing * firing / 2;
  }
  const stride = Math.max(1, Math.ceil(products / MOST_PRODUCTS));
  const sums = new Float64Array(K), both = new Float64Array(K * K);
  const who = new Int32Array(K);
  let bins = 0;
  for (let row = 0; row < rows; row += stride, bins++) {
    let firing = 0;
    for (let n = 0; n < N; n++) {
      if (counts_BTN[row * N + n] > 0 && index[n] >= 0) who[firing++] = n;
    }
    for (let i = 0; i < firing; i++) {
      const a = index[who[i]], x = counts_BTN[row * N + who[i]];
      sums[a] += x;
      for (let j = i; j < firing; j++) {
        both[a * K + index[who[j]]] += x * counts_BTN[row * N + who[j]];
      }
    }
  }
  const pairs: NeuronPair[] = [];
  const spread = (a: number) => both[a * K + a] / bins - (sums[a] / bins) ** 2;
  for (let a = 0; a < K; a++) {
    for (let b = a + 1; b < K; b++) {
      const covariance = both[a * K + b] / bins - sums[a] * sums[b] / bins ** 2;
      const correlation = covariance / Math.sqrt(spread(a) * spread(b));
      if (correlation > ALIKE) pairs.push({ neurons: [some[a], some[b]], correlation });
    }
  }
  return { pairs: pairs.sort((a, b) => b.correlation - a.correlation), bins };
}

/** Trials that are copies of earlier ones. */
function repeated(
  { counts_BTN, trials, T, N }: Dataset,
  perTrial: Float64Array,
): { trial: number; of: number }[] {
  const size = T * N;
  const bySum = new Map<string, number[]>();
  const found: { trial: number; of: number }[] = [];
  for (let b = 0; b < trials; b++) {
    if (perTrial[b] === 0) continue;
    // the sum of counts times their place tells most trials apart before all counts are compared
    let sum = 0;
    for (let i = 0; i < size; i++) sum += counts_BTN[b * size + i] * (i + 1);
    const key = `${perTrial[b]} ${sum}`;
    const earlier = bySum.get(key) ?? [];
    const of = earlier.find((other) => {
      for (let i = 0; i < size; i++) {
        if (counts_BTN[other * size + i] !== counts_BTN[b * size + i]) return false;
      }
      return true;
    });
    if (of === undefined) bySum.set(key, [...earlier, b]);
    else found.push({ trial: b, of });
  }
  return found;
}

function conditionFacts(
  { condition, conditionNames }: Dataset,
  perTrial: Float64Array,
  seen_B: Float64Array,
): ConditionFacts[] {
  if (condition === null) return [];
  const trials = new Map<number, number>(), spikes = new Map<number, number>();
  const seen = new Map<number, number>();
  condition.forEach((value, b) => {
    trials.set(value, (trials.get(value) ?? 0) + 1);
    spikes.set(value, (spikes.get(value) ?? 0) + perTrial[b]);
    seen.set(value, (seen.get(value) ?? 0) + seen_B[b]);
  });
  return [...trials].sort(([a], [b]) => a - b).map(([value, count]) => ({
    value,
    name: conditionNames?.[value] ?? null,
    trials: count,
    mean: (spikes.get(value) ?? 0) / Math.max(1, seen.get(value) ?? 0),
  }));
}

/** Places named in one sentence. */
const MAX_NAMED = 8;

function named(list: readonly number[]): string {
  const more = list.length - MAX_NAMED;
  return `${list.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function suspicions(facts: Omit<DatasetFacts, "suspicions">): string[] {
  const { binWidth, largest, above20, divisor, quantiles, mean, spikes, trials, T, N } = facts;
  const { emptyTrials, emptyBins, silentEnds, repeatedTrials, alike } = facts;
  const said: string[] = [];
  if (spikes === 0) return ["There is not a single spike."];
  const place = `[trial, bin, neuron] = [${largest.trial}, ${largest.bin}, ${largest.neuron}]`;
  if (binWidth !== null) {
    const perMs = largest.count / (binWidth * 1000);
    if (largest.count > Math.ceil(binWidth * 1000) + 1) {
      said.push(
        `The largest count is ${largest.count} in a bin of ${binWidth * 1000} ms, ${
          (perMs * 1000).toFixed(0)
        } Hz at ${place}: more than one spike a millisecond, which no neuron keeps up. Is it a sum of ` +
          `several neurons, an artefact, or is the bin width wrong?`,
      );
    }
    const most = quantiles[quantiles.length - 1] / binWidth;
    if (most > 200) {
      said.push(
        `A neuron fires at ${
          most.toFixed(0)
        } Hz on average: is the bin width of ${binWidth} s right?`,
      );
    }
    if (mean / binWidth < 0.1) {
      said.push(
        `Neurons fire at ${
          (mean / binWidth).toPrecision(2)
        } Hz on average, which is very little: is the bin width of ${binWidth} s right (seconds, not ` +
          `milliseconds)?`,
      );
    }
  }
  if (above20 > 0) {
    said.push(
      `${above20} ${
        above20 === 1 ? "count is" : "counts are"
      } above 20, the largest ${largest.count} at ${place}: narrower bins keep more of the dynamics.`,
    );
  }
  if (divisor > 1) {
    said.push(`Every count is a multiple of ${divisor}: counts were scaled, or bins repeated.`);
  }
  if (emptyTrials.length > 0) {
    said.push(
      `${count(emptyTrials.length, "trial")} without a spike: ${named(emptyTrials)}.`,
    );
  }
  if (emptyBins.length > 0 && T > 1 && spikes > 20 * T) {
    said.push(
      `No neuron fires in any trial in ${count(emptyBins.length, "bin")}: ${named(emptyBins)}.`,
    );
  }
  if (silentEnds.length > 0) {
    const bins = largestOf(silentEnds.map(({ bins }) => bins));
    said.push(
      `${count(silentEnds.length, "trial")} (${named(silentEnds.map(({ trial }) => trial))}) ${
        silentEnds.length === 1 ? "ends" : "end"
      } in silence of up to ${bins} bins, which chance does not explain: zeros that fill up shorter ` +
        `trials would be learned as silence.`,
    );
  }
  if (repeatedTrials.length > 0) {
    const [{ trial, of }] = repeatedTrials;
    said.push(
      `${
        count(repeatedTrials.length, "trial")
      } with the very counts of another, as ${trial} of ${of}: copies in training and evaluation make ` +
        `scores too good.`,
    );
  }
  const pairs = alike.length;
  if (pairs > 0) {
    said.push(
      `${pairs === 1 ? "One pair of neurons fires" : `${pairs} pairs of neurons fire`} together ` +
        `(correlation above ${ALIKE}): one neuron sorted twice, or cross-talk, lets a model predict one ` +
        `from the other.`,
    );
  }
  if (trials < 30) said.push(`${count(trials, "trial")} are few for a fit.`);
  if (N < 5) said.push(`${count(N, "neuron")} are few for a fit.`);
  return said;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
