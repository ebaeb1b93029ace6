/** Inference: spikes in, rates and latents out. */
import {
  ANSWER_TYPES,
  idSchema,
  MEDIA_TYPES,
  OUTPUT_NAMES,
  TENSOR_HEADERS,
} from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { type InferContext, inferRoute } from "./formats/infer.ts";
import type { Routes } from "./http/endpoint.ts";
import { bytesResponse } from "./http/pace.ts";
import { modelParams, wholeText } from "./schemas.ts";

/** What the library's own reader of requests works with. */
export function inferContext({ serving, codec, settings }: ServerContext): InferContext {
  return {
    service: serving,
    codec,
    maxBodyBytes: settings.maxInferBytes,
    maxUnpackedBytes: settings.maxUnpackedBytes,
    timeoutMs: settings.timeoutMs,
    respond: (body, headers) => bytesResponse(body, headers, settings.idleMs),
  };
}

/** Documents what the library checks: its reader of requests takes options from the query or the body. */
const options = {
  samples: wholeText(
    0,
    65_536,
    "posterior samples of each trial, averaged; 0 is the posterior mean; 64",
  )
    .optional(),
  seed: wholeText(0, Number.MAX_SAFE_INTEGER, "decides the samples; 0").optional(),
  first_trial: wholeText(0, 0x7fffffff, "the place of the first trial, which decides its noise; 0")
    .optional(),
  bin_width_s: z.string().optional().meta({
    description: "seconds per bin, for rates_hz; the model's",
    type: "number",
  }),
  outputs: z.string().optional().meta({
    description: `which of ${OUTPUT_NAMES.join(", ")}, with commas between; all`,
  }),
};

const InferBody = z.strictObject({
  spikes: z.union([
    z.array(z.array(z.array(z.int().min(0)))),
    z.strictObject({ shape: z.array(z.int()), data: z.array(z.int()) }),
  ]).describe("[trials][bins][neurons], whole counts"),
  samples: z.int().optional(),
  seed: z.int().optional(),
  first_trial: z.int().optional(),
  bin_width_s: z.number().nullable().optional(),
  outputs: z.array(z.enum(OUTPUT_NAMES)).optional(),
}).meta({ id: "InferRequest" });

const InferAnswer = z.strictObject({
  model: z.string(),
  trials: z.int(),
  samples: z.int(),
  seed: z.int(),
  device: z.string(),
  arrays: z.record(z.enum(OUTPUT_NAMES), z.array(z.unknown())).describe("nested, trials first"),
}).meta({ id: "InferAnswer" });

const types = (json: z.ZodType) => ({
  [MEDIA_TYPES.npz]: "bytes" as const,
  [MEDIA_TYPES.safetensors]: "bytes" as const,
  [MEDIA_TYPES.npy]: "bytes" as const,
  [MEDIA_TYPES.raw]: "bytes" as const,
  "application/json": json,
});

const answerTypes = { ...types(InferAnswer), [ANSWER_TYPES.hdf5]: "bytes" as const };

export function inferRoutes(routes: Routes, context: ServerContext): void {
  const infer = inferContext(context);
  const { jobs, work } = context;
  routes.add({
    method: "post",
    path: "/v1/models/{id}/infer",
    id: "infer",
    tag: "inference",
    summary: "infer",
    description:
      "Single-trial rates and latents. Arrays travel as .npz, safetensors, .npy or a raw little-endian " +
      `tensor (${
        Object.values(TENSOR_HEADERS).join(", ")
      }; the last two hold one array), or as JSON; ` +
      "the answer is what Accept likes best (HDF5 too), else what the request was.",
    params: modelParams,
    query: z.looseObject(options),
    body: types(InferBody),
    answers: { 200: { description: "the arrays, by name", content: answerTypes } },
    duration: "upload",
  }, async ({ params, request }) => await inferRoute(infer, params.id, request));

  routes.add({
    method: "post",
    path: "/v1/models/{id}/infer/{dataset}",
    id: "inferDataset",
    tag: "inference",
    summary: "infer from the dataset",
    description: "As `infer`, from a stored dataset; without a body.",
    params: modelParams.extend({ dataset: idSchema("dataset") }),
    query: z.looseObject(options),
    answers: { 200: { description: "the arrays, by name", content: answerTypes } },
  }, async ({ params, request }) => {
    const { sha256 } = await jobs.datasets.get(params.dataset);
    const bytes = () => jobs.datasets.bytes(params.dataset);
    const { counts_BTN, npz, trials, T, N, binWidth } = await work.counts({ sha256, bytes });
    const url = new URL(request.url);
    if (binWidth !== null && !url.searchParams.has("bin_width_s")) {
      url.searchParams.set("bin_width_s", String(binWidth));
    }
    const head = {
      contentType: npz ? MEDIA_TYPES.npz : MEDIA_TYPES.raw,
      query: url.search.slice(1),
      name: null,
      shape: npz ? null : [trials, T, N].join(),
      dtype: npz ? null : counts_BTN instanceof Uint8Array ? "uint8" : "uint16",
    };
    const { buffer, byteOffset, byteLength } = counts_BTN;
    const body = npz ?? new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    return await inferRoute(infer, params.id, request, { head, body });
  });
}
