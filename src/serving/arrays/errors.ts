/** Kinds of bad input that HTTP has a status of its own for. All are `InputError`s. */
import { InputError } from "../../errors.ts";

/** The body's format is not one that is read here (415). */
export class UnsupportedTypeError extends InputError {
  override name = "UnsupportedTypeError";
}

/** None of the formats that may be answered in can hold the answer (406). */
export class NotAcceptableError extends InputError {
  override name = "NotAcceptableError";
}

/** The body, or what it declares, is larger than may be (413). */
export class TooLargeError extends InputError {
  override name = "TooLargeError";
}
