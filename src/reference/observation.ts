/** Outputs of the readout and the loss of real numbers, with its gradient: see `families.ts`. */
import { type Args, ELEMENT_CODES, type Scalars } from "../compute/kernels.ts";
import { negativeLogLikelihood, outputsOf } from "./families.ts";
import { lossWeights } from "./loss_weights.ts";

export function observation(a: Args<"observation">, s: Scalars): void {
  const { T, N, F, factors_HRF, w_FQ, b_Q, values, trials_B, outputs_TRQ, dFactors_HRF } = a;
  const { B, S } = s;
  const R = B * S, K = outputsOf(a.family), Q = K * N;
  const weights_N = new Float64Array(N), gradient_K = new Float64Array(K);
  for (let r = 0; r < R; r++) {
    const b = Math.floor(r / S);
    let nll = 0;
    for (let t = 0; t < T; t++) {
      const row = t * R + r, factors = (row + R) * F;
      lossWeights(a, s, values, ELEMENT_CODES.real, b, t, weights_N);
      for (let q = 0; q < Q; q++) {
        let sum = b_Q[q];
        for (let f = 0; f < F; f++) sum += factors_HRF[factors + f] * w_FQ[f * Q + q];
        outputs_TRQ[row * Q + q] = sum;
      }
      for (let n = 0; n < N; n++) {
        const weight = weights_N[n], x = values[(trials_B[b] * T + t) * N + n];
        gradient_K.fill(0);
        if (weight > 0) {
          const set = (k: number, gradient: number) => gradient_K[k] = gradient;
          nll += weight * negativeLogLikelihood(a, x, outputs_TRQ, row * Q + n, N, set);
        }
        if (!a.gradient) continue;
        for (let k = 0; k < K; k++) {
          outputs_TRQ[row * Q + k * N + n] = weight > 0 ? weight * gradient_K[k] / B : 0;
        }
      }
      if (!a.gradient) continue;
      for (let f = 0; f < F; f++) {
        let sum = 0;
        for (let q = 0; q < Q; q++) sum += outputs_TRQ[row * Q + q] * w_FQ[f * Q + q];
        dFactors_HRF[factors + f] = sum;
      }
    }
    a.nll_R[r] = nll;
  }
}
