/** Models: listed, imported, taken home as files. */
import {
  hyperparametersSchema,
  MEDIA_TYPES,
  type ParameterFormat,
  RECONSTRUCTIONS,
  SOURCES,
} from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { created, file } from "./http/answers.ts";
import { readBody } from "./formats/http.ts";
import { contentType } from "./http/body.ts";
import type { Routes } from "./http/endpoint.ts";
import { negotiate } from "./http/negotiate.ts";
import { refusal } from "./http/problems.ts";
import {
  BYTES,
  fileName,
  json,
  Model,
  modelParams,
  page,
  pageQuery,
  positiveText,
  wholeText,
} from "./schemas.ts";

const tag = "models";
const { npz: NPZ, safetensors: SAFETENSORS } = MEDIA_TYPES;

const FORMATS = {
  [NPZ]: "npz",
  [SAFETENSORS]: "safetensors",
  "application/json": "json",
} as const satisfies Record<string, ParameterFormat>;

const bins = (least: number, described: string) => wholeText(least, 65_536, described).optional();

/** What the arrays of another program do not tell. */
const foreign = {
  bins: bins(1, "another program's model: bins of a trial"),
  from: z.enum(SOURCES).optional().meta({ description: "the program; as the names tell" }),
  bin_width_s: positiveText("seconds per bin").optional(),
  encoded_bins: bins(1, "lfads-torch's encod_seq_len; all bins"),
  ic_enc_seq_len: bins(0, "lfads-torch's; anything but 0 is refused; 0"),
  ci_lag: bins(0, "lfads-torch's; 1"),
  cell_clip: positiveText("lfads-torch's; 5").optional(),
  ic_post_var_min: positiveText("lfads-torch's; 0.0001").optional(),
  reconstruction: z.enum(RECONSTRUCTIONS).optional().meta({
    description: "lfads-torch's; poisson",
  }),
  session: wholeText(0, 999_999, "lfads-torch's, from 0, where there are several").optional(),
  nonlinearity: z.enum(["tanh", "relu", "identity"]).optional().meta({
    description: "of a vanilla generator of jax-lfads; tanh",
  }),
  var_min: positiveText("jax-lfads's; 0.001").optional(),
};

const FOREIGN = Object.keys(foreign) as (keyof typeof foreign)[];

const Imported = Model.extend({
  warnings: z.array(z.string()).describe("what is not the same as it was in another program"),
}).meta({ id: "ImportedModel" });

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
    description:
      "Takes a `model.safetensors` as `latentd fit` and this server make them. With `bins` it takes arrays " +
      "of another program, as `latentd import` does: a state dictionary of lfads-torch or a parameter " +
      "dictionary of jax-lfads, as safetensors, .npz or JSON. `warnings` say what is not the same.",
    query: z.strictObject({ name: fileName.optional(), ...foreign }),
    body: {
      [SAFETENSORS]: "bytes",
      [NPZ]: "bytes",
      "application/json": z.record(z.string(), z.unknown()),
      [BYTES]: "bytes",
    },
    answers: {
      201: {
        description: "the model, on the disk",
        content: json(Imported),
        headers: { location: "its address" },
      },
    },
    duration: "upload",
  }, async ({ query, request }) => {
    const { name, bins } = query;
    const own = [SAFETENSORS, BYTES];
    const types = bins === undefined ? own : [...own, NPZ, "application/zip", "application/json"];
    contentType(request, "Cannot store the model", types);
    const bytes = await readBody(request, settings.maxModelBytes);
    const named = name === undefined ? {} : { name };
    if (bins === undefined) {
      const [other] = FOREIGN.filter((key) => query[key] !== undefined);
      if (other !== undefined) {
        const wanted = "given with `bins`, as for a model of another program";
        throw refusal(400, "Cannot store the model", other, wanted, String(query[other]));
      }
      const model = await jobs.models.import(bytes, named);
      return created(`/v1/models/${model.id}`, { ...model, warnings: [] });
    }
    const { model, warnings } = await jobs.models.importForeign(bytes, {
      ...named,
      bins,
      from: query.from,
      binWidth: query.bin_width_s,
      encodedBins: query.encoded_bins,
      icEncSeqLen: query.ic_enc_seq_len,
      ciLag: query.ci_lag,
      cellClip: query.cell_clip,
      icPostVarMin: query.ic_post_var_min,
      reconstruction: query.reconstruction,
      session: query.session,
      nonlinearity: query.nonlinearity,
      varMin: query.var_min,
    });
    return created(`/v1/models/${model.id}`, { ...model, warnings });
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
