/** The edge app: small, in workerd, with the server's routes, answers and numbers. */
import assert from "node:assert/strict";
import { openDevice } from "../src/compute/devices.ts";
import { KERNELS } from "../src/compute/kernels.ts";
import { createSingleThreadExecutor } from "../src/compute/wasm.ts";
import { modelFromBytes, modelToBytes } from "../src/data/model_file.ts";
import { readNpz } from "../src/data/npz.ts";
import { readSafetensors, writeSafetensors } from "../src/data/safetensors.ts";
import { InputError } from "../src/errors.ts";
import { infer } from "../src/inference/posterior.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { hyperparametersSchema } from "../src/model/hyperparameters.ts";
import type { Model } from "../src/model/model.ts";
import { inlineCodec } from "../src/serving/codec.ts";
import { createThreadedCodec } from "../src/serving/codec_thread.ts";
import { lightModelFromBytes } from "../src/serving/light_model.ts";
import { createLocalService } from "../src/serving/local.ts";
import type { OutputName } from "../src/serving/service.ts";
import { VERSION } from "../src/version.ts";
import { createEdgeApp } from "../routes/edge.ts";
import { buildEdge, MOST_BUNDLE_BYTES } from "../routes/edge_build.ts";
import { answering } from "../routes/formats/http.ts";
import { inferRoute } from "../routes/formats/infer.ts";
import { oipRoutes } from "../routes/oip.ts";
import { inFolder } from "./folders.ts";
import { serveInWorkerd } from "./workerd.ts";
import { DRIVEN, SHAPE_M, SMALL, testCounts, testModel, withServing } from "./serving_helpers.ts";

const kernelsFile = new URL("../wasm/build/latentd.infer.wasm", import.meta.url);
const kernels = await WebAssembly.compile(await Deno.readFile(kernelsFile));

type Ask = (path: string, request?: RequestInit) => Promise<Response>;

/** Builds the app and runs it in workerd. */
async function inWorkerd(
  model: Model | null,
  body: (ask: Ask, sizes: Record<string, number>) => Promise<void>,
  bindings: Record<string, string> = {},
): Promise<void> {
  await inFolder(async (folder) => {
    const file = `${folder}/given.safetensors`;
    if (model) await Deno.writeFile(file, modelToBytes(model));
    const sizes = await buildEdge({ out: `${folder}/dist`, ...(model && { model: file }) });
    const { base, stop } = await serveInWorkerd(`${folder}/dist`, bindings);
    try {
      await body((path, request) => fetch(new URL(path, base), request), sizes);
    } finally {
      await stop();
    }
  });
}

const raw = (counts: ReturnType<typeof testCounts>, accept: string): RequestInit => ({
  method: "POST",
  body: counts.counts_BTN,
  headers: {
    "content-type": "application/octet-stream",
    "x-tensor-shape": `${counts.trials},${counts.T},${counts.N}`,
    "x-tensor-dtype": "uint8",
    accept,
  },
});

// workerd's process and sockets are miniflare's
const workerd = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  name: "the bundle is small, and knows neither Deno nor threads",
  ...workerd,
  async fn() {
    await inFolder(async (folder) => {
      const sizes = await buildEdge({ out: folder });
      const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
      assert(total <= MOST_BUNDLE_BYTES && MOST_BUNDLE_BYTES === 150_000, `${total}`);
      const text = await Deno.readTextFile(`${folder}/edge.js`);
      for (
        const word of [
          "Deno.",
          "SharedArrayBuffer",
          "new Worker(",
          "node:",
          "hyperparametersSchema",
        ]
      ) {
        assert(!text.includes(word), word);
      }
    });
  },
});

for (const [name, shape] of Object.entries({ SMALL, DRIVEN, SHAPE_M })) {
  Deno.test({
    name: `in workerd the app gives the bits of the reproducible wasm device (${name})`,
    ...workerd,
    async fn() {
      const model = testModel(shape);
      const counts = testCounts(19, shape);
      const device = await openDevice({ device: "wasm", reproducible: true, threads: 2 });
      try {
        await inWorkerd(model, async (ask) => {
          // more samples, then fewer, then none: one program grows and stays
          for (const samples of [3, 70, 2, 0]) {
            const path = `/v1/models/model/infer?samples=${samples}&seed=5`;
            const response = await ask(path, raw(counts, "application/x-npz"));
            assert.equal(response.status, 200, await response.clone().text());
            const arrays = readNpz(new Uint8Array(await response.arrayBuffer()));
            const wanted = await infer(device, model, counts, { samples, seed: 5 });
            const same = (name: string, values: Float64Array) =>
              assert.deepEqual(arrays[name].data, Float32Array.from(values), name);
            same("rates", wanted.rates_BTN);
            same("log_rates", wanted.logRates_BTN);
            same("factors", wanted.factors_BTF);
            same("gen_states", wanted.gen_BTG);
            same("gen_init", wanted.g0_BG);
            same("ic_mean", wanted.icMean_BI);
            same("ic_logvar", wanted.icLogVar_BI);
            assert.equal("gen_inputs" in arrays, model.architecture.dims.U > 0);
            if (model.architecture.dims.U === 0) continue;
            same("gen_inputs", wanted.inputs_BTU);
            same("input_mean", wanted.inputMean_BTU);
            same("input_logvar", wanted.inputLogVar_BTU);
          }
        });
      } finally {
        device.close();
      }
    },
  });
}

