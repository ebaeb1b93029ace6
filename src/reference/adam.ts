/**
 * Clip by global norm, then Adam with eps outside the root and decoupled weight decay (docs/model.md,
 * section 2).
 */
import { type Args, LOSSES, type Scalars } from "../compute/kernels.ts";

export function adam(a: Args<"adam">, s: Scalars): void {
  const { P, params_P, grads_P, m_P, v_P, b1, b2, eps } = a;
  const norm = a.losses[LOSSES.indexOf("gradNorm")];
  const clip = norm < a.maxNorm ? 1 : a.maxNorm / norm;
  const c1 = 1 - b1 ** s.count, c2 = 1 - b2 ** s.count;
  for (let p = 0; p < P; p++) {
    const g = clip * grads_P[p];
    m_P[p] = b1 * m_P[p] + (1 - b1) * g;
    v_P[p] = b2 * v_P[p] + (1 - b2) * g * g;
    const update = (m_P[p] / c1) / (Math.sqrt(v_P[p] / c2) + eps);
    params_P[p] -= s.learningRate * (update + a.weightDecay * s.l2Scale * params_P[p]);
  }
}
