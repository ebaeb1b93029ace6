/** A small mistake in a kernel, and the tests that must notice it. */
import type { DeviceName } from "../../src/compute/executor.ts";

export interface Mutation {
  readonly executor: DeviceName;
  /** as in src/compute/kernels.ts, or what a GPU needs besides */
  readonly kernel: string;
  /** what goes wrong, in words */
  readonly mistake: string;
  /** the file, from the repository's root */
  readonly file: string;
  /** stands exactly once in the file */
  readonly find: string;
  readonly replace: string;
  /** test files, from the repository's root: run in this order until one fails */
  readonly tests: readonly string[];
}

/** `[mistake, find, replace]`, or with a file of its own in front. */
export type Change =
  | readonly [mistake: string, find: string, replace: string]
  | readonly [mistake: string, find: string, replace: string, file: string];

/** The mutations of one kernel. */
export function mutations(
  executor: DeviceName,
  kernel: string,
  file: string,
  tests: readonly string[],
  changes: readonly Change[],
): Mutation[] {
  return changes.map(([mistake, find, replace, own = file]) => ({
    executor,
    kernel,
    mistake,
    file: own,
    find,
    replace,
    tests,
  }));
}