/** Requests, good and bad. */
function requests(): [path: string, request: RequestInit][] {
  const counts = testCounts(3, DRIVEN);
  const { counts_BTN, ...shape } = counts;
  const spikes = { shape: [3, shape.T, shape.N], data: [...counts_BTN] };
  const json = (value: unknown, headers = {}): RequestInit => ({
    method: "POST",
    body: JSON.stringify(value),
    headers: { "content-type": "application/json", ...headers },
  });
  const input = { name: "spikes", datatype: "INT32", shape: spikes.shape, data: spikes.data };
  const infer = "/v1/models/model/infer";
  const oip = "/v2/models/model/infer";
  return [
    [infer, json({ spikes, samples: 4, seed: 2 })],
    [infer, json({ spikes, samples: 0, outputs: ["rates_hz", "gen_inputs"], bin_width_s: 0.5 })],
    [infer, json({ spikes, samples: 0 }, { accept: "application/x-safetensors" })],
    [`${infer}?samples=2&first_trial=9`, raw(counts, "application/x-npz")],
    [`${infer}?samples=0&outputs=factors`, raw(counts, "*/*")],
    [`${infer}?samples=0&outputs=factors`, raw(counts, "application/x-npy")],
    [`${infer}?samples=0`, raw(counts, "application/octet-stream")],
    [`${infer}?samples=0`, raw(counts, "nonsense")],
    [`${infer}?sample=0`, raw(counts, "*/*")],
    [infer, json({ spikes: [] })],
    [infer, json({ spikes, outputs: ["rates", "x"] })],
    [infer, { method: "POST", body: "x", headers: { "content-type": "text/plain" } }],
    [infer, {
      method: "POST",
      body: new Uint8Array(200_001),
      headers: { "content-type": "application/x-npz" },
    }],
    ["/v1/models/other/infer", json({ spikes })],
    ["/v2", {}],
    ["/v2/health/live", {}],
    ["/v2/models/model", {}],
    ["/v2/models/model/ready", {}],
    ["/v2/models/other", {}],
    [oip, json({ inputs: [input], parameters: { samples: 3 }, id: "a" })],
    [oip, json({ inputs: [input], parameters: { samples: 0, binary_data_output: true } })],
    [oip, json({ inputs: [input, input] })],
    [oip, json({ inputs: [input, { ...input, name: "external" }] })],
    ["/v2/nothing", {}],
  ];
}

const STEERED = { ...DRIVEN, units: { ...DRIVEN.units, externalInputs: 2 } };

/** Requests to a model with external inputs by the Open Inference Protocol, good and bad. */
function steeredRequests(): [path: string, request: RequestInit][] {
  const { counts_BTN, T, N } = testCounts(3, STEERED);
  const data = Array.from({ length: 3 * T * 2 }, (_, i) => Math.fround(Math.sin(i)));
  const spikes = { name: "spikes", datatype: "UINT8", shape: [3, T, N], data: [...counts_BTN] };
  const external = { name: "external", datatype: "FP32", shape: [3, T, 2] };
  const ask = (inputs: unknown[], tail?: Uint8Array): [string, RequestInit] => {
    const outputs = [{ name: "rates" }, { name: "gen_inputs" }], parameters = { samples: 3 };
    const head = new TextEncoder().encode(JSON.stringify({ inputs, outputs, parameters }));
    return ["/v2/models/model/infer", {
      method: "POST",
      body: tail ? Uint8Array.from([...head, ...tail]) : head,
      headers: tail
        ? { "inference-header-content-length": `${head.length}` }
        : { "content-type": "application/json" },
    }];
  };
  const bytes = new Uint8Array(Float32Array.from(data).buffer);
  const sized = { ...external, parameters: { binary_data_size: bytes.length } };
  return [
    ["/v2/models/model", {}],
    ask([spikes, { ...external, data }]),
    ask([sized, spikes], bytes),
    ask([spikes]),
    ask([spikes, { ...external, datatype: "UINT8", data }]),
    ask([spikes, sized], bytes.subarray(1)),
  ];
}

