/** Averages over the trials of a condition, and how well rates give them back. */
import { InputError } from "../errors.ts";
import type { Numbers } from "./metrics.ts";
import { meanRSquared } from "./r_squared.ts";

/** Averages of each condition, or rates of trials. */
interface Shape {
  readonly T: number;
  readonly N: number;
}

/**
 * R² of the averages of rates over the trials of a condition to known averages (PSTHs), over all
 * conditions and bins, averaged over neurons: the Neural Latents Benchmark's `eval_psth`. Bins in which
 * the first neuron's PSTH is NaN do not count, nor do conditions without a trial.
 *
 * @param psth_CTN the averages of each condition
 * @param rates_BTN rates of trials
 * @param trials_C the trials of each condition: places in `rates_BTN`
 * @param jitter_B bins by which each trial's rates come later than they should; 0 by default
 * @throws InputError for lengths that do not fit, no trial, and rates that are NaN in a bin that counts
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { psthRSquared } from "latentd";
 *
 * const psth = [1, 2, 3]; // one condition, three bins, one neuron
 * assert.equal(psthRSquared(psth, [0, 2, 4, 2, 2, 3], [[0, 1]], { T: 3, N: 1 }), 0.875);
 * ```
 */
export function psthRSquared(
  psth_CTN: Numbers,
  rates_BTN: Numbers,
  trials_C: readonly ArrayLike<number>[],
  { T, N }: Shape,
  jitter_B?: ArrayLike<number>,
): number {
  const action = "compare averages over trials";
  if (psth_CTN.length !== trials_C.length * T * N || rates_BTN.length % (T * N) !== 0) {
    throw new InputError(
      `Cannot ${action}: expected averages of ${trials_C.length} × ${T} × ${N} and rates of trials of ` +
        `${T} × ${N}, found ${psth_CTN.length} and ${rates_BTN.length}.`,
    );
  }
  const truth: number[] = [], found: number[] = [];
  trials_C.forEach((trials, c) => {
    if (trials.length === 0) return;
    for (let t = 0; t < T; t++) {
      const at = (c * T + t) * N;
      if (Number.isNaN(psth_CTN[at])) continue;
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let i = 0; i < trials.length; i++) {
          const from = t - (jitter_B?.[trials[i]] ?? 0);
          sum += from >= 0 && from < T ? rates_BTN[(trials[i] * T + from) * N + n] : NaN;
        }
        truth.push(psth_CTN[at + n]);
        found.push(sum / trials.length);
      }
    }
  });
  if (truth.length === 0) {
    throw new InputError(`Cannot ${action}: expected a trial and a bin that count, found none.`);
  }
  return meanRSquared(found, truth, N);
}
