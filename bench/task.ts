/**
 * What is timed: one computation, once as latentd does it and once as files from which a peer does
 * the same. A peer's side is in bench/peers/*.py.
 */
import type { DeviceInfo, Tensor } from "../src/mod.ts";

/** An exchange file: a safetensors file whose metadata holds `config` as JSON. */
export interface Case {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Results of one explicit case: a few numbers, and whole arrays by name. */
export interface Verified {
  readonly losses: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, ArrayLike<number>>>;
}

/** One computation, ours and theirs. */
export interface Task {
  readonly name: "train" | "infer" | "fixed-points";
  readonly device: DeviceInfo;
  /** what one figure in milliseconds is for, e.g. "one train step" */
  readonly unit: string;
  /** from which a peer prepares its timed steps */
  readonly timed: Case;
  /** with all noise explicit, so that results can be compared number by number */
  readonly explicit: Case;
  /** largest relative difference from a peer that float32 rounding explains; see `float32Tolerance` */
  readonly tolerance: number;
  /** Our results of the explicit case. */
  verify(): Promise<Verified>;
  /** Milliseconds of each of `steps` steps. */
  run(steps: number): Promise<number[]>;
  close(): void;
}

/**
 * How far two correct float32 computations of a recurrence may lie apart, relative to the result:
 * every bin adds the rounding of dot products over `width` terms, √width units of 2^-24 when
 * rounding errors are unrelated; a contracting recurrence of `T` bins adds up at most T of those; two
 * passes over time (forward, then backward; or encoder, then decoder), and two computations.
 */
export function float32Tolerance(T: number, width: number): number {
  return 2 ** -24 * Math.sqrt(width) * T * 2 * 2;
}
