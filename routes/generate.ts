/** Trials that a model generates from its priors. */
import { MEDIA_TYPES } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { created } from "./http/answers.ts";
import type { Routes } from "./http/endpoint.ts";
import { negotiate } from "./http/negotiate.ts";
import { bytesResponse } from "./http/pace.ts";
import { Dataset, modelParams } from "./schemas.ts";

const GenerateRequest = z.strictObject({
  trials: z.int().min(1).max(1_000_000).optional().meta({ description: "100" }),
  T: z.int().min(1).max(100_000).optional().meta({ description: "time bins; the model's" }),
  seed: z.int().min(0).optional().meta({ description: "decides everything that is drawn; 0" }),
}).meta({ id: "GenerateRequest" });

const NPZ = MEDIA_TYPES.npz, JSON_TYPE = "application/json";

export function generateRoutes(
  routes: Routes,
  { jobs, serving, work, settings }: ServerContext,
): void {
  routes.add({
    method: "post",
    path: "/v1/models/{id}/generate",
    id: "generate",
    tag: "analysis",
    summary: "generate trials",
    description:
      "The model runs forward from its priors. As .npz the answer holds `spikes`, `bin_width_s`, the true " +
      "`rates` and, as `latents`, the generator's states; where Accept prefers JSON they are stored as a " +
      "dataset, and the answer is its record.",
    params: modelParams,
    json: GenerateRequest,
    jsonOptional: true,
    answers: {
      200: { description: "the trials", content: { [NPZ]: "bytes" } },
      201: {
        description: "the trials, stored as a dataset",
        content: { [JSON_TYPE]: Dataset },
        headers: { location: "its address" },
      },
    },
    duration: "job",
  }, async ({ params, json, request, signal }) => {
    const type = negotiate(request, "Cannot generate trials", [NPZ, JSON_TYPE]);
    const npz = await work.toNpz(await serving.generate(params.id, json, { signal }));
    if (type === NPZ) {
      return bytesResponse(npz, { "content-type": NPZ, vary: "accept" }, settings.idleMs);
    }
    const stored = await jobs.datasets.add(npz, { name: "generated.npz" });
    return created(`/v1/datasets/${stored.id}`, stored);
  });
}
