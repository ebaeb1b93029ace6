/** Learning rate and KL scale by step (MODEL section 2, Train). */
import type { Hyperparameters } from "./hyperparameters.ts";

/** `stepSize * decayFactor^(step / decaySteps)`; `step` counts from 0. */
export function learningRate(
  h: Pick<Hyperparameters, "stepSize" | "decayFactor" | "decaySteps">,
  step: number,
): number {
  return h.stepSize * h.decayFactor ** (step / h.decaySteps);
}

/** From klMin to klMax, linearly between the steps klStart and klEnd. */
export function klScale(
  h: Pick<Hyperparameters, "klMin" | "klMax" | "klStart" | "klEnd">,
  step: number,
): number {
  const share = (step - h.klStart) / (h.klEnd - h.klStart);
  return h.klMin + (h.klMax - h.klMin) * Math.min(1, Math.max(0, share));
}