/** All of an answer that does not depend on time or place. */
async function told(response: Response) {
  const body = new Uint8Array(await response.arrayBuffer());
  const names = ["content-type", "x-tensor-name", "x-tensor-shape", "x-tensor-dtype"];
  const headers = ["inference-header-content-length", "vary", ...names].map((name) =>
    response.headers.get(name)
  );
  return { status: response.status, headers, body };
}

Deno.test({
  name: "in workerd every route answers what the server answers, byte for byte",
  ...workerd,
  async fn() {
    const options = { device: { device: "wasm", reproducible: true, threads: 2 } };
    const cases = [[DRIVEN, requests()], [STEERED, steeredRequests()]] as const;
    for (const [shape, asked] of cases) {
      const model = testModel(shape);
      await withServing({ model }, options, async ({ serving }) => {
        await serving.opened;
        const codec = createThreadedCodec();
        const context = {
          service: serving,
          // HDF5 is what a server alone writes
          codec: { ...codec, answers: inlineCodec.answers },
          maxBodyBytes: 8 * 2 ** 20,
          maxUnpackedBytes: 16 * 2 ** 20,
        };
        const oip = oipRoutes(context, VERSION);
        const server: Ask = async (path, init) => {
          const request = new Request(new URL(path, "http://server"), init);
          const id = /^\/v1\/models\/([^/]+)\/infer$/.exec(new URL(request.url).pathname)?.[1];
          if (id) return await answering(() => inferRoute(context, id, request));
          return await oip.request(path.replace(/^\/v2/, "") || "/", init);
        };
        const statuses = new Set<number>();
        await inWorkerd(model, async (ask) => {
          for (const [path, init] of asked) {
            const [here, there] = [
              await told(await server(path, init)),
              await told(await ask(path, init)),
            ];
            // what is not found is named by the whole path, which a mounted app does not know
            if (path !== "/v2/nothing") assert.deepEqual(there, here, path);
            assert.equal(there.status, here.status);
            statuses.add(there.status);
          }
          // some of them are answered, some refused
          assert(statuses.has(200) && statuses.has(400));
          const health = await ask("/healthz");
          assert.equal(health.status, 200);
          assert.equal((await health.json()).status, "ok");
          const ready = await (await ask("/v2/health/ready")).json();
          assert.deepEqual([ready.ready, ready.device], [true, "wasm"]);
        });
        codec.close();
      });
    }
  },
});

Deno.test({
  name: "a model can be fetched at the start; until it is there, 503 says why",
  ...workerd,
  async fn() {
    const model = testModel(SMALL);
    let served: Uint8Array<ArrayBuffer> | null = null;
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => served ? new Response(served) : new Response("not yet", { status: 404 }),
    );
    const MODEL_URL = `http://127.0.0.1:${server.addr.port}/model`;
    await inWorkerd(null, async (ask) => {
      const answer = async () => {
        const response = await ask("/healthz");
        return [response.status, (await response.json()).error];
      };
      assert.deepEqual(await answer(), [
        503,
        "Cannot load the model: expected status 200 from MODEL_URL, found 404.",
      ]);
      served = new Uint8Array(10);
      const [status, error] = await answer();
      assert.equal(status, 503);
      assert.match(error, /^Cannot read "model": expected a header/);
      served = modelToBytes(model) as Uint8Array<ArrayBuffer>;
      assert.deepEqual(await answer(), [200, undefined]);
      served = null; // it stays
      const request = raw(testCounts(2, SMALL), "application/json");
      const infer = await ask("/v1/models/model/infer?samples=0", request);
      assert.equal((await infer.json()).trials, 2);
    }, { MODEL_URL });
    await inWorkerd(null, async (ask) => {
      const response = await ask("/healthz");
      assert.match((await response.json()).error, /expected MODEL_URL, as no model is embedded/);
    });
    await server.shutdown();
  },
});

Deno.test("an edge app whose model is none does not start", () => {
  assert.throws(
    () => createEdgeApp({ kernels, model: new Uint8Array(20), version: VERSION }),
    InputError,
  );
});

