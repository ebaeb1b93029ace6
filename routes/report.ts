/** The report that a run made about its model: one HTML page, complete in itself. */
import { NotFoundError } from "../src/server.ts";
import type { ServerContext } from "./context.ts";
import type { Routes } from "./http/endpoint.ts";
import { REPORT_POLICY } from "./middleware/headers.ts";
import { modelParams } from "./schemas.ts";

export function reportRoutes(routes: Routes, { jobs }: ServerContext): void {
  routes.add({
    method: "get",
    path: "/v1/models/{id}/report",
    id: "getReport",
    tag: "models",
    summary: "send the report",
    params: modelParams,
    answers: { 200: { description: "one page", content: { "text/html": "text" } } },
  }, async ({ params: { id } }) => {
    const page = await jobs.models.report(id);
    if (page === null) {
      throw new NotFoundError(
        `Cannot send the report: expected a model of a completed run that was asked for one, found ` +
          `no report of ${id}.`,
      );
    }
    return new Response(page as Uint8Array<ArrayBuffer>, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": REPORT_POLICY,
      },
    });
  });
}
