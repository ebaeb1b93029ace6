/**
 * Log-rates and the Poisson loss with its gradient: `nll = -Σ w (x * logRate - exp(logRate))`, with the
 * weights w of `loss_weights.ts`.
 */
import { type Args, MAX_LOG_RATE, type Scalars } from "../compute/kernels.ts";
import { lossWeights } from "./loss_weights.ts";

export function readout(a: Args<"readout">, s: Scalars): void {
  const { T, N, F, factors_HRF, w_FN, b_N, counts, trials_B, logRates_TRN, dFactors_HRF } = a;
  const { B, S } = s;
  const R = B * S;
  const weights_N = new Float64Array(N);
  for (let r = 0; r < R; r++) {
    const b = Math.floor(r / S), trial = trials_B[b];
    let nll = 0;
    for (let t = 0; t < T; t++) {
      const row = t * R + r;
      const factors = (row + R) * F;
      lossWeights(a, s, counts, a.element, b, t, weights_N);
      for (let n = 0; n < N; n++) {
        let logRate = b_N[n];
        for (let f = 0; f < F; f++) logRate += factors_HRF[factors + f] * w_FN[f * N + n];
        const x = counts[(trial * T + t) * N + n], weight = weights_N[n];
        const rate = Math.exp(Math.min(logRate, MAX_LOG_RATE));
        if (weight > 0) nll += weight * (rate - x * logRate);
        logRates_TRN[row * N + n] = a.gradient
          ? (weight > 0 ? weight * (rate - x) / B : 0)
          : logRate;
      }
      if (!a.gradient) continue;
      for (let f = 0; f < F; f++) {
        let sum = 0;
        for (let n = 0; n < N; n++) sum += logRates_TRN[row * N + n] * w_FN[f * N + n];
        dFactors_HRF[factors + f] = sum;
      }
    }
    a.nll_R[r] = nll;
  }
}
