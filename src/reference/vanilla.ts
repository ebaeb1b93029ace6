/**
 * The vanilla cell `h' = σ(pre + h Aᵀ)`, forward beside backward, on one row (docs/model.md, section 1).
 * `w_nn` is [in][out]: the reference's A transposed.
 */
import type { Row } from "./gru.ts";

/** σ by its number in the kernels' signature: 0 tanh, 1 relu, 2 identity. */
export function activate(nonlinearity: number, x: number): number {
  return nonlinearity === 0 ? Math.tanh(x) : nonlinearity === 1 ? Math.max(0, x) : x;
}

/** σ' from σ's own value. */
export function slope(nonlinearity: number, y: number): number {
  return nonlinearity === 0 ? 1 - y * y : nonlinearity === 1 ? (y > 0 ? 1 : 0) : 1;
}

/** `gates` holds pre-activations and gets σ of them: h'. */
export function vanilla(
  n: number,
  nonlinearity: number,
  w_nn: Float64Array,
  h: Row,
  gates: Row,
): void {
  const [hs, h0] = h, [gs, g0] = gates;
  for (let j = 0; j < n; j++) {
    let sum = gs[g0 + j];
    for (let i = 0; i < n; i++) sum += hs[h0 + i] * w_nn[i * n + j];
    gs[g0 + j] = activate(nonlinearity, sum);
  }
}

/** `gates` holds σ and gets the gradient of the pre-activation; `dState`: at h' in, at h out. */
export function vanillaBackward(
  n: number,
  nonlinearity: number,
  w_nn: Float64Array,
  gates: Row,
  dState: Float64Array,
): void {
  const [gs, g0] = gates;
  for (let j = 0; j < n; j++) gs[g0 + j] = dState[j] * slope(nonlinearity, gs[g0 + j]);
  for (let i = 0; i < n; i++) {
    dState[i] = 0;
    for (let j = 0; j < n; j++) dState[i] += gs[g0 + j] * w_nn[i * n + j];
  }
}
