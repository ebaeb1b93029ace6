/** The parameters of a model, as files for other programs. */
import { InputError } from "../errors.ts";
import { modelFromBytes } from "./model_file.ts";
import { MOST_JSON_NUMBERS, nestedJson } from "./nested_json.ts";
import { type NpyArray, npyArray } from "./npy.ts";
import { writeNpz } from "./npz.ts";
import { readSafetensors } from "./safetensors.ts";

/**
 * Formats of parameters: one array `[in, out]` for each of them.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PARAMETER_FORMATS } from "latentd";
 *
 * assert.deepEqual(Object.keys(PARAMETER_FORMATS), ["npz", "safetensors", "json"]);
 * ```
 */
export const PARAMETER_FORMATS = {
  npz: "NumPy archive, one array for each of the parameters",
  safetensors: "the model's file: everything that is known of it, and can be imported again",
  json: "nested lists, beside the hyperparameters",
} as const;

export type ParameterFormat = keyof typeof PARAMETER_FORMATS;

/**
 * The parameters in a model's file, in another format. Numbers stay as wide as they are; JSON gives
 * each exactly.
 *
 * @param bytes of the model's file
 * @param what names it in messages
 * @throws {InputError} where the file is no model, or too large to be written as text
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   encodeParameters,
 *   initialise,
 *   modelToBytes,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const file = modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P });
 *
 * const text = new TextDecoder().decode(encodeParameters(file, "json", "mine"));
 * const { T, N, parameters } = JSON.parse(text);
 * assert.deepEqual([T, N, parameters["readout.w_FN"].length], [5, 3, 2]);
 * ```
 */
export function encodeParameters(
  bytes: Uint8Array,
  format: ParameterFormat,
  what: string,
): Uint8Array {
  const model = modelFromBytes(bytes, what);
  if (format === "safetensors") return bytes;
  const { tensors } = readSafetensors(bytes, what);
  const arrays: Record<string, NpyArray> = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    arrays[name] = npyArray(shape, data);
  }
  if (format === "npz") return writeNpz(arrays, { what });
  const numbers = Object.values(arrays).reduce((sum, { data }) => sum + data.length, 0);
  if (numbers > MOST_JSON_NUMBERS) {
    throw new InputError(
      `Cannot write the parameters of ${what} as JSON: expected at most ${MOST_JSON_NUMBERS} numbers, ` +
        `found ${numbers}; .npz and .safetensors can hold them.`,
    );
  }
  const { architecture: { dims: { T, N } }, binWidth, seed, step, hyperparameters } = model;
  const facts = {
    ...{ format: "latentd parameters 1", T, N, binWidth, seed, step, hyperparameters },
    ...(model.heldOut ? { heldOut: model.heldOut } : {}),
  };
  const parts = Object.entries(arrays).map(([name, { shape, data }]) =>
    `${JSON.stringify(name)}:${nestedJson(shape, data)}`
  );
  return new TextEncoder().encode(
    `${JSON.stringify(facts).slice(0, -1)},"parameters":{${parts.join(",")}}}\n`,
  );
}
