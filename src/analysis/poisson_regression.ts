/** Counts from features: Poisson regression with an exponential link and an L2 penalty. */
import { InputError } from "../errors.ts";
import { solvePositive } from "./cholesky.ts";
import type { Numbers } from "./metrics.ts";

/** `rate = exp(intercept + features · weights)`. */
export interface PoissonFit {
  readonly weights_F: Float64Array;
  readonly intercept: number;
}

/** Options of {@link fitPoisson}. */
export interface PoissonOptions {
  /** scale of the penalty on the weights; the intercept has none */
  readonly l2: number;
  /** where to begin; a fit with a near penalty saves steps */
  readonly start?: PoissonFit;
  /** ends where a step promises less than this share of a nat per sample; 1e-12 by default */
  readonly tolerance?: number;
}

const MAX_STEPS = 100;
/** Rates beyond exp(this) are no spike counts: a step that goes there is halved. */
const MAX_LOG_RATE = 50;

/**
 * Fits counts by Newton's method to
 *
 *     mean(rate - count ln rate) + l2 / 2 · Σ weights²,
 *
 * as scikit-learn's `PoissonRegressor(alpha=l2)`. Samples whose count is NaN do not count. Where there
 * is no spike the weights are 0 and the rate is that of half a spike in all samples.
 *
 * @param x_XF features of each sample
 * @throws InputError for lengths that do not fit, no sample, a feature that is not finite, or a negative
 * count or penalty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { fitPoisson, predictPoisson } from "latentd";
 *
 * const fit = fitPoisson([0, 0, 1, 1], [1, 3, 4, 4], 1, { l2: 0 });
 * const rates = predictPoisson([0, 1], fit);
 * assert(Math.abs(rates[0] - 2) < 1e-9 && Math.abs(rates[1] - 4) < 1e-9);
 * ```
 */
export function fitPoisson(
  x_XF: Numbers,
  y_X: Numbers,
  F: number,
  options: PoissonOptions,
): PoissonFit {
  const { l2, start, tolerance = 1e-12 } = options;
  const { x_X1F, counts_X, mean } = samplesOf(x_XF, y_X, F, l2);
  if (mean === 0) {
    return { weights_F: new Float64Array(F), intercept: Math.log(0.5 / counts_X.length) };
  }
  // coefficient 0 is the intercept, whose feature is 1
  const problem = { x_X1F, counts_X, W: F + 1, l2 };
  const rates_X = new Float64Array(counts_X.length);
  let at = new Float64Array(F + 1), value = Infinity;
  if (start) {
    at.set(start.weights_F, 1);
    at[0] = start.intercept;
    value = objective(problem, at, rates_X);
  }
  if (value === Infinity) {
    at = new Float64Array(F + 1);
    at[0] = Math.log(mean);
    value = objective(problem, at, rates_X);
  }
  for (let step = 0; step < MAX_STEPS; step++) {
    const { slope, newton } = newtonStep(problem, at, rates_X);
    // what a full step wins is half of the slope, where the objective is nearly a parabola; so near the
    // end the last step squares the error
    if (slope < tolerance) {
      at = at.map((w, i) => w - newton[i]);
      break;
    }
    let next = at, found = Infinity;
    // the objective is convex: halving ends, at the latest in rounding
    for (let size = 1; size > 1e-10; size /= 2) {
      next = at.map((w, i) => w - size * newton[i]);
      found = objective(problem, next, rates_X);
      if (found <= value - 1e-4 * size * slope) break;
    }
    if (!(found < value)) break;
    at = next;
    value = found;
  }
  return { weights_F: at.slice(1), intercept: at[0] };
}

/**
 * The rates that a fit expects for features.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { predictPoisson } from "latentd";
 *
 * const rates = predictPoisson([0, 1], { weights_F: Float64Array.of(Math.LN2), intercept: 0 });
 * assert.deepEqual([...rates], [1, 2]);
 * ```
 */
export function predictPoisson(x_XF: Numbers, { weights_F, intercept }: PoissonFit): Float64Array {
  const F = weights_F.length;
  return Float64Array.from({ length: F === 0 ? 1 : x_XF.length / F }, (_, row) => {
    let sum = intercept;
    for (let f = 0; f < F; f++) sum += x_XF[row * F + f] * weights_F[f];
    return Math.exp(Math.min(sum, MAX_LOG_RATE));
  });
}

