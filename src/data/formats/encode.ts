/** Datasets as files of every format, and what each format cannot hold. */
import { InputError } from "../../errors.ts";
import { type Dataset, datasetToBytes } from "../dataset.ts";
import { npyArray, writeNpy } from "../npy.ts";
import type { GivenSplit } from "../parts.ts";
import { encodedOnly } from "../windows.ts";

/** Formats that a dataset can be written in. */
export const DATASET_FORMATS = {
  npz: "NumPy archive: everything",
  npy: "NumPy array: the counts alone",
  hdf5: "HDF5 under the names of an .npz: everything",
  "lfads-torch": "HDF5 that lfads-torch trains on; what was not observed is NaN",
  nwb: "NWB: units and trials, spikes evenly spaced in their bins",
} as const;

export type DatasetFormat = keyof typeof DATASET_FORMATS;

/** Parts that a format may lack and a user may leave out. */
export const DROPPABLE = [
  "bin_width",
  "condition",
  "truth",
  "latents",
  "neurons",
  "split",
  "recon",
  "external",
  "behaviour",
] as const;

export type Droppable = typeof DROPPABLE[number];

/** Leaving these out would turn what was not observed into silence. */
const NEVER_DROPPED = ["missing", "lengths"] as const;

type Part = Droppable | typeof NEVER_DROPPED[number];

const HOLDS: Readonly<Record<DatasetFormat, readonly Part[]>> = {
  npz: [...DROPPABLE, ...NEVER_DROPPED],
  npy: [],
  hdf5: [...DROPPABLE, ...NEVER_DROPPED],
  "lfads-torch": [
    "bin_width",
    "condition",
    "truth",
    "neurons",
    "split",
    "recon",
    "external",
    "behaviour",
    ...NEVER_DROPPED,
  ],
  nwb: ["bin_width", "condition", "neurons", "split"],
};

/** Which parts a dataset has. */
export function partsOf(dataset: Dataset): Part[] {
  const has: Record<Part, boolean> = {
    bin_width: dataset.binWidth !== null,
    condition: dataset.condition !== null,
    truth: dataset.truth !== null,
    latents: dataset.truth !== null && dataset.truth.L > 0,
    neurons: dataset.neurons !== undefined,
    split: dataset.split !== undefined,
    recon: dataset.encodedBins !== undefined || dataset.heldOut !== undefined,
    external: dataset.external_BTX !== undefined,
    behaviour: dataset.behaviour_BTD !== undefined,
    missing: dataset.missing_BTN !== undefined,
    lengths: dataset.lengths_B !== undefined,
  };
  return (Object.keys(has) as Part[]).filter((part) => has[part]);
}

/** A dataset without some of its parts. */
export function withoutParts(dataset: Dataset, parts: readonly Droppable[]): Dataset {
  const kept: { -readonly [K in keyof Dataset]: Dataset[K] } = {
    ...(parts.includes("recon") ? encodedOnly(dataset) : dataset),
  };
  for (const part of parts) {
    switch (part) {
      case "bin_width":
        kept.binWidth = null;
        break;
      case "condition":
        kept.condition = null;
        delete kept.conditionNames;
        break;
      case "truth":
        kept.truth = null;
        break;
      case "latents":
        kept.truth &&= { rates_BTN: kept.truth.rates_BTN, latents_BTL: new Float64Array(0), L: 0 };
        break;
      case "neurons":
        delete kept.neurons;
        break;
      case "split":
        delete kept.split;
        break;
      case "external":
        delete kept.external_BTX;
        break;
      case "behaviour":
        delete kept.behaviour_BTD;
        break;
    }
  }
  return kept;
}

/** How to write a dataset. */
export interface EncodeOptions {
  /** Parts to leave out, where a format cannot hold them or nobody wants them. Default none. */
  readonly drop?: readonly Droppable[];
  /** For lfads-torch: which trials train and which validate. Default: the dataset's own. */
  readonly split?: GivenSplit;
}

/**
 * A dataset as the bytes of a file. A part that the format cannot hold is an error unless it is named in
 * `drop`.
 *
 * `hdf5` and `npz` give the same dataset back; `lfads-torch` too, but for latents, and for lengths of
 * trials, which are missing bins there; `npy` gives back the counts; `nwb` gives back counts, conditions
 * and split when it is counted in the same bins.
 *
 * @throws InputError naming the parts that would be lost
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeDataset, readDatasetBytes, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 4, T: 5, N: 3 });
 * const bytes = await encodeDataset(data, "hdf5");
 * const again = await readDatasetBytes(bytes, "rotation.h5");
 * assert.deepEqual(again.counts_BTN, data.counts_BTN);
 * ```
 */
export async function encodeDataset(
  dataset: Dataset,
  format: DatasetFormat,
  { drop = [], split }: EncodeOptions = {},
): Promise<Uint8Array> {
  const data = withoutParts(dataset, drop);
  const action = `Cannot write ${JSON.stringify(data.name)} as ${format}`;
  const held: readonly string[] = HOLDS[format];
  const lost = partsOf(data).filter((part) =>
    !held.includes(part) || isForeign(part, data, format)
  );
  if (lost.length > 0) {
    const never = lost.filter((part) => (NEVER_DROPPED as readonly string[]).includes(part));
    throw new InputError(
      `${action}: expected only what that format can hold (${
        ["counts", ...held].join(", ")
      }), found also ${lost.join(", ")}. ${
        never.length > 0
          ? `Without ${never.join(" and ")}, bins that were not observed would be silence.`
          : `--drop ${lost.join(",")} leaves that out.`
      }`,
    );
  }
  const { trials, T, N, counts_BTN, name } = data;
  switch (format) {
    case "npz":
      return datasetToBytes(data);
    case "npy":
      return writeNpy(npyArray([trials, T, N], counts_BTN));
    case "hdf5": {
      const { plainTree } = await import("./to_hdf5.ts");
      return await written(plainTree(data), name);
    }
    case "lfads-torch": {
      const { lfadsTorchTree } = await import("./to_hdf5.ts");
      const given = split ?? data.split;
      if (given) return await written(lfadsTorchTree(data, given), name);
      throw new InputError(
        `${action}: expected a split into trials to train and to validate on, found none.`,
      );
    }
    case "nwb": {
      requireSpikes(data, action);
      const { nwbTree } = await import("./to_nwb.ts");
      return await written(nwbTree(data), name);
    }
  }
}

/** NWB numbers its units, and has no room for other names. */
function isForeign(part: Part, { neurons }: Dataset, format: DatasetFormat): boolean {
  if (format !== "nwb" || part !== "neurons" || !neurons) return false;
  return !neurons.every((name) => /^\d{1,9}$/.test(name)) ||
    new Set(neurons).size < neurons.length;
}

/** @throws InputError for real numbers, which are no spikes of units */
export function requireSpikes({ counts_BTN }: Pick<Dataset, "counts_BTN">, action: string): void {
  if (!(counts_BTN instanceof Float32Array)) return;
  throw new InputError(
    `${action}: expected spike counts, which become the spikes of units, found real numbers.`,
  );
}

async function written(
  tree: import("./hdf5/tree.ts").Hdf5Tree,
  name: string,
): Promise<Uint8Array> {
  const { hdf5Bytes } = await import("./hdf5/host.ts");
  return await hdf5Bytes(tree, name);
}
