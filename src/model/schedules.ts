/** Learning rate and KL scale by step (docs/model.md, section 2, Train). */
import type { Hyperparameters } from "./hyperparameters.ts";

/**
 * `stepSize * decayFactor^(step / decaySteps)`; `step` counts from 0.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { learningRate } from "latentd";
 *
 * const decay = { stepSize: 0.01, decayFactor: 0.5, decaySteps: 100 };
 * assert.deepEqual([0, 100, 200].map((step) => learningRate(decay, step)), [0.01, 0.005, 0.0025]);
 * ```
 */
export function learningRate(
  h: Pick<Hyperparameters, "stepSize" | "decayFactor" | "decaySteps">,
  step: number,
): number {
  return h.stepSize * h.decayFactor ** (step / h.decaySteps);
}

/**
 * From klMin to klMax, linearly between the steps klStart and klEnd.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { klScale } from "latentd";
 *
 * const warmup = { klMin: 0, klMax: 1, klStart: 100, klEnd: 300 };
 * assert.deepEqual([0, 100, 200, 999].map((step) => klScale(warmup, step)), [0, 0, 0.5, 1]);
 * ```
 */
export function klScale(
  h: Pick<Hyperparameters, "klMin" | "klMax" | "klStart" | "klEnd">,
  step: number,
): number {
  const share = (step - h.klStart) / (h.klEnd - h.klStart);
  return h.klMin + (h.klMax - h.klMin) * Math.min(1, Math.max(0, share));
}

/**
 * From 0 to 1, linearly between the steps l2Start and l2End: multiplies the L2 penalties and the weight
 * decay. Without l2End it is 1.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { l2Scale } from "latentd";
 *
 * const ramp = { l2Start: 100, l2End: 300 };
 * assert.deepEqual([0, 100, 200, 999].map((step) => l2Scale(ramp, step)), [0, 0, 0.5, 1]);
 * assert.equal(l2Scale({ l2Start: 0, l2End: 0 }, 0), 1);
 * ```
 */
export function l2Scale(h: Pick<Hyperparameters, "l2Start" | "l2End">, step: number): number {
  if (h.l2End === 0) return 1;
  return Math.min(1, Math.max(0, (step - h.l2Start) / (h.l2End - h.l2Start)));
}
