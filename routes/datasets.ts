/** Datasets: uploaded, simulated, listed, taken back. */
import { MEDIA_TYPES, simulateRequestSchema } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { readBody } from "./formats/http.ts";
import { contentType, parseJson } from "./http/body.ts";
import type { Routes } from "./http/endpoint.ts";
import { validate } from "./http/validate.ts";
import { BYTES, Dataset, datasetParams, fileName, json, page, pageQuery } from "./schemas.ts";

const tag = "datasets";
const NPZ = MEDIA_TYPES.npz, NPY = MEDIA_TYPES.npy;
const SimulateRequest = simulateRequestSchema.meta({ id: "SimulateRequest" });

/** The file's name where a client gives none. */
const NAMES = { [NPZ]: "spikes.npz", [NPY]: "spikes.npy" } as Readonly<Record<string, string>>;

export function datasetRoutes(routes: Routes, { jobs, settings }: ServerContext): void {
  routes.add({
    method: "post",
    path: "/v1/datasets",
    id: "createDataset",
    tag,
    summary: "store the dataset",
    description:
      "Takes a .npz archive (`spikes` of shape [trials, bins, neurons], whole counts; optional are " +
      "`bin_width_s`, `condition` [trials], `rates`, `latents`, `A`), a .npy file of spikes, or, as JSON, " +
      "what to simulate.",
    query: z.strictObject({ name: fileName.optional() }),
    body: {
      [NPZ]: "bytes",
      "application/zip": "bytes",
      [NPY]: "bytes",
      [BYTES]: "bytes",
      "application/json": SimulateRequest,
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
    const types = [NPZ, "application/zip", NPY, BYTES, "application/json"] as const;
    const type = contentType(request, action, types);
    const stored = type === "application/json"
      ? await jobs.datasets.simulate(validate(
        SimulateRequest,
        parseJson(await readBody(request, settings.maxJsonBytes), action),
        action,
        "the body",
      ))
      : await jobs.datasets.add(
        await readBody(request, settings.maxDatasetBytes),
        { name: query.name ?? NAMES[type] ?? "spikes.npz" },
      );
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
  }, async ({ params }) => file(await jobs.datasets.bytes(params.id), NPZ, `${params.id}.npz`));

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

/** Something that is new, and where it is. */
export function created(location: string, value: unknown, status = 201): Response {
  return Response.json(value, { status, headers: { location } });
}

/** A file to be kept. */
export function file(bytes: Uint8Array, type: string, name: string): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      "content-type": type,
      "content-disposition": `attachment; filename="${name}"`,
      "content-length": String(bytes.length),
    },
  });
}
