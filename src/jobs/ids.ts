/** Names of datasets, runs and models: random, of a fixed alphabet, so that no name can be a path. */
import { z } from "zod";
import { InputError } from "../errors.ts";

/** Crockford's base 32 in lower case: without i, l, o and u. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
/** 80 random bits. */
const LENGTH = 16;

const PREFIXES = { dataset: "d", run: "r", model: "m" } as const;

/** What an id can name. */
export type IdKind = keyof typeof PREFIXES;

/**
 * The schema of an id: a letter for its kind, a hyphen, 16 characters.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { idSchema } from "latentd";
 *
 * assert(idSchema("run").safeParse("r-0123456789abcdef").success);
 * assert(!idSchema("run").safeParse("../latentd.sqlite").success);
 * ```
 */
export function idSchema(kind: IdKind): z.ZodString {
  return z.string()
    .regex(
      new RegExp(`^${PREFIXES[kind]}-[${ALPHABET}]{${LENGTH}}$`),
      `expected the id of a ${kind}: "${PREFIXES[kind]}-" and ${LENGTH} characters`,
    );
}

const SCHEMAS: Record<IdKind, z.ZodString> = {
  dataset: idSchema("dataset"),
  run: idSchema("run"),
  model: idSchema("model"),
};

/** An id that was never given out before. */
export function newId(kind: IdKind): string {
  const random = crypto.getRandomValues(new Uint8Array(LENGTH));
  return `${PREFIXES[kind]}-${Array.from(random, (byte) => ALPHABET[byte % 32]).join("")}`;
}

/**
 * A text that is an id. Nothing else ever becomes a part of a path.
 *
 * @throws {InputError} for any other text
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, parseId } from "latentd";
 *
 * assert.equal(parseId("model", "m-0123456789abcdef"), "m-0123456789abcdef");
 * assert.throws(() => parseId("model", "m-../../../etc/pw"), InputError);
 * ```
 */
export function parseId(kind: IdKind, text: string): string {
  if (SCHEMAS[kind].safeParse(text).success) return text;
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  throw new InputError(
    `Cannot find the ${kind}: expected its id, "${
      PREFIXES[kind]
    }-" and ${LENGTH} characters, found ` +
      `${JSON.stringify(shown)}.`,
  );
}

/** Whether a text is an id of this kind. */
export function isId(kind: IdKind, text: string): boolean {
  return SCHEMAS[kind].safeParse(text).success;
}
