/** Whole servers: what their process may do, how they stop, and clients that break off. */
import assert from "node:assert/strict";
import { permissions } from "../routes/main.ts";
import {
  createWasmExecutor,
  datasetToBytes,
  fit,
  modelFromBytes,
  parseHyperparameters,
  simulateRotation,
} from "../src/mod.ts";
import { inFolder } from "./folders.ts";
import {
  ENDLESS,
  eventsOf,
  filesBelow,
  LAUNCH,
  ServerProcess,
  SMALL,
  withProcess,
} from "./server_helpers.ts";

const TINY = { kind: "rotation", trials: 8, T: 5, N: 3, seed: 2 } as const;

const post = (url: string, value: unknown) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });

async function json(response: Response, status: number) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
}

async function startRun(address: string, hyperparameters: object): Promise<string> {
  const { id } = await json(await post(`${address}/v1/datasets`, TINY), 201);
  const asked = { dataset: id, hyperparameters, device: "wasm", reproducible: true, report: false };
  return (await json(await post(`${address}/v1/runs`, asked), 202)).id;
}

async function untilCheckpoint(address: string, run: string): Promise<void> {
  for await (const { data } of eventsOf(await fetch(`${address}/v1/runs/${run}/events`))) {
    if (data.kind === "checkpoint") return;
  }
  assert.fail("the run ended without a checkpoint");
}

/** What a launcher prints and exits with. */
async function launch(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...LAUNCH, ...args],
    stdin: "null",
  }).output();
  const utf8 = new TextDecoder();
  return { code, text: utf8.decode(stdout) + utf8.decode(stderr) };
}

Deno.test("the server's process may use its data directory and its port, and nothing else", () =>
  inFolder(async (folder) => {
    const probe = `${folder}/probe.ts`;
    const data = `${folder}/data with a blank`;
    await Deno.mkdir(data);
    await Deno.writeTextFile(
      probe,
      `const tries = {
        readData: () => Deno.readDir(${JSON.stringify(data)})[Symbol.asyncIterator]().next(),
        writeData: () => Deno.writeTextFile(${JSON.stringify(`${data}/x`)}, "x"),
        listen: () => Promise.resolve(Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()),
        readOutside: () => Deno.readTextFile("/etc/hostname"),
        readBeside: () => Deno.readTextFile(${JSON.stringify(probe)}),
        writeOutside: () => Deno.writeTextFile(${JSON.stringify(`${folder}/y`)}, "y"),
        writeSource: () => Deno.writeTextFile(${
        JSON.stringify(new URL("../src/x", import.meta.url).pathname)
      }, "y"),
        listenElsewhere: () => Promise.resolve(Deno.listen({ hostname: "0.0.0.0", port: 0 }).close()),
        connect: () => Deno.connect({ hostname: "127.0.0.1", port: 1 }),
        fetch: () => fetch("http://example.com/"),
        run: () => new Deno.Command("sh", { args: ["-c", "true"] }).output(),
        environment: () => Promise.resolve(Deno.env.get("HOME") === undefined ? Promise.reject(new Deno.errors.NotCapable()) : 0),
        library: () => Promise.resolve(Deno.dlopen("libc.so.6", {})),
      };
      const allowed = [];
      for (const [name, attempt] of Object.entries(tries)) {
        try { await attempt(); allowed.push(name); }
        catch (error) { if (!(error instanceof Deno.errors.NotCapable)) allowed.push(name + " " + error.name); }
      }
      console.log(JSON.stringify(allowed));`,
    );
    const flags = permissions({ folder: data, host: "127.0.0.1", port: 0 });
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, probe],
      env: { HOME: "/root" },
    }).output();
    const utf8 = new TextDecoder();
    assert.notEqual(utf8.decode(stdout), "", utf8.decode(stderr));
    assert.deepEqual(JSON.parse(utf8.decode(stdout)), ["readData", "writeData", "listen"]);
  }));

