/**
 * Something the user gave cannot be used. The message is one paragraph that names the action, what
 * was wanted and what was found. The command line exits with code 2, the server answers 4xx.
 *
 * @example
 * ```ts
 * throw new InputError("Cannot read spikes: expected counts of at least 0, found -1 at [0, 3, 2].");
 * ```
 */
export class InputError extends Error {
  override name = "InputError";
}
