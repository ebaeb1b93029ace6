/** Draws of the observations that are not counts (`src/reference/families.ts`). */
import type { Observation } from "../dims.ts";
import type { Hyperparameters } from "../model/hyperparameters.ts";
import { type Address, fillNormal, fillUniform, PURPOSES, seedWords, STREAMS } from "../random.ts";

/** The draws of one number, told apart by the address's `sample`. */
const PARTS = { normal: 0, uniform: 1, some: 2 } as const;

/**
 * A number for each bin and neuron.
 *
 * @param outputs_BTQ what the readout says: see `FAMILIES`
 */
export function sampleNumbers(
  observation: Exclude<Observation, "poisson">,
  outputs_BTQ: Float64Array,
  { trials, T, N }: { readonly trials: number; readonly T: number; readonly N: number },
  seed: number,
  { varMin, observationFloor }: Pick<Hyperparameters, "varMin" | "observationFloor">,
): Float32Array {
  const K = observation === "zero-inflated-gamma" ? 3 : 2;
  const values_BTN = new Float32Array(trials * T * N);
  const one = new Float64Array(1);
  for (let i = 0; i < values_BTN.length; i++) {
    const row = Math.floor(i / N), n = i % N;
    const [first, second, third] = Array.from(
      { length: K },
      (_, k) => outputs_BTQ[(row * K + k) * N + n],
    );
    const at = (part: number, attempt = 0): Address => ({
      ...seedWords(seed),
      stream: STREAMS.poisson,
      purpose: PURPOSES.posterior,
      sample: part,
      step: attempt,
    });
    if (observation === "gaussian") {
      const [normal] = fillNormal(at(PARTS.normal), i, one);
      values_BTN[i] = first + Math.sqrt(Math.exp(second) + varMin) * normal;
      continue;
    }
    const some = observation === "gamma" ||
      fillUniform(at(PARTS.some), i, one)[0] < 1 / (1 + Math.exp(-third));
    if (!some) continue;
    const floor = observation === "gamma" ? 0 : observationFloor;
    values_BTN[i] = floor + sampleGamma(Math.exp(first), i, at) / Math.exp(second);
  }
  return values_BTN;
}

/**
 * A draw from Gamma(alpha, 1) by Marsaglia and Tsang (ACM TOMS 26:363, 2000); below alpha = 1 one of
 * alpha + 1, times a uniform to the power of 1 / alpha.
 */
function sampleGamma(
  alpha: number,
  row: number,
  at: (part: number, attempt: number) => Address,
): number {
  const draws = new Float64Array(2);
  const d = (alpha < 1 ? alpha + 1 : alpha) - 1 / 3, c = 1 / Math.sqrt(9 * d);
  for (let attempt = 0;; attempt++) {
    const [x] = fillNormal(at(PARTS.normal, attempt), row, draws);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const [u, boost] = fillUniform(at(PARTS.uniform, attempt), row, draws);
    if (Math.log(u) >= 0.5 * x * x + d - d * v + d * Math.log(v)) continue;
    return Math.max(d * v * (alpha < 1 ? boost ** (1 / alpha) : 1), 1e-30);
  }
}
