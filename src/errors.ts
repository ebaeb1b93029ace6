/**
 * Something the user gave cannot be used. The message is one paragraph that names the action, what
 * was wanted and what was found. The command line exits with code 2, the server answers 4xx.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, splitTrials } from "latentd";
 *
 * try {
 *   splitTrials(1, 0.1, 0);
 *   assert.fail("one trial cannot be split");
 * } catch (error) {
 *   assert(error instanceof InputError);
 *   assert(error.message.startsWith("Cannot split trials: expected at least 2"));
 * }
 * ```
 */
export class InputError extends Error {
  override name = "InputError";
}
