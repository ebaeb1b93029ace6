/** Datasets in and out, in each of the formats. */
import assert from "node:assert/strict";
import { hdf5Bytes } from "../src/data/formats/hdf5/host.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { Hdf5File } from "../src/data/formats/hdf5/library.ts";
import { nestedJson } from "../src/data/nested_json.ts";
import { writeNpy } from "../src/data/npy.ts";
import {
  datasetFromBytes,
  datasetToBytes,
  modelToBytes,
  npyArray,
  parameterLayout,
  readNpz,
  simulateRotation,
  toReference,
  writeNpz,
} from "../src/mod.ts";
import { testModel } from "./serving_helpers.ts";
import { filesBelow, type TestServer, withProcess, withServer } from "./server_helpers.ts";

const [B, T, N] = [6, 5, 3];
const data = simulateRotation({ trials: B, T, N, seed: 1, binWidth: 0.01 });
const spikes = npyArray([B, T, N], data.counts_BTN);

const lfadsTorch = () =>
  hdf5Bytes({
    groups: [],
    datasets: [
      { path: "train_encod_data", array: npyArray([4, T, N], data.counts_BTN.slice(0, 4 * T * N)) },
      { path: "valid_encod_data", array: npyArray([2, T, N], data.counts_BTN.slice(4 * T * N)) },
    ],
  }, "lfads.h5");

async function upload({ ask }: TestServer, type: string, body: BodyInit, query = "") {
  const answer = await ask(`/v1/datasets${query}`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  const stored = await answer.json();
  assert.equal(answer.status, 201, stored.error);
  assert.equal(answer.headers.get("location"), `/v1/datasets/${stored.id}`);
  return stored;
}

const own = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;

Deno.test("a dataset is the same dataset in every format that it comes in", () =>
  withServer(async (server) => {
    const hashes = new Set<string>();
    const rows = (b: number, t: number) =>
      Array.from(data.counts_BTN.subarray((b * T + t) * N, (b * T + t + 1) * N));
    const nested = Array.from(
      { length: B },
      (_, b) => Array.from({ length: T }, (_, t) => rows(b, t)),
    );
    const json = JSON.stringify({ name: "mine", spikes: nested, bin_width_s: 0.01 });
    const plain = await hdf5Bytes(
      { groups: [], datasets: [{ path: "spikes", array: spikes }] },
      "a.h5",
    );
    for (
      const [type, body, query] of [
        ["application/x-npz", own(datasetToBytes(data)), "?name=mine.npz"],
        ["application/zip", own(writeNpz({ spikes })), "?name=mine.npz&bin_width_s=0.01"],
        ["application/octet-stream", own(datasetToBytes(data)), "?name=mine"],
        ["application/x-npy", own(writeNpy(spikes)), "?name=mine.npy&bin_width_s=1e-2"],
        ["application/x-hdf5", own(plain), "?name=mine.h5&bin_width_s=.01"],
        ["application/x-hdf5", own(await lfadsTorch()), "?name=mine.h5&bin_width_s=.01"],
        ["application/json; charset=utf-8", json, ""],
      ] as const
    ) {
      const stored = await upload(server, type, body, query);
      hashes.add(stored.countsSha256);
      assert.deepEqual(
        [stored.name, stored.trials, stored.T, stored.N, stored.binWidth],
        ["mine", B, T, N, 0.01],
        `${type}${query}`,
      );
      const file = await (await server.ask(`/v1/datasets/${stored.id}/file`)).bytes();
      assert.equal(file.length, stored.bytes);
      assert.deepEqual(datasetFromBytes(file, "x.npz").counts_BTN, data.counts_BTN);
    }
    assert.equal(hashes.size, 1);
  }));

Deno.test("spikes of some trials come as JSON or as .npz", () =>
  withServer(async (server) => {
    const { id } = await upload(server, "application/x-npz", own(datasetToBytes(data)));
    const path = `/v1/datasets/${id}/spikes?first_trial=2&trials=3`;
    const wanted = data.counts_BTN.slice(2 * T * N, 5 * T * N);
    const json = await (await server.ask(path)).json();
    assert.deepEqual([json.first_trial, json.trials, json.bin_width_s], [2, 3, 0.01]);
    assert.deepEqual(json.condition, Array.from(data.condition!.slice(2, 5)));
    assert.deepEqual(json.spikes.flat(2), Array.from(wanted));
    assert.deepEqual([json.spikes.length, json.spikes[0].length, json.spikes[0][0].length], [
      3,
      T,
      N,
    ]);
    const npz = await server.ask(path, { headers: { accept: "application/x-npz" } });
    const found = datasetFromBytes(await npz.bytes(), "x.npz");
    assert.deepEqual([found.counts_BTN, found.trials, found.binWidth], [wanted, 3, 0.01]);
    assert.deepEqual(found.condition, data.condition!.slice(2, 5));
  }));

Deno.test("a file that leaves something open says so, and parameters settle it", () =>
  withServer(async (server) => {
    const swapped = npyArray([N, B, T], new Uint8Array(N * B * T));
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let n = 0; n < N; n++) {
          swapped.data[(n * B + b) * T + t] = data.counts_BTN[(b * T + t) * N + n];
        }
      }
    }
    const two = own(writeNpz({ first: spikes, second: swapped }));
    const ask = async (query: string) => {
      const answer = await server.ask(`/v1/datasets${query}`, {
        method: "POST",
        headers: { "content-type": "application/x-npz" },
        body: two,
      });
      return { status: answer.status, value: await answer.json() };
    };
    const open = await ask("");
    assert.equal(open.status, 400);
    assert.match(open.value.error, /"first".*"second"/);
    const settled = await ask("?key=second&axes=nbt");
    assert.equal(settled.status, 201, settled.value.error);
    assert.deepEqual([settled.value.trials, settled.value.T, settled.value.N], [B, T, N]);
    for (
      const [query, field] of [["?axes=xyz", ""], ["?crop=yes", "crop"], ["?window=1", "window"], [
        "?bin_width_s=0",
        "bin_width_s",
      ]]
    ) {
      const refused = await ask(`${query}&key=second`);
      assert.equal(refused.status, 400, query);
      if (field !== "") assert.equal(refused.value.details[0].field, field);
    }
  }));

