/** What the layers above know of a device: it loads a plan, runs its recordings, moves arrays. */
import type { Scalars } from "./kernels.ts";
import type { Plan } from "./recording.ts";

/** The devices that latentd can be asked to compute on. */
export type DeviceName = "reference" | "wasm" | "webgpu";

/** How an executor computes, for people and for the record of a run. */
export interface DeviceInfo {
  readonly name: DeviceName;
  /** worker threads that share the work, the caller's own included */
  readonly threads: number;
  /** arithmetic in words, e.g. "float32, SIMD with relaxed multiply-add" */
  readonly arithmetic: string;
  /** why this device runs: what was asked for, and what was missing if it is a fallback */
  readonly reason: string;
  /** webgpu only: the adapter's name */
  readonly adapter?: string;
}

/**
 * A device by what decides its bits: name, adapter and arithmetic. Threads change none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, deviceWords } from "latentd";
 *
 * assert.equal(deviceWords(createReferenceExecutor().info), "reference, float64, plain loops");
 * ```
 */
export function deviceWords(
  { name, adapter, arithmetic }: Pick<DeviceInfo, "name" | "adapter" | "arithmetic">,
): string {
  return [name, adapter, arithmetic].filter((word) => word !== undefined).join(", ");
}

/** One of several runs of a recording: its scalars, and what is written before it. */
export interface Run {
  /** of every fit, or one for each */
  readonly scalars: Scalars | readonly Scalars[];
  /** buffers that are `perRun`, from their first element on; of every fit, or one array for each */
  readonly writes?: Readonly<Record<string, ArrayLike<number> | readonly ArrayLike<number>[]>>;
}

/**
 * A plan that is loaded on a device, for one fit or for several of the same shape side by side. Each
 * fit has its own copy of every buffer that is not `shared`, and computes the bits that it computes
 * alone. Every array is copied in and out.
 */
export interface Program {
  readonly fits: number;
  /** Writes from `offset` (elements) into a buffer of one fit. */
  write(buffer: string, values: ArrayLike<number>, offset?: number, fit?: number): void;
  /** Runs one recording from front to back, for all fits. */
  run(recording: string, scalars: Scalars | readonly Scalars[]): Promise<void>;
  /**
   * Runs a recording several times in a row and collects a `perRun` buffer after each.
   *
   * @returns `[run][fit]`: that buffer's elements
   */
  sequence(recording: string, runs: readonly Run[], collect: string): Promise<Float64Array[][]>;
  /** Copies elements `offset … offset + length` of a fit's buffer out. */
  read(buffer: string, offset?: number, length?: number, fit?: number): Promise<Float64Array>;
  /** Gives the buffers back. */
  free(): void;
}

/** How long one dispatch took by the device's own clock. */
export interface DispatchTime {
  /** e.g. "encoder" or "prepare+encoder_input" */
  readonly kernels: string;
  readonly microseconds: number;
  /** what the algorithm needs: see `Cost` */
  readonly flops: number;
  readonly bytes: number;
}

/** A program that can tell what its dispatches take. */
export interface TimedProgram extends Program {
  /**
   * Runs a recording once, each dispatch between two timestamps; null where the adapter has none.
   * The dispatches then wait for each other, so their sum may exceed what a run takes.
   */
  timed(recording: string, scalars: Scalars): Promise<DispatchTime[] | null>;
}

/**
 * Whether a program can time its dispatches: a GPU's can.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, isTimed, PlanBuilder } from "latentd";
 *
 * const program = await createReferenceExecutor().load(new PlanBuilder());
 * assert.equal(isTimed(program), false);
 * ```
 */
export function isTimed(program: Program): program is TimedProgram {
  return "timed" in program;
}

/** A device. */
export interface Executor {
  readonly info: DeviceInfo;
  /**
   * The most runs that one `sequence` gains from: 1 where a run is complete when it returns, many
   * where each wait for a result costs more than a run.
   */
  readonly runsAtOnce: number;
  /** Real numbers that one program can keep and that it pays to keep; as many as fit, where it is not said. */
  readonly mostNumbers?: number;
  /** Allocates the plan's buffers (zeroed) for some fits and prepares its recordings. */
  load(plan: Plan, fits?: number): Promise<Program>;
  /** Ends threads and gives memory back. */
  close(): void;
}

/** A value for every fit, or the one of a fit. */
export function ofFit<X extends object>(values: X | readonly X[], fit: number): X {
  return Array.isArray(values) ? values[fit] : values as X;
}

/** `sequence` for a device on which a run is complete when it returns. */
export async function inTurn(
  program: Program,
  recording: string,
  runs: readonly Run[],
  collect: string,
): Promise<Float64Array[][]> {
  const fits = Array.from({ length: program.fits }, (_, fit) => fit);
  const collected: Float64Array[][] = [];
  for (const { scalars, writes = {} } of runs) {
    for (const [buffer, values] of Object.entries(writes)) {
      for (const fit of fits) program.write(buffer, valuesOfFit(values, fit), 0, fit);
    }
    await program.run(recording, scalars);
    collected.push(
      await Promise.all(fits.map((fit) => program.read(collect, 0, undefined, fit))),
    );
  }
  return collected;
}

/** What is written for one fit: see `Run.writes`. */
export function valuesOfFit(
  values: ArrayLike<number> | readonly ArrayLike<number>[],
  fit: number,
): ArrayLike<number> {
  return typeof values[0] === "object"
    ? (values as readonly ArrayLike<number>[])[fit]
    : values as ArrayLike<number>;
}

/**
 * Scalars of a run: everything that is not given is 0, but one sample per trial, and scales of 1.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { scalars } from "latentd";
 *
 * const run = scalars({ B: 8, step: 3 });
 * assert.deepEqual([run.B, run.S, run.step, run.learningRate], [8, 1, 3, 0]);
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
    accumulated: 0,
    klIcScale: 1,
    klInputsScale: 1,
    l2Scale: 1,
    learningRate: 0,
    share: 1,
    ...given,
  };
}
