/**
 * What computes and what stores, opened before anything else: their threads start while the rest of the
 * server is still being loaded.
 */
import {
  createServing,
  InputError,
  type Jobs,
  openJobs,
  type Serving,
  type ServingEvent,
} from "../src/server.ts";
import { Early } from "./early.ts";
import type { Settings } from "./settings.ts";

export interface BackendOptions {
  /** the data directory */
  readonly folder: string;
  readonly settings: Settings;
  /** of inference: `auto`, `webgpu`, `wasm` or `reference` */
  readonly device?: string;
  /** of the wasm device, in inference and in runs */
  readonly threads?: number;
  readonly reproducible?: boolean;
}

/** Threads that were started already: each is asked for again when it is lost. */
export interface Workers {
  readonly device: () => Worker;
  readonly store: () => Worker;
}

/** Who hears what happens. */
export interface Listener {
  serving(event: ServingEvent): void;
  /** something that cannot be stored just now */
  problem(error: unknown): void;
}

export interface Backend {
  readonly jobs: Promise<Jobs>;
  readonly serving: Serving;
  /** Tells what happened so far, and what comes. */
  listen(listener: Listener): void;
}

/** Opens the data directory and the device that infers; runs do not begin yet. */
export function openBackend(options: BackendOptions, workers?: Workers): Backend {
  const { folder, settings, device, threads, reproducible } = options;
  const early = new Early<Listener>();
  let training = () => false;

  const serving = createServing({
    models: {
      read: async (id) => {
        try {
          return await (await jobs).models.bytes(id);
        } catch (error) {
          // there is none of this name, or it is no name
          if (error instanceof InputError) return null;
          throw error;
        }
      },
      list: async () =>
        (await (await jobs).models.list({ limit: 10_000 })).items.map(({ id }) => id),
    },
    device: { device, threads, reproducible },
    ...(workers ? { startWorker: workers.device } : {}),
    // a run that trains needs every processor
    awakeMs: () => training() || navigator.hardwareConcurrency < 2 ? 0 : settings.awakeMs,
    timeoutMs: settings.timeoutMs,
    jobTimeoutMs: settings.jobTimeoutMs,
    maxAnswerBytes: settings.maxAnswerBytes,
    onEvent: (event) => early.tell((listener) => listener.serving(event)),
  });
  const jobs = openJobs(folder, {
    ...(threads === undefined ? {} : { threads }),
    ...(workers ? { startStore: workers.store } : {}),
    limits: {
      queuedRuns: settings.maxWaitingRuns,
      datasets: settings.maxDatasets,
      models: settings.maxModels,
      datasetBytes: settings.maxDatasetBytes,
      unpackedBytes: settings.maxDatasetUnpackedBytes,
      modelBytes: settings.maxModelBytes,
    },
    // a process that does not end by itself is killed before the server's own time is over
    graceMs: Math.max(500, Math.floor(settings.drainMs / 2)),
    onProblem: (error) => early.tell((listener) => listener.problem(error)),
  });
  jobs.then((opened) => training = () => opened.running.length > 0, () => {});
  return {
    jobs,
    serving,
    listen: (listener) => early.arrived(listener),
  };
}