interface Problem {
  /** a 1 before the features of each sample */
  readonly x_X1F: Float64Array;
  readonly counts_X: Float64Array;
  /** F + 1 */
  readonly W: number;
  readonly l2: number;
}

/** The objective, and the rates there; Infinity where a rate is beyond all counts. */
function objective({ x_X1F, counts_X, W, l2 }: Problem, at: Float64Array, rates_X: Float64Array) {
  let sum = 0, penalty = 0;
  for (let row = 0, i = 0; row < counts_X.length; row++, i += W) {
    let log = 0;
    for (let w = 0; w < W; w++) log += x_X1F[i + w] * at[w];
    if (!(log <= MAX_LOG_RATE)) return Infinity;
    rates_X[row] = Math.exp(log);
    sum += rates_X[row] - counts_X[row] * log;
  }
  for (let w = 1; w < W; w++) penalty += at[w] * at[w];
  return sum / counts_X.length + l2 / 2 * penalty;
}

/** Newton's step (to be taken away), and how steeply the objective falls along it. */
function newtonStep(problem: Problem, at: Float64Array, rates_X: Float64Array) {
  const { x_X1F, counts_X, W, l2 } = problem;
  const gradient = new Float64Array(W), hessian = new Float64Array(W * W);
  for (let row = 0, i = 0; row < counts_X.length; row++, i += W) {
    const rate = rates_X[row], error = rate - counts_X[row];
    for (let a = 0; a < W; a++) {
      const x = x_X1F[i + a], weighted = rate * x;
      gradient[a] += error * x;
      for (let b = 0, h = a * W; b <= a; b++, h++) hessian[h] += weighted * x_X1F[i + b];
    }
  }
  let trace = 0;
  for (let w = 0; w < W; w++) {
    gradient[w] /= counts_X.length;
    for (let b = 0; b <= w; b++) hessian[w * W + b] /= counts_X.length;
    if (w > 0) {
      gradient[w] += l2 * at[w];
      hessian[w * W + w] += l2;
    }
    trace += hessian[w * W + w];
  }
  const newton = gradient.slice();
  // features that are copies of each other, without a penalty: the least that makes it definite
  for (let ridge = 1e-14; !solvePositive(hessian.slice(), newton, W); ridge *= 10) {
    for (let w = 0; w < W; w++) hessian[w * W + w] += ridge * trace;
  }
  let slope = 0;
  for (let w = 0; w < W; w++) slope += gradient[w] * newton[w];
  return { slope, newton };
}

/** The samples that count, with a 1 before their features. */
function samplesOf(x_XF: Numbers, y_X: Numbers, F: number, l2: number) {
  const action = "fit a Poisson regression";
  if (!Number.isSafeInteger(F) || F < 0 || x_XF.length !== y_X.length * F) {
    throw new InputError(
      `Cannot ${action}: expected ${F} features for each of ${y_X.length} counts, found ${x_XF.length}.`,
    );
  }
  if (!(l2 >= 0 && l2 < Infinity)) {
    throw new InputError(`Cannot ${action}: expected l2 to be at least 0, found ${l2}.`);
  }
  const rows: number[] = [];
  for (let row = 0; row < y_X.length; row++) if (!Number.isNaN(y_X[row])) rows.push(row);
  const x_X1F = new Float64Array(rows.length * (F + 1)), counts_X = new Float64Array(rows.length);
  let sum = 0;
  rows.forEach((row, i) => {
    if (!(y_X[row] >= 0 && y_X[row] < Infinity)) {
      throw new InputError(
        `Cannot ${action}: expected counts of at least 0, found ${y_X[row]} at ${row}.`,
      );
    }
    sum += counts_X[i] = y_X[row];
    x_X1F[i * (F + 1)] = 1;
    for (let f = 0; f < F; f++) {
      const x = x_X1F[i * (F + 1) + f + 1] = x_XF[row * F + f];
      if (!Number.isFinite(x)) {
        throw new InputError(
          `Cannot ${action}: expected finite features, found ${x} in sample ${row}.`,
        );
      }
    }
  });
  if (rows.length === 0) {
    throw new InputError(`Cannot ${action}: expected at least 1 sample that counts, found none.`);
  }
  return { x_X1F, counts_X, mean: sum / rows.length };
}
