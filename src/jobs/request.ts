/** What a caller asks for, checked. */
import type { z } from "zod";
import { InputError } from "../errors.ts";
import { type IdKind, parseId } from "./ids.ts";
import type { PageOptions } from "./store.ts";

/** @throws {InputError} naming each field that cannot be used, what was wanted and what was found */
export function parseRequest<T>(schema: z.ZodType<T>, given: unknown, action: string): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 10).map(({ path, message }) => {
    let found: unknown = given;
    for (const key of path) found = (found as Record<PropertyKey, unknown> | undefined)?.[key];
    const shown = JSON.stringify(found)?.slice(0, 100) ?? "nothing";
    return `${path.join(".") || "the request"}: ${message}, found ${shown}`;
  });
  throw new InputError(`${action}: ${problems.join("; ")}.`);
}

/** The most of a list at once. */
const MOST = 10_000;

/** @throws {InputError} for a part that cannot be */
export function parsePage(kind: IdKind, { before, limit = 100 }: PageOptions): PageOptions {
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
    throw new InputError(
      `Cannot list the ${kind}s: expected a limit from 1 to ${MOST}, found ${limit}.`,
    );
  }
  return before === undefined ? { limit } : { limit, before: parseId(kind, before) };
}
