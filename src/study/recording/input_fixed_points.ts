/** Fixed points of the generator at the inputs that it really had. */
import type { FixedPointOptions, FixedPointResult } from "../../analysis/fixed_points.ts";
import { principalComponents, project } from "../../analysis/principal_components.ts";
import { takeTrials } from "../../analysis/take.ts";
import type { Executor } from "../../compute/executor.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Posterior } from "../../inference/posterior.ts";
import type { Model } from "../../model/model.ts";
import { modelFixedPoints, visitedStates } from "../dynamics.ts";
import { conditionName, lengthOf, trialGroups } from "./groups.ts";
import { type Inputs, inputsOf } from "./inputs.ts";

/** Fixed points with the inputs held still at several values. */
export interface InputFixedPoints {
  /** what the values are */
  readonly by: string;
  readonly groups: readonly {
    readonly label: string;
    /** null: the value is no condition's */
    readonly condition: number | null;
    readonly result: FixedPointResult;
  }[];
}

/** A value to hold the inputs at, and the trials whose states the search starts from. */
interface Held {
  readonly label: string;
  readonly condition: number | null;
  readonly input_I: Float64Array;
  readonly trials: ArrayLike<number>;
}

/** More conditions than this are not told apart: quantiles stand for them. */
const CONDITIONS = 8;
/** Candidates of each search: fewer than where there is only one. */
const CANDIDATES = 400;
const QUANTILES = [0.05, 0.5, 0.95];

/**
 * Fixed points at the mean input of each condition; where there are none, or more than eight, at three
 * quantiles of the inputs along the direction in which they vary most. null for a generator without
 * inputs.
 *
 * @param posterior of every trial
 * @param options the search; `candidates` at each input, at most about so many: 400
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   infer,
 *   initialise,
 *   inputFixedPoints,
 *   parseHyperparameters,
 *   simulateRotation,
 * } from "latentd";
 *
 * const data = { ...simulateRotation({ trials: 4, T: 5, N: 3 }), condition: Int32Array.of(0, 0, 1, 1) };
 * const sizes = { generatorUnits: 2, factors: 2, encoderUnits: 2 };
 * const inputs = { controllerUnits: 2, inferredInputs: 1 };
 * const hyperparameters = parseHyperparameters({ ...sizes, ...inputs });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * const device = createReferenceExecutor();
 * const posterior = await infer(device, model, data, { samples: 1 });
 * const found = await inputFixedPoints(device, model, data, posterior);
 * assert.deepEqual(found?.groups.map(({ label }) => label), ["condition 0", "condition 1"]);
 * ```
 */
export async function inputFixedPoints(
  executor: Executor,
  model: Model,
  data: Dataset,
  posterior: Posterior,
  options: FixedPointOptions & { readonly candidates?: number } = {},
): Promise<InputFixedPoints | null> {
  const inputs = inputsOf(data, model, posterior);
  if (inputs === null) return null;
  const { candidates = CANDIDATES, ...search } = options;
  const { T, G } = model.architecture.dims;
  const conditions = trialGroups(data);
  const byCondition = data.condition !== null && conditions.length <= CONDITIONS;
  const held: Held[] = byCondition
    ? conditions.map(({ condition, trials }) => ({
      label: conditionName(data, condition ?? 0),
      condition,
      input_I: mean(visited(data, inputs, trials), inputs.U + inputs.X),
      trials,
    }))
    : quantiles(data, inputs);
  const groups = [];
  for (const { label, condition, input_I, trials } of held) {
    const states = visitedStates(takeTrials(posterior.gen_BTG, trials, T * G), G, candidates);
    const result = await modelFixedPoints(executor, model, states, {
      ...search,
      input_U: input_I,
    });
    groups.push({ label, condition, result });
  }
  return {
    by: byCondition
      ? "the mean input of each condition"
      : "quantiles of the inputs along the direction in which they vary most",
    groups,
  };
}

/** The inputs in the bins that belong to the trials: a row each. */
function visited(data: Dataset, { U, X, inputs_BTI }: Inputs, trials: ArrayLike<number>) {
  const { T } = data, rows: number[] = [];
  for (const b of Array.from(trials)) {
    for (let t = 0; t < lengthOf(data, b); t++) rows.push(b * T + t);
  }
  return takeTrials(inputs_BTI, rows, U + X);
}

function mean(values_RI: Float64Array, I: number): Float64Array {
  const sums = new Float64Array(I);
  values_RI.forEach((value, i) => sums[i % I] += value);
  return sums.map((sum) => sum / (values_RI.length / I));
}

/** Points of the line through the mean along which the inputs vary most. */
function quantiles(data: Dataset, inputs: Inputs): Held[] {
  const I = inputs.U + inputs.X;
  const [{ trials }] = trialGroups({ ...data, condition: null });
  const rows = visited(data, inputs, trials);
  const line = principalComponents(rows, I, 1);
  const along = project(rows, line).sort();
  return QUANTILES.map((share) => ({
    label: `${100 * share} % quantile`,
    condition: null,
    input_I: line.mean_N.map((centre, i) =>
      centre + along[Math.round(share * (along.length - 1))] * line.components_KN[i]
    ),
    trials,
  }));
}
