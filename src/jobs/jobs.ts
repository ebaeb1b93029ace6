/** Datasets, runs and models that survive: one data directory, one server at a time. */
import { resolve } from "node:path";
import { makeFolderOrExplain } from "../data/files.ts";
import { InputError } from "../errors.ts";
import type { Arrays } from "./arrays.ts";
import { Datasets } from "./datasets.ts";
import { StorageError, withStorageErrors } from "./errors.ts";
import { sweep, tryLock } from "./files.ts";
import { DataFolder } from "./folder.ts";
import { Hub } from "./hub.ts";
import { Models } from "./models.ts";
import { type JobsOptions, type Settings, settings } from "./options.ts";
import { Runs } from "./runs.ts";
import { type RunningRun, Scheduler } from "./scheduler.ts";
import type { StoredRunState } from "./records.ts";
import type { Store } from "./store.ts";
import { startArraysWorker } from "./start_worker.ts";
import { type Thread, threadOf, type ThreadOnDemand, threadOnDemand } from "./threads.ts";

const KINDS = ["dataset", "run", "model"] as const;

/** How many there are. */
export interface JobsCounts {
  readonly datasets: number;
  readonly models: number;
  readonly runs: Readonly<Record<StoredRunState, number>>;
}

/**
 * Everything in a data directory, and the runs that compute. What a call has returned is on the disk and
 * survives the death of this process at any moment; so do runs, which go on from their last checkpoint.
 *
 * No call blocks its thread: the database and work on arrays have threads of their own, runs have
 * processes.
 */
export class Jobs {
  readonly datasets: Datasets;
  readonly runs: Runs;
  readonly models: Models;
  readonly #scheduler: Scheduler;
  readonly #hub = new Hub();
  #closed: Promise<void> | null = null;

  private constructor(
    private readonly folder: DataFolder,
    private readonly lock: Deno.FsFile,
    private readonly store: Thread<Store>,
    private readonly arrays: ThreadOnDemand<Arrays>,
    set: Settings,
  ) {
    const { remote } = store;
    this.#scheduler = new Scheduler(folder, remote, arrays.remote, this.#hub, set);
    this.datasets = new Datasets(folder, remote, arrays.remote, set.limits);
    this.models = new Models(folder, remote, arrays.remote, set.limits);
    this.runs = new Runs(folder, remote, this.#scheduler, this.#hub, set);
  }

  /** See {@link openJobs}. */
  static async open(path: string, options: JobsOptions): Promise<Jobs> {
    const set = settings(options);
    const folder = new DataFolder(resolve(path));
    const action = `Cannot open the data directory ${JSON.stringify(path)}`;
    if (folder.path.includes(",")) {
      throw new InputError(
        `${action}: expected a path without commas, which separate paths in the permissions of a ` +
          `run's process, found ${JSON.stringify(folder.path)}.`,
      );
    }
    return await withStorageErrors(action, async () => {
      for (const kind of KINDS) await makeFolderOrExplain(folder.folder(kind));
      const lock = await tryLock(folder.lock);
      if (!lock) {
        throw new StorageError(
          `${action}: expected that no other server has it, found that one does.`,
          "locked",
        );
      }
      const threads: Thread<object>[] = [];
      try {
        const store = threadOf<Store>(set.startStore());
        threads.push(store);
        const arrays = threadOnDemand<Arrays>(startArraysWorker);
        threads.push(arrays);
        await store.remote.open(folder.database);
        const jobs = new Jobs(folder, lock, store, arrays, set);
        await jobs.#sweep();
        return jobs;
      } catch (error) {
        for (const thread of threads) thread.close();
        lock.close();
        throw error;
      }
    });
  }

  /** Takes up the runs that an earlier server left, and lets those that wait begin. */
  async start(): Promise<void> {
    await this.#scheduler.start();
  }

  /** Starts the threads that nobody needed so far, so that nobody waits for them. */
  warm(): void {
    this.arrays.start();
  }

  /** Runs that have a process now. */
  get running(): readonly RunningRun[] {
    return this.#scheduler.running;
  }

  async counts(): Promise<JobsCounts> {
    return await this.store.remote.counts();
  }

  /**
   * Lets no more runs begin and ends those that run, each with a checkpoint: they are `interrupted`, and
   * go on at the next start. Everything else still works.
   */
  async drain(): Promise<void> {
    await this.#scheduler.drain();
  }

  /** Drains, ends those who follow runs, and lets another server have the directory. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.drain();
      this.#hub.close();
      await this.store.remote.close();
    } finally {
      this.store.close();
      this.arrays.close();
      this.lock.close();
    }
  }

  /** Removes what a crash left half-written or without a record. */
  async #sweep(): Promise<void> {
    for (const kind of KINDS) {
      const known = new Set(await this.store.remote.ids(kind));
      await sweep(this.folder.folder(kind), (name) => known.has(name.split(".")[0]));
    }
  }
}

/**
 * Opens a data directory, which is made where it is missing. Nothing runs before `start`.
 *
 * @param folder only one server at a time can have it
 * @throws {InputError} where it cannot be made
 * @throws {StorageError} where it cannot be used: another server has it, a full disk, no permission, a
 * damaged record, the database of a newer latentd
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { openJobs } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * const jobs = await openJobs(folder);
 * const { id, N } = await jobs.datasets.simulate({ kind: "rotation", trials: 10, T: 5, N: 3 });
 * assert.equal(N, 3);
 *
 * const hyperparameters = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const run = await jobs.runs.create({ dataset: id, hyperparameters, device: "reference" });
 * await jobs.start();
 * for await (const event of await jobs.runs.subscribe(run.id)) {
 *   if (event.kind === "evaluation") console.log(event.entry.step, event.entry.evaluation.nll);
 * }
 * const { state, model } = await jobs.runs.get(run.id);
 * assert.equal(state, "completed");
 * assert.equal((await jobs.models.get(model!)).step, 2);
 *
 * await jobs.close();
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function openJobs(folder: string, options: JobsOptions = {}): Promise<Jobs> {
  return Jobs.open(folder, options);
}
