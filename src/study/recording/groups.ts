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

/** At most `most` of the trials, of as many conditions as there are: ascending. */
export function trialsToShow(
  { condition }: Pick<Dataset, "condition">,
  trials: Uint32Array,
  most: number,
): Uint32Array {
  const turn = new Map<number, number>();
  // the first trial of each condition, then the second of each, and so on
  const turns = Array.from(trials, (b) => {
    const label = condition?.[b] ?? 0;
    turn.set(label, (turn.get(label) ?? -1) + 1);
    return { b, turn: turn.get(label) ?? 0 };
  });
  return Uint32Array.from(
    turns.sort((one, other) => one.turn - other.turn || one.b - other.b).slice(0, most),
    ({ b }) => b,
  ).sort();
}
