import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Numbers } from "./data.ts";

/** A linear view of a state space on a plane. */
export interface Projection {
  /** The two coordinates of the state that starts at `values[offset]`. */
  readonly at: (values: Numbers, offset?: number) => readonly [number, number];
  /** What the axes show. */
  readonly labels: readonly [string, string];
  /** Whether the axes are principal components, and not the dimensions themselves. */
  readonly principal: boolean;
}

/**
 * The plane on which states with `n` dimensions are drawn: the dimensions themselves for n = 2, the
 * first two principal components of `states_Rn` for more. One dimension has no plane: null.
 *
 * `name` is what one dimension is called, such as "generator state".
 */
export function planeOf(states_Rn: Numbers, n: number, name: string): Projection | null {
  if (n < 2) return null;
  if (n === 2) {
    return {
      at: (values, offset = 0) => [values[offset], values[offset + 1]],
      labels: [`${name} 1`, `${name} 2`],
      principal: false,
    };
  }
  const components = componentsOf(states_Rn, n, 2);
  const label = (component: number) => {
    const share = components?.shares[component - 1] ?? 0;
    return `PC ${component} of the ${name}s (${(100 * share).toFixed(1)} % of the variance)`;
  };
  return {
    at: (values, offset = 0) => {
      const [x, y] = components?.at(values, offset) ?? [NaN, NaN];
      return [x, y];
    },
    labels: [label(1), label(2)],
    principal: true,
  };
}

/** Principal components of states, the first first. */
export interface Components {
  /** The coordinates of the state that starts at `values[offset]`. */
  readonly at: (values: Numbers, offset?: number) => number[];
  /** The share of the variance along each. */
  readonly shares: readonly number[];
}

/**
 * The first `most` principal components of states with `n` dimensions, or all where there are fewer.
 * Rows with NaN do not count; null where every row has one.
 */
export function componentsOf(states_Rn: Numbers, n: number, most: number): Components | null {
  const rows = finiteRows(states_Rn, n);
  if (rows.length === 0) return null;
  const mean = new Float64Array(n);
  for (const row of rows) {
    for (let i = 0; i < n; i++) mean[i] += states_Rn[row + i] / rows.length;
  }
  const covariance = Matrix.zeros(n, n);
  for (const row of rows) {
    for (let i = 0; i < n; i++) {
      const off = (states_Rn[row + i] - mean[i]) / rows.length;
      for (let j = 0; j <= i; j++) {
        covariance.set(i, j, covariance.get(i, j) + off * (states_Rn[row + j] - mean[j]));
      }
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) covariance.set(j, i, covariance.get(i, j));
  }
  // Ascending for a symmetric matrix: the last columns carry the most variance.
  const decomposition = new EigenvalueDecomposition(covariance, { assumeSymmetric: true });
  const variances = decomposition.realEigenvalues;
  const total = covariance.trace();
  const columns = Array.from({ length: Math.min(most, n) }, (_, k) => n - 1 - k);
  const axes = columns.map((column) => {
    const axis = decomposition.eigenvectorMatrix.getColumn(column);
    // An eigenvector's sign is arbitrary: the largest entry is made positive, for the same picture always.
    const largest = axis.reduce((best, value) => Math.abs(value) > Math.abs(best) ? value : best);
    return largest < 0 ? axis.map((value) => -value) : axis;
  });
  return {
    at: (values, offset = 0) =>
      axes.map((axis) =>
        axis.reduce((sum, weight, i) => sum + weight * (values[offset + i] - mean[i]), 0)
      ),
    shares: columns.map((column) => total > 0 ? Math.max(0, variances[column]) / total : 0),
  };
}

/** Where the rows without NaN or infinity start. */
function finiteRows(values_Rn: Numbers, n: number): number[] {
  const rows: number[] = [];
  for (let row = 0; row < values_Rn.length; row += n) {
    let finite = true;
    for (let i = 0; i < n; i++) finite &&= Number.isFinite(values_Rn[row + i]);
    if (finite) rows.push(row);
  }
  return rows;
}
