/** Loss terms summed over the batch; the L2 penalty; the gradient through Ŵ; the gradient's norm. */
import { type Args, LOSSES, type Scalars } from "../compute/kernels.ts";

function mean(values: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i];
  return sum / n;
}

/** From the gradient at Ŵ to the gradient at W: `(dŴ - Ŵ (Ŵ·dŴ)) / |W|`, factor by factor. */
function throughNorms(a: Args<"reduce">): void {
  const { G, F, w_GF, dw_GF, norms_F } = a;
  for (let f = 0; f < F; f++) {
    let along = 0;
    for (let g = 0; g < G; g++) along += dw_GF[g * F + f] * w_GF[g * F + f] / norms_F[f];
    for (let g = 0; g < G; g++) {
      const hat = w_GF[g * F + f] / norms_F[f];
      dw_GF[g * F + f] = (dw_GF[g * F + f] - hat * along) / norms_F[f];
    }
  }
}

export function reduce(a: Args<"reduce">, s: Scalars): void {
  const { P, params_P, l2_P, grads_P } = a;
  const R = s.B * s.S;
  let squares = 0;
  for (let p = 0; p < P; p++) squares += l2_P[p] * params_P[p] ** 2;
  const nll = mean(a.nll_R, R);
  const klIc = mean(a.klIc_R, R);
  const klInputs = a.klInputs_R.length > 0 ? mean(a.klInputs_R, R) : 0;
  const l2 = s.l2Scale * squares;
  const total = nll + s.klIcScale * klIc + s.klInputsScale * klInputs + l2;
  let gradNorm = 0;
  if (a.gradient) {
    throughNorms(a);
    for (let p = 0; p < P; p++) grads_P[p] += 2 * s.l2Scale * l2_P[p] * params_P[p];
    for (let p = 0; p < P; p++) gradNorm += grads_P[p] ** 2;
    gradNorm = Math.sqrt(gradNorm);
  }
  const terms = { total, nll, klIc, klInputs, l2, gradNorm };
  LOSSES.forEach((name, i) => a.losses[i] = terms[name]);
}
