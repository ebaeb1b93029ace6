/** Learning rate and KL scale by step (docs/model.md, section 2, Train). */
import type { Hyperparameters } from "../types.ts";

/** The learning rate of a step (docs/model.md, section 2). */
export function learningRate(
  { stepSize, decayFactor, decaySteps }: Pick<
    Hyperparameters,
    "stepSize" | "decayFactor" | "decaySteps"
  >,
  step: number,
): number {
  return stepSize * decayFactor ** (step / decaySteps);
}

/** From klMin to klMax, linearly between the steps klStart and klEnd. */
export function klScale(
  { klMin, klMax, klStart, klEnd }: Pick<Hyperparameters, "klMin" | "klMax" | "klStart" | "klEnd">,
  step: number,
): number {
  const share = (step - klStart) / (klEnd - klStart);
  return klMin + (klMax - klMin) * Math.min(1, Math.max(0, share));
}
