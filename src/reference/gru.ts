/**
 * The GRU cell, forward beside backward, on one row of larger buffers (docs/model.md, section 1).
 *
 *     r = sigmoid(pre_r + h W_r)      u = sigmoid(pre_u + h W_u + 0.5)
 *     c = tanh(pre_c + (r*h) W_c)     h' = u*h + (1-u)*c
 *
 * `pre` is the input's part with the bias. Weights are [in][out]: `wGates_n2n` gives r then u.
 */
import { UPDATE_BIAS } from "../compute/kernels.ts";

/** An array and where a row starts in it. */
export type Row = readonly [values: Float64Array, offset: number];

export interface GruWeights {
  readonly n: number;
  readonly wGates_n2n: Float64Array;
  readonly wCandidate_nn: Float64Array;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** `gates` holds pre-activations and gets r, u, c; `reset` gets r*h; `next` gets h'. */
export function gru(w: GruWeights, h: Row, gates: Row, reset: Row, next: Row): void {
  const { n, wGates_n2n, wCandidate_nn } = w;
  const [hs, h0] = h, [gs, g0] = gates, [rs, r0] = reset, [ns, n0] = next;
  for (let j = 0; j < 2 * n; j++) {
    let sum = gs[g0 + j] + (j < n ? 0 : UPDATE_BIAS);
    for (let i = 0; i < n; i++) sum += hs[h0 + i] * wGates_n2n[i * 2 * n + j];
    gs[g0 + j] = sigmoid(sum);
  }
  for (let i = 0; i < n; i++) rs[r0 + i] = gs[g0 + i] * hs[h0 + i];
  for (let j = 0; j < n; j++) {
    let sum = gs[g0 + 2 * n + j];
    for (let i = 0; i < n; i++) sum += rs[r0 + i] * wCandidate_nn[i * n + j];
    gs[g0 + 2 * n + j] = Math.tanh(sum);
  }
  for (let i = 0; i < n; i++) {
    const u = gs[g0 + n + i];
    ns[n0 + i] = u * hs[h0 + i] + (1 - u) * gs[g0 + 2 * n + i];
  }
}

/**
 * `dState` holds the gradient at h' and gets the gradient at h; `gates` holds r, u, c and gets the
 * gradients of the three pre-activations.
 */
export function gruBackward(w: GruWeights, h: Row, gates: Row, dState: Float64Array): void {
  const { n, wGates_n2n, wCandidate_nn } = w;
  const [hs, h0] = h, [gs, g0] = gates;
  const r = gs.slice(g0, g0 + n);
  for (let i = 0; i < n; i++) {
    const u = gs[g0 + n + i], c = gs[g0 + 2 * n + i], d = dState[i];
    gs[g0 + n + i] = d * (hs[h0 + i] - c) * u * (1 - u);
    gs[g0 + 2 * n + i] = d * (1 - u) * (1 - c * c);
    dState[i] = d * u;
  }
  for (let i = 0; i < n; i++) {
    let dReset = 0;
    for (let j = 0; j < n; j++) dReset += gs[g0 + 2 * n + j] * wCandidate_nn[i * n + j];
    gs[g0 + i] = dReset * hs[h0 + i] * r[i] * (1 - r[i]);
    dState[i] += dReset * r[i];
  }
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < 2 * n; j++) sum += gs[g0 + j] * wGates_n2n[i * 2 * n + j];
    dState[i] += sum;
  }
}
