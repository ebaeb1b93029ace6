/**
 * A run's folder. Every file is replaced whole, so that a crash at any moment leaves a run that can go
 * on from its last checkpoint.
 *
 * | file | holds |
 * | --- | --- |
 * | `run.json` | what was fitted to what, and how far it has come: `RunRecord` |
 * | `checkpoint.safetensors` | everything that an exact resume needs |
 * | `model.safetensors` | the model at its best evaluation |
 * | `losses.csv` | the history (of several starts, that of the best) |
 * | `starts.csv` | with several starts: the histories of all |
 * | `report.html` | the report, once it is made |
 * | `run.lock` | locked by the process that writes the run |
 */
import { join } from "node:path";
import { deviceWords } from "../compute/executor.ts";
import { makeFolderOrExplain, readFileOrExplain, writeFileAtomic } from "../data/files.ts";
import { modelToBytes } from "../data/model_file.ts";
import { InputError } from "../errors.ts";
import { architecture } from "../model/hyperparameters.ts";
import { parameterLayout } from "../model/layout.ts";
import type { Model } from "../model/model.ts";
import { historyToCsv, startsToCsv } from "./history_csv.ts";
import type { RunEnd } from "./loop.ts";
import {
  isRunFolder,
  readRunRecord,
  RECORD_FILE,
  recordToBytes,
  type RunRecord,
} from "./run_record.ts";
import {
  leader,
  onlyStart,
  type RunState,
  startsFromBytes,
  type StartsState,
  startsToBytes,
  summarise,
} from "./run_state.ts";

export const RUN_FILES = {
  record: RECORD_FILE,
  checkpoint: "checkpoint.safetensors",
  model: "model.safetensors",
  losses: "losses.csv",
  starts: "starts.csv",
  report: "report.html",
} as const;

const LOCK_FILE = "run.lock";
const LEFTOVER = /^\..+\.[0-9a-f-]{36}\.tmp$/;

