/** The encoder: one GRU forward and one backward in time, each from its own trainable h0. */
import type { Args, Scalars } from "../compute/kernels.ts";
import { gru, gruBackward, type GruWeights } from "./gru.ts";

function weights(
  a: { E: number; wGates_DE2E: Float64Array; wCandidate_DEE: Float64Array },
): GruWeights[] {
  const { E } = a;
  return [0, 1].map((d) => ({
    n: E,
    wGates_n2n: a.wGates_DE2E.subarray(d * 2 * E * E, (d + 1) * 2 * E * E),
    wCandidate_nn: a.wCandidate_DEE.subarray(d * E * E, (d + 1) * E * E),
  }));
}

export function encoder(a: Args<"encoder">, s: Scalars): void {
  const { T, E, h0_DE, forward_HBE, backward_HBE, gates_TBD3E, reset_TBDE } = a;
  const { B } = s;
  const [forward, backward] = weights(a);
  for (let b = 0; b < B; b++) {
    for (let e = 0; e < E; e++) {
      forward_HBE[b * E + e] = h0_DE[e];
      backward_HBE[(T * B + b) * E + e] = h0_DE[E + e];
    }
    for (let t = 0; t < T; t++) {
      const row = t * B + b;
      gru(
        forward,
        [forward_HBE, row * E],
        [gates_TBD3E, row * 6 * E],
        [reset_TBDE, row * 2 * E],
        [forward_HBE, (row + B) * E],
      );
    }
    for (let t = T - 1; t >= 0; t--) {
      const row = t * B + b;
      gru(
        backward,
        [backward_HBE, (row + B) * E],
        [gates_TBD3E, row * 6 * E + 3 * E],
        [reset_TBDE, row * 2 * E + E],
        [backward_HBE, row * E],
      );
    }
  }
}

export function encoder_backward(a: Args<"encoder_backward">, s: Scalars): void {
  const { T, E, forward_HBE, backward_HBE, gates_TBD3E, dEnds_B2E, dEnc_TB2E, dStart_BDE } = a;
  const { B } = s;
  const [forward, backward] = weights(a);
  const dState = new Float64Array(E);
  const fromController = (row: number, direction: number) => {
    if (dEnc_TB2E.length === 0) return;
    for (let e = 0; e < E; e++) dState[e] += dEnc_TB2E[(row * 2 + direction) * E + e];
  };
  const fromEnds = (b: number, half: number) => {
    if (dEnds_B2E.length === 0) dState.fill(0);
    else dState.set(dEnds_B2E.subarray((b * 2 + half) * E, (b * 2 + half + 1) * E));
  };
  for (let b = 0; b < B; b++) {
    // ends = [backward at t = 0 ; forward at t = T-1]
    fromEnds(b, 1);
    for (let t = T - 1; t >= 0; t--) {
      const row = t * B + b;
      fromController(row, 0);
      gruBackward(forward, [forward_HBE, row * E], [gates_TBD3E, row * 6 * E], dState);
    }
    dStart_BDE.set(dState, b * 2 * E);
    fromEnds(b, 0);
    for (let t = 0; t < T; t++) {
      const row = t * B + b;
      fromController(row, 1);
      gruBackward(
        backward,
        [backward_HBE, (row + B) * E],
        [gates_TBD3E, row * 6 * E + 3 * E],
        dState,
      );
    }
    dStart_BDE.set(dState, b * 2 * E + E);
  }
}
