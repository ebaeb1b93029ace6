/** Mean over the samples of each trial: [T][B*S][n] → [T][B][n]. */
import type { Args, Scalars } from "../compute/kernels.ts";

export function average_samples(a: Args<"average_samples">, s: Scalars): void {
  const { T, n, source, mean } = a;
  const { B, S } = s;
  for (let row = 0; row < T * B; row++) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let k = 0; k < S; k++) sum += source[(row * S + k) * n + i];
      mean[row * n + i] = sum / S;
    }
  }
}
