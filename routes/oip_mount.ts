/** The Open Inference Protocol below `/v2`, with what is said about it in `/openapi.json`. */
import type { Hono } from "hono";
import { z } from "zod";
import type { Env, ServerContext } from "./context.ts";
import type { Endpoint, Routes } from "./http/endpoint.ts";
import { inferContext } from "./infer.ts";
import { oipRoutes } from "./oip.ts";

const tag = "open inference protocol";
const params = z.strictObject({ id: z.string() });
const anything = { "application/json": z.looseObject({}) };

const ENDPOINTS: readonly Endpoint[] = [
  {
    method: "get",
    path: "/v2",
    id: "oipServer",
    tag,
    summary: "describe the server",
    answers: { 200: { description: "name, version, extensions", content: anything } },
  },
  {
    method: "get",
    path: "/v2/health/live",
    id: "oipLive",
    tag,
    summary: "tell whether the server lives",
    answers: { 200: { description: "it does", content: anything } },
    open: true,
  },
  {
    method: "get",
    path: "/v2/health/ready",
    id: "oipReady",
    tag,
    summary: "tell whether the server is ready",
    answers: {
      200: { description: "the device, and why this one", content: anything },
      503: { description: "why it is not", content: anything },
    },
    open: true,
  },
  {
    method: "get",
    path: "/v2/models/{id}",
    id: "oipModel",
    tag,
    summary: "describe the model's tensors",
    params,
    answers: { 200: { description: "its metadata", content: anything } },
  },
  {
    method: "get",
    path: "/v2/models/{id}/ready",
    id: "oipModelReady",
    tag,
    summary: "tell whether the model is ready",
    params,
    answers: { 200: { description: "it is", content: anything } },
  },
  {
    method: "post",
    path: "/v2/models/{id}/infer",
    id: "oipInfer",
    tag,
    summary: "infer by the Open Inference Protocol",
    description:
      "A tensor `spikes` [trials, T, N] and, where the model's metadata have it, `external` [trials, T, X] " +
      "(FP32 or FP64), as JSON or by the binary tensor data extension.",
    params,
    headers: { "Inference-Header-Content-Length": "bytes of JSON before the binary tensors" },
    body: { ...anything, "application/octet-stream": "bytes" },
    answers: {
      200: {
        description: "one tensor for each output",
        content: { ...anything, "application/octet-stream": "bytes" },
      },
    },
  },
];

export function oipMount(app: Hono<Env>, routes: Routes, context: ServerContext): void {
  for (const endpoint of ENDPOINTS) {
    routes.document(endpoint);
    app.on(
      endpoint.method.toUpperCase(),
      endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      (c, next) => {
        c.get("facts").route = endpoint.path;
        return next();
      },
    );
  }
  app.route("/v2", oipRoutes(inferContext(context), context.version));
}
