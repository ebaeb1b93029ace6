/**
 * Dropout on the spikes, then their part of the encoder's gates: `spikes · wInput + b`. What is missing
 * is an input of 0.
 */
import type { Args, Scalars } from "../compute/kernels.ts";
import { STREAMS } from "../random.ts";
import { keepFactors } from "./dropout.ts";
import { isMissing } from "./missing.ts";

export function encoder_input(a: Args<"encoder_input">, s: Scalars): void {
  const { T, N, E, dataT, scale, counts, trials_B, spikes_TBN, gates_TBD3E, wInput_ND3E, b_D3E } =
    a;
  const { B } = s;
  const keep_N = new Float64Array(N);
  const width = 6 * E;
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const explicit = (b * dataT + t) * N;
      const row = (s.firstTrial + b) * dataT + t;
      keepFactors(a, s, STREAMS.keepSpikes, a.keepSpikes_BTN, explicit, row, keep_N);
      const x = (t * B + b) * N;
      const gates = (t * B + b) * width;
      for (let n = 0; n < N; n++) {
        const count = counts[(trials_B[b] * dataT + t) * N + n];
        const missing = a.gaps === 1 && isMissing(a.element, count);
        spikes_TBN[x + n] = missing ? 0 : count * keep_N[n] * scale;
      }
      for (let j = 0; j < width; j++) {
        let sum = b_D3E[j];
        for (let n = 0; n < N; n++) sum += spikes_TBN[x + n] * wInput_ND3E[n * width + j];
        gates_TBD3E[gates + j] = sum;
      }
    }
  }
}
