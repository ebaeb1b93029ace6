/** What a fit's start takes from the data: each neuron's moments, and the readout's biases of them. */
import { ELEMENT_CODES } from "../compute/kernels.ts";
import { type DataArray, elementOf } from "../data/arrange.ts";
import type { Observation } from "../dims.ts";
import { isMissing } from "../reference/missing.ts";

/** First moments of each neuron over the bins that were observed in some trials. */
export interface Moments {
  readonly mean_N: Float64Array;
  readonly variance_N: Float64Array;
  /** the share that is not 0 */
  readonly some_N: Float64Array;
}

/** Moments over some trials of `[trials][T][N]`; a neuron that was never observed has zeros. */
export function momentsOf(
  data: DataArray,
  { T, N }: { readonly T: number; readonly N: number },
  trials: Uint32Array,
): Moments {
  const element = ELEMENT_CODES[elementOf(data)];
  const each = (visit: (n: number, x: number) => void) => {
    for (const trial of trials) {
      for (let i = 0; i < T * N; i++) {
        const x = data[trial * T * N + i];
        if (!isMissing(element, x)) visit(i % N, x);
      }
    }
  };
  const seen_N = new Float64Array(N), some_N = new Float64Array(N), mean_N = new Float64Array(N);
  each((n, x) => {
    seen_N[n]++;
    mean_N[n] += x;
    if (x !== 0) some_N[n]++;
  });
  const perSeen = (sum: number, n: number) => seen_N[n] > 0 ? sum / seen_N[n] : 0;
  mean_N.set(mean_N.map(perSeen));
  const squares_N = new Float64Array(N);
  each((n, x) => squares_N[n] += (x - mean_N[n]) ** 2);
  return { mean_N, variance_N: squares_N.map(perSeen), some_N: some_N.map(perSeen) };
}

/**
 * Where the readout starts: for counts each neuron's mean; for real numbers the biases `[K][N]` at
 * which the observation has the data's mean and variance (of a zero-inflated gamma: of what is not 0).
 */
export function readoutStart(
  { mean_N, variance_N, some_N }: Moments,
  observation: Observation,
  floor: number,
): Float64Array {
  if (observation === "poisson") return mean_N;
  const N = mean_N.length;
  const zeros = observation === "zero-inflated-gamma";
  const start_Q = new Float64Array((zeros ? 3 : 2) * N);
  for (let n = 0; n < N; n++) {
    const variance = Math.max(variance_N[n], 1e-6);
    if (observation === "gaussian") {
      start_Q[n] = mean_N[n];
      start_Q[N + n] = Math.log(variance);
      continue;
    }
    const some = Math.min(Math.max(some_N[n], 1e-3), 1 - 1e-3);
    const share = zeros ? some : 1;
    // E x = s m and E x² = s (v + m²), where a share s is not 0
    const whole = mean_N[n] / share;
    const spread = Math.max((variance + mean_N[n] ** 2) / share - whole ** 2, 1e-6);
    const above = Math.max(whole - (zeros ? floor : 0), 1e-3);
    start_Q[n] = Math.log(above * above / spread);
    start_Q[N + n] = Math.log(above / spread);
    if (zeros) start_Q[2 * N + n] = Math.log(some / (1 - some));
  }
  return start_Q;
}
