/** Datasets: uploaded, simulated, listed, looked into, taken back. */
import { MEDIA_TYPES, simulateRequestSchema, type StoredDataset } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { readBody } from "./formats/http.ts";
import { created, file } from "./http/answers.ts";
import { contentType, parseJson } from "./http/body.ts";
import type { Routes } from "./http/endpoint.ts";
import { negotiate } from "./http/negotiate.ts";
import { bytesResponse } from "./http/pace.ts";
import { refusal } from "./http/problems.ts";
import { validate } from "./http/validate.ts";
import {
  BYTES,
  Dataset,
  datasetParams,
  fileName,
  flag,
  json,
  page,
  pageQuery,
  positiveText,
  wholeText,
} from "./schemas.ts";

const tag = "datasets";
const NPZ = MEDIA_TYPES.npz, NPY = MEDIA_TYPES.npy, JSON_TYPE = MEDIA_TYPES.json;
const HDF5 = "application/x-hdf5";
const SimulateRequest = simulateRequestSchema.meta({ id: "SimulateRequest" });

/** The arrays themselves are checked where they are read, number by number. */
const SpikesRequest = z.strictObject({
  name: fileName.optional(),
  spikes: z.array(z.unknown()).meta({
    description:
      "[trials][bins][neurons], counts or real numbers; null where a bin was not observed",
    items: { type: "array", items: { type: "array", items: { type: ["number", "null"] } } },
  }),
  bin_width_s: z.number().positive().nullable().optional().meta({ description: "seconds" }),
  condition: z.array(z.int()).nullable().optional().meta({ description: "of each trial" }),
}).meta({ id: "SpikesRequest" });

/** What a file may leave open: see the command line's options. */
const layout = {
  key: z.string().min(1).max(200).optional().meta({ description: "which array holds the spikes" }),
  axes: z.string().min(2).max(3).optional().meta({
    description: "the dimensions of that array, in the file's order: btn is trials, bins, neurons",
  }),
  bin_width_s: positiveText(
    "seconds; spike times need it, counts take it where the file does not say",
  )
    .optional(),
  crop: flag("cut trials of different lengths to the shortest"),
  align: z.string().min(1).max(200).optional().meta({
    description: "spike times: the event that windows are aligned to; the trial's start",
  }),
  window: z.string().regex(
    /^-?[0-9.]{1,20},-?[0-9.]{1,20}$/,
    "two numbers of seconds, such as -0.1,0.5",
  )
    .transform((text) => text.split(",").map(Number) as [number, number])
    .refine((pair) => pair.every(Number.isFinite), { error: "two numbers of seconds" })
    .optional().meta({
      description: "spike times: from and to, in seconds from the event; the whole trial",
      type: "string",
    }),
  overlap: flag("spike times: windows may overlap"),
  units: z.string().min(1).max(2000).optional().meta({
    description: "spike times: which, by index (0-9,12) or by a column (quality=good); all",
  }),
  trials: z.string().min(1).max(2000).optional().meta({
    description: "spike times: which, by index or by a column; all",
  }),
  area: z.string().min(1).max(200).optional().meta({
    description: "NWB: only units of this area, electrode group or location",
  }),
  condition: z.string().min(1).max(200).optional().meta({
    description: "spike times: the column of the trials' conditions",
  }),
  behaviour: z.string().min(1).max(2000).optional().meta({
    description: "NWB: time series to average over each bin, by name, with commas between",
  }),
};

/** The file's name where a client gives none. */
const NAMES = { [NPY]: "spikes.npy", [HDF5]: "spikes.h5" } as Readonly<Record<string, string>>;

