/** Who may ask, how much, and what gets out. */
import assert from "node:assert/strict";
import { addKey, KeyRing, readKeys, removeKey } from "../routes/keys.ts";
import { datasetToBytes, npyArray, simulateRotation, writeNpz } from "../src/mod.ts";
import { inFolder } from "./folders.ts";
import { openServer, type TestServer, withServer } from "./server_helpers.ts";

const NPZ = "application/x-npz";
const data = datasetToBytes(simulateRotation({ trials: 4, T: 5, N: 3 })) as Uint8Array<ArrayBuffer>;

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

async function refused(answer: Response, status: number, says: RegExp): Promise<void> {
  const { error, details } = await answer.json();
  assert.equal(answer.status, status, error);
  assert.match(error, says);
  assert(details.length > 0, error);
}

/** A server that others can reach, with one key. */
function withKey(
  test: (server: TestServer, key: string, id: string) => Promise<void>,
  options: Parameters<typeof openServer>[1] = {},
): Promise<void> {
  return inFolder(async (folder) => {
    const { key, id } = await addKey(folder, "a lab");
    const server = await openServer(folder, { loopback: false, ...options });
    try {
      await test(server, key, id);
    } finally {
      await server.app.close();
    }
  });
}

Deno.test("with a key every route but health, pages and the description needs it", () =>
  withKey(async ({ app, ask }, key, id) => {
    const { paths } = await (await ask("/openapi.json")).json();
    const open: string[] = [];
    let asked = 0;
    for (const [path, methods] of Object.entries<Record<string, { security: object[] }>>(paths)) {
      for (const method of Object.keys(methods)) {
        const real = path.replace("{id}", "m-0123456789abcdef").replace("{dataset}", "x");
        const answer = await ask(real, { method: method.toUpperCase() });
        await answer.body?.cancel();
        asked++;
        if (answer.status === 401) {
          assert.equal(answer.headers.get("www-authenticate"), 'Bearer realm="latentd"');
        } else open.push(path);
        const said = methods[method].security.length === 1;
        assert.equal(said, answer.status !== 401, `${method} ${path}: what is said about its key`);
      }
    }
    assert(asked > 25, `${asked} routes were asked`);
    assert.deepEqual(open.sort(), [
      "/healthz",
      "/openapi.json",
      "/v2/health/live",
      "/v2/health/ready",
    ]);
    const paths404 = [
      "/v1/none",
      "/v1/datasets/",
      "/metrics",
      "//",
      "/docs/../metrics",
      "/V1/datasets",
    ];
    for (const path of paths404) assert.equal((await ask(path)).status, 401, path);
    assert.equal((await ask("/")).status, 200);
    assert.equal((await ask("/docs")).status, 200);

    const answer = await ask("/v1/datasets", { headers: bearer(key) });
    assert.equal(answer.status, 200);
    assert.match(app.context.keys.size.toString(), /^1$/);
    await answer.body?.cancel();
    assert.equal(id.length, 12);
  }));

Deno.test("a key that is wrong, altered, removed or not a bearer's is refused", () =>
  withKey(async ({ ask, folder }, key, id) => {
    let other = "";
    await inFolder(async (elsewhere) => {
      other = (await addKey(elsewhere, "elsewhere")).key;
    });
    const flipped = key.slice(0, -1) + (key.endsWith("A") ? "B" : "A");
    for (
      const authorization of [
        `Bearer ${other}`,
        `Bearer ${flipped}`,
        `Bearer ${key.toUpperCase()}`,
        `Bearer ${key}x`,
        `Bearer latentd_${id}_`,
        `Basic ${btoa(`x:${key}`)}`,
        `Bearer`,
        key,
      ]
    ) {
      await refused(await ask("/v1/runs", { headers: { authorization } }), 401, /Authorization/);
    }
    await refused(await ask(`/v1/runs?key=${key}`), 401, /found none/);
    assert.equal((await ask("/v1/runs", { headers: bearer(key) })).status, 200);
    // removed while the server runs: it looks once a second
    await removeKey(folder, id);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await refused(await ask("/v1/runs", { headers: bearer(key) }), 401, /Authorization/);
  }));

