/** Spike counts of many trials, with what is known about them: in memory and in files. */
import { basename } from "node:path";
import { InputError } from "../errors.ts";
import { seedWords, STREAMS, words } from "../random.ts";
import { readFileOrExplain, writeFileAtomic } from "./files.ts";
import { arraysOf } from "./formats/arrays_of.ts";
import { fileKind, readHead } from "./formats/kind.ts";
import type { LayoutOptions } from "./formats/options.ts";
import { type Layout, layoutOf } from "./formats/layout.ts";
import { openNumpy } from "./formats/open_numpy.ts";
import { writeNpz } from "./npz.ts";
import type { DataArray } from "./arrange.ts";
import { type DatasetParts, type PartArrays, separateMissing, validateParts } from "./parts.ts";
import {
  requireFinite,
  requireShape,
  type ShapedArray,
  validateBinWidth,
  validateCondition,
  validateValues,
  warningsAbout,
} from "./validate.ts";
import { wholeWindow } from "./windows.ts";
import type { ZipLimits } from "./zip.ts";

/** What simulated data came from. */
export interface Truth {
  /** Expected spikes per bin; of real numbers, expected values. */
  readonly rates_BTN: Float64Array;
  /** Empty, with `L = 0`, where only the rates are known. */
  readonly latents_BTL: Float64Array;
  readonly L: number;
  /** The transition matrix of linear simulators: `A[to][from]`, L × L. */
  readonly A?: number[][];
}

/** Spike counts and what is known about them. Every value has been checked. */
export interface Dataset extends DatasetParts {
  readonly name: string;
  /**
   * Whole counts, packed, or real numbers, which want another observation than `poisson`. 0 where they
   * were not observed.
   */
  readonly counts_BTN: DataArray;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  /** Seconds; null where not known. */
  readonly binWidth: number | null;
  /** One whole number per trial. */
  readonly condition: Int32Array | null;
  readonly truth: Truth | null;
  /** What is unusual but no reason to refuse: sentences. */
  readonly warnings: readonly string[];
}

/** Arrays that make a dataset. */
export interface DatasetArrays extends PartArrays {
  readonly name: string;
  /**
   * [trials, bins, neurons] of any number type: whole numbers from 0 to 65 535, or real numbers. NaN is a
   * bin that was not observed.
   */
  readonly spikes: ShapedArray;
  /** Seconds. */
  readonly binWidth?: number | null;
  /** [trials]. */
  readonly condition?: ShapedArray | null;
  /** Expected spikes per bin [trials, bins, neurons]. */
  readonly rates?: ShapedArray | null;
  /** [trials, bins, latents]; kept only together with `rates`. */
  readonly latents?: ShapedArray | null;
  /** [latents, latents]; kept only together with `latents`. */
  readonly A?: ShapedArray | null;
}

/** How strictly to judge a dataset. */
export interface DatasetOptions {
  /** 2 (the default) to fit: one trial to train on, one to evaluate. 1 to infer. */
  readonly minTrials?: 1 | 2;
  /** What is being done, for messages. Default `Cannot use <name>`. */
  readonly action?: string;
}

/**
 * A dataset from arrays: checked, and counts packed to one or two bytes each.
 *
 * @throws InputError naming what is wrong and the first place where it is
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFromArrays } from "latentd";
 *
 * const spikes = { shape: [2, 3, 1], data: Uint8Array.of(0, 1, 0, 2, 0, 1) };
 * const data = datasetFromArrays({ name: "small", spikes, binWidth: 0.01 });
 * assert.deepEqual([data.trials, data.T, data.N], [2, 3, 1]);
 * ```
 */
export function datasetFromArrays(arrays: DatasetArrays, options: DatasetOptions = {}): Dataset {
  const { name, condition = null, binWidth = null } = arrays;
  const { minTrials = 2, action = `Cannot use ${JSON.stringify(name)}` } = options;
  const { encoded, warnings: said, ...whole } = wholeWindow(arrays, action);
  const { spikes, masks } = withoutGaps(whole, action);
  const counts = validateValues(spikes, action, minTrials);
  const real = counts.counts_BTN instanceof Float32Array;
  const { truth, warnings } = truthFromArrays(whole, spikes.shape, real, action);
  const checked = condition === null ? null : validateCondition(condition, counts.trials, action);
  const parts = validateParts({ ...whole, missing: masks }, counts, checked, action);
  return {
    name,
    ...counts,
    binWidth: validateBinWidth(binWidth, action),
    condition: checked,
    truth,
    ...parts,
    ...encoded,
    warnings: [...said, ...warningsAbout(counts), ...warnings],
  };
}

