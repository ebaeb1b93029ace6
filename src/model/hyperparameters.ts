/**
 * The hyperparameters: one schema is the only source of their names, defaults, bounds and
 * documentation, for the command line, for files and for HTTP.
 */
import { z } from "zod";
import type { CellKind, Dims } from "../dims.ts";
import { InputError } from "../errors.ts";
import type { StepOptions } from "./choreography.ts";
import type { Architecture } from "./layout.ts";

const count = (least: number, most: number) => z.int().min(least).max(most);
const positive = (most: number) => z.number().positive().max(most);
const rate = () => z.number().gt(0).max(1);

/**
 * The schema. Every field has a default; unknown keys are refused.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { hyperparametersSchema } from "latentd";
 *
 * const { factors } = hyperparametersSchema.shape;
 * assert.equal(factors.parse(undefined), 12); // the default
 * assert.equal(factors.description, "factors between generator and log-rates");
 * assert.equal(factors.safeParse(0).success, false);
 * ```
 */
export const hyperparametersSchema = z.strictObject({
  cell: z.enum(["vanilla", "gru"]).default("gru").describe("the generator's cell"),
  nonlinearity: z.enum(["tanh", "relu", "identity"]).default("tanh")
    .describe("of a vanilla generator; a GRU has its own"),
  encoderUnits: count(1, 4096).default(32).describe("GRU units of the encoder in each direction"),
  initialConditionDims: count(0, 4096).default(0)
    .describe(
      "dimensions of the initial condition, from which g0 is a linear function; 0: it is g0",
    ),
  controllerEncoderUnits: count(0, 4096).default(0)
    .describe("GRU units of an encoder of the controller's own; 0: it shares the other"),
  controllerLag: count(0, 1000).default(0)
    .describe("bins by which the encodings of each direction reach the controller late"),
  firstFactors: z.enum(["zero", "generator"]).default("zero")
    .describe("what the controller sees of factors in the first bin: zeros, or those of g0"),
  controllerUnits: count(0, 4096).default(16)
    .describe("GRU units of the controller; 0 together with inferredInputs 0"),
  inferredInputs: count(0, 1024).default(4)
    .describe("inputs inferred at each bin; 0 is the autonomous model, without a controller"),
  generatorUnits: count(1, 4096).default(32).describe("units of the generator"),
  factors: count(1, 4096).default(12).describe("factors between generator and log-rates"),
  observation: z.enum(["poisson", "gaussian", "gamma", "zero-inflated-gamma"]).default("poisson")
    .describe("what the data are: counts, or real numbers of a distribution"),
  observationFloor: z.number().min(0).max(1e6).default(0)
    .describe("the least value above 0 of a zero-inflated gamma"),

  encodedBins: count(0, 65_536).default(0)
    .describe("bins, from the first on, that the encoders see, the others are predicted; 0: all"),
  initialConditionBins: count(0, 65_536).default(0)
    .describe(
      "bins, from the first on, that the initial condition is inferred from; 0: all encoded",
    ),
  heldOutNeurons: z.number().min(0).lt(1).default(0)
    .describe(
      "share of the neurons that the encoders never see (co-smoothing); drawn by the split",
    ),
  externalInputs: z.int().min(-1).max(1024).default(-1)
    .describe("external inputs that drive the generator; -1: as many as the data have"),
  coordinatedDropout: z.number().min(0).lt(1).default(0.3)
    .describe(
      "share of the inputs that is dropped at each step, and that alone has a loss; 0: off",
    ),
  sampleValidation: z.number().min(0).lt(1).default(0)
    .describe(
      "share of the samples that is hidden from the fit to see whether it overfits; 0: off",
    ),

  keepRate: rate().default(0.8)
    .describe("dropout keeps this share: spikes, encodings and the encoder's ends"),
  generatorKeepRate: rate().default(1)
    .describe("dropout keeps this share of the generator's state at every bin; it recurs"),
  varMin: positive(1).default(1e-3).describe("floor added to every Gaussian's variance"),
  icPriorVar: positive(1e3).default(0.1).describe(
    "start of the initial condition's prior variance",
  ),
  inputPriorTau: positive(1e4).default(1)
    .describe("start of the inferred inputs' autocorrelation time, in bins"),
  inputPriorNoiseVar: positive(1e3).default(0.1)
    .describe("start of the inferred inputs' innovation variance"),
  l2: z.number().min(0).max(10).default(2e-5).describe("L2 penalty on all parameters"),
  l2Generator: z.number().min(0).max(1e6).default(0)
    .describe("L2 penalty on the generator's recurrent weights, beside l2"),
  l2Controller: z.number().min(0).max(1e6).default(0)
    .describe("L2 penalty on the controller's recurrent weights, beside l2"),
  l2Encoder: z.number().min(0).max(1e6).default(0)
    .describe("L2 penalty on the encoders' recurrent weights, beside l2"),
  l2Readout: z.number().min(0).max(1e6).default(0.1)
    .describe("L2 penalty on the weights from factors to neurons, beside l2"),
  l2EncoderInput: z.number().min(0).max(1e6).default(0.1)
    .describe("L2 penalty on the weights from neurons to the encoders, beside l2"),
  l2Start: count(0, 10_000_000).default(0)
    .describe("step at which the L2 penalties and the weight decay start to rise from 0"),
  l2End: count(0, 10_000_000).default(0)
    .describe("step at which they are whole; 0: from the first step on"),

  generatorStart: z.enum(["normal", "near-identity"]).default("near-identity")
    .describe("recurrent weights: N(0, 1/G), or startIdentity * I + startNoise * N(0, 1/G)"),
  startIdentity: z.number().min(-2).max(2).default(0.9)
    .describe("identity share of a near-identity start (vanilla)"),
  startNoise: z.number().min(0).max(10).default(0.2)
    .describe("noise share of a near-identity start"),
  sessionStart: z.enum(["pca", "random"]).default("pca")
    .describe("of several sessions: weights from their common principal components, or random"),
  readoutStart: z.enum(["zero", "mean-log-rate"]).default("mean-log-rate")
    .describe("readout biases: 0, or each neuron's mean log-rate in the training trials"),
  startReadout: z.number().min(0).max(10).default(0.3)
    .describe("readout weights of counts start as this times N(0, 1/F)"),

  steps: count(1, 10_000_000).default(1000).describe("optimiser steps"),
  batchSize: count(1, 65_536).default(32)
    .describe("trials of a minibatch, drawn anew with replacement at every step"),
  stepSize: positive(10).default(0.01).describe("learning rate of the first step"),
  decayFactor: rate().default(0.998).describe("learning rate decay"),
  decaySteps: count(1, 10_000_000).default(1).describe("steps per learning rate decay"),
  adamB1: z.number().min(0).lt(1).default(0.9).describe("Adam's decay of the first moment"),
  adamB2: z.number().min(0).lt(1).default(0.999).describe("Adam's decay of the second moment"),
  adamEps: positive(1).default(1e-4).describe("Adam's epsilon, outside the root"),
  weightDecay: z.number().min(0).max(10).default(0)
    .describe("decoupled weight decay (AdamW): the share of the learning rate"),
  maxGradNorm: positive(1e9).default(10).describe("gradients are clipped to this global norm"),
  microBatch: count(0, 65_536).default(0)
    .describe("trials of a step that run at once, their gradients added up; 0: the whole batch"),
  klMin: z.number().min(0).max(1e3).default(0.1).describe("scale of the KL terms at first"),
  klMax: z.number().min(0).max(1e3).default(1).describe("scale of the KL terms at last"),
  klStart: count(0, 10_000_000).default(0).describe("step at which the KL scale starts to rise"),
  klEnd: count(1, 10_000_000).default(500).describe("step at which the KL scale reaches klMax"),
  klIcScale: z.number().min(0).max(1e6).default(0.2)
    .describe("multiplies the scale of the initial condition's KL"),
  klInputsScale: z.number().min(0).max(1e6).default(0.2)
    .describe("multiplies the scale of the inferred inputs' KL"),

  schedule: z.enum(["exponential", "plateau"]).default("exponential")
    .describe("learning rate: decays with the steps, or falls where evaluations no longer improve"),
  plateauFactor: z.number().gt(0).lt(1).default(0.95)
    .describe("what a plateau multiplies the learning rate by"),
  plateauPatience: count(0, 1_000_000).default(6)
    .describe("evaluations in a row without improvement that are no plateau yet"),
  minStepSize: z.number().min(0).max(10).default(1e-5)
    .describe("a plateau lowers the learning rate to no less"),
  earlyStop: count(0, 1_000_000).default(0)
    .describe("evaluations in a row without improvement that end the training; 0 never does"),
  guardFactor: z.number().gt(0).lt(1).default(0.5).describe(
    "where a number is not finite, training goes back and multiplies its learning rate by this",
  ),
  guardRetries: count(0, 100).default(5)
    .describe("how often a start may go back before it fails"),

  evalFraction: z.number().gt(0).lt(1).default(0.1)
    .describe("share of the trials that is held out for evaluation"),
  evaluateEvery: count(1, 1_000_000).default(50)
    .describe("steps between evaluations on all held-out trials"),
  checkpointEvery: count(1, 1_000_000).default(500).describe("steps between checkpoints"),
}).superRefine((h, context) => {
  if ((h.inferredInputs > 0) !== (h.controllerUnits > 0)) {
    context.addIssue({
      code: "custom",
      path: ["controllerUnits"],
      message: `expected both inferredInputs and controllerUnits above 0, or both 0; found ` +
        `inferredInputs ${h.inferredInputs} and controllerUnits ${h.controllerUnits}`,
    });
  }
  const refuse = (path: keyof typeof h, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (h.inferredInputs === 0) {
    if (h.controllerEncoderUnits > 0) {
      refuse(
        "controllerEncoderUnits",
        `expected 0 without inferredInputs, found ${h.controllerEncoderUnits}`,
      );
    }
    if (h.controllerLag > 0) {
      refuse("controllerLag", `expected 0 without inferredInputs, found ${h.controllerLag}`);
    }
  } else if (h.initialConditionBins > 0 && h.controllerEncoderUnits === 0) {
    refuse(
      "initialConditionBins",
      `expected 0, or controllerEncoderUnits above 0: an encoder that the controller shares sees ` +
        `all bins; found ${h.initialConditionBins}`,
    );
  }
  if (h.encodedBins > 0 && h.initialConditionBins > h.encodedBins) {
    refuse(
      "initialConditionBins",
      `expected at most encodedBins ${h.encodedBins}, found ${h.initialConditionBins}`,
    );
  }
  if (h.l2End > 0 && h.l2End <= h.l2Start) {
    refuse("l2End", `expected more than l2Start ${h.l2Start}, or 0, found ${h.l2End}`);
  }
  if (h.klEnd <= h.klStart) {
    context.addIssue({
      code: "custom",
      path: ["klEnd"],
      message: `expected more than klStart ${h.klStart}, found ${h.klEnd}`,
    });
  }
  if (h.schedule === "plateau" && h.minStepSize > h.stepSize) {
    context.addIssue({
      code: "custom",
      path: ["minStepSize"],
      message: `expected at most stepSize ${h.stepSize}, found ${h.minStepSize}`,
    });
  }
});

/** A full set of hyperparameters. */
export type Hyperparameters = Readonly<z.infer<typeof hyperparametersSchema>>;

/** Hyperparameters as a user gives them: what is left out gets its default. */
export type HyperparametersInput = Readonly<z.input<typeof hyperparametersSchema>>;

/**
 * Fills in defaults and checks bounds. The defaults are for recordings of some hundred trials: they
 * infer inputs, and hold back a fit that would learn its few trials by heart. `inferredInputs` 0 alone,
 * or `controllerUnits` 0, makes the autonomous model.
 *
 * @throws {InputError} naming each unknown key and each value out of bounds
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, parseHyperparameters } from "latentd";
 *
 * assert.equal(parseHyperparameters({ generatorUnits: 100 }).factors, 12);
 * assert.equal(parseHyperparameters({ inferredInputs: 0 }).controllerUnits, 0);
 * assert.throws(() => parseHyperparameters({ generatorUnit: 100 }), InputError);
 * ```
 */
export function parseHyperparameters(given: unknown): Hyperparameters {
  const result = hyperparametersSchema.safeParse(withoutController(given));
  if (result.success) return result.data;
  const names = Object.keys(hyperparametersSchema.shape);
  const found = (path: PropertyKey[]) => {
    let value: unknown = given;
    for (const key of path) value = (value as Record<PropertyKey, unknown>)?.[key];
    return JSON.stringify(value) ?? "nothing";
  };
  const problems = result.error.issues.map((issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown ${issue.keys.map((key) => `"${key}"`).join(", ")} (known: ${names.join(", ")})`
      : issue.code === "custom"
      ? `${issue.path.join(".")}: ${issue.message}`
      : `${issue.path.join(".") || "hyperparameters"}: ${issue.message}, found ${found(issue.path)}`
  );
  throw new InputError(`Cannot use these hyperparameters: ${problems.join("; ")}.`);
}

/** Either of the controller's two sizes given as 0, with nothing said of the other, is both. */
function withoutController(given: unknown): unknown {
  if (typeof given !== "object" || given === null) return given;
  const { inferredInputs, controllerUnits } = given as Record<string, unknown>;
  if (inferredInputs === 0 && controllerUnits === undefined) {
    return { ...given, controllerUnits: 0 };
  }
  if (controllerUnits === 0 && inferredInputs === undefined) return { ...given, inferredInputs: 0 };
  return given;
}

/**
 * The model that hyperparameters describe, for data of `T` bins and `N` neurons.
 *
 * @throws {InputError} where a window is longer than the data
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, parseHyperparameters } from "latentd";
 *
 * const model = architecture(parseHyperparameters({ generatorUnits: 2, factors: 2 }), 50, 100);
 * assert.deepEqual(model.dims, { T: 50, N: 100, E: 32, C: 16, U: 4, G: 2, F: 2 });
 * ```
 */
export function architecture(h: Hyperparameters, T: number, N: number): Architecture {
  const dims: Dims = {
    T,
    N,
    E: h.encoderUnits,
    C: h.controllerUnits,
    U: h.inferredInputs,
    G: h.generatorUnits,
    F: h.factors,
    ...(h.controllerEncoderUnits > 0 ? { V: h.controllerEncoderUnits } : {}),
    ...(h.externalInputs > 0 ? { X: h.externalInputs } : {}),
    ...(h.initialConditionDims > 0 ? { I: h.initialConditionDims } : {}),
  };
  const cell: CellKind = h.cell;
  const { encodedBins, initialConditionBins, controllerLag } = h;
  for (const [name, bins] of Object.entries({ encodedBins, initialConditionBins })) {
    if (bins > T) {
      throw new InputError(
        `Cannot make the model: expected ${name} of at most ${T}, the bins of a trial, found ${bins}.`,
      );
    }
  }
  return {
    dims,
    cell,
    nonlinearity: h.nonlinearity,
    ...(h.observation !== "poisson" ? { observation: h.observation } : {}),
    ...(h.firstFactors !== "zero" ? { firstFactors: h.firstFactors } : {}),
    ...(controllerLag > 0 ? { controllerLag } : {}),
    ...(encodedBins > 0 && encodedBins < T ? { encodedBins } : {}),
    ...(initialConditionBins > 0 && initialConditionBins < T ? { initialConditionBins } : {}),
  };
}

/**
 * The numbers of a step that stay the same from run to run.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseHyperparameters, stepOptions } from "latentd";
 *
 * const { keepRate, maxGradNorm } = stepOptions(parseHyperparameters({ keepRate: 0.9 }));
 * assert.deepEqual([keepRate, maxGradNorm], [0.9, 10]);
 * ```
 */
export function stepOptions(h: Hyperparameters): StepOptions {
  const { keepRate, generatorKeepRate, coordinatedDropout, varMin, observationFloor } = h;
  const { adamB1, adamB2, adamEps, maxGradNorm, weightDecay } = h;
  return {
    ...{ keepRate, generatorKeepRate, coordinatedDropout, varMin, observationFloor },
    ...{ adamB1, adamB2, adamEps, maxGradNorm, weightDecay },
  };
}
