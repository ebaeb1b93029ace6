/** Models: listed, imported, taken home as files. */
import { hyperparametersSchema, MEDIA_TYPES, type ParameterFormat } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { created, file } from "./http/answers.ts";
import { readBody } from "./formats/http.ts";
import { contentType } from "./http/body.ts";
import type { Routes } from "./http/endpoint.ts";
import { negotiate } from "./http/negotiate.ts";
import { BYTES, fileName, json, Model, modelParams, page, pageQuery } from "./schemas.ts";

const tag = "models";
const { npz: NPZ, safetensors: SAFETENSORS } = MEDIA_TYPES;

const FORMATS = {
  [NPZ]: "npz",
  [SAFETENSORS]: "safetensors",
  "application/json": "json",
} as const satisfies Record<string, ParameterFormat>;

const Parameters = z.strictObject({
  format: z.literal("latentd parameters 1"),
  T: z.int(),
  N: z.int(),
  binWidth: z.number().nullable(),
  seed: z.int(),
  step: z.int(),
  hyperparameters: hyperparametersSchema,
  heldOut: z.array(z.int()).optional().describe("neurons that the encoders never see"),
  parameters: z.record(z.string(), z.array(z.unknown())).describe("nested, [in][out]"),
}).meta({ id: "Parameters" });

export function modelRoutes(routes: Routes, { jobs, serving, settings }: ServerContext): void {
  routes.add({
    method: "post",
    path: "/v1/models",
    id: "importModel",
    tag,
    summary: "store the model",
    description: "Takes a `model.safetensors` as `latentd fit` and this server make them.",
    query: z.strictObject({ name: fileName.optional() }),
    body: { [SAFETENSORS]: "bytes", [BYTES]: "bytes" },
    answers: {
      201: {
        description: "the model, on the disk",
        content: json(Model),
        headers: { location: "its address" },
      },
    },
    duration: "upload",
  }, async ({ query, request }) => {
    contentType(request, "Cannot store the model", [SAFETENSORS, BYTES]);
    const bytes = await readBody(request, settings.maxModelBytes);
    const model = await jobs.models.import(
      bytes,
      query.name === undefined ? {} : { name: query.name },
    );
    return created(`/v1/models/${model.id}`, model);
  });

  routes.add({
    method: "get",
    path: "/v1/models",
    id: "listModels",
    tag,
    summary: "list the models",
    query: pageQuery("model"),
    answers: { 200: { description: "newest first", content: json(page(Model)) } },
  }, async ({ query }) => Response.json(await jobs.models.list(query)));

  routes.add({
    method: "get",
    path: "/v1/models/{id}",
    id: "getModel",
    tag,
    summary: "show the model",
    params: modelParams,
    answers: { 200: { description: "the model", content: json(Model) } },
  }, async ({ params }) => Response.json(await jobs.models.get(params.id)));

  routes.add({
    method: "delete",
    path: "/v1/models/{id}",
    id: "deleteModel",
    tag,
    summary: "delete the model",
    params: modelParams,
    answers: { 204: { description: "it is gone" } },
  }, async ({ params }) => {
    await jobs.models.delete(params.id);
    // a device that is not there has nothing to forget
    await serving.forget(params.id).catch(() => {});
    return new Response(null, { status: 204 });
  });

  routes.add({
    method: "get",
    path: "/v1/models/{id}/parameters",
    id: "getParameters",
    tag,
    summary: "send the model's parameters",
    description:
      "One array `[in, out]` for each of its parameters. The safetensors file holds all that is known of " +
      "the model, and can be imported again.",
    params: modelParams,
    answers: {
      200: {
        description: "the parameters, as Accept likes them",
        content: { [NPZ]: "bytes", [SAFETENSORS]: "bytes", "application/json": Parameters },
      },
    },
  }, async ({ params, request }) => {
    const types = Object.keys(FORMATS) as (keyof typeof FORMATS)[];
    const type = negotiate(request, "Cannot send the model's parameters", types);
    const format = FORMATS[type];
    const bytes = await jobs.models.parameters(params.id, format);
    return file(bytes, type, `${params.id}.${format}`, settings.idleMs, { vary: "accept" });
  });
}
