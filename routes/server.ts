/** Puts the server together, and takes it apart: everything that it owns, in the right order. */
import {
  createServing,
  createThreadedCodec,
  type DeviceInfo,
  InputError,
  NotFoundError,
  openJobs,
  ServingError,
  VERSION,
} from "../src/mod.ts";
import { createApp } from "./app.ts";
import type { ServerContext } from "./context.ts";
import { BodyMemory } from "./http/body.ts";
import { KeyRing } from "./keys.ts";
import type { Logger } from "./logs.ts";
import { Metrics } from "./metrics.ts";
import { InFlight } from "./middleware/limits.ts";
import type { Settings } from "./settings.ts";
import { createTracing } from "./tracing.ts";
import { createArrayWork } from "./work/work.ts";

export interface ServerOptions {
  /** the data directory */
  readonly folder: string;
  readonly settings: Settings;
  readonly log: Logger;
  /** of inference: `auto`, `webgpu`, `wasm` or `reference` */
  readonly device?: string;
  /** of the wasm device */
  readonly threads?: number;
  readonly reproducible?: boolean;
  /** the server is reached from this machine only; otherwise every request needs a key */
  readonly loopback: boolean;
  /** names beside loopback's that it is reached by */
  readonly hosts?: readonly string[];
  /** spans for OpenTelemetry */
  readonly tracing?: boolean;
}

/** A server without its socket. */
export interface App {
  readonly context: ServerContext;
  fetch(request: Request, remote?: string): Promise<Response>;
  /** resolves when the device is open for the first time */
  readonly device: Promise<DeviceInfo>;
  /**
   * Refuses new requests, finishes those that it has and lets runs end with a checkpoint, in bounded time;
   * then ends streams of events.
   */
  drain(): Promise<void>;
  /** Drains, and gives everything back. */
  close(): Promise<void>;
}

/**
 * Opens the data directory and starts the device and the runs that wait.
 *
 * @throws {InputError} for what the options ask for and cannot be
 * @throws {StorageError} where the directory cannot be used
 */
export async function openApp(options: ServerOptions): Promise<App> {
  const { folder, settings, log, loopback } = options;
  const metrics = new Metrics();
  const tracing = await createTracing(options.tracing ?? false);
  const opening = openJobs(folder, {
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    limits: {
      queuedRuns: settings.maxWaitingRuns,
      datasets: settings.maxDatasets,
      models: settings.maxModels,
      datasetBytes: settings.maxDatasetBytes,
      unpackedBytes: settings.maxDatasetUnpackedBytes,
      modelBytes: settings.maxModelBytes,
    },
    graceMs: Math.max(1000, Math.floor(settings.drainMs / 2)),
    onProblem: (error) => log.error({ stack: stackOf(error) }, "runs"),
  });
  const models = {
    read: async (id: string) => {
      try {
        return await (await opening).models.bytes(id);
      } catch (error) {
        if (error instanceof NotFoundError) return null;
        // what is no id names no model either
        if (error instanceof InputError) return null;
        throw error;
      }
    },
    list: async () =>
      (await (await opening).models.list({ limit: 10_000 })).items.map(({ id }) => id),
  };
  const { device, threads, reproducible } = options;
  const serving = createServing({
    models,
    device: { device, threads, reproducible },
    timeoutMs: settings.timeoutMs,
    jobTimeoutMs: settings.jobTimeoutMs,
    maxAnswerBytes: settings.maxAnswerBytes,
    onEvent: (event) => {
      metrics.serving(event);
      tracing.serving(event);
      if (event.kind === "device-opened") {
        log.info({ device: event.device, ms: event.openMs }, "device");
      }
      if (event.kind === "device-lost") log.error({ reason: event.reason }, "device lost");
    },
  });
  let jobs;
  try {
    jobs = await opening;
  } catch (error) {
    await serving.close();
    metrics.close();
    throw error;
  }
  const draining = new AbortController(), closing = new AbortController();
  const codec = createThreadedCodec(), work = createArrayWork();
  const bodies = new BodyMemory(settings.maxBodiesBytes);
  const inFlight = new InFlight();
  metrics.attach({ jobs, serving, inFlight: () => inFlight.count, bodies: () => bodies.held });
  const context: ServerContext = {
    settings,
    version: VERSION,
    jobs,
    serving,
    codec,
    work,
    bodies,
    inFlight,
    metrics,
    log,
    tracing,
    keys: await KeyRing.open(folder, !loopback),
    access: { loopback, hosts: options.hosts ?? [] },
    phase: { draining: draining.signal, closing: closing.signal },
  };
  const app = createApp(context);
  await jobs.start();

  const drain = async () => {
    draining.abort();
    const limit = delay(settings.drainMs);
    await Promise.all([
      jobs.drain(),
      Promise.race([inFlight.idle(), limit.over]),
    ]);
    limit.clear();
    closing.abort(new ServingError("closed", "Cannot answer: the server is shutting down."));
  };
  let closed: Promise<void> | null = null;
  const close = async () => {
    await drain();
    await serving.close();
    codec.close();
    work.close();
    await jobs.close();
    metrics.close();
  };
  return {
    context,
    fetch: async (request, remote) => await app.fetch(request, { remote }),
    device: serving.opened,
    drain,
    close: () => closed ??= close(),
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function delay(ms: number): { over: Promise<void>; clear(): void } {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return { over, clear: () => clearTimeout(timer) };
}
