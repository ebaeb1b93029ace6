/**
 * A recording: kernel dispatches on named buffers, written once (in `model/`) and run by every
 * executor. Nothing here computes.
 */
import type { KernelName, KERNELS } from "./kernels.ts";

/** What a buffer holds. `real` is f32 on wasm and WebGPU, f64 on the reference executor. */
export type Element = "real" | "u8" | "u16" | "u32";

/** One named buffer of a plan. */
export interface BufferSpec {
  readonly name: string;
  readonly length: number;
  readonly element: Element;
  /** one copy for all fits of a program: the data set */
  readonly shared?: boolean;
  /** may be written before, or read after, each of several runs in a row: see `Program.sequence` */
  readonly perRun?: boolean;
}

/** What sets a buffer apart. */
export type BufferTraits = Pick<BufferSpec, "shared" | "perRun">;

/** A buffer, or part of one: `length` elements from `offset`. */
export interface Ref {
  readonly buffer: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * One weight gradient: `out[m][n] = Σ_row a[row][m] · d[row][n]`, summed over all `T` bins and the
 * `B` rows of each. Row `(t, b)` of `a` starts at `(t * B + b) * aStride`, and the same for `d`.
 * Without `a` it is the column sum of `d` (m = 1): a bias.
 */
export interface GradientJob {
  readonly a: Ref | null;
  readonly d: Ref;
  readonly out: Ref;
  readonly m: number;
  readonly n: number;
  readonly aStride: number;
  readonly dStride: number;
  readonly T: number;
  /** rows of `a` to skip, in units of B rows: the states' slot that goes with d's bin 0 */
  readonly aSlot: number;
  /** 1: most of `a` is zero (spikes), so skip zeros */
  readonly sparse: 0 | 1;
}

/** One dispatch: a kernel and its arguments by name. */
export interface Dispatch {
  readonly kernel: KernelName;
  readonly buffers: Readonly<Record<string, Ref | null>>;
  readonly numbers: Readonly<Record<string, number>>;
  readonly jobs?: readonly GradientJob[];
}

/** Buffers, and the recordings that work on them. */
export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly recordings: Readonly<Record<string, readonly Dispatch[]>>;
}

type Plain<S extends string> = S extends `${infer Name}?` ? Name : S;
type Required_<S extends string> = S extends `${string}?` ? never : S;

/** A kernel's buffer arguments: the ones whose name ends in `?` may be left out or null. */
export type BufferArgs<K extends KernelName> =
  & { [B in Required_<typeof KERNELS[K]["buffers"][number]>]: Ref }
  & { [B in Plain<typeof KERNELS[K]["buffers"][number]>]?: Ref | null };

/** A kernel's number arguments. */
export type NumberArgs<K extends KernelName> = {
  [N in typeof KERNELS[K]["ints"][number] | typeof KERNELS[K]["floats"][number]]: number;
};

/**
 * Collects the buffers and recordings of a plan.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PlanBuilder } from "latentd";
 *
 * const plan = new PlanBuilder();
 * const w_GF = plan.buffer("w_GF", 2), factorsHat_GF = plan.buffer("factorsHat_GF", 2);
 * const norms_F = plan.buffer("norms_F", 1);
 * plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G: 2, F: 1 });
 *
 * assert.equal(plan.buffers.length, 3);
 * assert.equal(plan.recordings.prepare[0].kernel, "prepare");
 * ```
 */
export class PlanBuilder implements Plan {
  readonly buffers: BufferSpec[] = [];
  readonly recordings: Record<string, Dispatch[]> = {};
  #names = new Set<string>();

  /** Adds a buffer and returns a reference to the whole of it. */
  buffer(
    name: string,
    length: number,
    element: Element = "real",
    traits: BufferTraits = {},
  ): Ref {
    if (this.#names.has(name)) {
      throw new Error(`Cannot add buffer "${name}" to the plan: the name is taken.`);
    }
    this.#names.add(name);
    this.buffers.push({ name, length, element, ...traits });
    return { buffer: name, offset: 0, length };
  }

  /** Starts a recording; its dispatches run in the order in which they are added. */
  record(name: string): Recorder {
    return new Recorder(this.recordings[name] = []);
  }
}

/** Appends dispatches to one recording. */
export class Recorder {
  constructor(private readonly dispatches: Dispatch[]) {}

  dispatch<K extends KernelName>(kernel: K, buffers: BufferArgs<K>, numbers: NumberArgs<K>): this {
    this.dispatches.push({
      kernel,
      buffers: buffers as Record<string, Ref | null>,
      numbers: numbers as Record<string, number>,
    });
    return this;
  }

  /** All weight gradients of a step, as one dispatch. */
  gradients(jobs: readonly GradientJob[]): this {
    this.dispatches.push({
      kernel: "weight_gradients",
      buffers: {},
      numbers: { count: jobs.length },
      jobs,
    });
    return this;
  }
}

/** Part of a reference. */
export function slice(ref: Ref, offset: number, length: number): Ref {
  if (offset < 0 || offset + length > ref.length) {
    throw new Error(
      `Cannot slice ${ref.buffer}: ${offset}+${length} exceeds its length ${ref.length}.`,
    );
  }
  return { buffer: ref.buffer, offset: ref.offset + offset, length };
}
