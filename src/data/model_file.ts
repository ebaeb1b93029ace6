/** Models as safetensors files: one tensor per parameter slice, everything else in the metadata. */
import { InputError } from "../errors.ts";
import { architecture, parseHyperparameters } from "../model/hyperparameters.ts";
import { type Architecture, parameterLayout } from "../model/layout.ts";
import type { Model } from "../model/model.ts";
import { z } from "zod";
import type { SessionBlocks } from "./sessions.ts";
import { readFileOrExplain, writeFileAtomic } from "./files.ts";
import { readSafetensors, type Tensor, tensor, writeSafetensors } from "./safetensors.ts";

const FORMAT = "latentd model 1";

/**
 * The bytes of a model file. Parameters are float32, as they were trained, unless `wide`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   initialise,
 *   modelToBytes,
 *   parseHyperparameters,
 *   readSafetensors,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const { tensors, metadata } = readSafetensors(modelToBytes(model));
 * assert.equal(metadata.format, "latentd model 1");
 * assert.deepEqual(tensors["readout.w_FN"].shape, [2, 3]);
 * ```
 */
export function modelToBytes(model: Model, wide = false): Uint8Array {
  const tensors: Record<string, Tensor> = {};
  for (const { name, shape, offset, length } of parameterLayout(model.architecture).slices) {
    const values = model.params_P.subarray(offset, offset + length);
    tensors[name] = tensor(shape, wide ? values.slice() : Float32Array.from(values));
  }
  const { T, N } = model.architecture.dims;
  return writeSafetensors(tensors, {
    format: FORMAT,
    T: String(T),
    N: String(N),
    binWidth: model.binWidth === null ? "" : String(model.binWidth),
    seed: String(model.seed),
    step: String(model.step),
    ...(model.heldOut ? { heldOut: JSON.stringify(model.heldOut) } : {}),
    ...(model.sessions ? { sessions: JSON.stringify(model.sessions) } : {}),
    hyperparameters: JSON.stringify(model.hyperparameters),
  });
}

/**
 * @throws {InputError} where the file is no model of ours, or its tensors do not fit its hyperparameters
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   initialise,
 *   modelFromBytes,
 *   modelToBytes,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const wide = true; // float64
 * assert.deepEqual(modelFromBytes(modelToBytes(model, wide), "a copy"), model);
 * ```
 */
export function modelFromBytes(bytes: Uint8Array, what: string): Model {
  const { tensors, metadata } = readSafetensors(bytes, what);
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `Cannot read the model ${what}: expected metadata "format" of "${FORMAT}", found ` +
        `${metadata.format === undefined ? "none" : `"${metadata.format}"`}.`,
    );
  }
  const number = (name: string, least: number) => {
    const value = Number(metadata[name]);
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InputError(
        `Cannot read the model ${what}: expected metadata "${name}" of at least ${least}, found ` +
          `"${metadata[name]}".`,
      );
    }
    return value;
  };
  let given: unknown;
  try {
    given = JSON.parse(metadata.hyperparameters ?? "");
  } catch {
    throw new InputError(
      `Cannot read the model ${what}: expected hyperparameters as JSON in its metadata, found none.`,
    );
  }
  const hyperparameters = parseHyperparameters(given);
  const model = architecture(hyperparameters, number("T", 1), number("N", 1));
  const layout = parameterLayout(model);
  const params_P = new Float64Array(layout.length);
  for (const { name, shape, offset } of layout.slices) {
    const found = tensors[name];
    if (!found || found.shape.join() !== shape.join()) {
      throw new InputError(
        `Cannot read the model ${what}: expected "${name}" with shape [${
          shape.join(", ")
        }], found ` +
          (found ? `shape [${found.shape.join(", ")}].` : "no such tensor."),
      );
    }
    params_P.set(found.data, offset);
  }
  const bad = params_P.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new InputError(
      `Cannot read the model ${what}: expected finite parameters, found ${
        params_P[bad]
      } at ${bad}.`,
    );
  }
  return {
    architecture: model,
    hyperparameters,
    params_P,
    binWidth: metadata.binWidth ? Number(metadata.binWidth) : null,
    seed: number("seed", 0),
    step: number("step", 0),
    ...(metadata.heldOut === undefined ? {} : { heldOut: neurons(metadata.heldOut, model, what) }),
    ...(metadata.sessions === undefined
      ? {}
      : { sessions: sessionBlocks(metadata.sessions, model, what) }),
  };
}

const blocksSchema = z.strictObject({
  names: z.array(z.string()).min(2),
  neurons: z.array(z.int().min(1)),
});

/** Sessions from the metadata. */
function sessionBlocks(text: string, { dims: { N } }: Architecture, what: string): SessionBlocks {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = text;
  }
  const { data: blocks } = blocksSchema.safeParse(found);
  const sum = blocks?.neurons.reduce((sum, count) => sum + count, 0);
  if (blocks && sum === N && blocks.names.length === blocks.neurons.length) return blocks;
  throw new InputError(
    `Cannot read the model ${what}: expected names of sessions and their neurons, ${N} in all, found ` +
      `${text}.`,
  );
}

/** Held-out neurons from the metadata. */
function neurons(text: string, { dims: { N } }: Architecture, what: string): readonly number[] {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = text;
  }
  const list = Array.isArray(found) ? found : [-1];
  const ascending = list.every((n, i) =>
    Number.isInteger(n) && n >= 0 && n < N && (i === 0 || n > list[i - 1])
  );
  if (ascending) return list;
  throw new InputError(
    `Cannot read the model ${what}: expected held-out neurons from 0 to ${
      N - 1
    }, ascending, found ` +
      `${text}.`,
  );
}

/**
 * Reads a model file.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, initialise, parseHyperparameters, readModel, writeModel } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const folder = await Deno.makeTempDir();
 * await writeModel(`${folder}/model.safetensors`, model);
 * const { architecture: { dims } } = await readModel(`${folder}/model.safetensors`);
 * assert.deepEqual([dims.T, dims.N, dims.G], [5, 3, 2]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readModel(path: string): Promise<Model> {
  return modelFromBytes(await readFileOrExplain(path), path);
}

/**
 * Writes a model file, whole or not at all.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, initialise, parseHyperparameters, writeModel } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const folder = await Deno.makeTempDir();
 * await writeModel(`${folder}/model.safetensors`, model);
 * assert((await Deno.stat(`${folder}/model.safetensors`)).isFile);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function writeModel(path: string, model: Model): Promise<void> {
  return writeFileAtomic(path, modelToBytes(model));
}
