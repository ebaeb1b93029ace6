/** Dropout on the encodings, then their part of the controller's gates: `enc · wEncoding + b`. */
import type { Args, Scalars } from "../compute/kernels.ts";
import { STREAMS } from "../random.ts";
import { keepFactors } from "./dropout.ts";

export function controller_input(a: Args<"controller_input">, s: Scalars): void {
  const { T, E, C, forward_HBE, backward_HBE, wEncoding_2E3C, b_3C, enc_TB2E, conInput_TB3C } = a;
  const { B } = s;
  const keep_2E = new Float64Array(2 * E);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const explicit = (b * T + t) * 2 * E;
      const draw = (s.firstTrial + b) * T + t;
      keepFactors(a, s, STREAMS.keepEnc, a.keepEnc_BT2E, explicit, draw, keep_2E);
      const row = t * B + b;
      for (let e = 0; e < E; e++) {
        enc_TB2E[row * 2 * E + e] = forward_HBE[(row + B) * E + e] * keep_2E[e];
        enc_TB2E[row * 2 * E + E + e] = backward_HBE[row * E + e] * keep_2E[E + e];
      }
      for (let j = 0; j < 3 * C; j++) {
        let sum = b_3C[j];
        for (let i = 0; i < 2 * E; i++) {
          sum += enc_TB2E[row * 2 * E + i] * wEncoding_2E3C[i * 3 * C + j];
        }
        conInput_TB3C[row * 3 * C + j] = sum;
      }
    }
  }
}

export function controller_input_backward(
  a: Args<"controller_input_backward">,
  s: Scalars,
): void {
  const { T, E, C, conGates_TR3C, wEncoding_2E3C, dEnc_TB2E } = a;
  const { B } = s;
  const keep_2E = new Float64Array(2 * E);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const explicit = (b * T + t) * 2 * E;
      const draw = (s.firstTrial + b) * T + t;
      keepFactors(a, s, STREAMS.keepEnc, a.keepEnc_BT2E, explicit, draw, keep_2E);
      const row = t * B + b;
      for (let i = 0; i < 2 * E; i++) {
        let sum = 0;
        for (let j = 0; j < 3 * C; j++) {
          sum += conGates_TR3C[row * 3 * C + j] * wEncoding_2E3C[i * 3 * C + j];
        }
        dEnc_TB2E[row * 2 * E + i] = sum * keep_2E[i];
      }
    }
  }
}
