/** Outputs of the readout and the loss of real numbers, with its gradient: see `families.ts`. */
import { type Args, ELEMENT_CODES, FAMILIES, OUTPUTS, type Scalars } from "../compute/kernels.ts";
import { expected, negativeLogLikelihood } from "./families.ts";
import { lossWeights } from "./loss_weights.ts";

/** Outputs for each neuron of a family by its number. */
function outputsOf(family: number): number {
  const names = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[];
  return OUTPUTS[names.find((name) => FAMILIES[name] === family)!];
}

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

/** Means over samples of the expected value and of its logarithm (gaussian: of the mean). */
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
