/**
 * What a face (HTTP, the Open Inference Protocol, the edge) asks for and gets: trials in, named arrays
 * out. The server's implementation queues for a device in a worker; the edge computes where it stands.
 */
import type { DeviceInfo } from "../compute/executor.ts";
import type { DataArray } from "../data/arrange.ts";
import { requireObservation } from "../data/observations.ts";
import type { ShapedArray } from "../data/validate.ts";
import type { CellKind, Dims, Nonlinearity, Observation } from "../dims.ts";
import { InputError } from "../errors.ts";
import {
  type Fitted,
  inModelShape,
  requireTaken,
  takesShape,
  wantedShape,
} from "../inference/model_shape.ts";
import { externalFor } from "../inference/seen.ts";
import { POSTERIOR_NAMES, posteriorNames } from "../inference/posterior_program.ts";

/**
 * Names of the arrays that an answer may hold, in order; the command line's files have the same.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { OUTPUT_NAMES } from "latentd";
 *
 * assert.deepEqual(OUTPUT_NAMES.slice(0, 3), ["rates", "rates_hz", "log_rates"]);
 * ```
 */
export const OUTPUT_NAMES = [
  "rates",
  "rates_hz",
  ...POSTERIOR_NAMES.slice(1),
] as readonly OutputName[];

export type OutputName = typeof POSTERIOR_NAMES[number] | "rates_hz";

/** A served model. */
export interface ModelDescription {
  readonly id: string;
  readonly dims: Dims;
  readonly cell: CellKind;
  readonly nonlinearity: Nonlinearity;
  /** seconds per bin, or null where not known */
  readonly binWidth: number | null;
  /** optimiser steps made */
  readonly step: number;
  /** what the data are; `poisson` where it is left out */
  readonly observation?: Observation;
  /** the least value above 0 of a zero-inflated gamma; 0 where it is left out */
  readonly observationFloor?: number;
  /** bins, from the first on, that the encoders see; all where it is left out */
  readonly encodedBins?: number;
  /** neurons that the encoders never see; none where it is left out */
  readonly heldOut?: readonly number[];
}

/** What decides which data a model takes. */
export type Takes = Omit<ModelDescription, "id" | "binWidth" | "step">;

/** A model that can be described. */
export interface Describable extends Fitted {
  readonly binWidth: number | null;
  readonly step: number;
  readonly hyperparameters: { readonly observationFloor: number };
}

export function describe(
  id: string,
  { architecture, heldOut, binWidth, step, hyperparameters: { observationFloor } }: Describable,
): ModelDescription {
  const { dims, cell, nonlinearity, observation, encodedBins } = architecture;
  return {
    ...{ id, dims, cell, nonlinearity, binWidth, step },
    ...(observation ? { observation } : {}),
    ...(observationFloor > 0 ? { observationFloor } : {}),
    ...(encodedBins === undefined ? {} : { encodedBins }),
    ...(heldOut && heldOut.length > 0 ? { heldOut } : {}),
  };
}

/** What of a model decides about its data: see `inModelShape`. */
export function fittedOf(
  { dims, cell, nonlinearity, encodedBins, heldOut, observation }: Takes,
): Fitted {
  return { architecture: { dims, cell, nonlinearity, encodedBins, observation }, heldOut };
}

/** Trials to infer from, and how. */
export interface InferRequest {
  /**
   * `[trials][T][N]`, whole counts, or real numbers where the model is one of them; not changed, and free
   * to be used again when the answer is there
   */
  readonly counts_BTN: DataArray;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  /** 1 where a bin was not observed */
  readonly missing_BTN?: Uint8Array;
  /** bins of each trial that belong to it */
  readonly lengths_B?: Int32Array;
  /** external inputs, where the model has some: `[trials][T or more][X]` */
  readonly external_BTX?: ShapedArray;
  /** posterior samples of each trial, averaged; 0 is the posterior mean, one deterministic pass */
  readonly samples: number;
  /** decides the samples; default 0 */
  readonly seed?: number;
  /**
   * The place of the first trial, which decides its noise; default 0. A dataset that is asked for in
   * pieces, each with the place of its first trial, gets the numbers that it gets in one piece.
   */
  readonly firstTrial?: number;
  /** seconds per bin of these trials, for `rates_hz`; the model's where left out or null */
  readonly binWidth?: number | null;
  /** which arrays; by default all that the model yields */
  readonly outputs?: readonly OutputName[];
}

/** An array of an answer, trials first, as wide as it was computed. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** What was inferred. */
export interface InferAnswer {
  readonly model: ModelDescription;
  readonly trials: number;
  readonly samples: number;
  readonly seed: number;
  readonly device: DeviceInfo;
  /** by name, in the order of `OUTPUT_NAMES` */
  readonly arrays: ReadonlyMap<OutputName, NamedArray>;
  /** milliseconds that it waited for the device, and that the device took for its launches */
  readonly queueMs: number;
  readonly computeMs: number;
}

