/** Eigenvalues of a real matrix with right and left vectors, and how far they can be trusted. */
import { EVD, inverse, Matrix } from "ml-matrix";
import { InputError } from "../errors.ts";

/** A complex number. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** A complex vector of n numbers. */
export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * One eigenvalue with its vectors: `J right = value right` and `left J = value left`.
 * `right` has length 1 and its largest component is real and positive; `left · right = 1` without a
 * conjugate, and `left · right = 0` for every other mode. A state's amount of this mode is `left · h`.
 */
export interface EigenPair {
  readonly value: Complex;
  readonly right: ComplexVector;
  /** null where the eigenvalue is defective to working precision: `left · right = 1` then has no solution */
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
 * Eigenvalues and vectors of a real `n × n` matrix (row-major), by Hessenberg reduction and QR.
 *
 * @throws InputError when the matrix has other than n² numbers, or not only finite ones
 *
 * @example
 * ```ts
 * eigen(Float64Array.of(0, -1, 1, 0), 2).pairs.map((pair) => pair.value);
 * // [{ re: 0, im: 1 }, { re: 0, im: -1 }]
 * ```
 */
export function eigen(matrix_nn: Float64Array, n: number): Eigen {
  if (n < 1 || matrix_nn.length !== n * n || !matrix_nn.every(Number.isFinite)) {
    throw new InputError(
      `Cannot find eigenvalues: expected ${n} × ${n} finite numbers, ` +
        `found ${matrix_nn.length}, ${
          matrix_nn.filter((x) => !Number.isFinite(x)).length
        } not finite.`,
    );
  }
  // by a power of two, which is exact, so that no product over- or underflows
  const largest = matrix_nn.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const unit = largest === 0 ? 1 : 2 ** Math.floor(Math.log2(largest));
  const scaled_nn = matrix_nn.map((x) => x / unit);
  const decomposition = new EVD(Matrix.from1DArray(n, n, scaled_nn));
  const vectors = decomposition.eigenvectorMatrix;
  const re = decomposition.realEigenvalues, im = decomposition.imaginaryEigenvalues;
  const duals = rowsOfInverse(vectors);

  const groups: EigenPair[][] = [];
  for (let j = 0; j < n; j++) {
    if (im[j] === 0) {
      const right = { re: column(vectors, j), im: new Float64Array(n) };
      const left = duals && { re: duals[j], im: new Float64Array(n) };
      groups.push([pair({ re: re[j], im: 0 }, right, left)]);
    } else {
      // columns j and j+1 are the real and imaginary part of the vector of the positive one; the
      // inverse of [v, v̄] = [a, b] [[1, 1], [i, -i]] has rows (a' ∓ i b') / 2
      const value = { re: re[j], im: im[j] };
      const right = { re: column(vectors, j), im: column(vectors, j + 1) };
      const left = duals &&
        { re: duals[j].map((x) => x / 2), im: duals[j + 1].map((x) => -x / 2) };
      const first = pair(value, right, left);
      groups.push(im[j] > 0 ? [first, conjugate(first)] : [conjugate(first), first]);
      j++;
    }
  }
  groups.sort(([a], [b]) => magnitude(b.value) - magnitude(a.value) || b.value.re - a.value.re);
  const found = groups.flat();

  const size = euclidean(scaled_nn);
  const residuals = found.map((pair) => residualOf(scaled_nn, n, pair));
  const residual = size === 0 ? 0 : Math.max(...residuals) / size;
  if (!(residual <= RESIDUAL_LIMIT)) {
    throw new Error(
      `Cannot trust the eigenvalues of a ${n} × ${n} matrix: their equations hold to ${residual} ` +
        `relative, wanted ${RESIDUAL_LIMIT}.`,
    );
  }
  const limit = conditionLimit(n);
  return {
    // right vectors have length 1, so ‖V‖² = n and ‖V⁻¹‖² is the sum of the squared conditions
    condition: Math.sqrt(n) * euclidean(found.map((p) => p.condition)),
    residual,
    pairs: found.map((p) => ({
      ...p,
      value: { re: p.value.re * unit, im: p.value.im * unit },
      left: p.condition > limit ? null : p.left,
    })),
  };
}

/** `|z|`. */
export function magnitude(z: Complex): number {
  return Math.hypot(z.re, z.im);
}

/** `√Σ x²`: of a vector its length, of a matrix its Frobenius norm. */
export function euclidean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

function column(matrix: Matrix, j: number): Float64Array {
  return Float64Array.from(matrix.getColumn(j));
}

/** Null when the matrix is singular. */
function rowsOfInverse(matrix: Matrix): Float64Array[] | null {
  try {
    return inverse(matrix).to2DArray().map((row) => Float64Array.from(row));
  } catch {
    return null; // ml-matrix throws on an exact zero pivot only
  }
}

/** Scales `right` to length 1 with its largest component real and positive, and `left` inversely. */
function pair(value: Complex, right: ComplexVector, left: ComplexVector | null): EigenPair {
  const length = norm(right);
  let largest = 0;
  for (let i = 1; i < right.re.length; i++) {
    if (Math.hypot(right.re[i], right.im[i]) > Math.hypot(right.re[largest], right.im[largest])) {
      largest = i;
    }
  }
  const at = { re: right.re[largest], im: right.im[largest] };
  const size = magnitude(at);
  const turn = { re: at.re / size * length, im: at.im / size * length };
  const back = { re: at.re / size / length, im: -at.im / size / length };
  const scaled = left && scale(left, turn);
  const condition = scaled ? norm(scaled) : Infinity;
  return { value, right: scale(right, back), left: scaled, condition };
}

function conjugate({ value, right, left, condition }: EigenPair): EigenPair {
  const flip = (v: ComplexVector): ComplexVector => ({ re: v.re, im: v.im.map((x) => -x) });
  return {
    value: { re: value.re, im: -value.im },
    right: flip(right),
    left: left && flip(left),
    condition,
  };
}

function scale(v: ComplexVector, by: Complex): ComplexVector {
  return {
    re: v.re.map((x, i) => x * by.re - v.im[i] * by.im),
    im: v.re.map((x, i) => x * by.im + v.im[i] * by.re),
  };
}

function norm(v: ComplexVector): number {
  return Math.hypot(euclidean(v.re), euclidean(v.im));
}

/** `‖J right - value right‖`. */
function residualOf(matrix_nn: Float64Array, n: number, { value, right }: EigenPair): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let re = -(value.re * right.re[i] - value.im * right.im[i]);
    let im = -(value.re * right.im[i] + value.im * right.re[i]);
    for (let j = 0; j < n; j++) {
      re += matrix_nn[i * n + j] * right.re[j];
      im += matrix_nn[i * n + j] * right.im[j];
    }
    sum += re * re + im * im;
  }
  return Math.sqrt(sum);
}
