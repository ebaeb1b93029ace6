/** What the layers above know of a device: it loads a plan, runs its recordings, moves arrays. */
import type { Scalars } from "./kernels.ts";
import type { Plan } from "./recording.ts";

/** The devices that latentd can be asked to compute on. */
export type DeviceName = "reference" | "wasm";

/** How an executor computes, for people and for the record of a run. */
export interface DeviceInfo {
  readonly name: DeviceName;
  /** worker threads that share the work, the caller's own included */
  readonly threads: number;
  /** arithmetic in words, e.g. "float32, SIMD with relaxed multiply-add" */
  readonly arithmetic: string;
  /** why this device runs: what was asked for, and what was missing if it is a fallback */
  readonly reason: string;
}

/** A plan that is loaded on a device. Every array is copied in and out. */
export interface Program {
  /** Writes from `offset` (elements) into a buffer. */
  write(buffer: string, values: ArrayLike<number>, offset?: number): void;
  /** Runs one recording from front to back. */
  run(recording: string, scalars: Scalars): Promise<void>;
  /** Copies a buffer's elements `offset … offset + length` out. */
  read(buffer: string, offset?: number, length?: number): Promise<Float64Array>;
  /** Gives the buffers back. */
  free(): void;
}

/** A device. */
export interface Executor {
  readonly info: DeviceInfo;
  /** Allocates the plan's buffers (zeroed) and prepares its recordings. */
  load(plan: Plan): Program;
  /** Ends threads and gives memory back. */
  close(): void;
}

/**
 * Scalars of a run: everything that is not given is 0, but one sample per trial.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { scalars } from "latentd";
 *
 * const run = scalars({ B: 8, step: 3 });
 * assert.deepEqual([run.B, run.S, run.step, run.klScale], [8, 1, 3, 1]);
 * ```
 */
export function scalars(given: Partial<Scalars>): Scalars {
  return {
    B: 0,
    S: 1,
    seedLo: 0,
    seedHi: 0,
    step: 0,
    purpose: 0,
    firstTrial: 0,
    count: 1,
    iterations: 0,
    klScale: 1,
    learningRate: 0,
    ...given,
  };
}
