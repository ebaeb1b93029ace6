/** Bearer keys (RFC 6750): needed wherever there are any, and always beyond loopback. */
import type { MiddlewareHandler } from "hono";
import type { Env, ServerContext } from "../context.ts";
import { refusal } from "../http/problems.ts";
import { Buckets } from "./buckets.ts";

/** Wrong keys of one address: so many at once, and so many in a minute. */
const MOST_WRONG = 20, WRONG_PER_MINUTE = 20;

const ACTION = "Cannot answer";

/** @param isOpen whether a path is answered without a key */
export function requireKey(
  { keys }: ServerContext,
  isOpen: (method: string, path: string) => boolean,
): MiddlewareHandler<Env> {
  const wrong = new Buckets(WRONG_PER_MINUTE / 60, MOST_WRONG);
  return async (c, next) => {
    if (!await keys.required() || isOpen(c.req.method, c.req.path)) return await next();
    const remote = c.env?.remote ?? "unknown";
    const left = wrong.wait(remote);
    if (left > 0) {
      throw refusal(429, ACTION, "", `at most ${MOST_WRONG} wrong keys`, "more", {
        "retry-after": String(Math.ceil(left)),
      });
    }
    const header = c.req.header("authorization");
    const [, key] = /^Bearer +([\w~+/.=-]{1,200})$/i.exec(header ?? "") ?? [];
    const id = key === undefined ? null : await keys.find(key);
    if (id === null) {
      if (header !== undefined) wrong.take(remote);
      throw refusal(
        401,
        ACTION,
        "Authorization",
        '"Bearer " and a key of this server',
        header === undefined ? "none" : "something else",
        { "www-authenticate": 'Bearer realm="latentd"' },
      );
    }
    c.get("facts").key = id;
    await next();
  };
}
