/** The runs of a data directory. */
import { InputError } from "../errors.ts";
import { parseHyperparameters } from "../model/hyperparameters.ts";
import { ConflictError, NotFoundError } from "./errors.ts";
import { removeIfThere } from "./files.ts";
import type { DataFolder } from "./folder.ts";
import { slotOf } from "./hardware.ts";
import type { Hub } from "./hub.ts";
import { newId, parseId } from "./ids.ts";
import type { Settings } from "./options.ts";
import { parsePage, parseRequest } from "./request.ts";
import {
  FINAL_STATES,
  type RunEvent,
  type RunRequest,
  runRequestSchema,
  type StoredDataset,
  type StoredRun,
} from "./records.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Page, PageOptions, Store } from "./store.ts";
import type { Thread } from "./threads.ts";

/** Events that are read at once. */
const PAGE = 200;

export class Runs {
  constructor(
    private readonly folder: DataFolder,
    private readonly store: Thread<Store>["remote"],
    private readonly scheduler: Scheduler,
    private readonly hub: Hub,
    private readonly settings: Settings,
  ) {}

  /**
   * Queues a run.
   *
   * @throws {InputError} naming what cannot be used
   * @throws {NotFoundError} where there is no such dataset, or no such run to go on from
   * @throws {ConflictError} where it cannot go on from that run
   * @throws {LimitError} where too many runs wait
   */
  async create(request: RunRequest): Promise<StoredRun> {
    const asked = parseRequest(runRequestSchema, request, "Cannot queue the run");
    const from = asked.resumeFrom === undefined ? null : await this.#source(asked.resumeFrom);
    const given = asked.hyperparameters ?? {};
    // what reads a run's folder is loaded when a run goes on from another
    const resume = from && await import("./resume_from.ts");
    const hyperparameters = from && resume
      ? resume.hyperparametersToGoOn(from, given)
      : parseHyperparameters(given);
    const dataset = await this.#dataset(asked.dataset ?? from?.dataset);
    requireKind(dataset, hyperparameters);
    const run: StoredRun = {
      id: newId("run"),
      created: new Date().toISOString(),
      dataset: dataset.id,
      datasetName: dataset.name,
      hyperparameters,
      device: same(from, "device", asked.device) ?? "auto",
      seed: same(from, "seed", asked.seed) ?? 0,
      starts: same(from, "starts", asked.starts) ?? 1,
      reproducible: same(from, "reproducible", asked.reproducible) ?? false,
      report: asked.report ?? true,
      resumeFrom: from?.id ?? null,
      state: "queued",
      started: null,
      finished: null,
      step: from?.checkpoint ?? 0,
      // the process tells what its checkpoint knows
      checkpoint: null,
      stepsPerSecond: null,
      secondsLeft: null,
      deviceInfo: null,
      evaluation: null,
      best: null,
      failedStarts: [],
      recoveries: [],
      reported: false,
      model: null,
      failure: null,
      stoppedEarly: null,
      crashes: 0,
    };
    if (run.device === "webgpu" && run.reproducible) {
      throw new InputError(
        `Cannot queue the run: expected device "wasm" or "reference" where reproducible is true, ` +
          `since every GPU rounds in its own way, found "webgpu".`,
      );
    }
    const folder = this.folder.run(run.id);
    try {
      if (from && resume) await resume.copyRun(from.id, this.folder.run(from.id), folder, dataset);
      const { threads, limits } = this.settings;
      const slot = slotOf(run.device, run.reproducible, threads);
      await this.store.insertRun(run, slot, limits.queuedRuns);
    } catch (error) {
      await removeIfThere(folder).catch(() => {});
      throw error;
    }
    this.scheduler.wake();
    return run;
  }

  /** @throws {NotFoundError} */
  async get(id: string): Promise<StoredRun> {
    return await this.store.run(parseId("run", id));
  }

  /** Newest first. */
  async list(page: PageOptions = {}): Promise<Page<StoredRun>> {
    return await this.store.runs(parsePage("run", page));
  }

  /** Runs that wait, in the order in which they will begin. */
  async waiting(): Promise<StoredRun[]> {
    return await this.store.waiting();
  }

