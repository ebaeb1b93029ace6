import { lnFactorial } from "../data/poisson.ts";
import { InputError } from "../errors.ts";

/** Numbers in a row; in spikes, NaN marks a bin that does not count. */
export type Numbers = ArrayLike<number>;

/** What the Neural Latents Benchmark reads in place of a rate of zero, in spikes per bin. */
export const BENCHMARK_ZERO_RATE = 1e-9;

/** Options of {@link poissonNll}. */
export interface NllOptions {
  /** Trials in the arrays; the sum is divided by it. Default 1: the plain sum. */
  readonly trials?: number;
  /** Whether the constant ln(x!) counts, so that exp(-nll) is a probability. Default true. */
  readonly normalise?: boolean;
  /** What stands for a rate of exactly 0. Default 0: a spike at rate 0 then costs Infinity. */
  readonly zeroRate?: number;
}

/**
 * The Poisson negative log-likelihood of counts, in nats per trial: summed over bins and neurons,
 * averaged over trials.
 *
 *     nll = Σ (rate - x ln rate + ln x!) / trials
 *
 * `rates` are expected spikes per bin, in the order of `counts`, where NaN marks a bin that does not
 * count (its rate is not looked at).
 *
 * @throws InputError for unequal lengths, a rate that is negative, NaN or infinite, a count that is
 * negative or not whole, and options out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { poissonNll } from "latentd";
 *
 * assert.equal(poissonNll([1, 2], [0, 1]), 1 + (2 - Math.log(2)));
 * ```
 */
export function poissonNll(rates: Numbers, counts: Numbers, options: NllOptions = {}): number {
  const { trials = 1, normalise = true, zeroRate = 0 } = options;
  const action = "compute the Poisson likelihood";
  requireSameLength(action, "rates", rates, "counts", counts);
  if (!Number.isSafeInteger(trials) || trials < 1) {
    throw new InputError(`Cannot ${action}: expected at least 1 trial, found ${trials}.`);
  }
  if (!(zeroRate >= 0 && zeroRate < Infinity)) {
    throw new InputError(
      `Cannot ${action}: expected zeroRate to be at least 0, found ${zeroRate}.`,
    );
  }
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i];
    if (Number.isNaN(count)) continue;
    if (!(Number.isSafeInteger(count) && count >= 0)) {
      throw new InputError(
        `Cannot ${action}: expected whole counts of at least 0, found ${count} at ${i}.`,
      );
    }
    const rate = rates[i] === 0 ? zeroRate : rates[i];
    if (!(rate >= 0 && rate < Infinity)) {
      throw new InputError(
        `Cannot ${action}: expected finite rates of at least 0, found ${rate} at ${i}.`,
      );
    }
    sum += rate;
    // 0 ln 0 is 0, where floating point says NaN.
    if (count > 0) sum -= count * Math.log(rate) - (normalise ? lnFactorial(count) : 0);
  }
  return sum / trials;
}

/**
 * Each neuron's mean count over the trials and bins given, `rates_N`, in spikes per bin: the null
 * model. Take it from the training trials when it is to be compared on held-out ones. NaN for a neuron
 * none of whose bins count.
 *
 * @throws InputError when the counts are not a whole number of rows of N.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nullRates } from "latentd";
 *
 * assert.deepEqual([...nullRates([0, 4, 2, 4], 2)], [1, 4]); // neuron 0: 1, neuron 1: 4
 * ```
 */
export function nullRates(counts_BTN: Numbers, N: number): Float64Array {
  requireRows("compute mean rates", counts_BTN, N);
  const sums = new Float64Array(N), bins = new Float64Array(N);
  for (let i = 0; i < counts_BTN.length; i++) {
    if (Number.isNaN(counts_BTN[i])) continue;
    sums[i % N] += counts_BTN[i];
    bins[i % N]++;
  }
  return sums.map((sum, n) => sum / bins[n]);
}

/**
 * Repeats `rates_N` for every one of `rows` (trials × bins): `rates_BTN` of a model without time.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { repeatRates } from "latentd";
 *
 * assert.deepEqual([...repeatRates([1, 4], 3)], [1, 4, 1, 4, 1, 4]);
 * ```
 */
export function repeatRates(rates_N: Numbers, rows: number): Float64Array {
  const N = rates_N.length;
  return Float64Array.from({ length: rows * N }, (_, i) => rates_N[i % N]);
}

/**
 * Bits per spike as the Neural Latents Benchmark defines it (Pei, Ye et al., NeurIPS 2021 Datasets and
 * Benchmarks): how much likelier the spikes are under the rates than under each neuron's own mean
 * rate, in bits, per spike. NaN in `spikes_BTN` marks a bin that does not count, and a rate of 0 counts
 * as 1e-9 (the null model's too).
 *
 *     (nll(mean rates) - nll(rates)) / (ln 2 * Σ spikes)
 *
 * The mean rates are those of the spikes given, as in the benchmark, or `null_N` where given.
 *
 * @param rates_BTN expected spikes per bin
 * @param spikes_BTN counts per bin
 * @param N neurons: the length of the last axis of both
 * @param null_N the null model's spikes per bin for each neuron
 * @throws InputError as {@link poissonNll}, for lengths that are not rows of N, and when there are no
 * spikes to divide by.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bitsPerSpike } from "latentd";
 *
 * assert.equal(bitsPerSpike([0.5, 1.5], [0, 2], 1).toFixed(12), Math.log2(1.5).toFixed(12));
 * ```
 */
