/** Kinds of bad input that HTTP has a status of its own for. All are `InputError`s. */
import { InputError } from "../../errors.ts";

/**
 * The body's format is not one that is read here (415).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bodyFormat, InputError, UnsupportedTypeError } from "latentd";
 *
 * assert.throws(() => bodyFormat({ contentType: null }), UnsupportedTypeError);
 * assert(new UnsupportedTypeError("…") instanceof InputError);
 * ```
 */
export class UnsupportedTypeError extends InputError {
  override name = "UnsupportedTypeError";
}

/**
 * None of the formats that may be answered in can hold the answer (406).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { answerFormat, NotAcceptableError } from "latentd";
 *
 * assert.throws(() => answerFormat("image/png", "json", 1), NotAcceptableError);
 * ```
 */
export class NotAcceptableError extends InputError {
  override name = "NotAcceptableError";
}

/**
 * The body, or what it declares, is larger than may be (413).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, TooLargeError } from "latentd";
 *
 * assert(new TooLargeError("…") instanceof InputError);
 * ```
 */
export class TooLargeError extends InputError {
  override name = "TooLargeError";
}
