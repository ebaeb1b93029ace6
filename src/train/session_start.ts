/**
 * Where weights of several sessions start (Pandarinath et al., Nature Methods 2018: principal component
 * regression). The average responses of all sessions to the conditions that they share have common
 * principal components; each session's neurons are mapped onto these.
 */
import { EigenvalueDecomposition, Matrix, solve } from "ml-matrix";
import type { Dataset } from "../data/dataset.ts";
import { missingOf } from "../data/arrange.ts";
import { sessionOffsets } from "../data/sessions.ts";

/** The start of the weights of all sessions' neurons. */
export interface SessionStart {
  /** components that sessions share */
  readonly D: number;
  /** from each neuron's deviation from its mean to the components */
  readonly readin_ND: Float64Array;
  /** from the components to each neuron's log-rate */
  readonly readout_DN: Float64Array;
}

/** Ridge of the regressions, relative to the mean variance: few trials make averages noisy. */
const RIDGE = 0.1;

/**
 * The start, from training trials; null where there are no sessions, or no condition that all have.
 * Without conditions all trials of a session are one.
 *
 * @param most components at most
 */
export function sessionStart(
  data: Dataset,
  train: Uint32Array,
  most: number,
): SessionStart | null {
  const { sessions, T, N } = data;
  if (!sessions) return null;
  const conditions = sharedConditions(data, train);
  if (conditions.length === 0) return null;
  const averages = averagesOf(data, train, conditions);
  const rows = conditions.length * T;
  const mean_N = Float64Array.from({ length: N }, (_, n) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += averages[row * N + n];
    return sum / rows;
  });
  // √mean makes Poisson counts of all neurons vary alike
  const scale_N = mean_N.map((mean) => 1 / Math.sqrt(Math.max(mean, 1e-3)));
  const X = new Matrix(rows, N);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < N; n++) X.set(row, n, (averages[row * N + n] - mean_N[n]) * scale_N[n]);
  }
  const { components, D } = principal(X, most);

  const readin_ND = new Float64Array(N * D), readout_DN = new Float64Array(D * N);
  const offsets = sessionOffsets(sessions);
  sessions.neurons.forEach((count, s) => {
    const own = X.subMatrix(0, rows - 1, offsets[s], offsets[s] + count - 1);
    const gram = own.transpose().mmul(own);
    const ridge = RIDGE * gram.trace() / count + 1e-9;
    for (let n = 0; n < count; n++) gram.set(n, n, gram.get(n, n) + ridge);
    const readin = solve(gram, own.transpose().mmul(components));
    const square = components.transpose().mmul(components);
    const readout = solve(square, components.transpose().mmul(own));
    for (let n = 0; n < count; n++) {
      const at = offsets[s] + n;
      for (let d = 0; d < D; d++) {
        readin_ND[at * D + d] = readin.get(n, d) * scale_N[at];
        // a deviation of the rate over its mean is one of the log-rate
        readout_DN[d * N + at] = readout.get(d, n) / (scale_N[at] * Math.max(mean_N[at], 1e-3));
      }
    }
  });
  return { D, readin_ND, readout_DN };
}

/** Conditions that every session has among its training trials; [null] where none are known. */
function sharedConditions(data: Dataset, train: Uint32Array): (number | null)[] {
  const { condition, sessions } = data;
  if (condition === null) return [null];
  const of = sessions!.names.map((_, s) =>
    new Set([...train].filter((b) => sessions!.session_B[b] === s).map((b) => condition[b]))
  );
  return [...of[0]].filter((value) => of.every((values) => values.has(value))).sort((a, b) =>
    a - b
  );
}

/** Mean counts by condition and bin, `[conditions][T][N]`, smoothed over three bins. */
function averagesOf(
  data: Dataset,
  train: Uint32Array,
  conditions: readonly (number | null)[],
): Float64Array {
  const { T, N, counts_BTN, condition } = data;
  const missing_BTN = missingOf(data);
  const sums = new Float64Array(conditions.length * T * N), seen = new Float64Array(sums.length);
  for (const b of train) {
    const c = condition === null ? 0 : conditions.indexOf(condition[b]);
    if (c < 0) continue;
    for (let i = 0; i < T * N; i++) {
      if (missing_BTN?.[b * T * N + i]) continue;
      sums[c * T * N + i] += counts_BTN[b * T * N + i];
      seen[c * T * N + i]++;
    }
  }
  return sums.map((_, i) => {
    const t = Math.floor(i / N) % T;
    let sum = 0, count = 0;
    for (const step of [-1, 0, 1]) {
      if (t + step < 0 || t + step >= T) continue;
      sum += sums[i + step * N];
      count += seen[i + step * N];
    }
    return count > 0 ? sum / count : 0;
  });
}

/** The rows' first principal components, each of variance 1. */
function principal(X: Matrix, most: number): { components: Matrix; D: number } {
  const { rows, columns } = X;
  const wide = columns > rows;
  // the smaller of X Xᵀ and Xᵀ X
  const gram = wide ? X.mmul(X.transpose()) : X.transpose().mmul(X);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) =>
    realEigenvalues[b] - realEigenvalues[a]
  );
  const largest = realEigenvalues[order[0]];
  const kept = order.slice(0, most).filter((i) => realEigenvalues[i] > 1e-9 * largest);
  const components = new Matrix(rows, kept.length);
  kept.forEach((i, d) => {
    const vector = eigenvectorMatrix.getColumnVector(i);
    const scores = wide ? vector : X.mmul(vector);
    const size = Math.sqrt(scores.to1DArray().reduce((sum, x) => sum + x * x, 0) / rows);
    for (let row = 0; row < rows; row++) components.set(row, d, scores.get(row, 0) / size);
  });
  return { components, D: kept.length };
}
