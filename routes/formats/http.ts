/** What every route needs of HTTP: bodies within a limit, and problems as answers. */
import {
  InputError,
  NotAcceptableError,
  ServingError,
  type ServingProblem,
  TooLargeError,
  UnsupportedTypeError,
} from "../../src/edge.ts";

/** What is read of a body: every stream of bytes has it. */
export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array<ArrayBuffer> }>;
  cancel(reason?: unknown): Promise<void>;
}

/** A body: a stream, or what reads as one. */
export interface BodySource {
  getReader(): BodyReader;
}

/**
 * Reads a body of at most `most` bytes. What is declared larger is refused before a byte is read, what
 * turns out larger as soon as it does.
 *
 * @throws {TooLargeError} for more than that
 * @throws {InputError} for fewer bytes than declared, or a compressed body
 */
export async function readBody(
  request: { readonly headers: Headers; readonly body: BodySource | null },
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
    throw new UnsupportedTypeError(
      `Cannot read the body: expected no Content-Encoding, found ${
        JSON.stringify(encoding.slice(0, 80))
      }.`,
    );
  }
  const header = request.headers.get("content-length");
  const declared = header !== null && /^[0-9]{1,15}$/.test(header) ? Number(header) : null;
  const tooLarge = (found: string) =>
    new TooLargeError(
      `Cannot read the body: expected at most ${most} bytes, found ${found}.`,
    );
  if (declared !== null && declared > most) throw tooLarge(`${declared} declared`);
  const pieces: Uint8Array[] = [];
  // memory that is only reserved costs nothing until it is written
  let body = declared === null ? null : new Uint8Array(declared);
  let length = 0;
  if (request.body) {
    const reader = request.body.getReader();
    for (;;) {
      let next;
      try {
        next = await reader.read();
      } catch (cause) {
        throw new InputError(
          `Cannot read the body: expected ${
            declared ?? "all"
          } bytes, found its end after ${length}.`,
          { cause },
        );
      }
      if (next.done || !next.value) break;
      const at = length;
      length += next.value.length;
      if (length > most) {
        await reader.cancel().catch(() => {});
        throw tooLarge("more");
      }
      if (body === null) pieces.push(next.value);
      else if (length <= body.length) body.set(next.value, at);
    }
  }
  if (declared !== null && length !== declared) {
    throw new InputError(
      `Cannot read the body: expected ${declared} bytes, found its end after ${length}.`,
    );
  }
  if (body !== null) return body;
  body = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

const STATUS: Readonly<Record<ServingProblem, number>> = {
  "unknown-model": 404,
  overloaded: 429,
  timeout: 504,
  device: 503,
  closed: 503,
};

/** The status of an error that a route met; null for one that it did not expect. */
export function statusOf(error: unknown): number | null {
  if (error instanceof UnsupportedTypeError) return 415;
  if (error instanceof NotAcceptableError) return 406;
  if (error instanceof TooLargeError) return 413;
  if (error instanceof InputError) return 400;
  if (error instanceof ServingError) return STATUS[error.problem];
  return null;
}

/**
 * An error as an answer: `{ "error": … }`, the same for our own routes and for the Open Inference
 * Protocol.
 *
 * @throws the error, where no route expected it
 */
export function problem(error: unknown): Response {
  const status = statusOf(error);
  if (status === null) throw error;
  const { message } = error as Error;
  const retry = error instanceof ServingError ? error.retryAfterMs : null;
  return Response.json({ error: message }, {
    status,
    headers: retry === null ? {} : { "retry-after": String(Math.ceil(retry / 1000)) },
  });
}

/** Runs a route, and answers what went wrong. */
export async function answering(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    return problem(error);
  }
}