export function bitsPerSpike(
  rates_BTN: Numbers,
  spikes_BTN: Numbers,
  N: number,
  null_N: Numbers = nullRates(spikes_BTN, N),
): number {
  const action = "compute bits per spike";
  requireRows(action, spikes_BTN, N);
  if (null_N.length !== N) {
    throw new InputError(`Cannot ${action}: expected ${N} null rates, found ${null_N.length}.`);
  }
  let spikes = 0;
  for (let i = 0; i < spikes_BTN.length; i++) {
    if (!Number.isNaN(spikes_BTN[i])) spikes += spikes_BTN[i];
  }
  if (spikes === 0) {
    throw new InputError(`Cannot ${action}: expected at least 1 spike, found none.`);
  }
  // ln x! is the same on both sides.
  const options = { zeroRate: BENCHMARK_ZERO_RATE, normalise: false };
  const null_BTN = repeatRates(null_N, spikes_BTN.length / N);
  const gain = poissonNll(null_BTN, spikes_BTN, options) -
    poissonNll(rates_BTN, spikes_BTN, options);
  return gain / spikes / Math.LN2;
}

/**
 * The share of the way from the null model to the oracle (the true rates) that a model goes, from
 * three negative log-likelihoods of the same counts: 0 is the null model, 1 the oracle.
 *
 * @throws InputError unless all are finite and the oracle's is below the null model's.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { explained } from "latentd";
 *
 * assert.equal(explained({ null: 120, oracle: 100, model: 105 }), 0.75);
 * ```
 */
export function explained(nll: { null: number; oracle: number; model: number }): number {
  const share = (nll.null - nll.model) / (nll.null - nll.oracle);
  if (!Number.isFinite(share) || nll.oracle > nll.null) {
    throw new InputError(
      `Cannot say how much a model explains: expected finite likelihoods and an oracle that beats ` +
        `the null model, found negative log-likelihoods of ${nll.null} (null), ${nll.oracle} ` +
        `(oracle) and ${nll.model} (model).`,
    );
  }
  return share;
}

/**
 * The coefficient of determination of estimated rates: 1 - Σ (estimate - truth)² / Σ (truth - mean)²,
 * the mean taken for each neuron, the sums over all bins, trials and neurons. So differences between
 * the neurons' mean rates explain nothing. 1 at best, 0 for the true means, below 0 for worse; NaN or
 * -Infinity when the truth does not vary.
 *
 * @param N neurons (the length of the last axis); 1 compares plain lists of numbers
 * @throws InputError for unequal lengths or lengths that are not rows of N.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { rSquared } from "latentd";
 *
 * assert.equal(rSquared([1, 2, 4], [1, 2, 3]), 0.5);
 * ```
 */
export function rSquared(estimate_BTN: Numbers, truth_BTN: Numbers, N = 1): number {
  const action = "compute R²";
  requireSameLength(action, "estimates", estimate_BTN, "true values", truth_BTN);
  requireRows(action, truth_BTN, N);
  return rSquaredWhere(all, estimate_BTN, truth_BTN, N);
}

/** Whether a number counts, by its index. */
type Known = (i: number) => boolean;

const all: Known = () => true;

/** `rSquared` of the numbers that `known` says count, of lists of one length. */
export function rSquaredWhere(
  known: Known,
  estimate_BTN: Numbers,
  truth_BTN: Numbers,
  N: number,
): number {
  const mean_N = columnMeans(truth_BTN, N, known);
  let residual = 0, total = 0;
  for (let i = 0; i < truth_BTN.length; i++) {
    if (!known(i)) continue;
    residual += (estimate_BTN[i] - truth_BTN[i]) ** 2;
    total += (truth_BTN[i] - mean_N[i % N]) ** 2;
  }
  return 1 - residual / total;
}

/**
 * Pearson's correlation of two equally long lists, -1 to 1; NaN when either does not vary.
 *
 * @throws InputError for unequal lengths or none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { pearson } from "latentd";
 *
 * assert(Math.abs(pearson([1, 2, 3], [2, 4, 6]) - 1) < 1e-12);
 * ```
 */
export function pearson(x: Numbers, y: Numbers): number {
  const action = "compute a correlation";
  requireSameLength(action, "first values", x, "second values", y);
  requireRows(action, x, 1);
  const meanX = columnMeans(x, 1)[0], meanY = columnMeans(y, 1)[0];
  let xx = 0, xy = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i] - meanX, dy = y[i] - meanY;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

/** Each column's mean, summed from its first value: so a column that does not vary has it exactly. */
function columnMeans(values_XN: Numbers, N: number, known: Known = all): Float64Array {
  const first_N = new Float64Array(N), sum_N = new Float64Array(N), count_N = new Uint32Array(N);
  for (let i = 0; i < values_XN.length; i++) {
    if (!known(i)) continue;
    const n = i % N;
    if (count_N[n]++ === 0) first_N[n] = values_XN[i];
    sum_N[n] += values_XN[i] - first_N[n];
  }
  return first_N.map((first, n) => first + sum_N[n] / count_N[n]);
}

function requireSameLength(action: string, a: string, x: Numbers, b: string, y: Numbers) {
  if (x.length !== y.length) {
    throw new InputError(
      `Cannot ${action}: expected as many ${a} as ${b}, found ${x.length} and ${y.length}.`,
    );
  }
}

function requireRows(action: string, values: Numbers, N: number) {
  if (!Number.isSafeInteger(N) || N < 1 || values.length === 0 || values.length % N !== 0) {
    throw new InputError(
      `Cannot ${action}: expected at least one whole row of N values, found ${values.length} ` +
        `values with N = ${N}.`,
    );
  }
}
