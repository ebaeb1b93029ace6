/** The external inputs of the batch, and their part of the generator's gates: `ext · wExternal + b`. */
import type { Args, Scalars } from "../compute/kernels.ts";

export function external_input(a: Args<"external_input">, s: Scalars): void {
  const { T, X, W, external, trials_B, wExternal_XW, b_W, external_TBX, genInput_TBW } = a;
  const { B } = s;
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const row = t * B + b, from = (trials_B[b] * T + t) * X;
      external_TBX.set(external.subarray(from, from + X), row * X);
      for (let j = 0; j < W; j++) {
        let sum = b_W[j];
        for (let x = 0; x < X; x++) sum += external_TBX[row * X + x] * wExternal_XW[x * W + j];
        genInput_TBW[row * W + j] = sum;
      }
    }
  }
}
