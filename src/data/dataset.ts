/** Spike counts of many trials, with what is known about them: in memory, in .npz and in .npy files. */
import { basename, extname } from "node:path";
import { InputError } from "../errors.ts";
import { seedWords, STREAMS, words } from "../random.ts";
import { readFileOrExplain, writeFileAtomic } from "./files.ts";
import { type NpyArray, npyArray, parseNpy } from "./npy.ts";
import { type NpzArchive, openNpz, writeNpz } from "./npz.ts";
import {
  requireFinite,
  requireShape,
  type ShapedArray,
  validateBinWidth,
  validateCondition,
  validateCounts,
  warningsAbout,
} from "./validate.ts";
import type { ZipLimits } from "./zip.ts";

/** What simulated data came from. */
export interface Truth {
  /** Expected spikes per bin. */
  readonly rates_BTN: Float64Array;
  /** Empty, with `L = 0`, where only the rates are known. */
  readonly latents_BTL: Float64Array;
  readonly L: number;
  /** The transition matrix of linear simulators: `A[to][from]`, L × L. */
  readonly A?: number[][];
}

/** Spike counts and what is known about them. Every value has been checked. */
export interface Dataset {
  readonly name: string;
  readonly counts_BTN: Uint8Array | Uint16Array;
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
export interface DatasetArrays {
  readonly name: string;
  /** [trials, bins, neurons], whole numbers from 0 to 65 535 of any number type. */
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
 * A dataset from arrays: checked, and packed to one or two bytes a count.
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
  const { name, spikes, condition = null, binWidth = null } = arrays;
  const { minTrials = 2, action = `Cannot use ${JSON.stringify(name)}` } = options;
  const counts = validateCounts(spikes, action, minTrials);
  const { truth, warnings } = truthFromArrays(arrays, spikes.shape, action);
  return {
    name,
    ...counts,
    binWidth: validateBinWidth(binWidth, action),
    condition: condition === null ? null : validateCondition(condition, counts.trials, action),
    truth,
    warnings: [...warningsAbout(counts), ...warnings],
  };
}

function truthFromArrays(
  { rates = null, latents = null, A = null }: DatasetArrays,
  shape_BTN: readonly number[],
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
  requireFinite(rates, "rates", action, { negative: false });
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
export interface ReadDatasetOptions {
  readonly minTrials?: 1 | 2;
  readonly limits?: Partial<ZipLimits>;
}

/**
 * Reads a dataset from a .npz archive (`spikes`, and where known `bin_width_s`, `condition`, `rates`,
 * `latents`, `A`; other arrays are ignored) or from a .npy file of spikes alone. Without `spikes`, the
 * only array of 3 dimensions is taken and a warning says so. The dataset is named after the file.
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
  return datasetFromBytes(await readFileOrExplain(path), basename(path), options);
}

/**
 * Like {@link readDataset}, for bytes that are already here; `fileName` names the dataset and the
 * messages. The contents decide between .npz and .npy.
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
  { minTrials, limits }: ReadDatasetOptions = {},
): Dataset {
  const what = JSON.stringify(fileName);
  const action = `Cannot read ${what}`;
  const name = basename(fileName, extname(fileName));
  if (bytes[0] === 0x93) {
    return datasetFromArrays({ name, spikes: parseNpy(bytes, what) }, { minTrials, action });
  }
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) {
    throw new InputError(
      `${action}: expected a .npz archive or a .npy file, found ${
        bytes.length === 0 ? "an empty file" : "something else"
      }.`,
    );
  }
  const archive = openNpz(bytes, { what, limits });
  const { key, warnings } = spikesKey(archive, action);
  const optional = (name: string) => archive.names.includes(name) ? archive.read(name) : null;
  const dataset = datasetFromArrays({
    name,
    spikes: archive.read(key),
    binWidth: scalar(optional("bin_width_s"), action),
    condition: optional("condition"),
    rates: optional("rates"),
    latents: optional("latents"),
    A: optional("A"),
  }, { minTrials, action });
  return { ...dataset, warnings: [...warnings, ...dataset.warnings] };
}

/** Which array holds the spikes. */
function spikesKey(archive: NpzArchive, action: string): { key: string; warnings: string[] } {
  if (archive.names.includes("spikes")) return { key: "spikes", warnings: [] };
  const headers = archive.names.map((name) => ({ name, ...archive.header(name) }));
  const candidates = headers.filter(({ name, shape }) =>
    shape.length === 3 && name !== "rates" && name !== "latents"
  );
  if (candidates.length === 1) {
    const [{ name, shape }] = candidates;
    return {
      key: name,
      warnings: [`There is no "spikes"; took ${JSON.stringify(name)} of shape [${shape}].`],
    };
  }
  const MAX_LISTED = 20;
  const list = headers.slice(0, MAX_LISTED).map(({ name, shape, dtype }) =>
    `${JSON.stringify(name)} [${shape}] ${dtype.slice(0, 20)}`
  ).join(", ");
  throw new InputError(
    `${action}: expected an array "spikes" [trials, bins, neurons], or exactly one of 3 dimensions, ` +
      `found ${list || "no arrays"}${
        headers.length > MAX_LISTED ? ` and ${headers.length - MAX_LISTED} more` : ""
      }.`,
  );
}

function scalar(array: NpyArray | null, action: string): number | null {
  if (array === null) return null;
  if (array.data.length !== 1) {
    throw new InputError(
      `${action}: expected bin_width_s to be one number, found shape [${array.shape}].`,
    );
  }
  return array.data[0];
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
  const { counts_BTN, trials, T, N, binWidth, condition, truth } = dataset;
  const arrays: Record<string, NpyArray> = { spikes: npyArray([trials, T, N], counts_BTN) };
  if (binWidth !== null) arrays.bin_width_s = npyArray([], Float64Array.of(binWidth));
  if (condition !== null) arrays.condition = npyArray([trials], condition);
  if (truth !== null) {
    const { rates_BTN, latents_BTL, L, A } = truth;
    arrays.rates = npyArray([trials, T, N], rates_BTN);
    if (L > 0) arrays.latents = npyArray([trials, T, L], latents_BTL);
    if (A !== undefined) arrays.A = npyArray([L, L], Float64Array.from(A.flat()));
  }
  return writeNpz(arrays, { what: JSON.stringify(dataset.name) });
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
