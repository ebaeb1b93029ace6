/**
 * Who may be behind a request. A page of another site can make a browser send requests here, and by DNS
 * rebinding even under a name of its own: the Host must be ours, and so must the Origin.
 */
import type { MiddlewareHandler } from "hono";
import type { Env, ServerContext } from "../context.ts";
import { refusal } from "../http/problems.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** The host and port of a header; null where it is malformed. */
function hostOf(header: string): { name: string; host: string } | null {
  const parts = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/i.exec(header);
  return parts && { name: parts[1].toLowerCase(), host: header.toLowerCase() };
}

const shown = (header: string | undefined) =>
  header === undefined ? "none" : JSON.stringify(header.slice(0, 200));

export function sameSite({ access }: ServerContext): MiddlewareHandler<Env> {
  const names = access.loopback ? [...LOOPBACK, ...access.hosts] : access.hosts;
  return async (c, next) => {
    const header = c.req.header("host") ?? new URL(c.req.url).host;
    const host = hostOf(header);
    // without names of its own a server that needs keys is reached by any name
    if (host === null || names.length > 0 && !names.includes(host.name)) {
      const wanted = names.length > 0 ? `one of ${names.join(", ")}` : "a name and a port";
      throw refusal(421, "Cannot answer", "Host", wanted, shown(header));
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && origin.toLowerCase().replace(/^https?:\/\//, "") !== host.host) {
      throw refusal(403, "Cannot answer", "Origin", `this server, ${host.host}`, shown(origin));
    }
    const site = c.req.header("sec-fetch-site");
    const safe = c.req.method === "GET" || c.req.method === "HEAD";
    if (!safe && site !== undefined && site !== "same-origin" && site !== "none") {
      throw refusal(403, "Cannot answer", "Sec-Fetch-Site", "same-origin", shown(site));
    }
    await next();
  };
}
