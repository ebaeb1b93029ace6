/** What can go wrong while a request is served, apart from what the user gave (`InputError`). */

/**
 * Why a request was not served:
 *
 * - `unknown-model`: no model has this name (404)
 * - `overloaded`: the queue is full (429 or 503)
 * - `timeout`: the request's time is over (503 or 504)
 * - `device`: the device failed; it is being started again (503)
 * - `closed`: the server is shutting down (503)
 */
export type ServingProblem = "unknown-model" | "overloaded" | "timeout" | "device" | "closed";

/**
 * A request that was not served. Aborting its signal is not one of these: that rejects with the
 * signal's reason.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ServingError } from "latentd";
 *
 * const error = new ServingError("overloaded", "Cannot infer: the queue is full.", 250);
 * assert.deepEqual([error.problem, error.retryAfterMs], ["overloaded", 250]);
 * ```
 */
export class ServingError extends Error {
  override name = "ServingError";

  /** @param retryAfterMs when it may be worth to ask again; null where that does not help */
  constructor(
    readonly problem: ServingProblem,
    message: string,
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
