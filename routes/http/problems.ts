/** Every problem as an answer: `{ "error": …, "details": [{ field, wanted, found }] }`. */
import { z } from "zod";
import {
  ConflictError,
  InputError,
  LimitError,
  NotFoundError,
  StorageError,
} from "../../src/server.ts";
import { problem as knownProblem, statusOf } from "../formats/http.ts";

/** One field that is wrong. */
export const detailSchema = z.strictObject({
  field: z.string().describe(
    "a path in the body, or a parameter's or header's name; empty for the request as a whole",
  ),
  wanted: z.string(),
  found: z.string(),
});

export type Detail = Readonly<z.infer<typeof detailSchema>>;

/** What every problem looks like. */
export const problemSchema = z.strictObject({
  error: z.string().describe("one paragraph: the action, what was wanted, what was found"),
  details: z.array(detailSchema).describe("the same, field by field"),
}).meta({ id: "Problem" });

/** A request that is refused before it comes to the library. */
export class RequestProblem extends InputError {
  override name = "RequestProblem";
  constructor(
    readonly status: number,
    action: string,
    readonly details: readonly Detail[],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    const words = details.map(({ field, wanted, found }) =>
      `expected ${field === "" ? "" : `${field} to be `}${wanted}, found ${found}`
    );
    super(`${action}: ${words.join("; ")}.`);
  }
}

/** A refusal for one reason. */
export function refusal(
  status: number,
  action: string,
  field: string,
  wanted: string,
  found: string,
  headers: Readonly<Record<string, string>> = {},
): RequestProblem {
  return new RequestProblem(status, action, [{ field, wanted, found }], headers);
}

/** A client that went away hears no answer; this is for the log. */
const CLIENT_GONE = 499;

/** The status of any error, 500 for one that nobody expected. */
export function statusOfError(error: unknown): number {
  if (error instanceof RequestProblem) return error.status;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof ConflictError) return 409;
  if (error instanceof LimitError) {
    return { bytes: 413, queue: 429, datasets: 409, models: 409 }[error.limit];
  }
  if (error instanceof StorageError) return error.reason === "full" ? 507 : 500;
  if (error instanceof DOMException && error.name === "AbortError") return CLIENT_GONE;
  return statusOf(error) ?? 500;
}

/** Whether an error is the server's own fault, and nobody's business. */
export function isUnexpected(error: unknown): boolean {
  return statusOfError(error) === 500;
}

/** An error as an answer. What is unexpected says nothing of its making. */
export function problemResponse(error: unknown): Response {
  const status = statusOfError(error);
  if (status === 500) {
    return body("Cannot answer: an unexpected error, which is in the log.", [], 500);
  }
  if (status === CLIENT_GONE) return body("Cannot answer: the client went away.", [], CLIENT_GONE);
  const { message } = error as Error;
  if (error instanceof RequestProblem) return body(message, error.details, status, error.headers);
  const known = statusOf(error) === null ? null : knownProblem(error).headers.get("retry-after");
  const headers: Record<string, string> = known === null ? {} : { "retry-after": known };
  if (status === 429 && known === null) headers["retry-after"] = "5";
  return body(message, detailsOf(message), status, headers);
}

function body(
  error: string,
  details: readonly Detail[],
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error, details }, { status, headers });
}

/**
 * The library's messages have one form, "Cannot …: expected [field to be] wanted, found found.": details
 * are its parts. A message of another form has none.
 */
function detailsOf(message: string): Detail[] {
  const parts = /: expected (.+?)[,;] found (.+?)\.?$/s.exec(message) ??
    /: (.+?)[,;] found (.+?)\.?$/s.exec(message);
  if (!parts) return [];
  const [, wanted, found] = parts;
  const named = /^([a-z][\w.[\]-]*) (?:to be (.+)|(of shape .+))$/si.exec(wanted);
  if (!named) return [{ field: "", wanted, found }];
  return [{ field: named[1], wanted: named[2] ?? named[3], found }];
}
