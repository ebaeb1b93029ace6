/** What every baseline predicts: some neurons on held-out trials, from training trials. */
import { InputError } from "../../errors.ts";
import type { Numbers } from "../metrics.ts";

/** Counts, and which trials train. NaN marks a count that is not known. */
export interface BaselineTask {
  /** expected to be whole; NaN where missing */
  readonly counts_BTN: Numbers;
  readonly T: number;
  readonly N: number;
  /** indices of trials */
  readonly train: ArrayLike<number>;
  readonly evaluation: ArrayLike<number>;
  /** for averages per condition: one for each trial */
  readonly condition?: ArrayLike<number> | null;
}

/** Folds of the cross-validation among the training trials. */
export const BASELINE_FOLDS = 4;

/** @throws InputError where there are too few trials to choose anything by cross-validation */
export function requireTrials(what: string, { train }: BaselineTask): void {
  if (train.length >= BASELINE_FOLDS) return;
  throw new InputError(
    `Cannot compute ${what}: expected at least ${BASELINE_FOLDS} training trials, found ${train.length}.`,
  );
}

/** Nats of counts under rates above 0, without ln x!; counts that are NaN do not count. */
export function nats(rates: Numbers, counts: Numbers): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    if (Number.isNaN(counts[i])) continue;
    sum += rates[i];
    if (counts[i] > 0) sum -= counts[i] * Math.log(rates[i]);
  }
  return sum;
}

/** The candidate with the smallest cost, the first of equals. */
export function best<C>(candidates: readonly C[], cost: (candidate: C) => number): C {
  let least = Infinity, found = candidates[0];
  for (const candidate of candidates) {
    const value = cost(candidate);
    if (value < least) [least, found] = [value, candidate];
  }
  return found;
}
