/** Work on arrays that takes long: reading what was sent, simulating, writing files. */
import { join } from "node:path";
import { type Dataset, datasetToBytes, readDatasetBytes } from "../data/dataset.ts";
import { readFileOrExplain, writeFileAtomic } from "../data/files.ts";
import type { LayoutOptions } from "../data/formats/options.ts";
import { importModel, type ImportOptions } from "../data/import_model.ts";
import { modelFromBytes, modelToBytes } from "../data/model_file.ts";
import { encodeParameters, type ParameterFormat } from "../data/parameters_file.ts";
import { simulateLorenz, simulateRotation } from "../data/simulate.ts";
import { parameterLayout } from "../model/layout.ts";
import type { Model } from "../model/model.ts";
import { modelOfRun, readRunState, RUN_FILES } from "../train/run_directory.ts";
import { countsSha256, isRunFolder, readRunRecord } from "../train/run_record.ts";
import { LimitError, withStorageErrors } from "./errors.ts";
import { isFile, sha256 } from "./files.ts";
import type { SimulateRequest, StoredDataset, StoredModel } from "./records.ts";

/** What a dataset's record says about its contents. */
export type DatasetFacts = Omit<StoredDataset, "id" | "created" | "source">;

/** What a model's record says about its contents. */
export type ModelFacts = Pick<
  StoredModel,
  | "T"
  | "N"
  | "binWidth"
  | "seed"
  | "step"
  | "score"
  | "parameters"
  | "hyperparameters"
  | "report"
  | "bytes"
  | "sha256"
>;

export class Arrays {
  /** Checks a file of any format that is read and stores it as .npz. */
  async addDataset(
    bytes: Uint8Array,
    fileName: string,
    path: string,
    maxUnpackedBytes: number,
    layout: LayoutOptions,
  ): Promise<DatasetFacts> {
    const data = await readDatasetBytes(bytes, fileName, {
      ...layout,
      limits: { maxUnpackedBytes },
    });
    return await this.#store(data, path);
  }

  /** @throws {LimitError} before any work, where the arrays would be larger than allowed */
  async simulate(
    request: SimulateRequest,
    path: string,
    maxUnpackedBytes: number,
  ): Promise<DatasetFacts> {
    const sizes = request.kind === "rotation"
      ? { trials: 200, T: 50, N: 100 }
      : { trials: 1300, T: 100, N: 30 };
    const { trials, T, N } = { ...sizes, ...request };
    // counts and rates; at most three latents
    const bytes = trials * T * (N * (1 + 8) + 3 * 8);
    if (bytes > maxUnpackedBytes) {
      throw new LimitError(
        `Cannot simulate ${trials} trials of ${T} bins and ${N} neurons: expected arrays of at most ` +
          `${maxUnpackedBytes} bytes, as this server allows, found about ${bytes}.`,
        "bytes",
      );
    }
    const data = request.kind === "rotation" ? simulateRotation(request) : simulateLorenz(request);
    return await this.#store({ ...data, name: request.name ?? data.name }, path);
  }

  async #store(data: Dataset, path: string): Promise<DatasetFacts> {
    const bytes = datasetToBytes(data);
    const real = data.counts_BTN instanceof Float32Array;
    let spikes = 0;
    for (const count of data.counts_BTN) spikes += count;
    await withStorageErrors("Cannot store the dataset", () => writeFileAtomic(path, bytes));
    const { name, trials, T, N, binWidth, condition, truth, warnings } = data;
    return {
      name,
      trials,
      T,
      N,
      binWidth,
      spikes: real ? null : spikes,
      conditions: condition && new Set(condition).size,
      truth: truth !== null,
      warnings: [...warnings],
      bytes: bytes.length,
      sha256: await sha256(bytes),
      countsSha256: await countsSha256(data),
    };
  }

  /** Checks a model file and stores it as it is. */
  async addModel(bytes: Uint8Array, name: string, path: string): Promise<ModelFacts> {
    const model = modelFromBytes(bytes, JSON.stringify(name));
    return await this.#storeModel(model, bytes, path, null);
  }

  /** Makes a model of another program's arrays, and stores it. */
  async addForeignModel(
    bytes: Uint8Array,
    name: string,
    path: string,
    options: ImportOptions,
    maxBytes: number,
  ): Promise<{ facts: ModelFacts; warnings: readonly string[] }> {
    const { model, warnings } = importModel(bytes, JSON.stringify(name), {
      ...options,
      maxParameters: Math.floor(maxBytes / 8),
      // archives may be packed well, and hold float64
      limits: { maxUnpackedBytes: 2 * maxBytes },
    });
    // as float64: what is composed or folded is no float32
    const file = modelToBytes(model, true);
    return { facts: await this.#storeModel(model, file, path, null), warnings };
  }

  /**
   * Takes the model that a run has made so far, and its report where there is one.
   *
   * @returns null where nothing is trained yet
   */
  async takeModel(
    folder: string,
    path: string,
    reportPath: string,
  ): Promise<ModelFacts | null> {
    if (!await isRunFolder(folder)) return null;
    if (!await isFile(join(folder, RUN_FILES.checkpoint))) return null;
    const record = await readRunRecord(folder);
    const state = await readRunState(folder, record);
    if (state.step === 0) return null;
    const { device, status } = record;
    const trained = state.best.score < Infinity
      ? { params_P: state.best.params_P, step: state.best.step }
      : { params_P: state.params_P, step: state.step };
    const model = modelOfRun(record, { ...trained, seed: state.seed });
    const bytes = modelToBytes(model, device.name === "reference");
    // a report of an earlier end is not one of this model
    const reported = status === "completed" && await isFile(join(folder, RUN_FILES.report));
    if (reported) {
      const page = await readFileOrExplain(join(folder, RUN_FILES.report));
      await withStorageErrors("Cannot store the report", () => writeFileAtomic(reportPath, page));
    }
    const score = state.best.score < Infinity ? state.best.score : null;
    return { ...await this.#storeModel(model, bytes, path, score), report: reported };
  }

  async #storeModel(
    model: Model,
    bytes: Uint8Array,
    path: string,
    score: number | null,
  ): Promise<ModelFacts> {
    await withStorageErrors("Cannot store the model", () => writeFileAtomic(path, bytes));
    const { T, N } = model.architecture.dims;
    const { binWidth, seed, step, hyperparameters } = model;
    const { slices } = parameterLayout(model.architecture);
    return {
      ...{ T, N, binWidth, seed, step, score, hyperparameters },
      parameters: slices.reduce((sum, { length }) => sum + length, 0),
      report: false,
      bytes: bytes.length,
      sha256: await sha256(bytes),
    };
  }

  /** The parameters in a model file, in another format. */
  parameters(bytes: Uint8Array, format: ParameterFormat, what: string): Uint8Array {
    return encodeParameters(bytes, format, what);
  }
}
