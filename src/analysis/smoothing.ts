/** Counts smoothed in time, within each trial. */
import type { Numbers } from "./metrics.ts";

/** Weights fall to 3e-4 of the middle's here. */
const REACH = 4;

/**
 * Averages each neuron's counts over neighbouring bins of the same trial, with Gaussian weights. Bins
 * beyond a trial's ends and those that are NaN have no weight, so that silence is not assumed there.
 *
 * @param sigma the Gaussian's standard deviation, in bins; 0 leaves the counts as they are
 * @returns NaN where nothing within 4 sigma was observed
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { smoothTrials } from "latentd";
 *
 * const smooth = smoothTrials([0, 3, 0, 5, 5, NaN], { T: 3, N: 1 }, 1);
 * assert(smooth[0] > 0 && smooth[1] < 3); // of the first trial alone
 * assert.deepEqual([...smooth.subarray(3)], [5, 5, 5]);
 * ```
 */
export function smoothTrials(
  values_BTN: Numbers,
  { T, N }: { readonly T: number; readonly N: number },
  sigma: number,
): Float64Array {
  if (sigma === 0) return Float64Array.from(values_BTN);
  const reach = Math.min(T - 1, Math.ceil(REACH * sigma));
  const kernel = Float64Array.from(
    { length: reach + 1 },
    (_, lag) => Math.exp(-0.5 * (lag / sigma) ** 2),
  );
  const out = new Float64Array(values_BTN.length), weights = new Float64Array(N);
  for (let row = 0; row < values_BTN.length / N; row++) {
    const t = row % T, sums = out.subarray(row * N, (row + 1) * N);
    weights.fill(0);
    for (let lag = -Math.min(reach, t); lag <= Math.min(reach, T - 1 - t); lag++) {
      const weight = kernel[Math.abs(lag)];
      for (let n = 0, i = (row + lag) * N; n < N; n++, i++) {
        const value = values_BTN[i];
        if (Number.isNaN(value)) continue;
        sums[n] += weight * value;
        weights[n] += weight;
      }
    }
    for (let n = 0; n < N; n++) sums[n] /= weights[n];
  }
  return out;
}
