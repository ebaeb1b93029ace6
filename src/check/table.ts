/** The rows of a check: what was compared, on which device, how far apart, how far apart it may be. */
import type { DeviceInfo, Executor } from "../compute/executor.ts";

/** One comparison. */
export interface CheckRow {
  /** the file, or the random architecture, that says what is wanted */
  readonly file: string;
  /** see `executorLabels`; "host" where no executor takes part */
  readonly executor: string;
  readonly what: string;
  /** see `relativeError`, unless `what` or `note` says otherwise; NaN where numbers are not finite */
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  /** what a reader needs to judge the row; may be empty */
  readonly note: string;
}

/** All rows of a check. */
export interface CheckReport {
  readonly rows: readonly CheckRow[];
  /** there are rows, and all of them passed */
  readonly passed: boolean;
}

/**
 * A report of rows. No rows are no evidence, so they do not pass.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { report } from "latentd";
 *
 * const row = { file: "a.json", executor: "wasm", what: "rates", error: 2e-7, tolerance: 1e-5 };
 * assert.equal(report([{ ...row, passed: true, note: "" }]).passed, true);
 * assert.equal(report([]).passed, false);
 * ```
 */
export function report(rows: readonly CheckRow[]): CheckReport {
  return { rows, passed: rows.length > 0 && rows.every((row) => row.passed) };
}

/** `‖ours - wanted‖ / ‖wanted‖` over all numbers; without the quotient where all wanted are 0. */
export function relativeError(ours: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0, size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (ours[i] - wanted[i]) ** 2;
    size += wanted[i] ** 2;
  }
  return Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
}

/** The largest `|ours - wanted| / |wanted|` of single numbers (absolute where 0 is wanted), and where. */
export function worstError(
  ours: ArrayLike<number>,
  wanted: ArrayLike<number>,
): { error: number; at: number } {
  let worst = { error: 0, at: 0 };
  for (let at = 0; at < wanted.length; at++) {
    const error = Math.abs(ours[at] - wanted[at]) / (Math.abs(wanted[at]) || 1);
    if (!(error <= worst.error)) worst = { error, at };
    if (Number.isNaN(error)) break;
  }
  return worst;
}

/** Collects the rows of one file on one executor. */
export class Sheet {
  readonly rows: CheckRow[] = [];

  constructor(readonly file: string, readonly executor: string) {}

  /** Adds a row; an error of NaN does not pass. */
  add(what: string, error: number, tolerance: number, note = ""): void {
    const { file, executor } = this;
    this.rows.push({ file, executor, what, error, tolerance, passed: error <= tolerance, note });
  }

  /** Adds a row that compares two lists by the relative error of the whole. */
  compare(
    what: string,
    ours: ArrayLike<number>,
    wanted: ArrayLike<number>,
    tolerance: number,
    note = "",
  ): void {
    if (ours.length !== wanted.length) {
      const found = `expected ${wanted.length} numbers, found ${ours.length}`;
      this.add(what, NaN, tolerance, found);
    } else {
      this.add(what, relativeError(ours, wanted), tolerance, note);
    }
  }
}

/** A short name for each executor: "reference", "wasm", or with its arithmetic where names repeat. */
export function executorLabels(executors: readonly Executor[]): string[] {
  const label = ({ name, arithmetic }: DeviceInfo) =>
    executors.filter((e) => e.info.name === name).length > 1 ? `${name}: ${arithmetic}` : name;
  return executors.map(({ info }) => label(info));
}