Deno.test("a server that is told to stop saves its runs, and the next one ends them with the same parameters", () =>
  inFolder(async (folder) => {
    const hyperparameters = { ...SMALL, steps: 1500, evaluateEvery: 50, checkpointEvery: 7 };
    const first = new ServerProcess(folder);
    const address = await first.ready();
    const run = await startRun(address, hyperparameters);
    await untilCheckpoint(address, run);
    const from = performance.now();
    assert.equal(await first.stop("SIGTERM"), 0, first.stderr.join("\n"));
    assert(performance.now() - from < 10_000, "it took its time");

    const second = new ServerProcess(folder);
    try {
      const again = await second.ready();
      const kinds: string[] = [];
      for await (const { data } of eventsOf(await fetch(`${again}/v1/runs/${run}/events`))) {
        kinds.push(data.kind === "state" ? data.state : data.kind);
      }
      assert.equal(kinds.filter((kind) => kind === "interrupted").length, 1, kinds.join());
      assert.equal(kinds.filter((kind) => kind === "running").length, 2, kinds.join());
      const { state, model } = await json(await fetch(`${again}/v1/runs/${run}`), 200);
      assert.equal(state, "completed");
      const answer = await fetch(`${again}/v1/models/${model}/parameters`, {
        headers: { accept: "application/x-safetensors" },
      });
      const found = modelFromBytes(await answer.bytes(), "the model");
      const executor = await createWasmExecutor({ threads: 1, reproducible: true });
      const training = fit(simulateRotation(TINY), executor, {
        hyperparameters: parseHyperparameters(hyperparameters),
        seed: 0,
      });
      let next = await training.next();
      while (!next.done) next = await training.next();
      executor.close();
      assert.deepEqual(found.params_P, next.value.model.params_P);
    } finally {
      assert.equal(await second.stop("SIGINT"), 0, second.stderr.join("\n"));
    }
  }));

Deno.test("a server finishes the answers that it has begun", () =>
  withProcess(async (server, address, folder) => {
    // a body that is still being sent when the server is told to stop
    const bytes = datasetToBytes(simulateRotation({ trials: 8, T: 5, N: 3 }));
    const later = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(bytes.slice(0, 100));
        await later.promise;
        controller.enqueue(bytes.slice(100));
        controller.close();
      },
    });
    const sent = fetch(`${address}/v1/datasets`, {
      method: "POST",
      headers: { "content-type": "application/x-npz" },
      body,
    });
    for (;;) {
      const page = await (await fetch(`${address}/metrics`)).text();
      if (/latentd_http_body_bytes 100$/m.test(page)) break;
    }
    server.process.kill("SIGTERM");
    while (!server.stdout.some((line) => line.startsWith("Stops for"))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const refused = await fetch(`${address}/v1/runs`);
    assert.equal(refused.status, 503);
    await refused.body?.cancel();
    later.resolve();
    const { id } = await json(await sent, 201);
    assert.equal(await server.ended(), 0);
    assert((await filesBelow(folder)).includes(`datasets/${id}.npz`));
  }));

Deno.test("a server whose launcher is killed stops by itself, and leaves the directory to another", () =>
  inFolder(async (folder) => {
    const first = new ServerProcess(folder);
    const address = await first.ready();
    const run = await startRun(address, ENDLESS);
    await untilCheckpoint(address, run);
    first.process.kill("SIGKILL");
    await first.ended(); // when the server, which has its outputs, is gone too
    assert(first.stderr.some((line) => line.includes('"reason":"the end of the launcher"')));
    const second = new ServerProcess(folder);
    try {
      const again = await second.ready();
      await json(await post(`${again}/v1/runs/${run}/cancel`, {}), 202);
    } finally {
      assert.equal(await second.stop(), 0);
    }
  }));