/** NaN among the spikes and the mask beside them say the same thing. */
function withoutGaps(
  { spikes, missing }: DatasetArrays,
  action: string,
): { spikes: ShapedArray; masks: ShapedArray | null } {
  const found = separateMissing(spikes);
  if (!missing) return { spikes: found.spikes, masks: found.missing };
  requireShape(missing, spikes.shape, "like spikes", "missing", action);
  const data = found.spikes.data.slice();
  const mask = Uint8Array.from(missing.data, (value, i) => value || (found.missing?.data[i] ?? 0));
  for (let i = 0; i < data.length; i++) if (mask[i] === 1) data[i] = 0;
  return { spikes: { shape: spikes.shape, data }, masks: { shape: missing.shape, data: mask } };
}

function truthFromArrays(
  { rates = null, latents = null, A = null }: DatasetArrays,
  shape_BTN: readonly number[],
  negative: boolean,
  action: string,
): { truth: Truth | null; warnings: string[] } {
  if (rates === null) {
    const left = [latents && "latents", A && "A"].filter((key) => key !== null);
    return {
      truth: null,
      warnings: left.length === 0 ? [] : [`Without "rates", ${left.join(" and ")} left out.`],
    };
  }
  requireShape(rates, shape_BTN, "like spikes", "rates", action);
  requireFinite(rates, "rates", action, { negative });
  const rates_BTN = Float64Array.from(rates.data);
  if (latents === null) {
    return {
      truth: { rates_BTN, latents_BTL: new Float64Array(0), L: 0 },
      warnings: A === null ? [] : ['Without "latents", A left out.'],
    };
  }
  const [B, T] = shape_BTN;
  const L = latents.shape[2] ?? 0;
  requireShape(latents, [B, T, L], "[trials, bins, latents]", "latents", action);
  requireFinite(latents, "latents", action);
  const truth = { rates_BTN, latents_BTL: Float64Array.from(latents.data), L };
  if (A === null) return { truth, warnings: [] };
  requireShape(A, [L, L], "[latents, latents]", "A", action);
  requireFinite(A, "A", action);
  const rows = Array.from({ length: L }, (_, i) => Array.from(A.data.slice(i * L, i * L + L)));
  return { truth: { ...truth, A: rows }, warnings: [] };
}

/** How to read a dataset. */
export interface ReadDatasetOptions extends LayoutOptions {
  readonly minTrials?: 1 | 2;
  readonly limits?: Partial<ZipLimits>;
}

/**
 * Reads a dataset from a file; its contents decide what it is, and it is named after the file.
 *
 * - .npz: `spikes`, and where known `bin_width_s`, `condition`, `rates`, `latents`, `A` and the parts in
 *   `DatasetParts`. Without `spikes`, the only array of 3 dimensions is taken and a warning says so.
 * - .npy: spikes alone.
 * - HDF5: lfads-torch's names, the names of an .npz, or the only set of 3 dimensions; also what MATLAB
 *   writes as v7.3, where dimensions stand in MATLAB's order.
 * - NWB: units and trials; a window and a bin width make counts of them.
 * - Spike times: .npz or HDF5 with `spike_times`, `spike_units` and `trial_start`, in seconds.
 *
 * @throws InputError naming what is wrong and the first place where it is
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readDataset, simulateRotation, writeDataset } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * await writeDataset(`${folder}/spikes.npz`, simulateRotation({ trials: 4, T: 5, N: 3 }));
 * const data = await readDataset(`${folder}/spikes.npz`);
 * assert.equal(data.name, "spikes");
 * for (const warning of data.warnings) console.warn(warning);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readDataset(
  path: string,
  options: ReadDatasetOptions = {},
): Promise<Dataset> {
  if (fileKind(await readHead(path)) !== "hdf5") {
    return datasetFromBytes(await readFileOrExplain(path), basename(path), options);
  }
  const { hdf5Dataset } = await import("./formats/hdf5/host.ts");
  return await hdf5Dataset({ path }, basename(path), options);
}

/**
 * Like {@link readDataset}, for bytes that are already here; `fileName` names the dataset and the
 * messages.
 *
 * @throws InputError naming what is wrong and the first place where it is
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { npyArray, readDatasetBytes, writeNpz } from "latentd";
 *
 * const spikes = npyArray([2, 3, 1], Uint8Array.of(0, 1, 0, 2, 0, 1));
 * const data = await readDatasetBytes(writeNpz({ spikes }), "upload.npz");
 * assert.deepEqual([data.name, data.trials, data.T, data.N], ["upload", 2, 3, 1]);
 * ```
 */
export async function readDatasetBytes(
  bytes: Uint8Array,
  fileName: string,
  options: ReadDatasetOptions = {},
): Promise<Dataset> {
  if (fileKind(bytes) !== "hdf5") return datasetFromBytes(bytes, fileName, options);
  const { hdf5Dataset } = await import("./formats/hdf5/host.ts");
  return await hdf5Dataset({ bytes }, fileName, options);
}

