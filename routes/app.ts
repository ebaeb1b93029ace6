/** The app: middleware, routes, and one place where errors become answers. */
import { Hono } from "hono";
import type { Env, ServerContext } from "./context.ts";
import { dashboardRoutes } from "./dashboard.ts";
import { datasetRoutes } from "./datasets.ts";
import { docsRoutes } from "./docs.ts";
import { fixedPointRoutes } from "./fixed_points.ts";
import { generateRoutes } from "./generate.ts";
import { healthRoutes } from "./health.ts";
import { Routes } from "./http/endpoint.ts";
import { isUnexpected, problemResponse, refusal } from "./http/problems.ts";
import { inferRoutes } from "./infer.ts";
import { metricsRoutes } from "./metrics_route.ts";
import { observe } from "./middleware/facts.ts";
import { securityHeaders } from "./middleware/headers.ts";
import { sameSite } from "./middleware/host.ts";
import { requireKey } from "./middleware/keys.ts";
import { limitRate, limitRequests } from "./middleware/limits.ts";
import { modelRoutes } from "./models.ts";
import { oipMount } from "./oip_mount.ts";
import { openapiRoutes } from "./openapi.ts";
import { reportRoutes } from "./report.ts";
import { runEventRoutes } from "./run_events.ts";
import { runRoutes } from "./runs.ts";

/** Pages and their parts hold nothing that is a secret: they ask for a key themselves. */
const PAGES = /^\/(?:|docs(?:\/[\w.-]+)?|dashboard\/[\w./-]+|favicon\.ico)$/;

/** The server as a function from requests to answers, `app.fetch`, and what makes its description. */
export function createApp(
  context: ServerContext,
): { app: Hono<Env>; description: () => Promise<string> } {
  const app = new Hono<Env>();
  app.use(observe(context));
  app.use(securityHeaders());
  app.use(sameSite(context));
  const open = new Set<string>();
  app.use(
    requireKey(
      context,
      (method, path) =>
        (method === "GET" || method === "HEAD") && (open.has(path) || PAGES.test(path)),
    ),
  );
  app.use(limitRate(context));
  app.use(limitRequests(context));

  const routes = new Routes(app, context);
  healthRoutes(routes, context);
  datasetRoutes(routes, context);
  runRoutes(routes, context);
  runEventRoutes(routes, context);
  modelRoutes(routes, context);
  inferRoutes(routes, context);
  fixedPointRoutes(routes, context);
  generateRoutes(routes, context);
  reportRoutes(routes, context);
  metricsRoutes(routes, context);
  const description = openapiRoutes(routes, context.version);
  oipMount(app, routes, context);
  routes.refuseOtherMethods();
  for (const endpoint of routes.endpoints) if (endpoint.open) open.add(endpoint.path);
  docsRoutes(app);
  dashboardRoutes(app);

  app.notFound((c) => {
    const found = `${c.req.method} ${c.req.path.slice(0, 200)}`;
    return problemResponse(
      refusal(404, "Cannot answer", "the path", "one of those in /openapi.json", found),
    );
  });
  app.onError((error, c) => {
    c.get("facts").problem = error.name;
    if (isUnexpected(error)) {
      context.log.error({ request: c.get("facts").id, stack: error.stack }, "unexpected error");
    }
    return problemResponse(error);
  });
  return { app, description };
}
