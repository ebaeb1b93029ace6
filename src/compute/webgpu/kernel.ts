/** What the executor knows of a kernel's shader beside its source. One file for each in `kernels/`. */
import type { KernelName, Scalars } from "../kernels.ts";
import type { Capabilities, Tile } from "./capabilities.ts";

/** Kernels, and what only a GPU needs beside them. */
export type GpuKernel = KernelName | "transpose" | "fold" | "finish" | "total";

/**
 * Whole and real numbers of a dispatch; for each buffer that it may do without and has, a 1 by the
 * buffer's name.
 */
export type Numbers = Readonly<Record<string, number>>;

/**
 * How a shader is specialised. Everything here is part of the pipeline's key, so dimensions that vary
 * from model to model are rounded up (`capacity`) and their exact values are read from the arguments.
 */
export interface Variant {
  /** invocations of a workgroup */
  readonly workgroup: number;
  /** trials of a sweep's workgroup */
  readonly tile: Tile;
  /** constants of the shader, e.g. the length of an array that the workgroup shares */
  readonly constants: Readonly<Record<string, number>>;
  /** bytes of the arrays that the workgroup shares */
  readonly workgroupMemory: number;
}

/** Work and traffic of one dispatch, as the algorithm needs it: what reuse in caches cannot lower. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** A loop of a kernel that may be cut: each dispatch makes the steps `from … to`. */
export interface Range {
  /** steps of the whole loop */
  readonly steps: number;
  /** loop iterations that one step takes in one invocation, with all loops inside it */
  readonly iterations: number;
}

/**
 * How a dispatch runs two kernels. `inTurn`: every workgroup runs the second after the first, on the
 * same tile. `sideBySide`: the first kernel's workgroups stand before the second's.
 */
export type How = "alone" | "inTurn" | "sideBySide";

export interface Shader {
  /** `shaders/<kernel>.wgsl`, which defines `fn <kernel>_run(group: vec3<u32>, lane: u32)` */
  readonly source: string;
  /** files of `shaders/` that it builds on, without `run`, in order */
  readonly uses: readonly Library[];
  /** @throws {InputError} when no variant fits the adapter; it names the limit */
  variant(numbers: Numbers, capabilities: Capabilities): Variant;
  /** workgroups (in x; z is the fit); `entries` are those of the dispatch's table */
  groups(numbers: Numbers, s: Scalars, variant: Variant, entries: number, how: How): number;
  /** how the kernel can be cut to stay below the adapter's loop limit; without it, it never comes near */
  range?(numbers: Numbers, s: Scalars, variant: Variant): Range;
  cost(numbers: Numbers, s: Scalars): Cost;
}

/** Shared parts of shaders. */
export type Library =
  | "math"
  | "random"
  | "tile"
  | "gru"
  | "gaussian"
  | "gemm"
  | "log_rates"
  | "factor_gradients"
  | "loss_weights"
  | "gamma"
  | "families"
  | "posterior_means"
  | "masks"
  | "sum"
  | "transposes";

/** The next capacity that arrays are sized for, so that few pipelines serve many models. */
export function capacity(n: number): number {
  for (const size of [4, 16, 64, 128, 256, 512, 1024]) if (n <= size) return size;
  return Math.ceil(n / 1024) * 1024;
}