/**
 * Refuses a folder that holds a run already, or files that a run would replace.
 *
 * @throws {InputError} naming what was found and the ways out
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   InputError,
 *   newRunRecord,
 *   parseHyperparameters,
 *   requireFreeFolder,
 *   RunDirectory,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 *
 * const folder = await Deno.makeTempDir();
 * await requireFreeFolder(folder);
 * (await RunDirectory.create(folder, record)).close();
 * await assert.rejects(requireFreeFolder(folder), InputError);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function requireFreeFolder(folder: string): Promise<void> {
  const what = JSON.stringify(folder);
  if (await isRunFolder(folder)) {
    const { status, steps } = await readRunRecord(folder);
    throw new InputError(
      `Cannot begin a run in ${what}: expected a folder without one, found a run (${status}, step ` +
        `${steps}). Go on with it (--resume ${folder}), or choose another folder (--out).`,
    );
  }
  for (const file of Object.values(RUN_FILES)) {
    if (await exists(join(folder, file))) {
      throw new InputError(
        `Cannot begin a run in ${what}: expected a folder without files of a run, found ${file}. ` +
          `Choose another folder (--out).`,
      );
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/**
 * A run's folder that this process may write: no other process can have it open meanwhile.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   newRunRecord,
 *   parseHyperparameters,
 *   RunDirectory,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 *
 * const folder = await Deno.makeTempDir();
 * const directory = await RunDirectory.create(folder, record);
 * const run = fit(data, device, {
 *   hyperparameters,
 *   seed: 0,
 *   checkpoint: (state) => directory.save(state),
 * });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * await directory.finish(next.value.ended, next.value.model);
 * assert.equal((await directory.readState()).step, 2); // `resume` of another fit would go on here
 * directory.close();
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class RunDirectory {
  #record: RunRecord;
  /** seed and step of the model in the folder */
  #model = "";

  private constructor(
    readonly folder: string,
    record: RunRecord,
    private readonly lock: Deno.FsFile,
  ) {
    this.#record = record;
  }

  /**
   * Begins a run in a folder, which is made where it is missing.
   *
   * @throws {InputError} when the folder holds a run already, another process writes it, or it cannot
   * be written
   */
  static async create(folder: string, record: RunRecord): Promise<RunDirectory> {
    await requireFreeFolder(folder);
    await makeFolderOrExplain(folder);
    const lock = await takeLock(folder);
    try {
      // another process may have begun between the look and the lock
      await requireFreeFolder(folder);
      const run = new RunDirectory(folder, record, lock);
      await run.#writeRecord({});
      return run;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Opens a run to go on with it, and clears away what a crash left half-written.
   *
   * @throws {InputError} when the folder is no run, its record is damaged, or another process writes it
   */
  static async open(folder: string): Promise<RunDirectory> {
    await readRunRecord(folder);
    const lock = await takeLock(folder);
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (LEFTOVER.test(name)) await Deno.remove(join(folder, name));
      }
      return new RunDirectory(folder, await readRunRecord(folder), lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  get record(): RunRecord {
    return this.#record;
  }

  path(file: keyof typeof RUN_FILES): string {
    return join(this.folder, RUN_FILES[file]);
  }

  /** The last checkpoint of the best start; see `readRunState`. */
  readState(): Promise<RunState> {
    return readRunState(this.folder, this.#record);
  }

  /** The last checkpoint; see `readStarts`. */
  readStarts(): Promise<StartsState> {
    return readStarts(this.folder, this.#record);
  }

  /**
   * Records that a run goes on from `step`.
   *
   * @param update what changed: hyperparameters, the device
   */
  async resume(
    step: number,
    changed: Record<string, [before: unknown, after: unknown]>,
    update: Partial<Pick<RunRecord, "hyperparameters" | "device">>,
  ): Promise<void> {
    const before = deviceWords(this.#record.device);
    const moved = update.device !== undefined && deviceWords(update.device) !== before;
    const deviceBefore = moved ? { deviceBefore: before } : {};
    await this.#writeRecord({
      ...update,
      status: "running",
      finished: null,
      ended: null,
      failure: null,
      resumed: [
        ...this.#record.resumed,
        { at: new Date().toISOString(), step, changed, ...deviceBefore },
      ],
    });
  }

  /** Saves a checkpoint, the best model so far and the history: the checkpoint first. */
  async save(state: RunState | StartsState): Promise<void> {
    const starts = "going" in state ? state : onlyStart(state);
    await writeFileAtomic(this.path("checkpoint"), startsToBytes(starts, this.#wide));
    const best = leader(starts.going);
    if (best.best.score < Infinity) {
      const model = bestModel(this.#record, best);
      if (nameOf(model) !== this.#model) await this.#writeModel(model);
    }
    const write = (file: "losses" | "starts", text: string) =>
      writeFileAtomic(this.path(file), new TextEncoder().encode(text));
    await write("losses", historyToCsv(best));
    if (this.#record.starts.length > 1) await write("starts", startsToCsv(starts));
    const { step: steps, seconds } = starts;
    await this.#writeRecord({ steps, seconds, starts: summarise(starts) });
  }

  /** Saves the model of a run that is over, and says how it ended. */
  async finish(ended: RunEnd, model: Model): Promise<void> {
    await this.#writeModel(model);
    const status = ended === "signal" ? "stopped" : "completed";
    await this.#writeRecord({ status, finished: new Date().toISOString(), ended });
  }

  /** Says that the run failed, and why. Checkpoints stay. */
  async fail(reason: string): Promise<void> {
    await this.#writeRecord({
      status: "failed",
      finished: new Date().toISOString(),
      failure: reason,
    });
  }

  /** Lets other processes have the run. */
  close(): void {
    this.lock.close();
  }

  /** Checkpoints and models are as wide as the device computes. */
  get #wide(): boolean {
    return this.#record.device.name === "reference";
  }

  async #writeModel(model: Model): Promise<void> {
    await writeFileAtomic(this.path("model"), modelToBytes(model, this.#wide));
    this.#model = nameOf(model);
  }

  async #writeRecord(update: Partial<RunRecord>): Promise<void> {
    this.#record = { ...this.#record, ...update };
    await writeFileAtomic(this.path("record"), recordToBytes(this.#record));
  }
}

/**
 * The last checkpoint of a run; of several starts, that of the best.
 *
 * @throws {InputError} when there is none, or it is not of this run's shape and seed
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   newRunRecord,
 *   parseHyperparameters,
 *   readRunState,
 *   RunDirectory,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 *
 * const folder = await Deno.makeTempDir();
 * const directory = await RunDirectory.create(folder, record);
 * const checkpoint = directory.save.bind(directory);
 * const run = fit(data, device, { hyperparameters, seed: 0, checkpoint });
 * while (!(await run.next()).done);
 * directory.close();
 * assert.equal((await readRunState(folder, record)).step, 2);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readRunState(folder: string, record: RunRecord): Promise<RunState> {
  return leader((await readStarts(folder, record)).going);
}

/**
 * The last checkpoint of a run, with all its starts.
 *
 * @throws {InputError} when there is none, or it is not of this run's shape and seeds
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fitStarts,
 *   newRunRecord,
 *   parseHyperparameters,
 *   readStarts,
 *   RunDirectory,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   starts: 2,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 *
 * const folder = await Deno.makeTempDir();
 * const directory = await RunDirectory.create(folder, record);
 * const checkpoint = directory.save.bind(directory);
 * const run = fitStarts(data, device, { hyperparameters, seed: 0, starts: 2, checkpoint });
 * while (!(await run.next()).done);
 * directory.close();
 * assert.equal((await readStarts(folder, record)).going.length, 2);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readStarts(folder: string, record: RunRecord): Promise<StartsState> {
  const path = join(folder, RUN_FILES.checkpoint);
  const { T, N } = record.dataset;
  const P = parameterLayout(architecture(record.hyperparameters, T, N)).length;
  const state = startsFromBytes(await readFileOrExplain(path), P, path);
  const seeds = (starts: readonly { readonly seed: number }[]) => {
    const list = starts.map(({ seed }) => seed).sort((a, b) => a - b);
    return `${list.length === 1 ? "seed" : "seeds"} ${list.join(", ")}`;
  };
  const expect = (wanted: string, found: string) => {
    if (found === wanted) return;
    throw new InputError(
      `Cannot resume from ${path}: expected a checkpoint of ${wanted}, as ${RECORD_FILE} says, ` +
        `found ${found}.`,
    );
  };
  expect(seeds(record.starts), seeds([...state.going, ...state.failed]));
  expect(`split ${record.splitSeed}`, `split ${state.splitSeed}`);
  return state;
}

/** What tells two models of a run apart. */
function nameOf({ seed, step }: Model): string {
  return `${seed} ${step}`;
}

function bestModel(record: RunRecord, { best, seed }: RunState): Model {
  return modelOfRun(record, { params_P: best.params_P, step: best.step, seed });
}

/** The model of a run that has these parameters. */
export function modelOfRun(
  { hyperparameters, dataset, heldOut, sessions }: RunRecord,
  trained: Pick<Model, "params_P" | "step" | "seed">,
): Model {
  return {
    ...trained,
    architecture: architecture(hyperparameters, dataset.T, dataset.N),
    hyperparameters,
    binWidth: dataset.binWidth,
    ...(heldOut.length > 0 ? { heldOut } : {}),
    ...(sessions ? { sessions } : {}),
  };
}

/** Locks the folder until the file is closed or the process ends, however it ends. */
async function takeLock(folder: string): Promise<Deno.FsFile> {
  const path = join(folder, LOCK_FILE);
  let lock: Deno.FsFile;
  try {
    lock = await Deno.open(path, { write: true, create: true });
  } catch (error) {
    const refused = [
      Deno.errors.PermissionDenied,
      Deno.errors.NotCapable,
      Deno.errors.IsADirectory,
    ];
    if (!refused.some((kind) => error instanceof kind)) throw error;
    throw new InputError(
      `Cannot write the run ${
        JSON.stringify(folder)
      }: expected a folder that can be written, found ` +
        `that ${LOCK_FILE} cannot.`,
    );
  }
  try {
    if (await lock.tryLock(true)) return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
  lock.close();
  throw new InputError(
    `Cannot write the run ${JSON.stringify(folder)}: expected it to be idle, found that another ` +
      `process is writing it.`,
  );
}