Deno.test("a server whose last key is removed does not open", () =>
  inFolder(async (folder) => {
    const { key, id } = await addKey(folder, "mine");
    const server = await openServer(folder); // on loopback
    try {
      await refused(await server.ask("/v1/runs"), 401, /Authorization/);
      assert.equal((await server.ask("/v1/runs", { headers: bearer(key) })).status, 200);
      await removeKey(folder, id);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await refused(await server.ask("/v1/runs"), 401, /Authorization/);
    } finally {
      await server.app.close();
    }
  }));

Deno.test("whoever guesses keys has to wait, and holds up nobody who has one elsewhere", () =>
  withKey(async ({ app }, key) => {
    const ask = (authorization: string, remote: string) =>
      app.fetch(
        new Request("http://server:8000/v1/runs", {
          headers: { authorization, host: "server:8000" },
        }),
        remote,
      );
    for (let i = 0; i < 20; i++) assert.equal((await ask("Bearer x", "10.0.0.1")).status, 401);
    const answer = await ask("Bearer x", "10.0.0.1");
    assert(Number(answer.headers.get("retry-after")) >= 1);
    await refused(answer, 429, /wrong keys/);
    assert.equal((await ask(`Bearer ${key}`, "10.0.0.2")).status, 200);
  }));

Deno.test("keys are stored as hashes, for the owner alone, and compared whatever their length", () =>
  inFolder(async (folder) => {
    const made = [await addKey(folder, "one"), await addKey(folder, "two")];
    const text = await Deno.readTextFile(`${folder}/keys.json`);
    for (const { key } of made) {
      assert(!text.includes(key.slice(-43)), "a secret is in the file");
      assert.match(key, /^latentd_[0-9a-f]{12}_[\w-]{43}$/);
    }
    assert.equal((await Deno.stat(`${folder}/keys.json`)).mode! & 0o777, 0o600);
    assert.deepEqual((await readKeys(folder)).map(({ name }) => name), ["one", "two"]);
    const ring = await KeyRing.open(folder);
    for (const { key, id } of made) assert.equal(await ring.find(key), id);
    // one's id with the other's secret
    assert.equal(await ring.find(made[0].key.slice(0, 21) + made[1].key.slice(21)), null);
    assert.equal(await ring.find(""), null);
    await assert.rejects(addKey(folder, "a\nb"), /printable/);
    await assert.rejects(removeKey(folder, "none"), /expected the id of a key/);
    await Deno.writeTextFile(`${folder}/keys.json`, "{}");
    await assert.rejects(KeyRing.open(folder), /expected .* as it was written/);
  }));

Deno.test("a name that is not ours is refused on loopback, whatever DNS says", () =>
  withServer(async ({ app }) => {
    const ask = (host: string, headers: Record<string, string> = {}, method = "GET") =>
      app.fetch(
        new Request("http://localhost:8000/v1/runs", { method, headers: { host, ...headers } }),
        "127.0.0.1",
      );
    for (const host of ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "lab:80"]) {
      assert.equal((await ask(host)).status, 200, host);
    }
    for (
      const host of [
        "evil.example",
        "localhost.evil.example:8000",
        "127.0.0.1.nip.io",
        "a b",
        "",
        "[::2]",
      ]
    ) {
      await refused(await ask(host), 421, /Host/);
    }
    const origin = (origin: string, method = "GET") => ask("localhost:8000", { origin }, method);
    assert.equal((await origin("http://localhost:8000")).status, 200);
    for (
      const bad of [
        "https://evil.example",
        "null",
        "http://localhost:8001",
        "http://127.0.0.1:8000",
      ]
    ) {
      await refused(await origin(bad), 403, /Origin/);
      await refused(await origin(bad, "POST"), 403, /Origin/);
    }
    const site = (site: string, method: string) =>
      ask("localhost:8000", { "sec-fetch-site": site }, method);
    await refused(await site("cross-site", "POST"), 403, /Sec-Fetch-Site/);
    await refused(await site("same-site", "DELETE"), 403, /Sec-Fetch-Site/);
    // a link from elsewhere may lead here
    assert.equal((await site("cross-site", "GET")).status, 200);
  }, { hosts: ["lab"] }));

