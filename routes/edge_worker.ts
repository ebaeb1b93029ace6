/**
 * The edge app as a worker's module: `fetch` of a workerd-like runtime. The model stands beside the
 * worker, or is fetched from where `MODEL_URL` says when the first request comes.
 */
import type { Hono } from "hono/tiny";
import { createEdgeApp, type EdgeOptions } from "./edge.ts";

/** A model's file of more bytes is refused. */
const MOST_MODEL_BYTES = 64 * 2 ** 20;

export interface EdgeWorkerOptions extends Omit<EdgeOptions, "model"> {
  /** null: `MODEL_URL` has to say where it is */
  readonly model: Uint8Array | null;
}

/** What the runtime binds. */
export interface EdgeEnvironment {
  readonly MODEL_URL?: string;
}

/** The default export of a worker's module. */
export function createEdgeWorker(options: EdgeWorkerOptions): {
  fetch(request: Request, environment?: EdgeEnvironment): Promise<Response>;
} {
  const { model, ...others } = options;
  // an embedded model that cannot be read fails the start, not a request
  let app: Hono | null = model === null ? null : createEdgeApp({ ...others, model });
  return {
    async fetch(request, environment = {}) {
      if (app === null) {
        // requests that come meanwhile fetch for themselves: they may not wait for another's fetch
        const fetched = await fetchModel(environment.MODEL_URL);
        if (fetched instanceof Response) return fetched;
        try {
          app ??= createEdgeApp({ ...others, model: fetched });
        } catch (error) {
          return unavailable(error instanceof Error ? error.message : String(error));
        }
      }
      return await app.fetch(request);
    },
  };
}

function unavailable(error: string): Response {
  return Response.json({ error }, { status: 503, headers: { "retry-after": "5" } });
}

async function fetchModel(url: string | undefined): Promise<Uint8Array | Response> {
  const fail = (wanted: string, found: string) =>
    unavailable(`Cannot load the model: expected ${wanted}, found ${found}.`);
  if (url === undefined) return fail("MODEL_URL, as no model is embedded", "none");
  try {
    const response = await fetch(url);
    const { status } = response;
    if (status !== 200) {
      await response.body?.cancel();
      return fail("status 200 from MODEL_URL", String(status));
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length <= MOST_MODEL_BYTES) return bytes;
    return fail(`at most ${MOST_MODEL_BYTES} bytes`, String(bytes.length));
  } catch (error) {
    return fail("an answer from MODEL_URL", error instanceof Error ? error.message : String(error));
  }
}