/** The arrays in the root of an HDF5 file. */
async function hdf5Arrays(bytes: Uint8Array): Promise<Map<string, [number[], number[]]>> {
  const { module } = await loadH5wasm();
  const file = Hdf5File.open(module, { bytes }, '"the answer"');
  try {
    return new Map(
      file.paths().map((path) => {
        const { shape, data } = file.read(path);
        return [path, [shape, [...data]]];
      }),
    );
  } finally {
    file.close();
  }
}

const model = testModel({
  T,
  N,
  units: { encoderUnits: 2, generatorUnits: 2, factors: 2, controllerUnits: 2, inferredInputs: 1 },
});
const npz = { "content-type": "application/x-npz" };

Deno.test("an inference comes as HDF5 under the same names, and parameters as JSON", () =>
  withServer(async ({ ask }) => {
    const imported = await ask("/v1/models", {
      method: "POST",
      headers: { "content-type": "application/x-safetensors" },
      body: own(modelToBytes(model)),
    });
    const { id } = await imported.json();
    const infer = async (accept: string, query = "samples=2") => {
      const body = own(datasetToBytes(data));
      const headers = { ...npz, accept };
      return await ask(`/v1/models/${id}/infer?${query}`, { method: "POST", headers, body });
    };
    const answer = await infer("application/x-hdf5");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/x-hdf5");
    const found = await hdf5Arrays(await answer.bytes());
    const wanted = readNpz(await (await infer("application/x-npz")).bytes());
    assert.deepEqual([...found.keys()].sort(), Object.keys(wanted).sort());
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      assert.deepEqual(found.get(name), [shape, [...data]], name);
    }
    const posterior = await infer("application/x-npz", "samples=0&outputs=ic_std,ic_logvar");
    const { ic_std, ic_logvar } = readNpz(await posterior.bytes());
    const { varMin } = model.hyperparameters;
    ic_logvar.data.forEach((logVar, i) =>
      assert.equal(ic_std.data[i], Math.fround(Math.sqrt(Math.exp(logVar) + varMin)))
    );

    const json = await ask(`/v1/models/${id}/parameters`, {
      headers: { accept: "application/json" },
    });
    assert.equal(json.headers.get("content-type"), "application/json");
    const { parameters, ...facts } = await json.json();
    const { hyperparameters, binWidth, seed, step } = model;
    const format = "latentd parameters 1";
    assert.deepEqual(facts, { format, T, N, binWidth, seed, step, hyperparameters });
    for (const { name, shape, offset, length } of parameterLayout(model.architecture).slices) {
      assert.deepEqual(
        parameters[name].flat(Infinity),
        [...model.params_P.subarray(offset, offset + length)],
        name,
      );
      let [lengths, list] = [[] as number[], parameters[name]];
      for (; Array.isArray(list); list = list[0]) lengths = [...lengths, list.length];
      assert.deepEqual(lengths, [...shape], name);
    }
  }));

