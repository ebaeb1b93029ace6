/** The conditions of a recording. */
import type { Dataset } from "../../data/dataset.ts";

/** Trials of one condition, or all of them. */
export interface TrialGroup {
  readonly condition: number | null;
  /** ascending */
  readonly trials: Uint32Array;
}

/** A group for each condition, in the order of their numbers; one of all trials where there are none. */
export function trialGroups({ condition, trials }: Dataset): TrialGroup[] {
  const all = Uint32Array.from({ length: trials }, (_, b) => b);
  if (condition === null) return [{ condition: null, trials: all }];
  return [...new Set(condition)].sort((a, b) => a - b).map((value) => ({
    condition: value,
    trials: all.filter((b) => condition[b] === value),
  }));
}

/** What a condition is called. */
export function conditionName({ conditionNames }: Dataset, condition: number): string {
  return conditionNames?.[condition] ?? `condition ${condition}`;
}

/** Bins of a trial that belong to it. */
export function lengthOf({ lengths_B, T }: Dataset, trial: number): number {
  return lengths_B?.[trial] ?? T;
}
