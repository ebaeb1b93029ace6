/** Mean over samples of what is expected, and of its logarithm (gaussian: of the mean). */
import type { Args, Scalars } from "../compute/kernels.ts";
import { expected, outputsOf } from "./families.ts";

export function posterior_observations(a: Args<"posterior_observations">, s: Scalars): void {
  const { T, N, F, factors_HRF, w_FQ, b_Q, rates_TBN, logRates_TBN } = a;
  const { B, S } = s;
  const K = outputsOf(a.family), Q = K * N;
  for (let row = 0; row < T * B; row++) {
    for (let n = 0; n < N; n++) {
      let rates = 0, logRates = 0;
      for (let k = 0; k < S; k++) {
        const factors = (row * S + k + B * S) * F;
        const outputs = Array.from({ length: K }, (_, i) => {
          let sum = b_Q[i * N + n];
          for (let f = 0; f < F; f++) {
            sum += factors_HRF[factors + f] * w_FQ[f * Q + i * N + n];
          }
          return sum;
        });
        const { mean, logMean } = expected(a, outputs);
        rates += mean;
        logRates += logMean;
      }
      rates_TBN[row * N + n] = rates / S;
      logRates_TBN[row * N + n] = logRates / S;
    }
  }
}
