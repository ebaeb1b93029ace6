/** Whether the server answers, and with which device. */
import { z } from "zod";
import type { ServerContext } from "./context.ts";
import type { Routes } from "./http/endpoint.ts";

const Health = z.strictObject({
  status: z.enum(["ok", "opening", "unavailable", "draining"]),
  version: z.string(),
  device: z.strictObject({
    name: z.string(),
    threads: z.int(),
    arithmetic: z.string(),
    reason: z.string(),
    adapter: z.string().optional(),
  }).nullable().describe("the device that infers; null until it is open"),
  reason: z.string().describe("why this device, or why none"),
}).meta({ id: "Health" });

export function healthRoutes(routes: Routes, { serving, phase, version }: ServerContext): void {
  routes.add({
    method: "get",
    path: "/healthz",
    id: "health",
    tag: "operation",
    summary: "tell the server's health",
    answers: {
      200: { description: "it answers", content: { "application/json": Health } },
      503: { description: "it does not, and why", content: { "application/json": Health } },
    },
    open: true,
  }, () => {
    const { ready, device, reason } = serving.readiness();
    const draining = phase.draining.aborted;
    const status = draining
      ? "draining"
      : ready
      ? "ok"
      : phase.opening()
      ? "opening"
      : "unavailable";
    const body = { status, version, device, reason: draining ? "the server stops" : reason };
    return Response.json(body, { status: status === "ok" ? 200 : 503 });
  });
}