Deno.test("models of other programs come in, with words about what differs", () =>
  withServer(async ({ ask, folder }) => {
    const fixture = (name: string) =>
      Deno.readFile(new URL(`./fixtures/lfads_torch_identity${name}.npz`, import.meta.url));
    const send = async (query: string, body: Uint8Array, type = "application/x-npz") => {
      const headers = { "content-type": type };
      const answer = await ask(`/v1/models${query}`, {
        method: "POST",
        headers,
        body: own(body),
      });
      return { status: answer.status, value: await answer.json() };
    };
    const { status, value } = await send("?bins=5&name=theirs&bin_width_s=.02", await fixture(""));
    assert.equal(status, 201, value.error);
    assert.deepEqual(
      [value.name, value.source, value.T, value.N, value.binWidth, value.warnings.length],
      ["theirs", "import", 5, 3, 0.02, 3],
    );
    const { encod_data, factors } = readNpz(await fixture("_outputs"));
    const answer = await ask(`/v1/models/${value.id}/infer?samples=0&outputs=factors`, {
      method: "POST",
      headers: npz,
      body: own(writeNpz({ spikes: encod_data })),
    });
    const found = readNpz(await answer.bytes()).factors.data;
    assert.equal(found.length, factors.data.length);
    // float32: as in import.test.ts
    found.forEach((x, i) => assert.ok(Math.abs(x - factors.data[i]) < 1e-5, `${i}: ${x}`));

    // jax-lfads, as nested JSON
    const tree: Record<string, unknown> = {};
    for (const [name, { shape, values }] of toReference(model.params_P, model.architecture)) {
      const parts = name.split(".");
      let at = tree;
      for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
      at[parts.at(-1)!] = JSON.parse(nestedJson(shape, values));
    }
    const json = new TextEncoder().encode(JSON.stringify(tree));
    const theirs = await send(`?bins=${T}`, json, "application/json");
    assert.equal(theirs.status, 201, theirs.value.error);
    assert.deepEqual(theirs.value.warnings, []);
    const parameters = await ask(`/v1/models/${theirs.value.id}/parameters`);
    const { "factors.w_GF": w } = readNpz(await parameters.bytes());
    const { offset, length } = parameterLayout(model.architecture).slice("factors.w_GF");
    assert.deepEqual([...w.data], [...model.params_P.slice(offset, offset + length)]);

    // one of ours has nothing to say
    const safetensors = "application/x-safetensors";
    const ours = await send("", modelToBytes(model), safetensors);
    assert.deepEqual([ours.status, ours.value.warnings], [201, []]);

    const before = await filesBelow(folder);
    for (
      const [query, body, type, wanted] of [
        ["?ci_lag=1", modelToBytes(model), safetensors, /ci_lag to be given with `bins`.*found 1/],
        ["?bins=5&ic_enc_seq_len=2", await fixture(""), npz["content-type"], /ic_enc_seq_len 0: /],
        [`?bins=5&from=lfads-torch`, json, "application/json", /"encoder.ic_enc_h0".*found only "/],
        ["?bins=5", (await fixture("")).slice(0, 900), npz["content-type"], /complete zip archive/],
        ["?bins=0", json, "application/json", /bins to be a whole number from 1/],
        ["?bins=5&reconstruction=zig", json, "application/json", /reconstruction/],
      ] as const
    ) {
      const refused = await send(query, body, type);
      assert.equal(refused.status, 400, `${query}: ${JSON.stringify(refused.value)}`);
      assert.match(refused.value.error, wanted);
    }
    const left = async () => (await filesBelow(folder)).filter((name) => /m-\w{16}/.test(name));
    assert.deepEqual(await left(), before.filter((name) => /m-\w{16}/.test(name)));
  }));

Deno.test("HDF5 is read and written within the server's permissions", () =>
  withProcess(async (_, address) => {
    const imported = await fetch(`${address}/v1/models`, {
      method: "POST",
      headers: { "content-type": "application/x-safetensors" },
      body: own(modelToBytes(model)),
    });
    const { id } = await imported.json();
    const inferred = await fetch(`${address}/v1/models/${id}/infer?outputs=factors`, {
      method: "POST",
      headers: { ...npz, accept: "application/x-hdf5" },
      body: own(datasetToBytes(data)),
    });
    assert.equal(inferred.status, 200);
    assert.deepEqual((await hdf5Arrays(await inferred.bytes())).get("factors")?.[0], [B, T, 2]);
    const answer = await fetch(`${address}/v1/datasets`, {
      method: "POST",
      headers: { "content-type": "application/x-hdf5" },
      body: own(await lfadsTorch()),
    });
    const stored = await answer.json();
    assert.equal(answer.status, 201, stored.error);
    assert.deepEqual([stored.trials, stored.T, stored.N], [B, T, N]);
  }));
