/** Principal components of rows, by orthogonal iteration: enough for the few that a picture shows. */

export interface Components {
  readonly mean_n: Float64Array;
  /** unit vectors, by falling variance */
  readonly axes: readonly Float64Array[];
  /** share of the variance along each */
  readonly share: readonly number[];
}

/** Rows that are looked at; more change no picture. */
const MOST_ROWS = 4000;
const ROUNDS = 200;

/** @param rows `[R][n]`; `most` components at most */
export function principalComponents(
  rows: ArrayLike<number>,
  n: number,
  most = 3,
): Components {
  const R = n === 0 ? 0 : Math.floor(rows.length / n);
  const stride = Math.max(1, Math.ceil(R / MOST_ROWS));
  const used: number[] = [];
  for (let r = 0; r < R; r += stride) used.push(r * n);
  const mean_n = new Float64Array(n);
  for (const row of used) for (let i = 0; i < n; i++) mean_n[i] += rows[row + i] / used.length;
  const covariance_nn = new Float64Array(n * n);
  for (const row of used) {
    for (let i = 0; i < n; i++) {
      const off = (rows[row + i] - mean_n[i]) / used.length;
      for (let j = 0; j <= i; j++) covariance_nn[i * n + j] += off * (rows[row + j] - mean_n[j]);
    }
  }
  let total = 0;
  for (let i = 0; i < n; i++) {
    total += covariance_nn[i * n + i];
    for (let j = 0; j < i; j++) covariance_nn[j * n + i] = covariance_nn[i * n + j];
  }
  const k = Math.min(most, n);
  // fixed starts that are not orthogonal to anything in particular: the same picture every time
  let axes: Float64Array[] = Array.from(
    { length: k },
    (_, c) => Float64Array.from({ length: n }, (_, i) => Math.sin((i + 1) * (c + 1) * 1.7 + c)),
  );
  orthonormalise(axes);
  for (let round = 0; round < ROUNDS; round++) {
    axes = axes.map((axis) => times(covariance_nn, axis));
    orthonormalise(axes);
  }
  const variance = axes.map((axis) => dot(axis, times(covariance_nn, axis)));
  const order = variance.map((_, c) => c).sort((a, b) => variance[b] - variance[a]);
  for (const axis of axes) {
    // a component's sign is arbitrary: its largest entry is made positive
    const largest = axis.reduce(
      (best, value) => Math.abs(value) > Math.abs(best) ? value : best,
      0,
    );
    if (largest < 0) { for (let i = 0; i < n; i++) axis[i] = -axis[i]; }
  }
  return {
    mean_n,
    axes: order.map((c) => axes[c]),
    share: order.map((c) => total > 0 ? Math.max(0, variance[c]) / total : 0),
  };
}

/** Coordinates of the row that starts at `offset`. */
export function project(
  { mean_n, axes }: Components,
  rows: ArrayLike<number>,
  offset = 0,
): number[] {
  return axes.map((axis) =>
    axis.reduce((sum, weight, i) => sum + weight * (rows[offset + i] - mean_n[i]), 0)
  );
}

function times(matrix_nn: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  return vector.map((_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += matrix_nn[i * n + j] * vector[j];
    return sum;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** Gram and Schmidt's; a vector that vanishes stays 0. */
function orthonormalise(axes: readonly Float64Array[]): void {
  axes.forEach((axis, c) => {
    for (const earlier of axes.slice(0, c)) {
      const along = dot(axis, earlier);
      for (let i = 0; i < axis.length; i++) axis[i] -= along * earlier[i];
    }
    const length = Math.sqrt(dot(axis, axis));
    if (length > 1e-150) { for (let i = 0; i < axis.length; i++) axis[i] /= length; }
    else axis.fill(0);
  });
}