Deno.test("requests that come at once, each with its own size, do not mix", async () => {
  const model = testModel(SMALL);
  const device = createSingleThreadExecutor(kernels);
  const service = createLocalService(device, "m", lightModelFromBytes(modelToBytes(model), "m"), {
    maxBatch: 4,
  });
  const alone = await openDevice({ device: "wasm", reproducible: true, threads: 1 });
  const asked = [1, 9, 3, 30, 2].map((trials, i) => ({
    ...testCounts(trials, SMALL, i),
    samples: [0, 5, 0, 1, 9][i],
    seed: i,
  }));
  const answers = await Promise.all(asked.map((request) => service.infer("m", request)));
  for (const [i, { samples, seed, ...counts }] of asked.entries()) {
    const { rates_BTN } = await infer(alone, model, counts, { samples, seed });
    assert.deepEqual(
      answers[i].arrays.get("rates" satisfies OutputName)?.data,
      Float32Array.from(rates_BTN),
    );
  }
  alone.close();
});

Deno.test("the inference module has the kernels of a posterior plan, by their places in KERNELS", async () => {
  const text = await Deno.readTextFile(new URL("../wasm/infer.ts", import.meta.url));
  const cases = [...text.matchAll(/case (\d+):\s*return (\w+)\(/g)];
  const places = Object.keys(KERNELS);
  for (const [, place, name] of cases) assert.equal(places[Number(place)], name);
  const used = new Set<string>();
  for (const shape of [SMALL, DRIVEN]) {
    const { architecture, hyperparameters } = testModel(shape);
    const sizes = { B: 1, S: 1, trials: 1, counts: "u16" } as const;
    const observation = "gamma" as const, dims = { ...architecture.dims, X: 1 };
    for (const model of [architecture, { ...architecture, dims, observation }]) {
      const { recordings } = posteriorPlan(model, hyperparameters, sizes);
      for (const { kernel } of Object.values(recordings).flat()) used.add(kernel);
    }
  }
  assert.deepEqual(cases.map(([, , name]) => name).sort(), [...used].sort());
});

Deno.test("the light reader reads what the full one reads, and refuses what it refuses", () => {
  for (
    const shape of [SMALL, DRIVEN, {
      ...SMALL,
      units: { ...SMALL.units, cell: "vanilla" as const, nonlinearity: "relu" as const },
    }]
  ) {
    const file = modelToBytes(testModel(shape));
    const full = modelFromBytes(file, "m"), light = lightModelFromBytes(file, "m");
    assert.deepEqual(light.architecture, full.architecture);
    assert.deepEqual(light.params_P, full.params_P);
    assert.equal(light.hyperparameters.varMin, full.hyperparameters.varMin);
    assert.deepEqual([light.binWidth, light.step], [full.binWidth, full.step]);

    const { tensors, metadata } = readSafetensors(file);
    const change = (text: string | undefined, given: Record<string, unknown>) =>
      JSON.stringify({ ...JSON.parse(text ?? "{}"), ...given });
    const files: Uint8Array[] = [
      new Uint8Array(),
      file.subarray(0, file.length - 1),
      writeSafetensors(tensors, { ...metadata, format: "latentd model 2" }),
      writeSafetensors(tensors, { ...metadata, T: "0" }),
      writeSafetensors(tensors, { ...metadata, T: "1.5" }),
      writeSafetensors(tensors, { ...metadata, N: "7" }),
      writeSafetensors(tensors, { ...metadata, step: "-1" }),
      writeSafetensors(tensors, { ...metadata, seed: "x" }),
      writeSafetensors(tensors, { ...metadata, hyperparameters: "{" }),
      writeSafetensors(tensors, { ...metadata, hyperparameters: "[]" }),
    ];
    const { "readout.b_N": bias, ...others } = tensors;
    files.push(writeSafetensors(others, metadata));
    const broken = { ...bias, data: bias.data.map((x, i) => i ? x : NaN) };
    files.push(writeSafetensors({ ...others, "readout.b_N": broken }, metadata));
    for (
      const name of [
        "encoderUnits",
        "controllerUnits",
        "inferredInputs",
        "generatorUnits",
        "factors",
        "varMin",
        "cell",
        "nonlinearity",
      ]
    ) {
      const { shape } = hyperparametersSchema;
      assert(name in shape);
      for (const value of [-1, 0.5, 5000, "x", null]) {
        if (name === "varMin" && value === 0.5) continue; // which is one
        const hyperparameters = change(metadata.hyperparameters, { [name]: value });
        files.push(writeSafetensors(tensors, { ...metadata, hyperparameters }));
      }
    }
    for (const file of files) {
      assert.throws(() => modelFromBytes(file, "m"), InputError);
      assert.throws(() => lightModelFromBytes(file, "m"), InputError);
    }
  }
});
