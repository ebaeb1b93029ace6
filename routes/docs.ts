/** `/docs`: the API page, from the package, without a request to anywhere else. */
import type { Hono } from "hono";
import type { Env } from "./context.ts";
import { DOCS_POLICY } from "./middleware/headers.ts";
import { serveFile } from "./static.ts";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>latentd API</title>
<link rel="icon" href="/dashboard/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
});
`;

export function docsRoutes(app: Hono<Env>): void {
  const serve = (path: string, name: string, load: () => Promise<string>) =>
    serveFile(app, path, name, DOCS_POLICY, load);
  serve("/docs", "index.html", () => Promise.resolve(PAGE));
  serve("/docs/start.js", "start.js", () => Promise.resolve(START));
  serve(
    "/docs/swagger-ui.css",
    "swagger-ui.css",
    async () =>
      (await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } })).default,
  );
  serve(
    "/docs/swagger-ui-bundle.js",
    "swagger-ui-bundle.js",
    async () =>
      (await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } })).default,
  );
}
