/** How many requests at a time, and how many in a second of each key or address. */
import type { MiddlewareHandler } from "hono";
import type { Env, ServerContext } from "../context.ts";
import { guardBody } from "../http/body.ts";
import { problemResponse, refusal } from "../http/problems.ts";
import { Buckets } from "./buckets.ts";

const ACTION = "Cannot answer";

/** A rate for each key, or address where there is none. */
export function limitRate({ settings }: ServerContext): MiddlewareHandler<Env> {
  const { requestsPerSecond, requestsBurst } = settings;
  const buckets = new Buckets(requestsPerSecond, requestsBurst);
  return async (c, next) => {
    const name = c.get("facts").key ?? c.env?.remote ?? "unknown";
    if (!buckets.take(name)) {
      throw refusal(
        429,
        ACTION,
        "",
        `at most ${requestsPerSecond} requests a second`,
        "more",
        { "retry-after": String(Math.ceil(buckets.wait(name))) },
      );
    }
    await next();
  };
}

/** Counts requests that are being answered. */
export class InFlight {
  #now = 0;
  #idle: (() => void)[] = [];

  get count(): number {
    return this.#now;
  }

  enter(): void {
    this.#now++;
  }

  leave(): void {
    if (--this.#now > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when none is left. */
  async idle(): Promise<void> {
    if (this.#now > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}

/** Those who look after a server are told how it is, whatever it does. */
function isHealth(path: string): boolean {
  return path === "/healthz" || path.startsWith("/v2/health/");
}

/** Guards bodies, and refuses what is too much at a time or comes too late. */
export function limitRequests(
  { settings, bodies, phase, inFlight }: ServerContext,
): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (isHealth(c.req.path)) return await next();
    if (phase.draining.aborted) {
      throw refusal(503, ACTION, "", "a server that takes requests", "one that stops", {
        "retry-after": "10",
        connection: "close",
      });
    }
    if (inFlight.count >= settings.maxRequests) {
      throw refusal(
        503,
        ACTION,
        "",
        `fewer than ${settings.maxRequests} requests at a time`,
        String(inFlight.count),
        { "retry-after": "1" },
      );
    }
    const guard = guardBody(c.req.raw, bodies, settings);
    c.req.raw = guard.request;
    inFlight.enter();
    try {
      await next();
      // whoever read the body took what the guard threw for the body's end
      if (guard.problem && c.res.status === 400) c.res = problemResponse(guard.problem);
    } finally {
      inFlight.leave();
      guard.release();
    }
  };
}
