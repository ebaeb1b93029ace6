/** What the server says of itself is what it does. */
import assert from "node:assert/strict";
import { z } from "zod";
import {
  architecture,
  datasetToBytes,
  initialise,
  modelToBytes,
  parseHyperparameters,
  simulateRotation,
} from "../src/mod.ts";
import { withoutChromium } from "./browser/chromium.ts";
import { leave, visit } from "./dashboard/visit.ts";
import { eventsOf, SMALL, withProcess, withServer } from "./server_helpers.ts";

const [T, N] = [5, 3];
const own = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;
const data = own(datasetToBytes(simulateRotation({ trials: 8, T, N, binWidth: 0.01 })));
const model = (() => {
  const hyperparameters = parseHyperparameters({
    encoderUnits: 2,
    generatorUnits: 2,
    factors: 2,
    inferredInputs: 0,
  });
  const shape = architecture(hyperparameters, T, N);
  const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
  return own(
    modelToBytes({
      seed: 0,
      step: 0,
      binWidth: 0.01,
      hyperparameters,
      architecture: shape,
      params_P,
    }),
  );
})();

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { name: string; in: string; schema: object }[];
  readonly requestBody?: { content: Record<string, { schema: object }> };
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, { schema: object }> }
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, object> };
}

/** A schema with what it refers to in its place. */
function whole(schema: unknown, { components }: Document): unknown {
  if (Array.isArray(schema)) return schema.map((each) => whole(each, { components } as Document));
  if (typeof schema !== "object" || schema === null) return schema;
  if ("$ref" in schema) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(String(schema.$ref))?.[1] ?? "";
    assert(name in components.schemas, `${schema.$ref} is nowhere`);
    return whole(components.schemas[name], { components } as Document);
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, whole(value, { components } as Document)]),
  );
}

Deno.test("the description is complete: operations, parameters, problems", () =>
  withServer(async ({ ask }) => {
    const answer = await ask("/openapi.json");
    assert.equal(answer.headers.get("content-type"), "application/json");
    const document: Document = await answer.json();
    assert.equal(document.openapi, "3.1.0");
    const ids = new Set<string>();
    let operations = 0;
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        operations++;
        ids.add(operation.operationId);
        assert.match(operation.summary, /^[A-Z]/, path);
        assert.equal(operation.tags.length, 1, path);
        const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
        assert.deepEqual(
          inPath.map(({ name }) => name).sort(),
          [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(),
          path,
        );
        assert.equal(
          JSON.stringify(operation.responses["400"].content),
          `{"application/json":{"schema":{"$ref":"#/components/schemas/Problem"}}}`,
        );
        whole(operation, document); // every reference leads somewhere
        // the path is there, and takes this method and no other
        const real = path.replace("{id}", "m-0123456789abcdef").replace(
          "{dataset}",
          "d-0123456789abcdef",
        );
        const found = await ask(real, { method: method.toUpperCase(), headers: { accept: "*/*" } });
        await found.body?.cancel();
        assert.notEqual(found.status, 405, `${method} ${path}`);
        const other = await ask(real, { method: "PATCH" });
        assert.equal(other.status, 405, path);
        const allow = other.headers.get("allow")!.split(", ");
        assert.deepEqual(
          allow.filter((name) => name !== "HEAD").map((name) => name.toLowerCase()).sort(),
          Object.keys(methods).sort(),
        );
        await other.body?.cancel();
      }
    }
    assert.equal(ids.size, operations);
    assert(operations >= 30, `${operations} operations`);
  }));

