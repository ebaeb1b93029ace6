/** One route: its schemas, which validate and document it, and its handler. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import type { Env, ServerContext } from "../context.ts";
import { readBody } from "../formats/http.ts";
import { readJson } from "./body.ts";
import { refusal } from "./problems.ts";
import { validate } from "./validate.ts";

/** What an answer holds: JSON by its schema, or bytes. */
export type Content = z.ZodType | "bytes" | "text";

export interface Answer {
  readonly description: string;
  /** by media type */
  readonly content?: Readonly<Record<string, Content>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long an endpoint may take. */
export type Duration = "answer" | "upload" | "job" | "stream";

export interface Endpoint<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  J extends z.ZodType = z.ZodType,
> {
  readonly method: "get" | "post" | "delete";
  /** with `{name}` for parameters */
  readonly path: string;
  /** unique; clients' generators name functions after it */
  readonly id: string;
  readonly tag: string;
  /** what it does, as messages begin: "list the runs" */
  readonly summary: string;
  readonly description?: string;
  readonly params?: P;
  readonly query?: Q;
  /** of a JSON body, which is read and checked */
  readonly json?: J;
  /** a JSON body may be left out */
  readonly jsonOptional?: boolean;
  /** of bodies that the handler reads */
  readonly body?: Readonly<Record<string, Content>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly duration?: Duration;
  /** answered without a key */
  readonly open?: boolean;
}

/** A request that fits its endpoint. */
export interface Given<P extends z.ZodObject, Q extends z.ZodObject, J extends z.ZodType> {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly json: z.output<J>;
  /** with a guarded body */
  readonly request: Request;
  /** aborts when the client goes away or the time is over */
  readonly signal: AbortSignal;
}

type Handler<P extends z.ZodObject, Q extends z.ZodObject, J extends z.ZodType> = (
  given: Given<P, Q, J>,
) => Response | Promise<Response>;

const nothing = z.strictObject({});

/** Registers endpoints; their list is what `/openapi.json` is made from. */
export class Routes {
  readonly endpoints: Endpoint[] = [];
  constructor(private readonly app: Hono<Env>, private readonly context: ServerContext) {}

  add<
    P extends z.ZodObject = typeof nothing,
    Q extends z.ZodObject = typeof nothing,
    J extends z.ZodType = typeof nothing,
  >(endpoint: Endpoint<P, Q, J>, handle: Handler<P, Q, J>): void {
    this.endpoints.push(endpoint as unknown as Endpoint);
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1");
    this.app.on(endpoint.method.toUpperCase(), path, async (c) => {
      c.get("facts").route = endpoint.path;
      const action = `Cannot ${endpoint.summary}`;
      const params = validate(endpoint.params ?? nothing, c.req.param(), action, "the path");
      const query = validate(endpoint.query ?? nothing, queryOf(c, action), action, "the query");
      return await this.#within(c, endpoint.duration ?? "answer", action, async (signal) => {
        const request = c.req.raw;
        const json = await this.#json(endpoint, request, action);
        const given = { params, query, json, request, signal } as unknown as Given<P, Q, J>;
        return await handle(given);
      });
    });
  }

  /** Documents an endpoint that another app answers. */
  document(endpoint: Endpoint): void {
    this.endpoints.push(endpoint);
  }

  /** Answers other methods of known paths. */
  refuseOtherMethods(): void {
    const methods = new Map<string, string[]>();
    for (const { method, path } of this.endpoints) {
      const names = method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()];
      methods.set(path, [...methods.get(path) ?? [], ...names]);
    }
    for (const [path, names] of methods) {
      this.app.all(path.replaceAll(/\{(\w+)\}/g, ":$1"), (c) => {
        c.get("facts").route = path;
        const allow = names.join(", ");
        throw refusal(405, "Cannot answer", "the method", allow, c.req.method, { allow });
      });
    }
  }

  async #json(
    endpoint: Pick<Endpoint, "json" | "jsonOptional">,
    request: Request,
    action: string,
  ): Promise<unknown> {
    if (!endpoint.json) return {};
    const { maxJsonBytes } = this.context.settings;
    let given = request;
    if (endpoint.jsonOptional && request.headers.get("content-type") === null) {
      // a request that came through a socket has a body even where nothing was sent
      const bytes = await readBody(request, maxJsonBytes);
      if (bytes.length === 0) return validate(endpoint.json, {}, action, "the body");
      given = new Request(request.url, { method: "POST", body: bytes });
    }
    return validate(endpoint.json, await readJson(given, action, maxJsonBytes), action, "the body");
  }

  /** Runs a handler until the client goes away or the time is over. */
  async #within(
    c: Context<Env>,
    duration: Duration,
    action: string,
    work: (signal: AbortSignal) => Promise<Response>,
  ): Promise<Response> {
    const { timeoutMs, jobTimeoutMs, bodyTimeoutMs } = this.context.settings;
    const { signal } = c.req.raw;
    if (duration === "stream") return await work(signal);
    const limit = { answer: timeoutMs, upload: bodyTimeoutMs + timeoutMs, job: jobTimeoutMs };
    const ms = limit[duration];
    const own = new AbortController();
    const gone = Promise.withResolvers<never>();
    const end = (reason: unknown) => {
      gone.reject(reason);
      own.abort(reason);
    };
    const leave = () => end(signal.reason);
    const late = () =>
      refusal(504, action, "", `an answer within ${ms} ms`, "none yet", { "retry-after": "1" });
    const timer = setTimeout(() => end(late()), ms);
    signal.addEventListener("abort", leave);
    try {
      if (signal.aborted) throw signal.reason;
      return await Promise.race([work(own.signal), gone.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }
}

/** @throws {RequestProblem} 400 where a name comes twice */
function queryOf(c: Context<Env>, action: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (Object.hasOwn(query, name)) {
      throw refusal(400, action, name.slice(0, 80), "given once", "it twice");
    }
    query[name] = value;
  }
  return { ...query };
}
