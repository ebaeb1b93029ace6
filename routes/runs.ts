/** Runs: queued, watched, cancelled, deleted. */
import { hyperparametersSchema, runRequestSchema } from "../src/server.ts";
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import { created } from "./http/answers.ts";
import type { Routes } from "./http/endpoint.ts";
import { json, page, pageQuery, Run, runParams } from "./schemas.ts";

const tag = "runs";

/**
 * The hyperparameters without their defaults: what is left out stays out, as a run that goes on from
 * another takes it from there.
 */
const hyperparameters = z.strictObject(Object.fromEntries(
  Object.entries(hyperparametersSchema.shape).map(([name, field]) => {
    const description = `${field.description} (default ${JSON.stringify(field.def.defaultValue)})`;
    return [name, (field.unwrap() as z.ZodType).optional().meta({ description })];
  }),
)).meta({ id: "Hyperparameters" });

const RunRequest = runRequestSchema.extend({
  hyperparameters: hyperparameters.optional().meta({
    description: "hyperparameters that differ from their defaults, or from those of `resumeFrom`",
  }),
}).meta({ id: "RunRequest" });

export function runRoutes(routes: Routes, { jobs }: ServerContext): void {
  routes.add({
    method: "post",
    path: "/v1/runs",
    id: "createRun",
    tag,
    summary: "queue the run",
    description: "One run trains at a time on each device; the others wait in order.",
    json: RunRequest,
    answers: {
      202: {
        description: "the run, queued and on the disk",
        content: json(Run),
        headers: { location: "its address" },
      },
    },
  }, async ({ json }) => {
    const run = await jobs.runs.create(json);
    return created(`/v1/runs/${run.id}`, run, 202);
  });

  routes.add({
    method: "get",
    path: "/v1/runs",
    id: "listRuns",
    tag,
    summary: "list the runs",
    query: pageQuery("run"),
    answers: { 200: { description: "newest first", content: json(page(Run)) } },
  }, async ({ query }) => Response.json(await jobs.runs.list(query)));

  routes.add({
    method: "get",
    path: "/v1/runs/{id}",
    id: "getRun",
    tag,
    summary: "show the run",
    params: runParams,
    answers: { 200: { description: "the run", content: json(Run) } },
  }, async ({ params }) => Response.json(await jobs.runs.get(params.id)));

  routes.add({
    method: "post",
    path: "/v1/runs/{id}/cancel",
    id: "cancelRun",
    tag,
    summary: "cancel the run",
    description:
      "A run that trains saves what it has as a model first, and is `cancelling` until then.",
    params: runParams,
    json: z.strictObject({}),
    jsonOptional: true,
    answers: { 202: { description: "the run", content: json(Run) } },
  }, async ({ params }) => Response.json(await jobs.runs.cancel(params.id), { status: 202 }));

  routes.add({
    method: "delete",
    path: "/v1/runs/{id}",
    id: "deleteRun",
    tag,
    summary: "delete the run",
    description: "Its model stays.",
    params: runParams,
    answers: { 204: { description: "it is gone" } },
  }, async ({ params }) => {
    await jobs.runs.delete(params.id);
    return new Response(null, { status: 204 });
  });
}
