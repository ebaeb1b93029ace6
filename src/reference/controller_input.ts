/**
 * Dropout on the encodings, then their part of the controller's gates: `enc · wEncoding + b`. Bin t gets
 * the forward direction's state after bin t - lag and the backward direction's of bin t + lag.
 */
import type { Args, Scalars } from "../compute/kernels.ts";
import { STREAMS } from "../random.ts";
import { keepFactors } from "./dropout.ts";

/** Whether the encoder gives bin `t` something from its bin `from`. */
function seen(a: { readonly encoderT: number }, t: number, from: number): boolean {
  return t < a.encoderT && from >= 0 && from < a.encoderT;
}

export function controller_input(a: Args<"controller_input">, s: Scalars): void {
  const { T, E, C, lag, forward_HBE, backward_HBE, wEncoding_2E3C, b_3C, enc_TB2E } = a;
  const { conInput_TB3C } = a;
  const { B } = s;
  const keep_2E = new Float64Array(2 * E);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      const explicit = (b * T + t) * 2 * E;
      const draw = (s.firstTrial + b) * T + t;
      keepFactors(a, s, STREAMS.keepEnc, a.keepEnc_BT2E, explicit, draw, keep_2E);
      const row = t * B + b;
      // the state after a bin stands one slot later in the forward direction
      const forward = seen(a, t, t - lag) ? ((t - lag + 1) * B + b) * E : -1;
      const backward = seen(a, t, t + lag) ? ((t + lag) * B + b) * E : -1;
      for (let e = 0; e < E; e++) {
        enc_TB2E[row * 2 * E + e] = forward < 0 ? 0 : forward_HBE[forward + e] * keep_2E[e];
        enc_TB2E[row * 2 * E + E + e] = backward < 0
          ? 0
          : backward_HBE[backward + e] * keep_2E[E + e];
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

/** Every row of `dEnc`, which has the encoder's bins: each direction's gradient from the bin it went to. */
export function controller_input_backward(
  a: Args<"controller_input_backward">,
  s: Scalars,
): void {
  const { T, E, C, lag, encoderT, conGates_TR3C, wEncoding_2E3C, dEnc_TB2E } = a;
  const { B } = s;
  const keep_2E = new Float64Array(2 * E);
  for (let b = 0; b < B; b++) {
    for (let from = 0; from < encoderT; from++) {
      [from + lag, from - lag].forEach((t, direction) => {
        const to = ((from * B + b) * 2 + direction) * E;
        if (t < 0 || t >= encoderT) {
          dEnc_TB2E.fill(0, to, to + E);
          return;
        }
        const explicit = (b * T + t) * 2 * E;
        const draw = (s.firstTrial + b) * T + t;
        keepFactors(a, s, STREAMS.keepEnc, a.keepEnc_BT2E, explicit, draw, keep_2E);
        const row = t * B + b;
        for (let e = 0; e < E; e++) {
          const i = direction * E + e;
          let sum = 0;
          for (let j = 0; j < 3 * C; j++) {
            sum += conGates_TR3C[row * 3 * C + j] * wEncoding_2E3C[i * 3 * C + j];
          }
          dEnc_TB2E[to + e] = sum * keep_2E[i];
        }
      });
    }
  }
}
