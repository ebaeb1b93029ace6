/** Files that belong to the server: read once, sent with their types and a tag. */
import type { Context, Hono } from "hono";
import type { Env } from "./context.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  txt: "text/plain; charset=utf-8",
};

/** A file: its bytes or its text, wherever they come from. */
export type Load = () => Promise<string | Uint8Array<ArrayBuffer>>;

interface Loaded {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly tag: string;
}

/**
 * Serves a file at a path. It is loaded when it is first asked for.
 *
 * @param policy its Content-Security-Policy
 */
export function serveFile(
  app: Hono<Env>,
  path: string,
  name: string,
  policy: string,
  load: Load,
): void {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
  if (type === undefined) throw new Error(`Cannot serve ${name}: its type is not known.`);
  let loading: Promise<Loaded> | null = null;
  app.get(path, async (c: Context<Env>) => {
    c.get("facts").route = path;
    loading ??= read(load);
    let loaded: Loaded;
    try {
      loaded = await loading;
    } catch (error) {
      loading = null;
      throw error;
    }
    const headers = {
      "content-type": type,
      "content-security-policy": policy,
      etag: loaded.tag,
      // to be asked for again, and answered with 304
      "cache-control": "no-cache",
    };
    if (c.req.header("if-none-match") === loaded.tag) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(loaded.body, { headers });
  });
}

async function read(load: Load): Promise<Loaded> {
  const body = await load();
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { body, tag: `"${digest.toHex().slice(0, 32)}"` };
}
