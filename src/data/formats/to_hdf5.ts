/** Datasets as HDF5 files: under the names of an .npz, or under lfads-torch's. */
import { InputError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import type { NumericArray } from "../elements.ts";
import { type NpyArray, npyArray, type NpyText } from "../npy.ts";
import type { GivenSplit } from "../parts.ts";
import type { ShapedArray } from "../validate.ts";
import { missingOf } from "../arrange.ts";
import { encodedPart } from "../windows.ts";
import { arraysOf, textArray } from "./arrays_of.ts";
import type { Hdf5Tree } from "./hdf5/tree.ts";

/** A file of these arrays, all in its root. */
export function treeOf(arrays: Readonly<Record<string, NpyArray | NpyText>>): Hdf5Tree {
  return {
    groups: [],
    datasets: Object.entries(arrays).map(([path, array]) => ({ path, array })),
  };
}

/** Every part of a dataset, under the names of its .npz. */
export function plainTree(dataset: Dataset): Hdf5Tree {
  return treeOf(arraysOf(dataset));
}

/**
 * What lfads-torch reads, with `condition`, `bin_width_s` and names beside it, which lfads-torch leaves
 * alone. Missing bins are NaN.
 *
 * @param split which trials train and which validate; each trial in one of them
 * @throws InputError where a trial is in neither part
 */
export function lfadsTorchTree(dataset: Dataset, split: GivenSplit): Hdf5Tree {
  const { counts_BTN, trials, T, N, binWidth, condition, conditionNames, truth } = dataset;
  const { neurons, external_BTX, behaviour_BTD } = dataset;
  const missing_BTN = missingOf(dataset);
  const outside = trials - split.train.length - split.evaluation.length;
  if (outside > 0) {
    throw new InputError(
      `Cannot write ${
        JSON.stringify(dataset.name)
      } for lfads-torch: expected every trial in train or ` +
        `valid, found ${outside} of ${trials} in neither.`,
    );
  }
  const spikes = Float32Array.from(
    counts_BTN,
    (count, i) => missing_BTN?.[i] === 1 ? NaN : count,
  );
  const whole = { shape: [trials, T, N], data: spikes };
  const rows: Record<string, ShapedArray> = {
    encod_data: encodedPart(dataset, spikes) ?? whole,
    recon_data: whole,
    ...(external_BTX ? { ext_input: external_BTX } : {}),
    ...(truth ? { truth: { shape: [trials, T, N], data: truth.rates_BTN } } : {}),
    ...(condition ? { condition: { shape: [trials], data: condition } } : {}),
    ...behaviour_BTD,
    inds: { shape: [trials], data: Int32Array.from({ length: trials }, (_, i) => i) },
  };
  const arrays: Record<string, NpyArray | NpyText> = rowsOfSplit(rows, split);
  if (truth) arrays.conversion_factor = npyArray([], Float64Array.of(1));
  if (binWidth !== null) arrays.bin_width_s = npyArray([], Float64Array.of(binWidth));
  if (conditionNames) arrays.condition_names = textArray(conditionNames);
  if (neurons) arrays.neurons = textArray(neurons);
  return treeOf(arrays);
}

/** Arrays with a row for each trial, once with the rows of `train_` and once with those of `valid_`. */
export function rowsOfSplit(
  rows: Readonly<Record<string, ShapedArray>>,
  split: GivenSplit,
): Record<string, NpyArray> {
  const arrays: Record<string, NpyArray> = {};
  for (const [prefix, indices] of [["train", split.train], ["valid", split.evaluation]] as const) {
    for (const [key, array] of Object.entries(rows)) {
      arrays[`${prefix}_${key}`] = chosen(array, indices);
    }
  }
  return arrays;
}

/** Some rows of an array. */
function chosen({ shape, data }: ShapedArray, rows: Uint32Array): NpyArray {
  const size = data.length / shape[0];
  const out: NumericArray = data.slice(0, rows.length * size);
  rows.forEach((row, i) => out.set(data.subarray(row * size, (row + 1) * size), i * size));
  return npyArray([rows.length, ...shape.slice(1)], out);
}
