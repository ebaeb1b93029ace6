/** What routes work with. */
import type { InferenceService, Jobs, Serving, ThreadedCodec } from "../src/server.ts";
import type { BodyMemory } from "./http/body.ts";
import type { InFlight } from "./middleware/limits.ts";
import type { KeyRing } from "./keys.ts";
import type { Logger } from "./logs.ts";
import type { EarlyMetrics } from "./early_metrics.ts";
import type { Settings } from "./settings.ts";
import type { Tracing } from "./tracing.ts";
import type { ArrayWork } from "./work/work.ts";

/** Where the server stands. */
export interface Phase {
  /** whether the device is being opened for the first time */
  opening(): boolean;
  /** aborts when the server stops taking requests and finishes those it has */
  readonly draining: AbortSignal;
  /** aborts when what is left is given up: streams of events end */
  readonly closing: AbortSignal;
}

/** Everything that routes share. */
export interface ServerContext {
  readonly settings: Settings;
  readonly version: string;
  readonly jobs: Jobs;
  readonly serving: Serving & InferenceService;
  readonly codec: ThreadedCodec;
  readonly work: ArrayWork;
  readonly bodies: BodyMemory;
  /** requests that are being answered */
  readonly inFlight: InFlight;
  /** streams of events that are open */
  readonly streams: InFlight;
  readonly metrics: EarlyMetrics;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly keys: KeyRing;
  readonly access: Access;
  readonly phase: Phase;
}

/** Who may ask. */
export interface Access {
  /** the server is reached from this machine only */
  readonly loopback: boolean;
  /** names that a Host header may have, besides loopback's; empty allows all where keys are required */
  readonly hosts: readonly string[];
}

/** What is known of a request while it is answered; for logs and metrics. */
export interface RequestFacts {
  readonly id: string;
  /** the endpoint's path, with `{id}` in place of ids; "unknown" where there is none */
  route: string;
  /** the id of the key that it came with */
  key: string | null;
  /** its error's name, where it has one */
  problem: string | null;
}

/** Hono's types. */
export interface Env {
  Bindings: { readonly remote?: string };
  Variables: { readonly facts: RequestFacts };
}
