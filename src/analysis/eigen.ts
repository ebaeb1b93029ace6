/** Eigenvalues of a real matrix with right and left vectors, and how far they can be trusted. */
import { inverse, Matrix } from "ml-matrix";
import { InputError } from "../errors.ts";
import {
  type Complex,
  type ComplexVector,
  euclidean,
  length,
  magnitude,
  scale,
  times,
} from "./complex.ts";
import { type RightPair, rightPairs } from "./eigenvectors.ts";
import { realSchur } from "./schur.ts";

/**
 * One eigenvalue with its vectors: `J right = value right` and `left J = value left`.
 * `right` has length 1 and its largest component is real and positive; `left · right = 1` without a
 * conjugate, and `left · right = 0` for every other mode. A state's amount of this mode is `left · h`.
 */
export interface EigenPair {
  readonly value: Complex;
  readonly right: ComplexVector;
  /** null where the eigenvalue is defective to working precision: `left · right = 1` has no solution */
  readonly left: ComplexVector | null;
  /**
   * `‖left‖ ‖right‖ / |left · right|`, at least 1: a change δ of J moves the value by up to
   * `condition * ‖δ‖`. Infinity where the vectors do not span the space.
   */
  readonly condition: number;
}

/** All eigenvalues of a matrix. */
export interface Eigen {
  /** largest magnitude first; conjugate pairs side by side, the positive imaginary part first */
  readonly pairs: readonly EigenPair[];
  /** largest `‖J right - value right‖ / ‖J‖`: how well the equations hold */
  readonly residual: number;
  /** `‖V‖ ‖V⁻¹‖` (Frobenius) of the right vectors: n for orthogonal ones, large near a defective matrix */
  readonly condition: number;
}

/** A larger residual than any backward stable method leaves: the decomposition has failed. */
const RESIDUAL_LIMIT = 1e-8;

/**
 * Above this condition an eigenvalue is defective to working precision. The QR iteration finds the
 * eigenvalues of J + δ with ‖δ‖ of the order of `n ε ‖J‖`; of a double eigenvalue with one vector it
 * makes two, `√(n ε)` apart, whose condition is about `1 / √(n ε)`. Ten times less is called defective.
 */
function conditionLimit(n: number): number {
  return 0.1 / Math.sqrt(n * Number.EPSILON);
}

/**
 * Eigenvalues and vectors of a real `n × n` matrix (row-major), through its real Schur form.
 *
 * @throws InputError when the matrix has other than n² numbers, or not only finite ones
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { eigen } from "latentd";
 *
 * const { pairs } = eigen(Float64Array.of(0, -1, 1, 0), 2);
 * assert.deepEqual(pairs.map((pair) => pair.value), [{ re: 0, im: 1 }, { re: 0, im: -1 }]);
 * ```
 */
export function eigen(matrix_nn: Float64Array, n: number): Eigen {
  const notFinite = matrix_nn.reduce((count, x) => count + (Number.isFinite(x) ? 0 : 1), 0);
  if (n < 1 || matrix_nn.length !== n * n || notFinite > 0) {
    throw new InputError(
      `Cannot find eigenvalues: expected ${n} × ${n} finite numbers, ` +
        `found ${matrix_nn.length}, ${notFinite} of them not finite.`,
    );
  }
  // by a power of two, which is exact, so that nothing over- or underflows
  const largest = matrix_nn.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const unit = largest === 0 ? 1 : 2 ** Math.floor(Math.log2(largest));
  const scaled_nn = matrix_nn.map((x) => x / unit);
  const rights = rightPairs(realSchur(scaled_nn, n));
  rights.sort((a, b) => magnitude(b.value) - magnitude(a.value) || b.value.re - a.value.re);
  const pairs = withLeft(rights, n);

  const norm = euclidean(scaled_nn);
  const residuals = pairs.map((pair) => residualOf(scaled_nn, n, pair));
  const residual = norm === 0 ? 0 : Math.max(...residuals) / norm;
  if (!(residual <= RESIDUAL_LIMIT)) {
    throw new Error(
      `Cannot trust the eigenvalues of a ${n} × ${n} matrix: their equations hold to ${residual} ` +
        `relative, wanted ${RESIDUAL_LIMIT}.`,
    );
  }
  const limit = conditionLimit(n);
  return {
    // right vectors have length 1, so ‖V‖² = n and ‖V⁻¹‖² is the sum of the squared conditions
    condition: Math.sqrt(n) * euclidean(pairs.map((pair) => pair.condition)),
    residual,
    pairs: pairs.map((pair) => ({
      ...pair,
      value: { re: pair.value.re * unit, im: pair.value.im * unit },
      left: pair.condition > limit ? null : pair.left,
    })),
  };
}

/** Adds left vectors, the rows of the inverse of all right ones, and the conjugate of every pair. */
function withLeft(rights: readonly RightPair[], n: number): EigenPair[] {
  const scaled = rights.map(({ value, right }) => ({ value, right: normalised(right) }));
  const columns = scaled.flatMap(({ value, right }) =>
    value.im === 0 ? [right.re] : [right.re, right.im]
  );
  const rows_nn = rowsOfInverse(columns, n);
  let at = 0;
  return scaled.flatMap(({ value, right }) => {
    if (value.im === 0) {
      const left = rows_nn && { re: rows_nn[at], im: new Float64Array(n) };
      at += 1;
      return [{ value, right, left, condition: left ? length(left) : Infinity }];
    }
    // the inverse of [v, v̄] = [a, b] [[1, 1], [i, -i]] has the rows (a' ∓ i b') / 2
    const left = rows_nn && {
      re: rows_nn[at].map((x) => x / 2),
      im: rows_nn[at + 1].map((x) => -x / 2),
    };
    at += 2;
    const condition = left ? length(left) : Infinity;
    return [
      { value, right, left, condition },
      {
        value: { re: value.re, im: -value.im },
        right: conjugate(right),
        left: left && conjugate(left),
        condition,
      },
    ];
  });
}

/** Null when the columns are linearly dependent. */
function rowsOfInverse(columns: readonly Float64Array[], n: number): Float64Array[] | null {
  const vectors = Matrix.zeros(n, n);
  columns.forEach((column, j) => vectors.setColumn(j, Array.from(column)));
  try {
    return inverse(vectors).to2DArray().map((row) => Float64Array.from(row));
  } catch {
    return null; // ml-matrix throws on a zero pivot
  }
}

/** Scaled to length 1, with its largest component real and positive. */
function normalised(v: ComplexVector): ComplexVector {
  const sizes = v.re.map((re, i) => Math.hypot(re, v.im[i]));
  const largest = sizes.indexOf(Math.max(...sizes));
  const size = sizes[largest] * length(v);
  return scale(v, { re: v.re[largest] / size, im: -v.im[largest] / size });
}

function conjugate(v: ComplexVector): ComplexVector {
  return { re: v.re, im: v.im.map((x) => -x) };
}

/** `‖J right - value right‖`. */
function residualOf(matrix_nn: Float64Array, n: number, { value, right }: EigenPair): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const wanted = times(value, { re: right.re[i], im: right.im[i] });
    let re = -wanted.re, im = -wanted.im;
    for (let j = 0; j < n; j++) {
      re += matrix_nn[i * n + j] * right.re[j];
      im += matrix_nn[i * n + j] * right.im[j];
    }
    sum += re * re + im * im;
  }
  return Math.sqrt(sum);
}
