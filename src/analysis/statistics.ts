/**
 * How far a statistic of random draws may stray before the draws are to blame. Every bound is an
 * inequality that holds at each sample size, not a fitted tolerance: draws of the claimed distribution
 * pass it with at least the probability 1 - falseAlarm.
 */

/**
 * The bound on |Σ x - E Σ x| for independent terms x with total variance `variance`, none further than
 * `reach` from its mean: Bernstein's inequality, P(|Σ x - E| ≥ t) ≤ 2 exp(-t² / (2 variance + 2/3 reach t)),
 * solved for t.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const bound = bernsteinBound(1000 * 0.25, 0.5, 1e-6); // heads in 1000 tosses: within 88 of 500
 * assert.equal(Math.ceil(bound), 88);
 * ```
 */
export function bernsteinBound(variance: number, reach: number, falseAlarm: number): number {
  const nats = Math.log(2 / falseAlarm);
  const linear = reach * nats / 3;
  return linear + Math.sqrt(linear * linear + 2 * nats * variance);
}

/**
 * The bound on a chi-square variable: P(χ² ≥ k + 2√(k x) + 2x) ≤ exp(-x) for k degrees of freedom
 * (Laurent and Massart, Annals of Statistics 28, 2000, lemma 1).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(Math.round(chiSquareBound(255, 1e-6)), 401);
 * ```
 */
export function chiSquareBound(degrees: number, falseAlarm: number): number {
  const nats = -Math.log(falseAlarm);
  return degrees + 2 * Math.sqrt(degrees * nats) + 2 * nats;
}

/**
 * Pearson's chi-square of observed against expected counts, Σ (observed - expected)² / expected.
 * Distributed as chi-square where each expected count is at least about 5; draws in n cells of fixed
 * total have n - 1 degrees of freedom.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(chiSquare([12, 8], [10, 10]), 0.8);
 * ```
 */
export function chiSquare(observed: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) {
    sum += (observed[i] - expected[i]) ** 2 / expected[i];
  }
  return sum;
}
