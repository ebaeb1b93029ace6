/**
 * What a face (HTTP, the Open Inference Protocol, the edge) asks for and gets: trials in, named arrays
 * out. The server's implementation queues for a device in a worker; the edge computes where it stands.
 */
import type { DeviceInfo } from "../compute/executor.ts";
import type { CellKind, Dims, Nonlinearity } from "../dims.ts";
import { InputError } from "../errors.ts";
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
}

/** Trials to infer from, and how. */
export interface InferRequest {
  /** `[trials][T][N]`, whole counts; not changed, and free to be used again when the answer is there */
  readonly counts_BTN: Uint8Array | Uint16Array;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
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
  if (binWidth !== null) has.add("rates_hz");
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

/** @throws {InputError} where a request does not fit a model, or an option is out of range */
export function checkRequest(model: ModelDescription, request: InferRequest): void {
  const { trials, T, N, samples, seed = 0, firstTrial = 0, binWidth = null } = request;
  const { dims } = model;
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot infer: expected ${wanted}, found ${found}.`);
  };
  if (T !== dims.T || N !== dims.N) {
    fail(
      `spikes of ${dims.T} bins and ${dims.N} neurons, as the model was fitted to`,
      `${T} bins and ${N} neurons`,
    );
  }
  if (!Number.isSafeInteger(trials) || trials < 1 || request.counts_BTN.length !== trials * T * N) {
    fail(
      `at least one trial, and ${T * N} counts for each`,
      `${trials} trials and ${request.counts_BTN.length} counts`,
    );
  }
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
}
