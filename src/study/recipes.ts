/**
 * Ways to fit the tutorial's data: the one that `demo` uses, the notebook's own, and steps between
 * them, which the report shows side by side.
 */
import {
  type Hyperparameters,
  type HyperparametersInput,
  parseHyperparameters,
} from "../model/hyperparameters.ts";

/**
 * LFADS without what the defaults add for recordings: no controller, no coordinated dropout, both KL
 * terms in full, one small L2 penalty on everything.
 */
export const PLAIN = {
  inferredInputs: 0,
  controllerUnits: 0,
  coordinatedDropout: 0,
  keepRate: 0.95,
  klIcScale: 1,
  klInputsScale: 1,
  l2: 2e-5,
  l2Readout: 0,
  l2EncoderInput: 0,
  startReadout: 1,
  batchSize: 200,
  steps: 2000,
  stepSize: 0.01,
  decayFactor: 0.9998,
  klEnd: 1000,
  evaluateEvery: 100,
} satisfies HyperparametersInput;

/** The notebook's sizes: two latents, a vanilla generator, no controller. */
const SIZES = {
  ...PLAIN,
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
  batchSize: 200,
  stepSize: 0.01,
  decayFactor: 0.9998,
  decaySteps: 1,
  klMin: 0.1,
  klMax: 1,
  klStart: 0,
  klEnd: 1000,
  varMin: 1e-3,
  l2: 2e-5,
  maxGradNorm: 10,
  evalFraction: 0.1,
} satisfies HyperparametersInput;

const RECIPES_INPUT = {
  default: {
    ...SIZES,
    nonlinearity: "identity",
    encoderUnits: 12,
    // Without a saturating nonlinearity an eigenvalue much above 1 would overflow within a trial.
    generatorStart: "near-identity",
    startNoise: 0.1,
    readoutStart: "mean-log-rate",
    generatorKeepRate: 1,
    steps: 1000,
    decayFactor: 0.997,
    klEnd: 500,
  },
  tutorial: TUTORIAL,
  /** the notebook's, without dropout on the generator's two recurrent units */
  "no-generator-dropout": { ...TUTORIAL, generatorKeepRate: 1 },
  /** and with the generator starting at 0.9 I + 0.2 N(0, 1/G) */
  "near-identity": { ...TUTORIAL, generatorKeepRate: 1, generatorStart: "near-identity" },
  /** and with an encoder of 16 units */
  "wide-encoder": {
    ...TUTORIAL,
    generatorKeepRate: 1,
    generatorStart: "near-identity",
    encoderUnits: 16,
  },
} satisfies Record<string, HyperparametersInput>;

export type RecipeName = keyof typeof RECIPES_INPUT;

/** The recipes' names, the default first. */
export const RECIPES = Object.keys(RECIPES_INPUT) as RecipeName[];

/**
 * A recipe with every default filled in.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { recipe } from "latentd";
 *
 * assert.equal(recipe("tutorial").generatorKeepRate, 0.95);
 * assert.equal(recipe("default").generatorKeepRate, 1);
 * ```
 */
export function recipe(name: RecipeName): Hyperparameters {
  return parseHyperparameters(RECIPES_INPUT[name]);
}
