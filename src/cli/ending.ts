/** Why a fit is over, in words. */
import type { Hyperparameters, RunEnd } from "../mod.ts";

/** "Completed at step 400 of 2000, since 10 evaluations in a row were no better". */
export function endingWords(
  ended: RunEnd,
  step: number,
  { steps, earlyStop }: Pick<Hyperparameters, "steps" | "earlyStop">,
): string {
  const evaluations = earlyStop === 1 ? "evaluation was" : "evaluations in a row were";
  return `${ended === "signal" ? "Stopped" : "Completed"} at step ${step} of ${steps}` +
    `${ended === "early-stop" ? `, since ${earlyStop} ${evaluations} no better` : ""}`;
}
