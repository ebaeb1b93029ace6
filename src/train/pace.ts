/** How many steps to give a device at once. */

/** What one sequence of steps should take: long beside a read-back, short beside a person's patience. */
const CHUNK_MS = 50;

/**
 * Sizes of chunks that take about 50 ms each, from 1 step to `most`. On a device whose steps are
 * complete when they return, `most` is 1.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const pace = new Pace(1000);
 * assert.equal(pace.next(400), 1);
 * pace.took(1, 0.5); // 100 such steps take 50 ms
 * assert.equal(pace.next(400), 100);
 * assert.equal(pace.next(60), 60); // but an evaluation comes first
 * ```
 */
export class Pace {
  #steps = 1;

  constructor(private readonly most: number) {}

  /** @param left steps until something else happens */
  next(left: number): number {
    return Math.min(this.#steps, left);
  }

  took(steps: number, milliseconds: number): void {
    const wanted = Math.round(steps * CHUNK_MS / Math.max(milliseconds, 1e-3));
    this.#steps = Math.max(1, Math.min(this.most, wanted));
  }
}
