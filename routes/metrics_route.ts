/** `/metrics`, in Prometheus's text format. */
import type { ServerContext } from "./context.ts";
import type { Routes } from "./http/endpoint.ts";

export function metricsRoutes(routes: Routes, { metrics }: ServerContext): void {
  routes.add({
    method: "get",
    path: "/metrics",
    id: "metrics",
    tag: "operation",
    summary: "tell the metrics",
    answers: { 200: { description: "for Prometheus", content: { "text/plain": "text" } } },
  }, async () => {
    const { text, type } = await metrics.page();
    return new Response(text, { headers: { "content-type": type } });
  });
}
