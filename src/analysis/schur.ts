/**
 * The real Schur form by Francis's double-shift QR (Golub and Van Loan, Matrix Computations, section
 * 7.5). Written here because the saturated units of a trained network make graded, nearly nilpotent
 * Jacobians, on which ml-matrix's decomposition (of EISPACK descent, with a deflation test relative to
 * the neighbouring diagonal and no limit on its iterations) does not end.
 */

/** `J = Q T Qᵀ`, Q orthogonal, T upper triangular but for 2 × 2 blocks with conjugate eigenvalues. */
export interface RealSchur {
  readonly T_nn: Float64Array;
  readonly Q_nn: Float64Array;
  readonly n: number;
  /** Frobenius norm of J */
  readonly norm: number;
}

/** Double-shift steps for one eigenvalue; the usual need is 2 to 4. */
const MAX_STEPS = 300;

/**
 * The real Schur form of an `n × n` matrix whose squares neither over- nor underflow. Subdiagonal entries below `ε ‖J‖` count as zero, so the
 * result is exact for a matrix within a modest multiple of `n ε ‖J‖` of J.
 *
 * @throws Error when the iteration does not converge
 */
export function realSchur(J_nn: Float64Array, n: number): RealSchur {
  const T_nn = J_nn.slice(), Q_nn = identity(n);
  const norm = Math.sqrt(J_nn.reduce((sum, x) => sum + x * x, 0));
  const form = { T_nn, Q_nn, n, norm };
  toHessenberg(form);

  let high = n - 1, steps = 0;
  while (high > 0) {
    let low = high;
    while (low > 0 && Math.abs(T_nn[low * n + low - 1]) > Number.EPSILON * norm) low--;
    if (low > 0) T_nn[low * n + low - 1] = 0;

    if (low >= high - 1) {
      if (low === high - 1) splitRealPair(form, low);
      high = low - 1;
      steps = 0;
    } else if (steps++ < MAX_STEPS) {
      francisStep(form, low, high, steps);
    } else {
      throw new Error(
        `Cannot find the eigenvalues of a ${n} × ${n} matrix: no convergence in ${MAX_STEPS} steps.`,
      );
    }
  }
  return form;
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => i % (n + 1) === 0 ? 1 : 0);
}

function toHessenberg(form: RealSchur): void {
  const { T_nn, n } = form;
  for (let k = 0; k + 2 < n; k++) {
    const column = Float64Array.from({ length: n - k - 1 }, (_, i) => T_nn[(k + 1 + i) * n + k]);
    reflect(form, k + 1, column, k, n - 1);
    for (let i = k + 2; i < n; i++) T_nn[i * n + k] = 0;
  }
}

/** One implicit double shift on rows and columns `low … high`, at least three of them. */
function francisStep(form: RealSchur, low: number, high: number, steps: number): void {
  const { T_nn, n } = form;
  const t = (i: number, j: number) => T_nn[i * n + j];
  // sum and product of the two shifts: the eigenvalues of the last 2 × 2 block, or now and then
  // others, since on a few matrices (permutations, for one) those repeat themselves for ever
  let sum = t(high - 1, high - 1) + t(high, high);
  let product = t(high - 1, high - 1) * t(high, high) - t(high - 1, high) * t(high, high - 1);
  if (steps % 10 === 0) {
    const size = Math.abs(t(high, high - 1)) + Math.abs(t(high - 1, high - 2));
    sum = 1.5 * size;
    product = size * size;
  }

  const first = t(low, low), below = t(low + 1, low);
  let bulge = Float64Array.of(
    first * first + t(low, low + 1) * below - sum * first + product,
    below * (first + t(low + 1, low + 1) - sum),
    below * t(low + 2, low + 1),
  );
  for (let k = low; k < high; k++) {
    reflect(form, k, bulge, Math.max(low, k - 1), Math.min(k + 3, high));
    if (k > low) {
      for (let i = k + 1; i < k + bulge.length; i++) T_nn[i * n + k - 1] = 0;
    }
    bulge = Float64Array.from({ length: Math.min(3, high - k) }, (_, i) => t(k + 1 + i, k));
  }
}

/**
 * Reflects rows and columns `k … k + v.length - 1` of T, and columns of Q, so that the vector `v` would
 * become a multiple of its first unit vector. Rows are zero left of column `from`, columns below row `to`.
 */
function reflect(form: RealSchur, k: number, v: Float64Array, from: number, to: number): void {
  const { T_nn, Q_nn, n } = form;
  const m = v.length;
  const largest = v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (largest === 0) return;
  const w = v.map((x) => x / largest);
  const length = Math.sqrt(w.reduce((sum, x) => sum + x * x, 0));
  w[0] += w[0] < 0 ? -length : length; // the sign that does not cancel
  const scale = 2 / w.reduce((sum, x) => sum + x * x, 0);

  for (let j = from; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < m; i++) sum += w[i] * T_nn[(k + i) * n + j];
    for (let i = 0; i < m; i++) T_nn[(k + i) * n + j] -= scale * sum * w[i];
  }
  for (const [matrix, rows] of [[T_nn, to + 1], [Q_nn, n]] as const) {
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < m; j++) sum += matrix[i * n + k + j] * w[j];
      for (let j = 0; j < m; j++) matrix[i * n + k + j] -= scale * sum * w[j];
    }
  }
}

/** Makes the block at `k, k + 1` triangular if its eigenvalues are real. */
function splitRealPair({ T_nn, Q_nn, n }: RealSchur, k: number): void {
  const a = T_nn[k * n + k], b = T_nn[k * n + k + 1];
  const c = T_nn[(k + 1) * n + k], d = T_nn[(k + 1) * n + k + 1];
  const half = (a - d) / 2, discriminant = half * half + b * c;
  if (discriminant < 0) return;
  // [z, c] is the eigenvector of d + z; it becomes the first of the two
  const z = half + (half < 0 ? -1 : 1) * Math.sqrt(discriminant);
  const length = Math.hypot(z, c), cos = z / length, sin = c / length;
  for (let j = k; j < n; j++) {
    const x = T_nn[k * n + j], y = T_nn[(k + 1) * n + j];
    T_nn[k * n + j] = cos * x + sin * y;
    T_nn[(k + 1) * n + j] = cos * y - sin * x;
  }
  for (const [matrix, rows] of [[T_nn, k + 2], [Q_nn, n]] as const) {
    for (let i = 0; i < rows; i++) {
      const x = matrix[i * n + k], y = matrix[i * n + k + 1];
      matrix[i * n + k] = cos * x + sin * y;
      matrix[i * n + k + 1] = cos * y - sin * x;
    }
  }
  T_nn[(k + 1) * n + k] = 0;
}
