/** Adds a part of a batch to the sums of its gradient and losses; the norm is that of the sum. */
import { type Args, LOSSES, type Scalars } from "../compute/kernels.ts";

export function accumulate(a: Args<"accumulate">, s: Scalars): void {
  const { P, grads_P, sum_P, losses, sums } = a;
  const first = s.accumulated === 0;
  let squares = 0;
  for (let p = 0; p < P; p++) {
    sum_P[p] = (first ? 0 : sum_P[p]) + s.share * grads_P[p];
    squares += sum_P[p] ** 2;
  }
  LOSSES.forEach((_, i) => sums[i] = (first ? 0 : sums[i]) + s.share * losses[i]);
  sums[LOSSES.indexOf("gradNorm")] = Math.sqrt(squares);
}
