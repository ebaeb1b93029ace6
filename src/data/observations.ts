/** What data have to be for an observation model. */
import type { Observation } from "../dims.ts";
import { InputError } from "../errors.ts";
import { missingOf } from "./arrange.ts";
import type { Dataset } from "./dataset.ts";
import { countWanted, placeOf } from "./validate.ts";

/** Data that are judged. */
export type Judged = Pick<
  Dataset,
  "counts_BTN" | "trials" | "T" | "N" | "missing_BTN" | "lengths_B"
>;

/**
 * Whether a number can come of an observation: what was wanted, in words; null where it can.
 *
 * @param floor of a zero-inflated gamma
 */
function wantedOf(value: number, observation: Observation, floor: number): string | null {
  switch (observation) {
    case "poisson":
      return countWanted(value);
    case "gaussian":
      return null;
    case "gamma":
      return value > 0 ? null : "numbers above 0";
    case "zero-inflated-gamma":
      return value === 0 || value > floor ? null : `0 or numbers above ${floor} (observationFloor)`;
  }
}

/**
 * Refuses data that an observation model cannot have made.
 *
 * @param action what is being done: `Cannot fit a`
 * @throws InputError naming the first number that it cannot have made, and what fits real numbers
 */
export function requireObservation(
  data: Judged,
  observation: Observation,
  floor: number,
  action: string,
): void {
  const { counts_BTN, trials, T, N } = data;
  if (observation === "gaussian") return;
  if (observation === "poisson" && !(counts_BTN instanceof Float32Array)) return;
  const missing_BTN = missingOf(data);
  for (let i = 0; i < counts_BTN.length; i++) {
    if (missing_BTN?.[i] === 1) continue;
    const wanted = wantedOf(counts_BTN[i], observation, floor);
    if (wanted === null) continue;
    const advice = observation === "poisson"
      ? " Real numbers are fitted with the observation gaussian, gamma or zero-inflated-gamma."
      : "";
    throw new InputError(
      `${action}: expected ${wanted}, which the observation ${observation} is for, found ${
        Number(counts_BTN[i].toPrecision(7))
      } at ${placeOf(i, [trials, T, N])}.${advice}`,
    );
  }
}
