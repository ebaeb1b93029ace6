/** Bodies that arrive in bounded time and bounded memory. */
import { parseMediaType } from "../../src/server.ts";
import { type BodyReader, type BodySource, readBody } from "../formats/http.ts";
import { refusal, RequestProblem } from "./problems.ts";

const ACTION = "Cannot read the body";

/** How bodies may arrive. */
export interface BodyLimits {
  /** milliseconds without a byte */
  readonly idleMs: number;
  /** milliseconds until the last byte */
  readonly bodyTimeoutMs: number;
  /** bytes of all bodies that are held at a time */
  readonly maxBodiesBytes: number;
}

/** Bytes of bodies that are held: shared by all requests. */
export class BodyMemory {
  #held = 0;
  constructor(private readonly most: number) {}

  get held(): number {
    return this.#held;
  }

  /** @throws {RequestProblem} 503 where there is no room */
  take(bytes: number): void {
    if (this.#held + bytes > this.most) {
      throw refusal(
        503,
        ACTION,
        "",
        `room for it beside other requests' bodies (${this.most} bytes for all)`,
        `${this.#held} bytes held`,
        { "retry-after": "5" },
      );
    }
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** A request whose body is guarded, and what gives its memory back. */
export interface GuardedRequest {
  readonly request: Request;
  /** why the guard ended the body; null where it did not */
  readonly problem: RequestProblem | null;
  release(): void;
}

/** Guards a body: too slow a client gets 408, and memory is counted until `release`. */
export function guardBody(
  request: Request,
  memory: BodyMemory,
  limits: BodyLimits,
): GuardedRequest {
  if (!request.body) return { request, problem: null, release: () => {} };
  const body = new GuardedBody(request.body, memory, limits);
  return {
    // what `readBody` and Hono use of a request: a Request and a stream of their own cost every answer
    request: new WithBody(request, body) as unknown as Request,
    get problem() {
      return body.problem;
    },
    release: () => body.release(),
  };
}

/** A request with another body. */
class WithBody implements Pick<Request, "method" | "url" | "headers" | "signal"> {
  constructor(private readonly request: Request, readonly body: BodySource) {}
  get method() {
    return this.request.method;
  }
  get url() {
    return this.request.url;
  }
  get headers() {
    return this.request.headers;
  }
  get signal() {
    return this.request.signal;
  }
}

/** A body that is read in bounded time and bounded memory. */
class GuardedBody implements BodySource {
  problem: RequestProblem | null = null;
  readonly #until: number;
  #held = 0;

  constructor(
    private readonly body: ReadableStream<Uint8Array<ArrayBuffer>>,
    private readonly memory: BodyMemory,
    private readonly limits: BodyLimits,
  ) {
    this.#until = performance.now() + limits.bodyTimeoutMs;
  }

  getReader(): BodyReader {
    const reader = this.body.getReader();
    return {
      read: () => this.#read(reader),
      cancel: (reason) => reader.cancel(reason),
    };
  }

  async #read(reader: BodyReader): ReturnType<BodyReader["read"]> {
    if (this.problem) throw this.problem;
    const { idleMs } = this.limits;
    const left = Math.min(idleMs, this.#until - performance.now());
    const slow = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => slow.reject(tooSlow(left < idleMs, this.limits)),
      Math.max(0, left),
    );
    try {
      const next = await Promise.race([reader.read(), slow.promise]);
      if (next.value) {
        this.memory.take(next.value.length);
        this.#held += next.value.length;
      }
      return next;
    } catch (error) {
      if (error instanceof RequestProblem) {
        this.problem = error;
        reader.cancel(error).catch(() => {});
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  release(): void {
    this.memory.give(this.#held);
    this.#held = 0;
  }
}

function tooSlow(whole: boolean, { idleMs, bodyTimeoutMs }: BodyLimits): RequestProblem {
  return refusal(
    408,
    ACTION,
    "",
    whole ? `all of it within ${bodyTimeoutMs} ms` : `more of it within ${idleMs} ms`,
    "no end",
    { connection: "close" },
  );
}

/**
 * The type of a body, one of those that may be.
 *
 * @throws {RequestProblem} 415
 */
export function contentType<T extends string>(
  request: Request,
  action: string,
  allowed: readonly T[],
): T {
  const header = request.headers.get("content-type");
  const media = header === null ? null : parseMediaType(header);
  const type = allowed.find((type) => type === media?.type);
  const charset = media?.parameters.get("charset")?.toLowerCase() ?? "utf-8";
  if (type !== undefined && ["utf-8", "utf8"].includes(charset)) return type;
  throw refusal(
    415,
    action,
    "Content-Type",
    allowed.length === 1 ? allowed[0] : `one of ${allowed.join(", ")}`,
    header === null ? "none" : JSON.stringify(header.slice(0, 200)),
  );
}

/**
 * A body of JSON.
 *
 * @throws {RequestProblem} 415 for another type, 400 for what is no JSON
 */
export async function readJson(request: Request, action: string, most: number): Promise<unknown> {
  contentType(request, action, ["application/json"]);
  const bytes = await readBody(request, most);
  return parseJson(bytes, action);
}

export function parseJson(bytes: Uint8Array, action: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refusal(400, action, "the body", "JSON in UTF-8", "other bytes");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes what it read: that may be spikes
    const place = error instanceof Error
      ? /at position \d+.*$|end of JSON input/.exec(error.message)
      : null;
    const found = text.trim() === "" ? "nothing" : `something else (${place?.[0] ?? "not JSON"})`;
    throw refusal(400, action, "the body", "JSON", found);
  }
}
