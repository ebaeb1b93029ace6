/**
 * An app that only infers, for workers at the edge of a network (workerd and its like): the kernels on
 * one thread, one model, no files. The same routes and answers as the server's.
 */
import { Hono } from "hono/tiny";
import {
  createLocalService,
  createSingleThreadExecutor,
  inlineCodec,
  lightModelFromBytes,
} from "../src/edge.ts";
import { answering, problem } from "./formats/http.ts";
import { inferRoute } from "./formats/infer.ts";
import { oipRoutes } from "./oip.ts";

export interface EdgeOptions {
  /** `wasm/build/latentd.infer.wasm`, compiled: a static module */
  readonly kernels: WebAssembly.Module;
  /** the file of the model (safetensors) */
  readonly model: Uint8Array;
  /** what the app says its version is */
  readonly version: string;
  /** the model's name in paths; default "model" */
  readonly id?: string;
  /** bytes of a body: 8 MiB */
  readonly maxBodyBytes?: number;
  /** bytes that a body may unpack to: 16 MiB */
  readonly maxUnpackedBytes?: number;
}

/**
 * The app; `app.fetch` answers requests.
 *
 * @throws {InputError} where the model's file is none
 */
export function createEdgeApp(options: EdgeOptions): Hono {
  const { kernels, model, id = "model", maxBodyBytes = 8 * 2 ** 20 } = options;
  const executor = createSingleThreadExecutor(kernels, "edge: one thread, no other device");
  const service = createLocalService(executor, id, lightModelFromBytes(model, JSON.stringify(id)));
  const context = {
    service,
    codec: inlineCodec,
    maxBodyBytes,
    maxUnpackedBytes: options.maxUnpackedBytes ?? 16 * 2 ** 20,
  };
  const app = new Hono();
  app.get("/healthz", (c) => {
    const { ready, device, reason } = service.readiness();
    return c.json({ status: ready ? "ok" : "unavailable", device, reason }, ready ? 200 : 503);
  });
  app.post(
    "/v1/models/:id/infer",
    (c) => answering(() => inferRoute(context, c.req.param("id"), c.req.raw)),
  );
  app.route("/v2", oipRoutes(context, options.version));
  app.notFound((c) =>
    c.json({ error: `Cannot find ${c.req.method} ${new URL(c.req.url).pathname}.` }, 404)
  );
  app.onError((error) => {
    try {
      return problem(error);
    } catch {
      return Response.json({ error: "Cannot answer: an unexpected error." }, { status: 500 });
    }
  });
  return app;
}
