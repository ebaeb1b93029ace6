/** What was inferred, as the bytes of a file. */
import type { Dataset } from "../../data/dataset.ts";
import { writeNpz } from "../../data/npz.ts";
import type { GivenSplit } from "../../data/parts.ts";
import type { Model } from "../../model/model.ts";
import type { Posterior } from "../posterior.ts";
import { outputArrays, predictedArrays } from "./arrays.ts";

/**
 * Formats that inferences are written in.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { OUTPUT_FORMATS } from "latentd";
 *
 * assert.deepEqual(Object.keys(OUTPUT_FORMATS), ["npz", "hdf5", "lfads-torch", "nwb"]);
 * ```
 */
export const OUTPUT_FORMATS = {
  npz: "NumPy archive",
  hdf5: "HDF5 under the names of the .npz",
  "lfads-torch": "HDF5 as lfads-torch leaves it: the data, and outputs by train_ and valid_",
  nwb: "NWB: units and trials, and a processing module with time series",
} as const;

export type OutputFormat = keyof typeof OUTPUT_FORMATS;

/** How an inference is written. */
export interface OutputOptions {
  /** For lfads-torch: the trials that the model was trained on, and those that it was not. */
  readonly split?: GivenSplit | null;
  /** As float64, as the reference computes; else float32. */
  readonly wide?: boolean;
}

/** Makes the bytes of a file. */
export type OutputEncoder = (posterior: Posterior) => Promise<Uint8Array>;

/**
 * What makes a file of an inference from all trials of a dataset. What the format asks of the data is
 * checked here, before anything is inferred.
 *
 * @throws {InputError} where the format cannot hold the data
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   infer,
 *   initialise,
 *   outputEncoder,
 *   parseHyperparameters,
 *   readNpz,
 *   simulateRotation,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const data = simulateRotation({ trials: 4, T: 5, N: 3 });
 * const encode = await outputEncoder(model, data, "npz"); // or "lfads-torch", "nwb", "hdf5"
 * const bytes = await encode(await infer(createReferenceExecutor(), model, data, { samples: 0 }));
 * assert.deepEqual(readNpz(bytes).gen_init.shape, [4, 2]);
 * ```
 */
export async function outputEncoder(
  model: Model,
  data: Dataset,
  format: OutputFormat,
  { split = null, wide = false }: OutputOptions = {},
): Promise<OutputEncoder> {
  const binWidth = data.binWidth ?? model.binWidth;
  const arrays = (posterior: Posterior) => ({
    ...outputArrays(posterior, model, { binWidth, wide }),
    ...predictedArrays(data),
  });
  const known = { ...data, binWidth };
  switch (format) {
    case "npz":
      return (posterior) =>
        Promise.resolve(writeNpz(arrays(posterior), { what: JSON.stringify(data.name) }));
    case "hdf5": {
      const { treeOf } = await import("../../data/formats/to_hdf5.ts");
      return async (posterior) => await written(treeOf(arrays(posterior)), data.name);
    }
    case "lfads-torch": {
      const { lfadsTorchOutputs } = await import("./lfads_torch.ts");
      const driven = (model.architecture.dims.X ?? 0) > 0;
      const tree = lfadsTorchOutputs(known, split, driven && data.external_BTX || null);
      return async (posterior) => await written(tree(arrays(posterior)), data.name);
    }
    case "nwb": {
      const { nwbOutputs } = await import("./nwb.ts");
      const tree = nwbOutputs(known);
      return async (posterior) =>
        await written(tree(arrays(posterior), posterior.samples), data.name);
    }
  }
}

async function written(
  tree: import("../../data/formats/hdf5/tree.ts").Hdf5Tree,
  name: string,
): Promise<Uint8Array> {
  const { hdf5Bytes } = await import("../../data/formats/hdf5/host.ts");
  return await hdf5Bytes(tree, name);
}
