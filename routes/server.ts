/** Puts the server together, and takes it apart: everything that it owns, in the right order. */
import { createThreadedCodec, type DeviceInfo, VERSION } from "../src/server.ts";
import { createApp } from "./app.ts";
import { type Backend, type BackendOptions, openBackend } from "./backend.ts";
import type { ServerContext } from "./context.ts";
import { BodyMemory } from "./http/body.ts";
import { KeyRing } from "./keys.ts";
import type { Logger } from "./logs.ts";
import { EarlyMetrics } from "./early_metrics.ts";
import { InFlight } from "./middleware/limits.ts";
import { createTracing } from "./tracing.ts";
import { createArrayWork } from "./work/work.ts";

export interface ServerOptions extends BackendOptions {
  readonly log: Logger;
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
  /** Loads what requests need and listening does not, so that none has to wait for it. */
  warm(): Promise<void>;
  /**
   * Refuses new requests, finishes those that it has and lets runs end with a checkpoint, in bounded time;
   * then ends streams of events.
   */
  drain(): Promise<void>;
  /** Drains, and gives everything back. */
  close(): Promise<void>;
}

/** How long streams may take to end. */
const STREAMS_MS = 2000;

/**
 * Opens the data directory and starts the device and the runs that wait.
 *
 * @throws {InputError} for what the options ask for and cannot be
 * @throws {StorageError} where the directory cannot be used
 */
export async function openApp(
  options: ServerOptions,
  backend: Backend = openBackend(options),
): Promise<App> {
  const { folder, settings, log, loopback } = options;
  const { serving } = backend;
  const metrics = new EarlyMetrics();
  let jobs;
  try {
    jobs = await backend.jobs;
  } catch (error) {
    await serving.close();
    metrics.close();
    throw error;
  }
  const tracing = await createTracing(options.tracing ?? false);
  backend.listen({
    serving: (event) => {
      metrics.serving(event);
      tracing.serving(event);
      if (event.kind === "device-opened") {
        log.info({ device: event.device, ms: event.openMs }, "device");
      }
      if (event.kind === "device-lost") log.error({ reason: event.reason }, "device lost");
    },
    problem: (error) => log.error({ stack: stackOf(error) }, "runs"),
  });
  let opening = true;
  serving.opened.catch(() => {}).finally(() => opening = false);
  const draining = new AbortController(), closing = new AbortController();
  const codec = createThreadedCodec(), work = createArrayWork();
  const bodies = new BodyMemory(settings.maxBodiesBytes);
  const inFlight = new InFlight(), streams = new InFlight();
  metrics.attach({ jobs, serving, inFlight, streams, bodies });
  const context: ServerContext = {
    settings,
    version: VERSION,
    jobs,
    serving,
    codec,
    work,
    bodies,
    inFlight,
    streams,
    metrics,
    log,
    tracing,
    keys: await KeyRing.open(folder, !loopback),
    access: { loopback, hosts: options.hosts ?? [] },
    phase: { opening: () => opening, draining: draining.signal, closing: closing.signal },
  };
  const { app, description } = createApp(context);
  await jobs.start();

  const warm = async () => {
    await metrics.load();
    jobs.warm();
    await description();
  };
  const drain = async () => {
    draining.abort();
    await Promise.all([jobs.drain(), within(settings.drainMs, inFlight.idle())]);
    closing.abort();
    await within(STREAMS_MS, streams.idle());
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
    warm,
    drain,
    close: () => closed ??= close(),
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** Waits for something, but not longer. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, over]);
  clearTimeout(timer);
}
