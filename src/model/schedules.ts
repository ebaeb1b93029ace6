/** Learning rate and KL scale by step (docs/model.md, section 2, Train). */
import type { Hyperparameters } from "./hyperparameters.ts";

/**
 * `stepSize * decayFactor^(step / decaySteps)`; `step` counts from 0. With the schedule `plateau`,
 * `stepSize * plateauFactor^plateaus`, but no less than `minStepSize`.
 *
 * @param plateaus how often the evaluations no longer improved
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { learningRate, parseHyperparameters } from "latentd";
 *
 * const decay = { stepSize: 0.01, decayFactor: 0.5, decaySteps: 100 };
 * assert.deepEqual([0, 100, 200].map((step) => learningRate(decay, step)), [0.01, 0.005, 0.0025]);
 *
 * const h = parseHyperparameters({ schedule: "plateau", plateauFactor: 0.5, minStepSize: 0.004 });
 * assert.deepEqual([0, 1, 2].map((plateaus) => learningRate(h, 99, plateaus)), [0.01, 0.005, 0.004]);
 * ```
 */
export function learningRate(
  h:
    & Pick<Hyperparameters, "stepSize" | "decayFactor" | "decaySteps">
    & Partial<Pick<Hyperparameters, "schedule" | "plateauFactor" | "minStepSize">>,
  step: number,
  plateaus = 0,
): number {
  const { stepSize, schedule, plateauFactor = 1, minStepSize = 0 } = h;
  if (schedule !== "plateau") return stepSize * h.decayFactor ** (step / h.decaySteps);
  return Math.max(minStepSize, stepSize * plateauFactor ** plateaus);
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

/**
 * The step from which on the loss is the same function: neither the KL terms nor the L2 penalties rise
 * any longer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { rampEnd } from "latentd";
 *
 * assert.equal(rampEnd({ klMin: 0, klMax: 1, klEnd: 300, l2End: 0 }), 300);
 * assert.equal(rampEnd({ klMin: 1, klMax: 1, klEnd: 300, l2End: 200 }), 200);
 * ```
 */
export function rampEnd(
  h: Pick<Hyperparameters, "klMin" | "klMax" | "klEnd" | "l2End">,
): number {
  return Math.max(h.klMin === h.klMax ? 0 : h.klEnd, h.l2End);
}
