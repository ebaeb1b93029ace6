/** `/openapi.json`: what the endpoints' own schemas say, as OpenAPI 3.1. */
import type { z } from "zod";
import type { Endpoint } from "./http/endpoint.ts";
import type { Answer, Content, Routes } from "./http/endpoint.ts";
import { problemSchema } from "./http/problems.ts";

/** Problems that every endpoint may answer with. */
const PROBLEMS: Readonly<Record<number, string>> = {
  400: "something in the request cannot be used",
  401: "a key is needed",
  429: "too many requests",
  503: "the server cannot answer just now",
};

const TAGS = [
  { name: "datasets", description: "Spike counts [trials, bins, neurons]" },
  {
    name: "runs",
    description: "Training: queued, in processes of their own, resumed after a crash",
  },
  { name: "models", description: "What runs have made, or was imported" },
  { name: "inference", description: "Single-trial rates and latents" },
  { name: "analysis", description: "Fixed points and generated trials" },
  { name: "open inference protocol", description: "For KServe and Triton clients" },
  { name: "operation", description: "Health and metrics" },
];

/** @returns makes the description, once: a tenth of a second of work, best done before anyone waits */
export function openapiRoutes(routes: Routes, version: string): () => Promise<string> {
  let document: Promise<string> | null = null;
  const description = () => document ??= describe(routes.endpoints, version);
  routes.add({
    method: "get",
    path: "/openapi.json",
    id: "openapi",
    tag: "operation",
    summary: "describe the API",
    answers: { 200: { description: "OpenAPI 3.1", content: { "application/json": "text" } } },
    open: true,
  }, async () => {
    return new Response(await description(), { headers: { "content-type": "application/json" } });
  });
  return description;
}

async function describe(endpoints: readonly Endpoint[], version: string): Promise<string> {
  const { OpenAPIHono } = await import("@hono/zod-openapi");
  const app = new OpenAPIHono();
  const { openAPIRegistry: registry } = app;
  registry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  for (const endpoint of endpoints) {
    const { method, path, id, tag, summary, params, query, json, body, headers } = endpoint;
    const content = json ? { "application/json": json as Content } : body;
    registry.registerPath({
      method,
      path,
      operationId: id,
      tags: [tag],
      summary: summary[0].toUpperCase() + summary.slice(1),
      description: endpoint.description,
      security: endpoint.open ? [{}] : [{}, { key: [] }],
      request: {
        ...(params && { params }),
        ...(query && { query }),
        ...(headers && { headers: await headersSchema(headers) }),
        ...(content && {
          body: { content: contentOf(content), required: !endpoint.jsonOptional },
        }),
      },
      responses: {
        ...Object.fromEntries(
          Object.entries(PROBLEMS).map(([status, description]) => [
            status,
            { description, content: { "application/json": { schema: problemSchema } } },
          ]),
        ),
        ...Object.fromEntries(
          Object.entries(endpoint.answers).map(([status, answer]) => [status, answerOf(answer)]),
        ),
      },
    });
  }
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "latentd",
      version,
      description:
        "LFADS over HTTP: fit a model to spikes, infer single-trial rates and latents, find fixed points.",
      license: { name: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: TAGS,
  });
  return JSON.stringify(
    document,
    (key, value) => key === "pattern" && typeof value === "string" ? portable(value) : value,
  );
}

/** Control characters, as every dialect of patterns has them. */
const CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f";

/** A pattern without flags, which a description cannot have. */
function portable(pattern: string): string {
  return pattern.replace(/\/u$/, "")
    .replaceAll("\\P{Cc}", `[^${CONTROLS}]`)
    .replaceAll("\\p{Cc}", CONTROLS);
}

function contentOf(content: Readonly<Record<string, Content>>) {
  return Object.fromEntries(
    Object.entries(content).map(([type, what]) => [
      type,
      {
        schema: what === "bytes"
          ? { type: "string", format: "binary" } as const
          : what === "text"
          ? { type: "string" } as const
          : what as z.ZodType,
      },
    ]),
  );
}

function answerOf({ description, content, headers }: Answer) {
  return {
    description,
    ...(content && { content: contentOf(content) }),
    ...(headers && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, description]) => [
          name,
          { description, schema: { type: "string" as const } },
        ]),
      ),
    }),
  };
}

async function headersSchema(headers: Readonly<Record<string, string>>) {
  const { z } = await import("zod");
  return z.object(Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      z.string().optional().meta({ description }),
    ]),
  ));
}
