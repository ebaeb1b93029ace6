/** Principal components of samples with many dimensions. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Numbers } from "./metrics.ts";

/** Directions of most variance, the largest first. */
export interface PrincipalComponents {
  readonly mean_N: Float64Array;
  /** unit vectors: component k is row k; its largest entry is positive */
  readonly components_KN: Float64Array;
  readonly variances_K: Float64Array;
}

/**
 * The principal components of samples.
 *
 * @param most components to keep, at most N
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { principalComponents } from "latentd";
 *
 * const { components_KN, variances_K } = principalComponents([0, 0, 3, 4], 2, 1);
 * assert(Math.abs(components_KN[0] - 0.6) < 1e-12 && Math.abs(variances_K[0] - 6.25) < 1e-12);
 * ```
 */
export function principalComponents(x_XN: Numbers, N: number, most: number): PrincipalComponents {
  const rows = x_XN.length / N, K = Math.min(most, N);
  const mean_N = new Float64Array(N),
    covariance = new Float64Array(N * N),
    off = new Float64Array(N);
  for (let i = 0; i < x_XN.length; i++) mean_N[i % N] += x_XN[i] / rows;
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < N; n++) off[n] = x_XN[row * N + n] - mean_N[n];
    for (let a = 0; a < N; a++) {
      const scaled = off[a] / rows;
      for (let b = 0, at = a * N; b <= a; b++, at++) covariance[at] += scaled * off[b];
    }
  }
  const matrix = new Matrix(N, N);
  for (let a = 0; a < N; a++) {
    for (let b = 0; b < N; b++) matrix.set(a, b, covariance[Math.max(a, b) * N + Math.min(a, b)]);
  }
  // ascending for a symmetric matrix
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  const components_KN = new Float64Array(K * N);
  for (let k = 0; k < K; k++) {
    const axis = eigenvectorMatrix.getColumn(N - 1 - k);
    const largest = axis.reduce((best, value) => Math.abs(value) > Math.abs(best) ? value : best);
    for (let n = 0; n < N; n++) components_KN[k * N + n] = largest < 0 ? -axis[n] : axis[n];
  }
  return {
    mean_N,
    components_KN,
    variances_K: Float64Array.from(
      { length: K },
      (_, k) => Math.max(0, realEigenvalues[N - 1 - k]),
    ),
  };
}

/**
 * How far samples lie along each component: `[samples, K]`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { principalComponents, project } from "latentd";
 *
 * const scores = project([0, 0, 3, 4], principalComponents([0, 0, 3, 4], 2, 1));
 * assert(Math.abs(scores[0] + 2.5) < 1e-12 && Math.abs(scores[1] - 2.5) < 1e-12);
 * ```
 */
export function project(
  x_XN: Numbers,
  { mean_N, components_KN, variances_K }: PrincipalComponents,
): Float64Array {
  const N = mean_N.length, K = variances_K.length, rows = x_XN.length / N;
  const out = new Float64Array(rows * K), off = new Float64Array(N);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < N; n++) off[n] = x_XN[row * N + n] - mean_N[n];
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let n = 0; n < N; n++) sum += off[n] * components_KN[k * N + n];
      out[row * K + k] = sum;
    }
  }
  return out;
}