/**
 * Like {@link readDatasetBytes}, at once, for NumPy's formats alone: what `writeDataset` writes. The
 * contents decide between .npz and .npy.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFromBytes, npyArray, writeNpz } from "latentd";
 *
 * const spikes = npyArray([2, 3, 1], Uint8Array.of(0, 1, 0, 2, 0, 1));
 * const data = datasetFromBytes(writeNpz({ spikes }), "upload.npz");
 * assert.deepEqual([data.name, data.trials, data.T, data.N], ["upload", 2, 3, 1]);
 * ```
 */
export function datasetFromBytes(
  bytes: Uint8Array,
  fileName: string,
  options: ReadDatasetOptions = {},
): Dataset {
  const { source, name, action } = openNumpy(bytes, fileName, options.limits);
  return datasetFromLayout(name, layoutOf(source, options, action), options, action);
}

/** The dataset that a file's arrays make, with what is to be said about how they were understood. */
export function datasetFromLayout(
  name: string,
  { arrays, warnings }: Layout,
  { minTrials }: Pick<DatasetOptions, "minTrials">,
  action: string,
): Dataset {
  const dataset = datasetFromArrays({ name, ...arrays }, { minTrials, action });
  return { ...dataset, warnings: [...warnings, ...dataset.warnings] };
}

/**
 * Writes a dataset as .npz, with the keys that {@link readDataset} reads; NumPy opens it too. Name and
 * warnings are not written: a reader finds them again.
 *
 * @throws InputError where the file cannot be written
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateRotation, writeDataset } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * await writeDataset(`${folder}/rotation.npz`, simulateRotation({ trials: 4, T: 5, N: 3 }));
 * assert((await Deno.stat(`${folder}/rotation.npz`)).isFile);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeDataset(path: string, dataset: Dataset): Promise<void> {
  await writeFileAtomic(path, datasetToBytes(dataset));
}

/**
 * The bytes that {@link writeDataset} writes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetToBytes, readNpz, simulateRotation } from "latentd";
 *
 * const bytes = datasetToBytes(simulateRotation({ trials: 4, T: 5, N: 3 }));
 * assert.deepEqual(readNpz(bytes).spikes.shape, [4, 5, 3]);
 * ```
 */
export function datasetToBytes(dataset: Dataset): Uint8Array {
  return writeNpz(arraysOf(dataset), { what: JSON.stringify(dataset.name) });
}

/**
 * Which trials train and which evaluate. Each trial draws one word of the stream `split` of the seed,
 * and the trials with the smallest words evaluate: so a larger fraction keeps the trials of a smaller.
 *
 * @param evalFraction above 0 and below 1; rounded to whole trials, at least one on either side
 * @returns indices of trials, ascending
 * @throws InputError for fewer than 2 trials or a fraction that is not between 0 and 1
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitTrials } from "latentd";
 *
 * const { train, evaluation } = splitTrials(10, 0.2, 0);
 * assert.deepEqual([train.length, evaluation.length], [8, 2]);
 * ```
 */
export function splitTrials(
  trials: number,
  evalFraction: number,
  seed: number,
): { train: Uint32Array; evaluation: Uint32Array } {
  if (!Number.isSafeInteger(trials) || trials < 2) {
    throw new InputError(
      `Cannot split trials: expected at least 2, one to train on and one to evaluate, found ${trials}.`,
    );
  }
  if (!(evalFraction > 0 && evalFraction < 1)) {
    throw new InputError(
      `Cannot split trials: expected a fraction to evaluate between 0 and 1, found ${evalFraction}.`,
    );
  }
  const evaluations = Math.min(trials - 1, Math.max(1, Math.round(trials * evalFraction)));
  const at = { ...seedWords(seed), stream: STREAMS.split };
  const draws = Uint32Array.from({ length: trials }, (_, trial) => words(at, trial, 0)[0]);
  const order = Uint32Array.from(draws.keys()).sort((a, b) => draws[a] - draws[b] || a - b);
  return {
    train: order.slice(evaluations).sort(),
    evaluation: order.slice(0, evaluations).sort(),
  };
}

/**
 * Which trials of a dataset train and which evaluate: as its file says, or else drawn by
 * {@link splitTrials}.
 *
 * @throws InputError as `splitTrials`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFromArrays, trialSplit } from "latentd";
 *
 * const spikes = { shape: [3, 1, 1], data: Uint8Array.of(0, 1, 2) };
 * const split = { train: [0, 2], evaluation: [1] };
 * const data = datasetFromArrays({ name: "small", spikes, split });
 * assert.deepEqual([...trialSplit(data, 0.5, 0).evaluation], [1]);
 * ```
 */
export function trialSplit(
  { trials, split }: Pick<Dataset, "trials" | "split">,
  evalFraction: number,
  seed: number,
): { train: Uint32Array; evaluation: Uint32Array } {
  return split ?? splitTrials(trials, evalFraction, seed);
}