/** How a request may end before its answer. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** milliseconds until the request fails with `timeout`; the service's own limit by default */
  readonly timeoutMs?: number;
}

/** Whether requests are answered, and by what. */
export interface Readiness {
  readonly ready: boolean;
  /** the device; null until it is open */
  readonly device: DeviceInfo | null;
  /** in words: why it is not ready, or why this device runs */
  readonly reason: string;
}

/** Inference, whatever computes it. */
export interface InferenceService {
  readiness(): Readiness;
  /** The ids of all models that can be asked. */
  models(): Promise<readonly string[]>;
  /** @throws {ServingError} `unknown-model` */
  describe(id: string, options?: RequestOptions): Promise<ModelDescription>;
  /**
   * @throws {InputError} where the request does not fit the model
   * @throws {ServingError} where it is not served
   */
  infer(id: string, request: InferRequest, options?: RequestOptions): Promise<InferAnswer>;
}

/** Most posterior samples of a trial. */
export const MOST_SAMPLES = 65_536;

/** The arrays that a request gets, in order. */
export function wantedOutputs(model: ModelDescription, request: InferRequest): OutputName[] {
  const binWidth = request.binWidth ?? model.binWidth;
  const has = new Set<string>(posteriorNames(model.dims));
  // expected values of real numbers are no rates
  if (binWidth !== null && (model.observation ?? "poisson") === "poisson") has.add("rates_hz");
  const { outputs } = request;
  for (const name of outputs ?? []) {
    if (has.has(name)) continue;
    throw new InputError(
      `Cannot infer: expected outputs among ${
        OUTPUT_NAMES.filter((name) => has.has(name)).join(", ")
      }, which this model yields, found ${JSON.stringify(name)}.`,
    );
  }
  return OUTPUT_NAMES.filter((name) => has.has(name) && (outputs?.includes(name) ?? true));
}

/** The shape of an array of `B` trials. */
export function outputShape(
  { T, N, C, U, G, I = G, F }: Dims,
  name: OutputName,
  B: number,
): number[] {
  switch (name) {
    case "rates":
    case "rates_hz":
    case "log_rates":
      return [B, T, N];
    case "factors":
      return [B, T, F];
    case "gen_states":
      return [B, T, G];
    case "gen_init":
      return [B, G];
    case "ic_mean":
    case "ic_logvar":
    case "ic_std":
      return [B, I];
    case "con_states":
      return [B, T, C];
    default:
      return [B, T, U];
  }
}

/** @throws {InputError} where spikes are not of a model's bins and neurons, or of no trial */
export function requireShape(shape: readonly number[], model: Takes): void {
  const [trials, bins, neurons] = shape;
  const fitted = fittedOf(model);
  if (shape.length === 3 && takesShape(fitted, bins, neurons) && trials >= 1) return;
  const { T, N } = model.dims;
  throw new InputError(
    `Cannot infer: expected spikes of shape [trials, ${T}, ${N}]${
      wantedShape(fitted).replace(/^[^,]*/, "")
    }, with at least one trial, found [${shape.slice(0, 8).join(", ")}${
      shape.length > 8 ? ", …" : ""
    }].`,
  );
}

/**
 * A request in the shape that the model was fitted to.
 *
 * @throws {InputError} where a request does not fit a model, or an option is out of range
 */
export function checkRequest(model: ModelDescription, given: InferRequest): InferRequest {
  const { trials, samples, seed = 0, firstTrial = 0, binWidth = null } = given;
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot infer: expected ${wanted}, found ${found}.`);
  };
  requireTaken(fittedOf(model), given);
  const { length } = given.counts_BTN, size = given.T * given.N;
  if (!Number.isSafeInteger(trials) || trials < 1 || length !== trials * size) {
    fail(
      `at least one trial, and ${size} counts for each`,
      `${trials} trials and ${length} counts`,
    );
  }
  const request = inModelShape(fittedOf(model), given);
  const { T } = request;
  const { observation = "poisson", observationFloor = 0 } = model;
  requireObservation(request, observation, observationFloor, "Cannot infer");
  externalFor(fittedOf(model), request);
  const whole = (name: string, value: number, most: number) => {
    if (Number.isSafeInteger(value) && value >= 0 && value <= most) return;
    fail(`${name} to be a whole number from 0 to ${most}`, String(value));
  };
  whole("samples", samples, MOST_SAMPLES);
  whole("seed", seed, Number.MAX_SAFE_INTEGER);
  // a trial's place times its bins is a row of noise, and rows are counted in 32 bits
  whole("firstTrial", firstTrial, Math.floor(0x7fffffff / T) - trials);
  if (binWidth !== null && !(binWidth > 0 && Number.isFinite(binWidth))) {
    fail("a bin width above 0 seconds", String(binWidth));
  }
  wantedOutputs(model, request);
  return request;
}
