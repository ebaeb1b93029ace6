import assert from "node:assert/strict";
import { InputError } from "../src/errors.ts";

/** The message of the InputError that a call throws; it must throw one. */
export function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert(error instanceof InputError, `${error}`);
    return error.message;
  }
  assert.fail("nothing was refused");
}