Deno.test("answers fit their schemas", () =>
  withServer(async ({ ask, post }) => {
    const document: Document = await (await ask("/openapi.json")).json();
    const schemaOf = (method: string, path: string, status: number, type = "application/json") => {
      const schema = document.paths[path][method].responses[status].content![type].schema;
      return z.fromJSONSchema(whole(schema, document) as Parameters<typeof z.fromJSONSchema>[0]);
    };
    const check = async (method: string, path: string, status: number, answer: Response) => {
      const value = await answer.json();
      assert.equal(answer.status, status, JSON.stringify(value));
      const result = schemaOf(method, path, status).safeParse(value);
      assert(result.success, `${method} ${path}: ${result.error}`);
      return value;
    };
    const send = (path: string, type: string, body: BodyInit) =>
      ask(path, {
        method: "POST",
        headers: { "content-type": type, accept: "application/json" },
        body,
      });

    const dataset = await check(
      "post",
      "/v1/datasets",
      201,
      await send("/v1/datasets", "application/x-npz", data),
    );
    await check("get", "/v1/datasets", 200, await ask("/v1/datasets"));
    await check("get", "/v1/datasets/{id}", 200, await ask(`/v1/datasets/${dataset.id}`));
    await check(
      "get",
      "/v1/datasets/{id}/spikes",
      200,
      await ask(`/v1/datasets/${dataset.id}/spikes`),
    );
    const imported = await check(
      "post",
      "/v1/models",
      201,
      await send("/v1/models", "application/x-safetensors", model),
    );
    await check("get", "/v1/models", 200, await ask("/v1/models"));
    await check("get", "/v1/models/{id}", 200, await ask(`/v1/models/${imported.id}`));
    await check(
      "post",
      "/v1/models/{id}/infer",
      200,
      await send(`/v1/models/${imported.id}/infer`, "application/x-npz", data),
    );
    await check(
      "post",
      "/v1/models/{id}/infer/{dataset}",
      200,
      await ask(`/v1/models/${imported.id}/infer/${dataset.id}`, {
        method: "POST",
        headers: { accept: "application/json" },
      }),
    );
    await check(
      "post",
      "/v1/models/{id}/fixed-points",
      200,
      await post(`/v1/models/${imported.id}/fixed-points`, {
        candidates: 20,
        search: { iterations: 200, outlierTol: 0.0001 },
      }),
    );
    await check(
      "post",
      "/v1/models/{id}/generate",
      201,
      await post(`/v1/models/${imported.id}/generate`, { trials: 3 }, {
        accept: "application/json",
      }),
    );
    const asked = {
      dataset: dataset.id,
      hyperparameters: SMALL,
      device: "wasm",
      reproducible: true,
    };
    const run = await check("post", "/v1/runs", 202, await post("/v1/runs", asked));
    const event = schemaOf("get", "/v1/runs/{id}/events", 200, "text/event-stream");
    const kinds = new Set<string>();
    for await (const { data } of eventsOf(await ask(`/v1/runs/${run.id}/events`))) {
      const result = event.safeParse(data);
      assert(result.success, `${JSON.stringify(data)}: ${result.error}`);
      kinds.add(data.kind);
    }
    assert(kinds.size >= 5, [...kinds].join());
    await check("get", "/v1/runs", 200, await ask("/v1/runs"));
    await check("get", "/v1/runs/{id}", 200, await ask(`/v1/runs/${run.id}`));
    await check("get", "/healthz", 200, await ask("/healthz"));
    await check("get", "/v2/models/{id}", 200, await ask(`/v2/models/${imported.id}`));
    for (
      const path of [
        `/v1/runs/${run.id}`,
        `/v1/datasets/${dataset.id}`,
        `/v1/models/${imported.id}`,
      ]
    ) {
      const answer = await ask(path, { method: "DELETE" });
      assert.deepEqual([answer.status, await answer.text()], [204, ""]);
      assert.equal((await ask(path)).status, 404);
    }
    await check("get", "/v1/runs/{id}", 400, await ask("/v1/runs/x"));
    await check(
      "post",
      "/v1/runs",
      400,
      await post("/v1/runs", { hyperparameters: { factors: 0 } }),
    );
  }));

Deno.test("requests that the description allows and forbids are those that the server takes and refuses", () =>
  withServer(async ({ ask, post }) => {
    const document: Document = await (await ask("/openapi.json")).json();
    const { schema } = document.paths["/v1/runs"].post.requestBody!.content["application/json"];
    const described = z.fromJSONSchema(
      whole(schema, document) as Parameters<typeof z.fromJSONSchema>[0],
    );
    const dataset = "d-0123456789abcdef"; // nowhere: 404 is a request that was understood
    for (
      const [asked, fits] of [
        [{ dataset }, true],
        [{ dataset, hyperparameters: { factors: 3, cell: "vanilla" } }, true],
        [{ dataset, seed: 5, starts: 2, report: false, device: "reference" }, true],
        [{ dataset, sed: 5 }, false],
        [{ dataset, hyperparameters: { factors: 0 } }, false],
        [{ dataset, hyperparameters: { factor: 3 } }, false],
        [{ dataset, device: "cuda" }, false],
        [{ dataset: "x" }, false],
        [[], false],
      ] as const
    ) {
      assert.equal(described.safeParse(asked).success, fits, JSON.stringify(asked));
      const answer = await post("/v1/runs", asked);
      assert.equal(answer.status, fits ? 404 : 400, JSON.stringify(asked));
      await answer.body?.cancel();
    }
  }));

Deno.test({
  name: "the API page works in a browser, and asks nobody else",
  ...withoutChromium,
  // Chromium's pipes belong to its library
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withProcess(async (_, address) => {
      try {
        // nothing may be asked elsewhere, and nothing complain: see `visit`
        await visit(address, async ({ page }) => {
          await page.goto(`${address}/docs`);
          await page.getByRole("button", { name: "Find fixed points" }).waitFor();
          assert(await page.locator(".opblock").count() >= 30);
        });
      } finally {
        await leave();
      }
    }),
});