Deno.test("every answer has the security headers; pages run only what the server sends", () =>
  withServer(async ({ ask, post }) => {
    const wanted = {
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
    };
    const answers = {
      json: await ask("/v1/runs"),
      problem: await ask("/v1/runs/x"),
      missing: await ask("/x"),
      method: await ask("/v1/runs", { method: "PUT" }),
      created: await post("/v1/datasets", { kind: "rotation", trials: 2, T: 2, N: 2 }),
      page: await ask("/"),
      docs: await ask("/docs"),
      script: await ask("/docs/start.js"),
      oip: await ask("/v2"),
    };
    for (const [name, { headers }] of Object.entries(answers)) {
      for (const [header, value] of Object.entries(wanted)) {
        assert.equal(headers.get(header), value, `${name}: ${header}`);
      }
      const policy = headers.get("content-security-policy")!;
      assert.match(policy, /default-src 'none'/, name);
      assert.match(policy, /frame-ancestors 'none'/, name);
      assert(!/script-src[^;]*'unsafe/.test(policy), name);
      assert.match(headers.get("x-request-id")!, /^[\w-]+$/, name);
      assert(!headers.has("access-control-allow-origin"), name);
    }
    for (const name of ["page", "docs"] as const) {
      assert.match(answers[name].headers.get("content-security-policy")!, /script-src 'self'/);
      const text = await answers[name].text();
      assert(!/<script(?![^>]*\ssrc=)/.test(text), `${name} has an inline script`);
      assert(!/(?:src|href)="(?:https?:)?\/\//.test(text), `${name} asks elsewhere`);
      assert(!/\son\w+=/.test(text), `${name} has an inline handler`);
    }
    assert.equal(answers.json.headers.get("cache-control"), "no-store");
  }));

Deno.test("a body is refused by its declared length before it is read, and by its real length as it comes", () =>
  withServer(async ({ app }) => {
    let pulled = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(1000));
        },
      }, { highWaterMark: 0 });
    const send = (headers: Record<string, string>) =>
      app.fetch(
        new Request("http://localhost:8000/v1/datasets", {
          method: "POST",
          headers: { "content-type": NPZ, ...headers },
          body: endless(),
        }),
        "127.0.0.1",
      );
    await refused(await send({ "content-length": "10001" }), 413, /found 10001 declared/);
    assert.equal(pulled, 0);
    await refused(await send({}), 413, /at most 10000 bytes, found more/);
    assert.equal(pulled, 11);
    assert.equal(app.context.bodies.held, 0);
  }, { settings: { maxDatasetBytes: 10_000 } }));

Deno.test("bodies of all requests together have room, and give it back", () =>
  withServer(async ({ app, ask }) => {
    const send = (body: BodyInit) =>
      ask("/v1/datasets", { method: "POST", headers: { "content-type": NPZ }, body });
    const { promise: later, resolve: go } = Promise.withResolvers<void>();
    const slow = send(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new Uint8Array(6000));
          await later;
          controller.close();
        },
      }),
    );
    while (app.context.bodies.held < 6000) await new Promise((resolve) => setTimeout(resolve, 1));
    const full = await send(new Uint8Array(6000));
    assert.equal(full.headers.get("retry-after"), "5");
    await refused(full, 503, /room for it beside other requests' bodies/);
    go();
    await refused(await slow, 400, /something else/);
    await refused(await send(new Uint8Array(6000)), 400, /something else/);
    assert.equal(app.context.bodies.held, 0);
  }, { settings: { maxBodiesBytes: 10_000 } }));

Deno.test("a client that sends nothing, or for ever, is told so and dropped", () =>
  withServer(async ({ app, ask }) => {
    const send = (body: ReadableStream) =>
      ask("/v1/datasets", { method: "POST", headers: { "content-type": NPZ }, body });
    const silent = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
    });
    const answer = await send(silent);
    assert.equal(answer.headers.get("connection"), "close");
    await refused(answer, 408, /more of it within 500 ms/);
    const slow = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        controller.enqueue(new Uint8Array(1));
      },
    });
    await refused(await send(slow), 408, /all of it within 1000 ms/);
    assert.equal(app.context.bodies.held, 0);
    assert.equal(app.context.inFlight.count, 0);
  }, { settings: { idleMs: 500, bodyTimeoutMs: 1000 } }));

