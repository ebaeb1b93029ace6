/** What a client sent, checked by a schema; each problem names field, wanted and found. */
import type { z } from "zod";
import { type Detail, RequestProblem } from "./problems.ts";

const MOST_DETAILS = 20;

/** A value in a few words. */
export function foundWords(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** @throws {RequestProblem} 400 */
export function validate<S extends z.ZodType>(
  schema: S,
  given: unknown,
  action: string,
  where: string,
): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const details = result.error.issues.flatMap((issue) => detailsOf(issue, given, schema, where));
  throw new RequestProblem(400, action, details.slice(0, MOST_DETAILS));
}

type Issue = z.core.$ZodIssue;

function detailsOf(issue: Issue, given: unknown, schema: z.ZodType, where: string): Detail[] {
  const field = (path: readonly PropertyKey[]) =>
    path.length === 0 ? where : path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const known = issue.path.length === 0 ? knownFields(schema) : [];
    const wanted = known.length > 0
      ? `left out (known are ${known.join(", ")})`
      : "left out, as no such field is known";
    return issue.keys.map((key) => ({
      field: field([...issue.path, key.slice(0, 80)]),
      wanted,
      found: foundWords(at(given, [...issue.path, key])),
    }));
  }
  return [{
    field: field(issue.path),
    wanted: wantedWords(issue),
    found: foundWords(at(given, issue.path)),
  }];
}

function at(given: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = given;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function knownFields(schema: z.ZodType): string[] {
  return "shape" in schema && typeof schema.shape === "object" ? Object.keys(schema.shape!) : [];
}

function wantedWords(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : `of type ${issue.expected}`;
    case "too_small":
      return `${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${
        unit(issue.origin)
      }`;
    case "too_big":
      return `${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${
        unit(issue.origin)
      }`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return "options" in issue && Array.isArray(issue.options)
        ? `one of ${issue.options.map(String).join(", ")}`
        : "one of the forms that are documented";
    default:
      return issue.message.replace(/^expected /, "");
  }
}

function unit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " items" : "";
}