Deno.test("what cannot be served is said, with exit code 2", () =>
  withProcess(async (_, address, folder) => {
    const { port } = new URL(address);
    await inFolder(async (other) => {
      const cases: [RegExp, string[]][] = [
        [/expected the port \d+ of 127\.0\.0\.1 to be free, found it in use/, ["--port", port]],
        [/expected at least one key.*found none.*keys add/s, ["--host", "0.0.0.0", "--port", "0"]],
        [/expected an address of this machine, found "127\.0\.0\.256"/, [
          "--host",
          "127.0.0.256",
          "--port",
          "0",
        ]],
        [/'cuda' is invalid/, ["--device", "cuda"]],
        [/expected .*thread.*found/i, ["--device", "webgpu", "--threads", "2", "--port", "0"]],
        [/a whole number from 0 to 65535/, ["--port", "70000"]],
        [/an IP address or a host's name/, ["--host", "a b"]],
        [/unknown option '--prot'/, ["--prot", "1"]],
        [/a whole number from 1 to/, ["--max-requests", "0"]],
        [/expected the id of a key/, ["keys", "remove", "x"]],
        [/a path without commas/, ["--data", `${other}/a,b`]],
      ];
      for (const [says, args] of cases) {
        const { code, text } = await launch("--data", other, "--log-level", "silent", ...args);
        assert.match(text, says);
        assert.equal(code, 2, `${args}: ${text}`);
      }
      // a directory has one server: not what the user gave, but who was first
      const { code, text } = await launch("--data", folder, "--port", "0", "--log-level", "silent");
      assert.match(text, /expected that no other server has it, found that one does/);
      assert.equal(code, 1);
    });
  }));

Deno.test("keys are made, listed and removed on the command line, and serve beyond this machine", () =>
  inFolder(async (folder) => {
    const made = await new Deno.Command(Deno.execPath(), {
      args: [...LAUNCH, "--data", folder, "keys", "add", "the rig"],
      stdin: "null",
    }).output();
    const key = new TextDecoder().decode(made.stdout).trim();
    assert.match(key, /^latentd_/);
    const list = await launch("--data", folder, "keys", "list");
    assert.match(list.text, /^[0-9a-f]{12} {2}\S+ {2}the rig\n$/);
    const server = new ServerProcess(folder, "--host", "0.0.0.0");
    try {
      const { port } = new URL(await server.ready());
      const address = `http://127.0.0.1:${port}`;
      assert.equal((await fetch(`${address}/v1/runs`)).status, 401);
      const authorization = `Bearer ${key}`;
      assert.equal((await fetch(`${address}/v1/runs`, { headers: { authorization } })).status, 200);
    } finally {
      assert.equal(await server.stop(), 0);
    }
    assert(![...server.stdout, ...server.stderr].join().includes(key.slice(-43)));
  }));

Deno.test("uploads that are broken off leave nothing, and the server goes on", () =>
  withProcess(async (_, address, folder) => {
    const { port } = new URL(address);
    const bytes = datasetToBytes(simulateRotation({ trials: 20, T: 20, N: 20 }));
    const before = (await filesBelow(folder)).filter((name) => !name.includes("sqlite"));
    const head = (length: number) =>
      new TextEncoder().encode(
        `POST /v1/datasets HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/x-npz\r\n` +
          `Content-Length: ${length}\r\n\r\n`,
      );
    for (let i = 0; i < 20; i++) {
      const connection = await Deno.connect({ port: Number(port) });
      await connection.write(head(bytes.length));
      await connection.write(bytes.subarray(0, Math.floor(bytes.length * i / 20)));
      if (i % 2 === 0) {
        connection.close();
        continue;
      }
      // half-closed: the end of the body is told, and so is the client
      await connection.closeWrite();
      const answer = new TextDecoder().decode(await readAll(connection));
      if (answer !== "") assert.match(answer, /^HTTP\/1\.1 400 .*found its end after/s);
    }
    // more than was declared is another request, and none at all
    const connection = await Deno.connect({ port: Number(port) });
    await connection.write(head(10));
    await connection.write(new TextEncoder().encode("0123456789nonsense\r\n\r\n"));
    const answers = new TextDecoder().decode(await readAll(connection));
    assert.equal(answers.match(/HTTP\/1\.1 400 /g)?.length, 2, answers);

    for (;;) {
      const page = await (await fetch(`${address}/metrics`)).text();
      if (/^latentd_http_requests_in_flight 1$/m.test(page)) { // this one
        assert.match(page, /^latentd_http_body_bytes 0$/m);
        break;
      }
    }
    const after = (await filesBelow(folder)).filter((name) => !name.includes("sqlite"));
    assert.deepEqual(after, before);
    const { items } = await json(await fetch(`${address}/v1/datasets`), 200);
    assert.deepEqual(items, []);
  }));

/** What a server sends until it closes the connection. */
async function readAll(connection: Deno.TcpConn): Promise<Uint8Array> {
  try {
    return await new Response(connection.readable).bytes();
  } catch {
    return new Uint8Array(); // it was reset
  }
}

Deno.test("a client that does not take its answer is dropped, one that does gets every byte", () =>
  withProcess(
    async (_, address) => {
      // far more than the system's buffers hold
      const asked = { kind: "rotation", trials: 150, T: 100, N: 100 };
      const { id, bytes } = await json(await post(`${address}/v1/datasets`, asked), 201);
      assert(bytes > 8e6, `${bytes} bytes`);
      const file = await (await fetch(`${address}/v1/datasets/${id}/file`)).bytes();
      assert.equal(file.length, bytes);
      const { port } = new URL(address);
      const connection = await Deno.connect({ port: Number(port) });
      await connection.write(
        new TextEncoder().encode(
          `GET /v1/datasets/${id}/file HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`,
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const taken = await readAll(connection);
      assert(taken.length < bytes, `${taken.length} of ${bytes} bytes were kept for it`);
    },
    "--idle-ms",
    "300",
  ));
