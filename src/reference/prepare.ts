/** Ŵ: each factor's row of weights divided by its L2 norm (docs/model.md, section 2). `w_GF` is [in][out]. */
import type { Args } from "../compute/kernels.ts";

export function prepare(a: Args<"prepare">): void {
  const { G, F, w_GF, factorsHat_GF, norms_F } = a;
  for (let f = 0; f < F; f++) {
    let sum = 0;
    for (let g = 0; g < G; g++) sum += w_GF[g * F + f] ** 2;
    norms_F[f] = Math.sqrt(sum);
    for (let g = 0; g < G; g++) factorsHat_GF[g * F + f] = w_GF[g * F + f] / norms_F[f];
  }
}