  /**
   * Asks a run to end. One that never began is cancelled at once; another is `cancelling` until it has
   * saved what it has trained so far, as a model. Asking again changes nothing.
   *
   * @throws {ConflictError} where it is completed or failed
   */
  async cancel(id: string): Promise<StoredRun> {
    const run = await this.store.cancel(parseId("run", id));
    this.hub.tell(run.id);
    if (run.state === "cancelling") await this.scheduler.cancel(run);
    return run;
  }

  /**
   * Deletes a run that is over, with its folder and its events. The model that it made stays.
   *
   * @throws {ConflictError} where it is not over
   */
  async delete(id: string): Promise<void> {
    await this.store.deleteRun(parseId("run", id));
    await removeIfThere(this.folder.run(id));
    this.hub.tell(id);
  }

  /**
   * What happens in a run: what is stored after the event `after`, then what comes, without gaps and
   * without repetition, until the run is over, the signal aborts or the server stops. One who reads
   * slowly holds nothing up.
   *
   * @param after the id of the last event that is known; 0, the default, for all
   * @throws {NotFoundError}
   */
  async subscribe(
    id: string,
    after = 0,
    signal?: AbortSignal,
  ): Promise<AsyncGenerator<RunEvent, void, void>> {
    if (!Number.isSafeInteger(after) || after < 0) {
      throw new InputError(
        `Cannot follow the run: expected the id of an event, a whole number from 0 on, found ${after}.`,
      );
    }
    await this.get(id);
    return this.#follow(id, after, signal);
  }

  async *#follow(
    id: string,
    after: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RunEvent, void, void> {
    const follower = this.hub.follow(id);
    const abort = () => follower.tell();
    signal?.addEventListener("abort", abort);
    try {
      while (!signal?.aborted && !this.hub.closed) {
        follower.look();
        const { over, events } = await this.store.follow(id, after, PAGE);
        for (const event of events) {
          if (signal?.aborted) return;
          after = event.id;
          yield event;
        }
        if (events.length === PAGE) continue;
        if (over) return;
        // an abort or the server's end may have come before the look
        if (!signal?.aborted && !this.hub.closed) await follower.news();
      }
    } catch (error) {
      if (!this.hub.closed && !(error instanceof NotFoundError)) throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      follower.leave();
    }
  }

  async #source(id: string): Promise<StoredRun> {
    const run = await this.get(id);
    if (FINAL_STATES.includes(run.state)) return run;
    throw new ConflictError(
      `Cannot go on from the run ${id}: expected a run that is over, found it ${run.state}.`,
    );
  }

  async #dataset(id: string | undefined): Promise<StoredDataset> {
    if (id === undefined) {
      throw new InputError(
        "Cannot queue the run: expected a dataset or resumeFrom, found neither.",
      );
    }
    const dataset = await this.store.dataset(id);
    if (dataset.spikes === null || dataset.spikes > 0) return dataset;
    throw new InputError(
      `Cannot queue the run: expected at least one spike in the dataset ${id}, found ` +
        `${dataset.trials} trials of zeros.`,
    );
  }
}

/** @throws {InputError} where real numbers are to be counts */
function requireKind(
  { id, spikes }: StoredDataset,
  { observation }: StoredRun["hyperparameters"],
): void {
  if (spikes !== null || observation !== "poisson") return;
  throw new InputError(
    `Cannot queue the run: expected the observation gaussian, gamma or zero-inflated-gamma for the real ` +
      `numbers of the dataset ${id}, found "poisson", which is for counts.`,
  );
}

/** What a run that goes on from another keeps. */
function same<K extends "device" | "seed" | "starts" | "reproducible">(
  from: StoredRun | null,
  name: K,
  given: StoredRun[K] | undefined,
): StoredRun[K] | undefined {
  if (!from || given === undefined || given === from[name]) return from?.[name] ?? given;
  throw new ConflictError(
    `Cannot go on from the run ${from.id}: expected ${name} ${
      from[name]
    }, as it has, found ${given}.`,
  );
}
