/** The generator's step (docs/model.md, section 1), for the arrows of a phase portrait. */
import type { Nd } from "../data/npy.ts";
import type { Model } from "../types.ts";

/** A state of the generator to the next, with its inferred inputs at 0. */
export type Step = (state: readonly number[]) => number[];

const NONLINEARITIES = {
  tanh: Math.tanh,
  relu: (x: number) => Math.max(0, x),
  identity: (x: number) => x,
};

/** The update gate's fixed bias. */
const UPDATE_BIAS = 0.5;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The generator of a model, from its parameters `[in][out]`. */
export function generatorStep(
  { hyperparameters: { cell, nonlinearity } }: Pick<Model, "hyperparameters">,
  parameters: ReadonlyMap<string, Nd>,
): Step {
  const values = (name: string) => {
    const found = parameters.get(`generator.${name}`);
    if (!found) throw new Error(`The model has no parameters generator.${name}.`);
    return found.data;
  };
  if (cell === "vanilla") {
    const w_GG = values("wRecurrent_GG"), b_G = values("b_G"), f = NONLINEARITIES[nonlinearity];
    return (state) => Array.from(b_G, (b, j) => f(b + product(state, w_GG, b_G.length, j)));
  }
  const w_G2G = values("wGates_G2G"), w_GG = values("wCandidate_GG"), b_3G = values("b_3G");
  const G = b_3G.length / 3;
  return (state) => {
    const reset = state.map((h, i) => h * sigmoid(b_3G[i] + product(state, w_G2G, 2 * G, i)));
    return state.map((h, i) => {
      const update = sigmoid(b_3G[G + i] + UPDATE_BIAS + product(state, w_G2G, 2 * G, G + i));
      const candidate = Math.tanh(b_3G[2 * G + i] + product(reset, w_GG, G, i));
      return update * h + (1 - update) * candidate;
    });
  };
}

/** Entry `j` of a row times a matrix that is `width` wide. */
function product(
  row: readonly number[],
  matrix: ArrayLike<number>,
  width: number,
  j: number,
): number {
  return row.reduce((sum, value, i) => sum + value * matrix[i * width + j], 0);
}
