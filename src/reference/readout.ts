/** Log-rates and the Poisson loss with its gradient: `nll = -Σ (x * logRate - exp(logRate))`. */
import { type Args, MAX_LOG_RATE, type Scalars } from "../compute/kernels.ts";

export function readout(a: Args<"readout">, s: Scalars): void {
  const { T, N, F, factors_HRF, w_FN, b_N, counts, trials_B, logRates_TRN, dFactors_TRF } = a;
  const { B, S } = s;
  const R = B * S;
  for (let r = 0; r < R; r++) {
    const trial = trials_B[Math.floor(r / S)];
    let nll = 0;
    for (let t = 0; t < T; t++) {
      const row = t * R + r;
      const factors = (row + R) * F;
      for (let n = 0; n < N; n++) {
        let logRate = b_N[n];
        for (let f = 0; f < F; f++) logRate += factors_HRF[factors + f] * w_FN[f * N + n];
        const x = counts[(trial * T + t) * N + n];
        const rate = Math.exp(Math.min(logRate, MAX_LOG_RATE));
        nll += rate - x * logRate;
        logRates_TRN[row * N + n] = a.gradient ? (rate - x) / B : logRate;
      }
      if (!a.gradient) continue;
      for (let f = 0; f < F; f++) {
        let sum = 0;
        for (let n = 0; n < N; n++) sum += logRates_TRN[row * N + n] * w_FN[f * N + n];
        dFactors_TRF[row * F + f] = sum;
      }
    }
    a.nll_R[r] = nll;
  }
}
