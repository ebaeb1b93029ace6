/** Trials for three purposes: to train, to choose the best step, and to score. */
import { splitTrials } from "../../data/dataset.ts";
import type { Split } from "../../train/trainer.ts";

/** A split for a fit, and trials that the fit never sees. */
export interface TestSplit {
  /** as `Dataset.split`: its evaluation trials choose the best step */
  readonly fit: Split;
  /** trials to score; ascending */
  readonly test: Uint32Array;
}

/**
 * Holds trials out of a fit altogether, since the fit's own evaluation trials choose its best step:
 * `splitTrials(trials, share, seed)` says which, and again, among the others, which of those evaluate.
 *
 * @param share of the trials to hold out
 * @param evalFraction share of the others that the fit evaluates on
 * @throws InputError as `splitTrials`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitTrials, testSplit } from "latentd";
 *
 * const { fit, test } = testSplit(100, 0.2, 0.1, 0);
 * assert.deepEqual(test, splitTrials(100, 0.2, 0).evaluation);
 * assert.deepEqual([fit.train.length, fit.evaluation.length], [72, 8]);
 * ```
 */
export function testSplit(
  trials: number,
  share: number,
  evalFraction: number,
  seed: number,
): TestSplit {
  const { train: others, evaluation: test } = splitTrials(trials, share, seed);
  const { train, evaluation } = splitTrials(others.length, evalFraction, seed);
  const of = (places: Uint32Array) => places.map((place) => others[place]);
  return { fit: { train: of(train), evaluation: of(evaluation) }, test };
}
