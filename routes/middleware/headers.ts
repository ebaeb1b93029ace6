/** What every answer says to browsers: nothing may be framed, guessed, or run that is not meant to. */
import type { MiddlewareHandler } from "hono";
import type { Env } from "../context.ts";

const policy = (directives: Readonly<Record<string, string>>) =>
  Object.entries(directives).map(([name, value]) => `${name} ${value}`.trim()).join("; ");

const LOCKED = {
  "default-src": "'none'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

/** Of answers that are no pages. */
export const API_POLICY = policy(LOCKED);

/** Of the dashboard: scripts, styles and data of this server only; nothing inline. */
export const PAGE_POLICY = policy({
  ...LOCKED,
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' data: blob:",
  "font-src": "'self'",
  "connect-src": "'self'",
  "worker-src": "'self'",
});

/** Of the API page, whose library sets styles of its own. */
export const DOCS_POLICY = policy({
  ...LOCKED,
  "script-src": "'self'",
  "style-src": "'self' 'unsafe-inline'",
  "img-src": "'self' data:",
  "connect-src": "'self'",
});

/** Of a report: one page that is complete in itself, and runs nothing. */
export const REPORT_POLICY = policy({
  ...LOCKED,
  "style-src": "'unsafe-inline'",
  "img-src": "data:",
  "sandbox": "",
});

const HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

export function securityHeaders(): MiddlewareHandler<Env> {
  return async (c, next) => {
    await next();
    const { headers } = c.res;
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", API_POLICY);
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  };
}
