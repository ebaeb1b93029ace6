/** What a history of evaluations says of going on: plateaus, and for how long nothing was better. */
import type { Hyperparameters } from "../model/hyperparameters.ts";
import { rampEnd } from "../model/schedules.ts";
import { scoreOf } from "./losses.ts";
import type { HistoryEntry } from "./run_state.ts";

/** What came of some evaluations. */
export interface Patience {
  /** evaluations in a row, at last, that were no better than the best before them */
  readonly without: number;
  /** how often more than `plateauPatience` of them came in a row */
  readonly plateaus: number;
  /** those since the last plateau */
  readonly waited: number;
  readonly best: number;
}

type Rules = Pick<Hyperparameters, "plateauPatience" | "klMin" | "klMax" | "klEnd" | "l2End">;
type Evaluated = Pick<HistoryEntry, "step" | "evaluation">;

const NONE: Patience = { without: 0, plateaus: 0, waited: 0, best: Infinity };

/**
 * Counts evaluations without improvement. Those made while the KL terms or the L2 penalties still rise
 * count for none: the loss that is trained is not yet the one that will be. A plateau is followed by the
 * next after as many evaluations again, as in PyTorch's ReduceLROnPlateau with threshold 0.
 *
 * It is a function of the history, so that a run which goes on, or goes back, needs no other memory.
 */
export function patienceOf(h: Rules, history: readonly Evaluated[]): Patience {
  return history.reduce((before, entry) => patienceAfter(h, before, entry), NONE);
}

/** The same after one more evaluation. */
export function patienceAfter(h: Rules, before: Patience, entry: Evaluated): Patience {
  const score = scoreOf(entry.evaluation);
  const best = Math.min(before.best, score);
  if (score < before.best || entry.step <= rampEnd(h)) {
    return { ...before, without: 0, waited: 0, best };
  }
  const without = before.without + 1, waited = before.waited + 1;
  return waited > h.plateauPatience
    ? { without, plateaus: before.plateaus + 1, waited: 0, best }
    : { ...before, without, waited, best };
}
