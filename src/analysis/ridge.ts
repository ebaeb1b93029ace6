/** Ridge regression, with the penalty chosen by cross-validation. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { InputError } from "../errors.ts";
import { contiguousFolds } from "./folds.ts";
import type { Numbers } from "./metrics.ts";
import { meanRSquared } from "./r_squared.ts";
import { takeTrials } from "./take.ts";

/** The Neural Latents Benchmark's penalties: 10^-4, 10^-3.5, … 1. */
export const BENCHMARK_PENALTIES: readonly number[] = Array.from(
  { length: 9 },
  (_, i) => 10 ** (-4 + i / 2),
);

/** Folds of scikit-learn's `GridSearchCV`. */
const FOLDS = 5;

/** `y = intercept + x · weights`. */
export interface RidgeFit {
  /** [features, outputs] */
  readonly weights_FD: Float64Array;
  readonly intercept_D: Float64Array;
  readonly penalty: number;
}

/** Features and outputs of samples, a row each. */
export interface Samples {
  readonly x_XF: Numbers;
  readonly F: number;
  readonly y_XD: Numbers;
  readonly D: number;
}

/**
 * Ridge regressions with several penalties: the weights that minimise
 * Σ (y - intercept - x · weights)² + penalty Σ weights², as scikit-learn's `Ridge(alpha=penalty)`.
 *
 * @throws InputError for lengths that do not fit, no sample, a penalty that is not above 0, and numbers
 * that are not finite.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { fitRidge } from "latentd";
 *
 * const [fit] = fitRidge({ x_XF: [-1, 0, 1], F: 1, y_XD: [0, 1, 2], D: 1 }, [2]);
 * assert(Math.abs(fit.weights_FD[0] - 0.5) < 1e-12); // 2 / (2 + penalty)
 * assert.equal(fit.intercept_D[0], 1);
 * ```
 */
export function fitRidge(samples: Samples, penalties: readonly number[]): RidgeFit[] {
  const rows = requireSamples(samples, penalties);
  const { x_XF, F, y_XD, D } = samples;
  const meanX_F = means(x_XF, F), meanY_D = means(y_XD, D);
  const gram = new Float64Array(F * F),
    cross_FD = new Float64Array(F * D),
    off = new Float64Array(F);
  for (let row = 0; row < rows; row++) {
    for (let f = 0; f < F; f++) off[f] = x_XF[row * F + f] - meanX_F[f];
    for (let f = 0; f < F; f++) {
      const x = off[f];
      if (x === 0) continue;
      for (let g = 0, at = f * F; g <= f; g++, at++) gram[at] += x * off[g];
      for (let d = 0; d < D; d++) cross_FD[f * D + d] += x * (y_XD[row * D + d] - meanY_D[d]);
    }
  }
  // one decomposition serves every penalty
  const { values_F, vectors_FF } = eigenOf(gram, F);
  const turned_FD = new Float64Array(F * D);
  for (let k = 0; k < F; k++) {
    for (let f = 0; f < F; f++) {
      for (let d = 0; d < D; d++) {
        turned_FD[k * D + d] += vectors_FF[f * F + k] * cross_FD[f * D + d];
      }
    }
  }
  return penalties.map((penalty) => {
    const weights_FD = new Float64Array(F * D);
    for (let f = 0; f < F; f++) {
      for (let k = 0; k < F; k++) {
        const share = vectors_FF[f * F + k] / (values_F[k] + penalty);
        for (let d = 0; d < D; d++) weights_FD[f * D + d] += share * turned_FD[k * D + d];
      }
    }
    const intercept_D = meanY_D.map((mean, d) => {
      for (let f = 0; f < F; f++) mean -= meanX_F[f] * weights_FD[f * D + d];
      return mean;
    });
    return { weights_FD, intercept_D, penalty };
  });
}

/**
 * What a ridge regression predicts: `[samples, outputs]`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { predictRidge } from "latentd";
 *
 * const fit = { weights_FD: Float64Array.of(2), intercept_D: Float64Array.of(1), penalty: 1 };
 * assert.deepEqual([...predictRidge([0, 3], 1, fit)], [1, 7]);
 * ```
 */
