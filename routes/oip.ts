/**
 * The Open Inference Protocol: what KServe and Triton clients speak. Models have no versions.
 *
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
 */
import { Hono } from "hono/tiny";
import { OIP_EXTENSIONS, OIP_HEADER_LENGTH, oipModelMetadata } from "../src/edge.ts";
import { answering, readBody } from "./formats/http.ts";
import { answer, type InferContext } from "./formats/infer.ts";

/** Infers what a request of the protocol asks for. */
export async function oipInferRoute(
  { service, codec, maxBodyBytes, timeoutMs, respond = answer }: InferContext,
  id: string,
  request: Request,
): Promise<Response> {
  const { signal, headers } = request;
  const limits = { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const model = await service.describe(id, limits);
  const head = {
    contentType: headers.get("content-type"),
    headerLength: headers.get(OIP_HEADER_LENGTH),
  };
  const body = await readBody(request, maxBodyBytes);
  const wanted = await codec.decodeOip(body, head, model);
  const { arrays, samples, seed } = await service.infer(id, wanted.request, limits);
  const facts = { model: id, samples, seed };
  const { id: request_id, outputs } = wanted;
  const encoded = await codec.encodeOip(arrays, { id: request_id, outputs }, facts);
  return respond(encoded.body, encoded.headers);
}

/** The routes below `/v2`. */
export function oipRoutes(context: InferContext, version: string): Hono {
  const { service } = context;
  const app = new Hono();
  app.get("/", () =>
    Promise.resolve(
      Response.json({ name: "latentd", version, extensions: OIP_EXTENSIONS }),
    ));
  app.get("/health/live", () => Promise.resolve(Response.json({ live: true })));
  app.get("/health/ready", () => {
    const { ready, device, reason } = service.readiness();
    const status = ready ? 200 : 503;
    return Promise.resolve(
      Response.json({ live: true, ready, device: device?.name ?? null, reason }, { status }),
    );
  });
  app.get("/models/:id", (c) =>
    answering(async () => {
      const model = await service.describe(c.req.param("id"), { signal: c.req.raw.signal });
      const wide = service.readiness().device?.name === "reference";
      return Response.json(oipModelMetadata(model, wide));
    }));
  app.get("/models/:id/ready", (c) =>
    answering(async () => {
      const { id: name } = await service.describe(c.req.param("id"), { signal: c.req.raw.signal });
      const { ready } = service.readiness();
      return Response.json({ name, ready }, { status: ready ? 200 : 503 });
    }));
  app.post(
    "/models/:id/infer",
    (c) => answering(() => oipInferRoute(context, c.req.param("id"), c.req.raw)),
  );
  app.notFound((c) =>
    c.json({ error: `Cannot find ${c.req.method} ${new URL(c.req.url).pathname}.` }, 404)
  );
  return app;
}