export function datasetRoutes(routes: Routes, { jobs, settings, work }: ServerContext): void {
  const { idleMs } = settings;
  const fromJson = async (request: Request, action: string): Promise<StoredDataset> => {
    const value = parseJson(await readBody(request, settings.maxJsonBytes), action);
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, "spikes")) {
      return await jobs.datasets.simulate(validate(SimulateRequest, value, action, "the body"));
    }
    const asked = validate(SpikesRequest, value, action, "the body");
    return await jobs.datasets.add(await work.fromJson(asked), {
      name: `${asked.name ?? "spikes"}.npz`,
    });
  };

  routes.add({
    method: "post",
    path: "/v1/datasets",
    id: "createDataset",
    tag,
    summary: "store the dataset",
    description:
      "Takes a .npz archive (`spikes` of shape [trials, bins, neurons], counts or real numbers; optional are " +
      "`bin_width_s`, `condition` [trials], `rates`, `latents`, `A`), a .npy file of spikes, HDF5 (lfads-torch, " +
      "plain, MATLAB v7.3), NWB, spike times; or, as JSON, a few spikes or what to simulate. The contents " +
      "decide; parameters say what a file leaves open.",
    query: z.strictObject({ name: fileName.optional(), ...layout }),
    body: {
      [NPZ]: "bytes",
      "application/zip": "bytes",
      [NPY]: "bytes",
      [HDF5]: "bytes",
      [BYTES]: "bytes",
      [JSON_TYPE]: z.union([SimulateRequest, SpikesRequest]),
    },
    answers: {
      201: {
        description: "the dataset, on the disk",
        content: json(Dataset),
        headers: { location: "its address" },
      },
    },
    duration: "upload",
  }, async ({ query, request }) => {
    const action = "Cannot store the dataset";
    const types = [NPZ, "application/zip", NPY, HDF5, BYTES, JSON_TYPE] as const;
    const type = contentType(request, action, types);
    if (type === JSON_TYPE) {
      validate(z.strictObject({}), query, action, "the query");
      const stored = await fromJson(request, action);
      return created(`/v1/datasets/${stored.id}`, stored);
    }
    const { name = NAMES[type] ?? "spikes.npz", bin_width_s: binWidth, behaviour, ...others } =
      query;
    const layout = {
      ...others,
      ...(binWidth === undefined ? {} : { binWidth }),
      ...(behaviour === undefined ? {} : { behaviour: behaviour.split(",") }),
    };
    const bytes = await readBody(request, settings.maxDatasetBytes);
    const stored = await jobs.datasets.add(bytes, { name, layout });
    return created(`/v1/datasets/${stored.id}`, stored);
  });

  routes.add({
    method: "get",
    path: "/v1/datasets",
    id: "listDatasets",
    tag,
    summary: "list the datasets",
    query: pageQuery("dataset"),
    answers: { 200: { description: "newest first", content: json(page(Dataset)) } },
  }, async ({ query }) => Response.json(await jobs.datasets.list(query)));

  routes.add({
    method: "get",
    path: "/v1/datasets/{id}",
    id: "getDataset",
    tag,
    summary: "show the dataset",
    params: datasetParams,
    answers: { 200: { description: "the dataset", content: json(Dataset) } },
  }, async ({ params }) => Response.json(await jobs.datasets.get(params.id)));

  routes.add({
    method: "get",
    path: "/v1/datasets/{id}/file",
    id: "getDatasetFile",
    tag,
    summary: "send the dataset's file",
    params: datasetParams,
    answers: { 200: { description: "the .npz archive", content: { [NPZ]: "bytes" } } },
  }, async ({ params: { id } }) => file(await jobs.datasets.bytes(id), NPZ, `${id}.npz`, idleMs));

  routes.add({
    method: "get",
    path: "/v1/datasets/{id}/spikes",
    id: "getSpikes",
    tag,
    summary: "send the spikes",
    description: "Some trials: as JSON, or as .npz where Accept prefers it.",
    params: datasetParams,
    query: z.strictObject({
      first_trial: wholeText(0, 1e9, "the first of them; 0").optional(),
      trials: wholeText(1, 1e6, "how many; 1").optional(),
    }),
    answers: {
      200: {
        description: "the spikes",
        content: {
          [JSON_TYPE]: z.strictObject({
            first_trial: z.int(),
            trials: z.int(),
            bin_width_s: z.number().nullable(),
            condition: z.array(z.int()).nullable().describe("of each of these trials"),
            spikes: z.array(z.array(z.array(z.number().nullable())))
              .describe("[trials][bins][neurons]; null where a bin was not observed"),
          }).meta({ id: "Spikes" }),
          [NPZ]: "bytes",
        },
      },
    },
  }, async ({ params: { id }, query, request }) => {
    const type = negotiate(request, "Cannot send the spikes", [JSON_TYPE, NPZ]);
    const { sha256, T, N } = await jobs.datasets.get(id);
    const trials = { first: query.first_trial ?? 0, count: query.trials ?? 1 };
    // a count takes at most six characters
    if (trials.count * T * N * 6 > settings.maxAnswerBytes) {
      const most = Math.floor(settings.maxAnswerBytes / (T * N * 6));
      throw refusal(400, "Cannot send the spikes", "trials", `at most ${most}`, `${trials.count}`);
    }
    const bytes = await work.trials(
      { sha256, bytes: () => jobs.datasets.bytes(id) },
      trials,
      type === NPZ ? "npz" : "json",
    );
    return bytesResponse(bytes, { "content-type": type, vary: "accept" }, idleMs);
  });

  routes.add({
    method: "delete",
    path: "/v1/datasets/{id}",
    id: "deleteDataset",
    tag,
    summary: "delete the dataset",
    params: datasetParams,
    answers: { 204: { description: "it is gone" } },
  }, async ({ params }) => {
    await jobs.datasets.delete(params.id);
    return new Response(null, { status: 204 });
  });
}
