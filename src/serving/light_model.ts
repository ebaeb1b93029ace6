/**
 * A model's file, read for inference alone: without the schema of the hyperparameters that training
 * has, which is larger than all that inference needs. It takes the files that `modelFromBytes` takes.
 */
import { readSafetensors } from "../data/safetensors.ts";
import { FAMILIES } from "../compute/kernels.ts";
import type { CellKind, Nonlinearity, Observation } from "../dims.ts";
import { InputError } from "../errors.ts";
import type { PosteriorModel } from "../inference/posterior_program.ts";
import { type Architecture, parameterLayout } from "../model/layout.ts";
import { show } from "./arrays/show.ts";

/** A model that can infer. */
export interface LightModel extends PosteriorModel {
  readonly binWidth: number | null;
  readonly step: number;
  /** neurons that the encoders never see, ascending; absent: they see all */
  readonly heldOut?: readonly number[];
}

const FORMAT = "latentd model 1";
/** The schema's own bounds; a test compares. */
const MOST_UNITS = 4096, MOST_INPUTS = 1024, MOST_BINS = 65_536;

/**
 * Reads a model for inference.
 *
 * @throws {InputError} where the file is no model of ours, or its tensors do not fit its shape
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   initialise,
 *   lightModelFromBytes,
 *   modelToBytes,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const file = modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P });
 * assert.deepEqual(lightModelFromBytes(file, "mine").architecture, shape);
 * ```
 */
export function lightModelFromBytes(bytes: Uint8Array, what: string): LightModel {
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot read the model ${what}: expected ${wanted}, found ${found}.`);
  };
  const { tensors, metadata } = readSafetensors(bytes, what);
  if (metadata.format !== FORMAT) {
    fail(`metadata "format" of "${FORMAT}"`, show(metadata.format));
  }
  const whole = (name: string, value: unknown, least: number, most: number): number => {
    if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) {
      return Number(value);
    }
    return fail(`"${name}" from ${least} to ${most}`, show(value));
  };
  const text = (name: string, least: number) =>
    whole(name, Number(metadata[name]), least, Number.MAX_SAFE_INTEGER);
  text("seed", 0);
  const given = hyperparameters(metadata.hyperparameters, fail);
  const units = (name: string, least: number, most = MOST_UNITS) =>
    whole(name, given[name], least, most);
  // what a plain model has not is 0, or absent in a file of an earlier version
  const optional = (key: string, name: string) =>
    Number(given[name] ?? 0) > 0 ? { [key]: units(name, 1, MOST_BINS) } : {};
  const { cell, nonlinearity, varMin, observation = "poisson" } = given;
  if (!Object.hasOwn(FAMILIES, String(observation))) {
    return fail(`an observation of ${Object.keys(FAMILIES).join(", ")}`, show(observation));
  }
  if (cell !== "gru" && cell !== "vanilla") {
    return fail('a cell "gru" or "vanilla"', show(cell));
  }
  if (nonlinearity !== "tanh" && nonlinearity !== "relu" && nonlinearity !== "identity") {
    return fail("a nonlinearity tanh, relu or identity", show(nonlinearity));
  }
  if (typeof varMin !== "number" || !(varMin > 0 && varMin <= 1)) {
    return fail('"varMin" above 0 and at most 1', show(varMin));
  }
  const C = units("controllerUnits", 0), U = units("inferredInputs", 0, MOST_INPUTS);
  if ((C > 0) !== (U > 0)) fail("controllerUnits and inferredInputs, or neither", `${C} and ${U}`);
  const architecture: Architecture = {
    dims: {
      T: text("T", 1),
      N: text("N", 1),
      E: units("encoderUnits", 1),
      C,
      U,
      G: units("generatorUnits", 1),
      F: units("factors", 1),
      ...optional("V", "controllerEncoderUnits"),
      ...optional("X", "externalInputs"),
      ...optional("I", "initialConditionDims"),
    },
    cell: cell satisfies CellKind,
    nonlinearity: nonlinearity satisfies Nonlinearity,
    ...(observation === "poisson" ? {} : { observation: observation as Observation }),
    ...(given.firstFactors === "generator" ? { firstFactors: "generator" } : {}),
    ...optional("controllerLag", "controllerLag"),
    ...optional("encodedBins", "encodedBins"),
    ...optional("initialConditionBins", "initialConditionBins"),
  };
  return {
    architecture,
    hyperparameters: { ...UNUSED, varMin, observationFloor: Number(given.observationFloor ?? 0) },
    params_P: parameters(architecture, tensors, fail),
    binWidth: metadata.binWidth ? Number(metadata.binWidth) : null,
    step: text("step", 0),
    ...(metadata.heldOut === undefined
      ? {}
      : { heldOut: heldOut(metadata.heldOut, architecture, fail) }),
  };
}

/** What a step has and inference does not: dropout and the optimiser. */
const UNUSED = {
  keepRate: 1,
  generatorKeepRate: 1,
  coordinatedDropout: 0,
  adamB1: 0,
  adamB2: 0,
  adamEps: 1,
  maxGradNorm: 1,
  weightDecay: 0,
} as const;

type Fail = (wanted: string, found: string) => never;

function hyperparameters(text: string | undefined, fail: Fail): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    return fail("hyperparameters as JSON in its metadata", "none");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  return fail("hyperparameters to be an object", "something else");
}

function heldOut(text: string, { dims: { N } }: Architecture, fail: Fail): readonly number[] {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  const list = Array.isArray(found) ? found : [-1];
  const ascending = list.every((n, i) =>
    Number.isInteger(n) && n >= 0 && n < N && (i === 0 || n > list[i - 1])
  );
  return ascending ? list : fail(`held-out neurons from 0 to ${N - 1}, ascending`, show(text));
}

function parameters(
  architecture: Architecture,
  tensors: ReturnType<typeof readSafetensors>["tensors"],
  fail: Fail,
): Float64Array {
  const layout = parameterLayout(architecture);
  // before memory is reserved: all that is wanted is in the file
  for (const { name, shape } of layout.slices) {
    const found = tensors[name];
    if (found?.shape.join() === shape.join()) continue;
    fail(
      `"${name}" with shape [${shape.join(", ")}]`,
      found ? `shape [${found.shape.join(", ")}]` : "no such tensor",
    );
  }
  const params_P = new Float64Array(layout.length);
  for (const { name, offset } of layout.slices) params_P.set(tensors[name].data, offset);
  const bad = params_P.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) fail("finite parameters", `${params_P[bad]} at ${bad}`);
  return params_P;
}
