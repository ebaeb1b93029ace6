/** Mean over samples of exp(logRate), and of logRate (docs/model.md, section 2, posterior sample and average). */
import { type Args, MAX_LOG_RATE, type Scalars } from "../compute/kernels.ts";

export function posterior_rates(a: Args<"posterior_rates">, s: Scalars): void {
  const { T, N, F, factors_HRF, w_FN, b_N, rates_TBN, logRates_TBN } = a;
  const { B, S } = s;
  for (let row = 0; row < T * B; row++) {
    for (let n = 0; n < N; n++) {
      let rates = 0, logRates = 0;
      for (let k = 0; k < S; k++) {
        const factors = (row * S + k + B * S) * F;
        let logRate = b_N[n];
        for (let f = 0; f < F; f++) logRate += factors_HRF[factors + f] * w_FN[f * N + n];
        rates += Math.exp(Math.min(logRate, MAX_LOG_RATE));
        logRates += logRate;
      }
      rates_TBN[row * N + n] = rates / S;
      logRates_TBN[row * N + n] = logRates / S;
    }
  }
}
