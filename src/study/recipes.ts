/**
 * Ways to fit the tutorial's data: the one that `demo` uses, the notebook's own, and steps between
 * them, which the report shows side by side.
 */
import {
  type Hyperparameters,
  type HyperparametersInput,
  parseHyperparameters,
} from "../model/hyperparameters.ts";

/** The notebook's sizes: two latents, a vanilla generator, no controller. */
const SIZES = {
  cell: "vanilla",
  encoderUnits: 2,
  generatorUnits: 2,
  factors: 2,
} satisfies HyperparametersInput;

/** Exactly the notebook's recipe. */
const TUTORIAL = {
  ...SIZES,
  nonlinearity: "tanh",
  generatorStart: "normal",
  readoutStart: "zero",
  keepRate: 0.95,
  generatorKeepRate: 0.95,
  steps: 3000,
} satisfies HyperparametersInput;

const RECIPES_INPUT = {
  default: {
    ...SIZES,
    nonlinearity: "identity",
    encoderUnits: 16,
    generatorStart: "near-identity",
    readoutStart: "mean-log-rate",
    generatorKeepRate: 1,
    steps: 2000,
  },
  tutorial: TUTORIAL,
  "tutorial without dropout on the generator": {
    ...TUTORIAL,
    generatorKeepRate: 1,
  },
  "and a generator near identity": {
    ...TUTORIAL,
    generatorKeepRate: 1,
    generatorStart: "near-identity",
  },
  "and 16 encoder units": {
    ...TUTORIAL,
    generatorKeepRate: 1,
    generatorStart: "near-identity",
    encoderUnits: 16,
  },
} satisfies Record<string, HyperparametersInput>;

export type RecipeName = keyof typeof RECIPES_INPUT;

/** The recipes' names, the default first. */
export const RECIPES = Object.keys(RECIPES_INPUT) as RecipeName[];

/** A recipe with every default filled in. */
export function recipe(name: RecipeName): Hyperparameters {
  return parseHyperparameters(RECIPES_INPUT[name]);
}
