/** How much the loss of each neuron counts in one bin: missing entries and coordinated dropout. */
import type { Scalars } from "../compute/kernels.ts";
import { STREAMS } from "../random.ts";
import { keepFactors } from "./dropout.ts";
import { isMissing } from "./missing.ts";

interface Arguments {
  readonly T: number;
  readonly N: number;
  readonly gaps: number;
  readonly coordinated: number;
  readonly keepRate: number;
  readonly encoded: Float64Array;
  readonly trials_B: Float64Array;
  readonly keepSpikes_BTN: Float64Array;
}

/**
 * Fills the weights of bin `t` of the batch's trial `b`: 0 where `data` are missing. With coordinated
 * dropout, what the encoder saw weighs 0, what was dropped `1 / (1 - keepRate)`, so that the loss is
 * on average that of all entries; what the encoder never sees weighs 1.
 */
export function lossWeights(
  a: Arguments,
  s: Scalars,
  data: Float64Array,
  element: number,
  b: number,
  t: number,
  weights_N: Float64Array,
): Float64Array {
  const { T, N, keepRate, encoded } = a;
  const first = (a.trials_B[b] * T + t) * N;
  if (a.coordinated) {
    const dropout = { dropout: 1, keepRate };
    const explicit = (b * T + t) * N, row = (s.firstTrial + b) * T + t;
    keepFactors(dropout, s, STREAMS.keepSpikes, a.keepSpikes_BTN, explicit, row, weights_N);
    for (let n = 0; n < N; n++) {
      const unseen = encoded.length > 0 && isMissing(element, encoded[first + n]);
      weights_N[n] = unseen ? 1 : weights_N[n] > 0 ? 0 : 1 / (1 - keepRate);
    }
  } else {
    weights_N.fill(1);
  }
  if (a.gaps) {
    for (let n = 0; n < N; n++) if (isMissing(element, data[first + n])) weights_N[n] = 0;
  }
  return weights_N;
}