export function predictRidge(x_XF: Numbers, F: number, fit: RidgeFit): Float64Array {
  const { weights_FD, intercept_D } = fit;
  const D = intercept_D.length, rows = x_XF.length / F;
  const out = new Float64Array(rows * D);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < D; d++) {
      let sum = intercept_D[d];
      for (let f = 0; f < F; f++) sum += x_XF[row * F + f] * weights_FD[f * D + d];
      out[row * D + d] = sum;
    }
  }
  return out;
}

/** A regression whose penalty was chosen, and how it did on the samples left out. */
export interface RidgeSearch {
  readonly fit: RidgeFit;
  /** mean R² over the folds */
  readonly score: number;
}

/**
 * Chooses the penalty by cross-validation and fits all samples with it, as scikit-learn's
 * `GridSearchCV(Ridge(), {"alpha": penalties})`: five folds of neighbouring samples, the largest mean R²,
 * the first of equals.
 *
 * @throws InputError as `fitRidge`, and for fewer than 5 samples
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { searchRidge } from "latentd";
 *
 * const x_XF = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
 * const { fit } = searchRidge({ x_XF, F: 1, y_XD: x_XF.map((x) => 3 * x), D: 1 });
 * assert.equal(fit.penalty, 1e-4); // there is no noise: the least is best
 * ```
 */
export function searchRidge(
  samples: Samples,
  penalties: readonly number[] = BENCHMARK_PENALTIES,
): RidgeSearch {
  const { x_XF, F, y_XD, D } = samples;
  const rows = requireSamples(samples, penalties);
  const folds = contiguousFolds(rows, FOLDS);
  const sums = new Float64Array(penalties.length);
  for (const { train, validation } of folds) {
    const fits = fitRidge({
      x_XF: takeTrials(x_XF, train, F),
      F,
      y_XD: takeTrials(y_XD, train, D),
      D,
    }, penalties);
    const x_VF = takeTrials(x_XF, validation, F), y_VD = takeTrials(y_XD, validation, D);
    fits.forEach((fit, p) => sums[p] += meanRSquared(predictRidge(x_VF, F, fit), y_VD, D));
  }
  const largest = sums.reduce((at, sum, p) => sum > sums[at] ? p : at, 0);
  const [fit] = fitRidge(samples, [penalties[largest]]);
  return { fit, score: sums[largest] / FOLDS };
}

function eigenOf(lower_FF: Float64Array, F: number) {
  const matrix = new Matrix(F, F);
  for (let f = 0; f < F; f++) {
    for (let g = 0; g < F; g++) matrix.set(f, g, lower_FF[Math.max(f, g) * F + Math.min(f, g)]);
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  return {
    // rounding leaves what is 0 a little below
    values_F: realEigenvalues.map((value) => Math.max(0, value)),
    vectors_FF: Float64Array.from(eigenvectorMatrix.to1DArray()),
  };
}

function means(values_XN: Numbers, N: number): Float64Array {
  const sums = new Float64Array(N);
  for (let i = 0; i < values_XN.length; i++) sums[i % N] += values_XN[i];
  return sums.map((sum) => sum / (values_XN.length / N));
}

/** @returns how many samples there are */
function requireSamples({ x_XF, F, y_XD, D }: Samples, penalties: readonly number[]): number {
  const action = "fit a ridge regression";
  const rows = x_XF.length / F;
  if (!(Number.isSafeInteger(rows) && rows >= 1 && y_XD.length === rows * D)) {
    throw new InputError(
      `Cannot ${action}: expected ${F} features and ${D} outputs for each of at least 1 sample, found ` +
        `${x_XF.length} and ${y_XD.length} numbers.`,
    );
  }
  const off = penalties.find((penalty) => !(penalty > 0 && penalty < Infinity));
  if (off !== undefined || penalties.length === 0) {
    throw new InputError(`Cannot ${action}: expected penalties above 0, found ${off ?? "none"}.`);
  }
  for (const [what, values, size] of [["features", x_XF, F], ["outputs", y_XD, D]] as const) {
    for (let i = 0; i < values.length; i++) {
      if (Number.isFinite(values[i])) continue;
      throw new InputError(
        `Cannot ${action}: expected finite ${what}, found ${values[i]} in sample ${
          Math.floor(i / size)
        }.`,
      );
    }
  }
  return rows;
}