Deno.test("too many requests at a time, or in a second, are told when to come back", async () => {
  await withServer(async ({ app, ask }) => {
    const never = () => new ReadableStream({});
    const send = () =>
      ask("/v1/models", { method: "POST", headers: { "content-type": "x" }, body: never() });
    const waiting = Array.from({ length: 3 }, () =>
      ask("/v1/models", {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: never(),
      }));
    while (app.context.inFlight.count < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    const answer = await send();
    assert.equal(answer.headers.get("retry-after"), "1");
    await refused(answer, 503, /fewer than 3 requests at a time, found 3/);
    assert.equal((await ask("/healthz")).status, 200);
    for (const each of waiting) await refused(await each, 408, /within 1000 ms/);
    assert.equal((await ask("/v1/models")).status, 200);
  }, { settings: { maxRequests: 3, idleMs: 1000 } });
  await withServer(async ({ app }) => {
    const ask = (remote: string) => app.fetch(new Request("http://localhost/v1/runs"), remote);
    for (let i = 0; i < 5; i++) assert.equal((await ask("10.0.0.1")).status, 200);
    const answer = await ask("10.0.0.1");
    assert.equal(answer.headers.get("retry-after"), "1");
    await refused(answer, 429, /at most 2 requests a second/);
    assert.equal((await ask("10.0.0.2")).status, 200);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal((await ask("10.0.0.1")).status, 200);
  }, { settings: { requestsPerSecond: 2, requestsBurst: 5 } });
});

Deno.test("an answer that takes too long is given up", () =>
  withServer(async ({ app, ask }) => {
    const { jobs } = app.context;
    const list = jobs.runs.list.bind(jobs.runs);
    jobs.runs.list = () => new Promise(() => {});
    await refused(await ask("/v1/runs"), 504, /an answer within 500 ms, found none yet/);
    jobs.runs.list = list;
    assert.equal((await ask("/v1/runs")).status, 200);
  }, { settings: { timeoutMs: 500 } }));

Deno.test("what nobody expected is an answer without its story, which is in the log", () =>
  withServer(async ({ app, ask, log }) => {
    const { jobs } = app.context;
    jobs.runs.list = () => Promise.reject(new Error("the moon fell down"));
    const answer = await ask("/v1/runs", { headers: { "x-request-id": "mine-1" } });
    const text = await answer.text();
    assert.equal(answer.status, 500);
    assert(!text.includes("moon"), text);
    assert.equal(answer.headers.get("x-request-id"), "mine-1");
    const line = log.map((line) => JSON.parse(line)).find(({ stack }) => stack?.includes("moon"));
    assert.equal(line.request, "mine-1");
  }));

Deno.test("logs have each request by its id, and no keys, queries, bodies or spikes", () =>
  withKey(async ({ ask, log }, key, id) => {
    const secret = 48_611; // a count that is nowhere else
    const spikes = npyArray([2, 2, 2], Float64Array.of(1, 2, 3, 4, 5, 6, 7, secret * 1e36));
    const send = (path: string, body: BodyInit, type: string) =>
      ask(path, { method: "POST", headers: { "content-type": type, ...bearer(key) }, body });
    const bad = await send(
      "/v1/datasets?name=patient-zero.npz",
      writeNpz({ spikes }) as never,
      NPZ,
    );
    assert.match(await bad.text(), /found 4\.8611e\+40/); // the client is told
    await (await send("/v1/datasets?name=patient-zero.npz", data, NPZ)).body?.cancel();
    const malformed = `{"spikes": [[[${secret}, ${secret}x`;
    await (await send("/v1/datasets", malformed, "application/json")).body?.cancel();
    await (await ask("/v1/runs", { headers: bearer(`${key}x`) })).body?.cancel();
    const answer = await ask("/v1/runs", {
      headers: { ...bearer(key), "x-request-id": "bad id\t" },
    });
    assert.match(answer.headers.get("x-request-id")!, /^[0-9a-f-]{36}$/);
    const text = log.join("");
    for (
      const hidden of [key, key.slice(-43), String(secret), "4.8611e", "patient-zero", "name="]
    ) {
      assert(!text.includes(hidden), `${hidden} is in the log`);
    }
    const lines = log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "request");
    assert.equal(lines.length, 5);
    assert.deepEqual(
      lines.map(({ method, route, status, key }) => [method, route, status, key]),
      [
        ["POST", "/v1/datasets", 400, id],
        ["POST", "/v1/datasets", 201, id],
        ["POST", "/v1/datasets", 400, id],
        ["GET", "unknown", 401, undefined],
        ["GET", "/v1/runs", 200, id],
      ],
    );
    assert.equal(lines.at(-1)!.request, answer.headers.get("x-request-id"));
    assert.equal(lines[0].problem, "InputError");
  }));
