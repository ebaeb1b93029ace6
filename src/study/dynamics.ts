/** The dynamics that a fitted model learned: its generator as a cell, and its fixed points. */
import type { Cell } from "../analysis/cell.ts";
import {
  findFixedPoints,
  type FixedPointOptions,
  type FixedPointResult,
} from "../analysis/fixed_points.ts";
import type { Executor } from "../compute/executor.ts";
import { shapeOf } from "../model/layout.ts";
import { type Model, parameter } from "../model/model.ts";

/**
 * A model's generator. Its inputs are the inferred ones, then the external ones; its weights are copies.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, generatorCell, initialise, parseHyperparameters, step } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, inferredInputs: 0 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * const cell = generatorCell(model);
 * assert.deepEqual([cell.kind, cell.G, cell.U], ["gru", 2, 0]);
 * assert.equal(step(cell, [0.1, 0], []).length, 2);
 * ```
 */
export function generatorCell(model: Model): Cell {
  const { cell: kind, nonlinearity } = model.architecture;
  const { G, U, X } = shapeOf(model.architecture);
  const gru = kind === "gru";
  const take = (name: string) => parameter(model, name).slice();
  const none = new Float64Array(0);
  const inferred = U > 0 ? take(gru ? "generator.wInput_U3G" : "generator.wInput_UG") : none;
  const external = X > 0 ? take(gru ? "generator.wExternal_X3G" : "generator.wExternal_XG") : none;
  return {
    kind,
    nonlinearity,
    G,
    U: U + X,
    wInput: Float64Array.from([...inferred, ...external]),
    wRecurrent: take(gru ? "generator.wGates_G2G" : "generator.wRecurrent_GG"),
    wCandidate: gru ? take("generator.wCandidate_GG") : none,
    b: take(gru ? "generator.b_3G" : "generator.b_G"),
  };
}

/**
 * At most about `most` of the states that a model visited, evenly spaced, as candidates.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { visitedStates } from "latentd";
 *
 * const gen_BTG = Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7); // 4 states of G = 2
 * assert.deepEqual(visitedStates(gen_BTG, 2, 2), Float64Array.of(0, 1, 4, 5));
 * ```
 */
export function visitedStates(gen_BTG: Float64Array, G: number, most = 2000): Float64Array {
  const states = gen_BTG.length / G;
  const every = Math.max(1, Math.ceil(states / most));
  const K = Math.ceil(states / every);
  const candidates_KG = new Float64Array(K * G);
  for (let k = 0; k < K; k++) {
    candidates_KG.set(gen_BTG.subarray(k * every * G, (k * every + 1) * G), k * G);
  }
  return candidates_KG;
}

/**
 * Fixed points of a model's generator under a constant input.
 *
 * @param gen_BTG states that the model visited (`infer`)
 * @param input_U the inputs, inferred then external, held still; zeros where they are left out
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   generateTrials,
 *   initialise,
 *   modelFixedPoints,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * const { gen_BTG } = generateTrials(model, { trials: 10 });
 * const { points } = await modelFixedPoints(createReferenceExecutor(), model, gen_BTG);
 * assert(points[0].q < 1e-5);
 * ```
 */
export function modelFixedPoints(
  executor: Executor,
  model: Model,
  gen_BTG: Float64Array,
  options: FixedPointOptions & { readonly input_U?: ArrayLike<number> } = {},
): Promise<FixedPointResult> {
  const cell = generatorCell(model);
  const { input_U = new Float64Array(cell.U), ...rest } = options;
  return findFixedPoints(executor, cell, visitedStates(gen_BTG, cell.G), input_U, {
    ...(model.binWidth === null ? {} : { binWidth: model.binWidth }),
    ...rest,
  });
}
