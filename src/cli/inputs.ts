/** Datasets and models by their paths, with a word for the one that was taken for the other. */
import { join, resolve } from "node:path";
import {
  type Dataset,
  InputError,
  isRunFolder,
  type LayoutOptions,
  type Model,
  modelFromBytes,
  readDataset,
  readFileHead,
  readFileOrExplain,
  readRunRecord,
  RUN_FILES,
} from "../mod.ts";

/** The first bytes of a zip archive, and of a .npy file. */
const ZIP = [0x50, 0x4b], NPY = [0x93, 0x4e];

function beginsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

/** A safetensors file begins with the length of its header, which is JSON. */
function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > 8 && bytes[7] === 0 && bytes[8] === "{".charCodeAt(0);
}

/**
 * Reads a dataset.
 *
 * @param minTrials 2 to fit, 1 otherwise
 * @param options how to read it, where its file leaves something open
 * @throws {InputError} saying what is wrong, also where a model stands in place of data
 */
export async function readData(
  path: string,
  minTrials: 1 | 2,
  options: LayoutOptions = {},
): Promise<Dataset> {
  const wanted =
    `Cannot read data from ${JSON.stringify(path)}: expected a .npz archive, a .npy file ` +
    `or an HDF5 file,`;
  if (await isRunFolder(path)) throw new InputError(`${wanted} found the folder of a run.`);
  if (isSafetensors(await readFileHead(path))) {
    throw new InputError(`${wanted} found a safetensors file, as models are.`);
  }
  return await readDataset(path, { ...options, minTrials });
}

/**
 * How to read the data that a model is used with: as asked, or else as its run read the same file.
 *
 * @param given what was asked for
 */
export async function readOptions(
  modelPath: string,
  dataPath: string,
  given: LayoutOptions,
): Promise<LayoutOptions> {
  if (Object.keys(given).length > 0 || !await isRunFolder(modelPath)) return given;
  const { dataset } = await readRunRecord(modelPath);
  return dataset.path === resolve(dataPath) ? dataset.read ?? {} : {};
}

/**
 * Reads a model from its file, or from the folder of a run.
 *
 * @throws {InputError} saying what is wrong, also where data stand in place of a model
 */
export async function readModelOrRun(path: string): Promise<Model> {
  return modelFromBytes(await readModelBytes(path), JSON.stringify(path));
}

/**
 * The bytes of a model's file, or of the model in the folder of a run.
 *
 * @throws {InputError} where there is none, or data stand in place of a model
 */
export async function readModelBytes(path: string): Promise<Uint8Array> {
  const file = await isRunFolder(path) ? join(path, RUN_FILES.model) : path;
  const bytes = await readFileOrExplain(file);
  if (beginsWith(bytes, ZIP) || beginsWith(bytes, NPY)) {
    throw new InputError(
      `Cannot read the model ${
        JSON.stringify(path)
      }: expected a model file or the folder of a run, ` +
        `found ${beginsWith(bytes, ZIP) ? "a .npz archive" : "a .npy file"}, as data are.`,
    );
  }
  return bytes;
}
