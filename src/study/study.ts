/** What one does after a fit: infer every trial, score the held-out ones, find the fixed points. */
import type { FixedPointOptions } from "../analysis/fixed_points.ts";
import { takeTrials } from "../analysis/take.ts";
import type { Executor } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import { infer } from "../inference/posterior.ts";
import type { Model } from "../model/model.ts";
import type { RunEnd } from "../train/loop.ts";
import type { HistoryEntry, Recovery } from "../train/run_state.ts";
import type { Split } from "../train/trainer.ts";
import { modelFixedPoints } from "./dynamics.ts";
import { inputFixedPoints } from "./recording/input_fixed_points.ts";
import type { Study } from "./report.ts";
import { score, scoreReal } from "./scores.ts";

export interface StudyOptions {
  /** posterior samples of each trial: 64 */
  readonly samples?: number;
  readonly fixedPoints?: FixedPointOptions;
  readonly history?: readonly HistoryEntry[];
  /** where the fit went back to a good state */
  readonly recoveries?: readonly Recovery[];
  /** why it is over; null, the default, where that is not known */
  readonly ended?: RunEnd | null;
}

/**
 * Infers all trials by posterior sample-and-average, scores the evaluation trials and looks for fixed
 * points from the states that were visited.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   parseHyperparameters,
 *   simulateRotation,
 *   study,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { model, split } = next.value;
 * const whole = await study(device, data, model, split, { samples: 2 });
 *
 * assert.equal(whole.posterior.B, data.trials);
 * assert(Number.isFinite(whole.scores.nll.model));
 * ```
 */
export async function study(
  executor: Executor,
  data: Dataset,
  model: Model,
  split: Split,
  options: StudyOptions = {},
): Promise<Study> {
  const { samples = 64, history = [], recoveries = [], ended = null } = options;
  const { T, N, G, F } = model.architecture.dims;
  const posterior = await infer(executor, model, data, { samples, seed: model.seed });
  const held = {
    rates_BTN: takeTrials(posterior.rates_BTN, split.evaluation, T * N),
    factors_BTF: takeTrials(posterior.factors_BTF, split.evaluation, T * F),
  };
  const { observation = "poisson" } = model.architecture;
  const states = takeTrials(posterior.gen_BTG, split.train, T * G);
  return {
    data,
    model,
    split,
    device: executor.info,
    history,
    recoveries,
    ended,
    posterior,
    scores: observation === "poisson"
      ? score(data, split, held)
      : scoreReal(data, split, model, held),
    fixedPoints: await modelFixedPoints(executor, model, states, options.fixedPoints),
    inputFixedPoints: await inputFixedPoints(
      executor,
      model,
      data,
      posterior,
      options.fixedPoints,
    ),
  };
}
