/** What is known of a request: its id, for the answer and the log; its metrics; its span. */
import type { MiddlewareHandler } from "hono";
import type { Env, RequestFacts, ServerContext } from "../context.ts";

const ID = /^[\w.-]{1,64}$/;

/** Names requests, counts, times, logs and traces them. No query, body or key gets into a log. */
export function observe({ log, metrics, tracing }: ServerContext): MiddlewareHandler<Env> {
  return async (c, next) => {
    const start = performance.now();
    const given = c.req.header("x-request-id");
    const id = given !== undefined && ID.test(given) ? given : crypto.randomUUID();
    const facts: RequestFacts = { id, route: "unknown", key: null, problem: null };
    c.set("facts", facts);
    await next();
    const { status, headers } = c.res;
    headers.set("x-request-id", id);
    const { method } = c.req;
    const ms = performance.now() - start;
    metrics.request(method, facts.route, status, ms / 1000);
    tracing.request(method, facts.route, id);
    const { route, key, problem } = facts;
    const line = {
      request: id,
      method,
      route,
      status,
      ms: Math.round(ms * 100) / 100,
      remote: c.env?.remote,
      ...(key === null ? {} : { key }),
      ...(problem === null ? {} : { problem }),
    };
    if (status === 500) log.error(line, "request");
    else if (status > 500) log.warn(line, "request");
    else log.info(line, "request");
  };
}
