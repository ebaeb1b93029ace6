/** The clients in `examples/` against a whole server: what they leave is what the library computes. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  createWasmExecutor,
  type Dataset,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  fit,
  fixedPointView,
  infer,
  type Model,
  modelFixedPoints,
  parameterLayout,
  parseHyperparameters,
  type Posterior,
  readNpz,
  simulateRotation,
} from "../src/mod.ts";
import { Client, Problem, readSafetensors, type Spikes, writeNpy } from "../examples/client.ts";
import { inFolder } from "./folders.ts";
import { findProgram, findPython, runProgram } from "./programs.ts";
import { SMALL, withProcess } from "./server_helpers.ts";

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const bash = await findProgram("bash"), curl = await findProgram("curl");
const node = await findProgram("node");
const python = await findPython();

const HYPERPARAMETERS = JSON.stringify(SMALL);
/** A test's data, without its truth: what a recording has. */
const data = (() => {
  const { counts_BTN, trials, T, N } = simulateRotation({ trials: 24, T: 10, N: 6, seed: 3 });
  const spikes = { shape: [trials, T, N], data: counts_BTN };
  return datasetFromArrays({ name: "mine", spikes, binWidth: 0.02 });
})();

/** What the library makes of a dataset: the server computes on the same device. */
interface Wanted {
  readonly model: Model;
  readonly posterior: Posterior;
  readonly mean: Posterior;
  readonly points: unknown;
}

async function compute(data: Dataset, seed = 0): Promise<Wanted> {
  const trainer = await createWasmExecutor({ threads: 1 });
  const server = await createWasmExecutor({ threads: 1, reproducible: true });
  try {
    const run = fit(data, trainer, { hyperparameters: parseHyperparameters(SMALL), seed });
    let next = await run.next();
    while (!next.done) next = await run.next();
    const { model } = next.value;
    const posterior = await infer(server, model, data, { samples: 64, seed });
    const { points } = await modelFixedPoints(server, model, posterior.gen_BTG, { seed });
    return {
      model,
      posterior,
      mean: await infer(server, model, data, { samples: 0 }),
      points: JSON.parse(
        JSON.stringify(points.map((point) => fixedPointView(point, model.binWidth))),
      ),
    };
  } finally {
    trainer.close();
    server.close();
  }
}

const same = (found: ArrayLike<number>, wanted: ArrayLike<number>, what: string) =>
  assert.deepEqual(Float32Array.from(found), Float32Array.from(wanted), what);

async function checkParameters(file: string, { architecture, params_P }: Model): Promise<void> {
  const archive = await readNpz(await Deno.readFile(file));
  const { slices } = parameterLayout(architecture);
  assert.deepEqual(Object.keys(archive).sort(), slices.map(({ name }) => name).sort());
  for (const { name, offset, length, shape } of slices) {
    assert.deepEqual([...archive[name].shape], [...shape], name);
    same(archive[name].data as Float32Array, params_P.slice(offset, offset + length), name);
  }
}

async function checkRates(file: string, { posterior }: Wanted): Promise<void> {
  const archive = await readNpz(await Deno.readFile(file));
  same(archive.rates.data as Float32Array, posterior.rates_BTN, "rates");
  same(archive.factors.data as Float32Array, posterior.factors_BTF, "factors");
  same(archive.gen_init.data as Float32Array, posterior.g0_BG, "initial conditions");
}

/** `found` has the library's points, and says more about each. */
function checkPoints(found: Record<string, unknown>[], { points }: Wanted): void {
  assert(found.length > 0, "no fixed point was found to compare");
  assert.deepEqual(found.map(({ polish: _, members: __, ...view }) => view), points);
}

const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(path));

Deno.test({
  name: "curl.sh uploads, trains, follows, infers, finds fixed points and downloads",
  ignore: bash === null || curl === null,
  fn: () =>
    withProcess(async (_, address, folder) => {
      const upload = `${folder}/mine.npz`, out = `${folder}/out`;
      await Deno.writeFile(upload, datasetToBytes(data));
      const run = (env: Record<string, string>, ...args: string[]) =>
        runProgram(bash!, [example("curl.sh"), ...args], {
          LATENTD_SERVER: address,
          HYPERPARAMETERS,
          DEVICE: "wasm",
          ...env,
        });
      const { code, stdout, stderr } = await run({}, upload, out);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /step 40: nll -?[\d.]+\n/);
      assert.match(stdout, /\n {2}completed\n/);
      const wanted = await compute(data);
      await checkParameters(`${out}/parameters.npz`, wanted.model);
      await checkRates(`${out}/rates.npz`, wanted);
      checkPoints((await readJson(`${out}/fixed_points.json`)).fixedPoints, wanted);

      const refused = await run({ HYPERPARAMETERS: '{"stpes": 1}' }, upload, out);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /expected hyperparameters\.stpes to be left out/);
      const gone = await run({ LATENTD_SERVER: "http://127.0.0.1:1" }, upload, out);
      assert.equal(gone.code, 1);
    }),
});

Deno.test({
  name: "client.py does the same with numpy and the standard library, and numpy reads all of it",
  ignore: python === null,
  fn: () =>
    withProcess(async (_, address, folder) => {
      const upload = `${folder}/mine.npz`, out = `${folder}/out`;
      await Deno.writeFile(upload, datasetToBytes(data));
      const run = (...args: string[]) =>
        runProgram(python!, [example("client.py"), upload, "--server", address, ...args]);
      const options = ["--device", "wasm", "--seed", "7", "--out", out];
      const done = await run("--hyperparameters", HYPERPARAMETERS, ...options);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /step 40: nll -?[\d.]+, KL/);
      assert.match(done.stdout, /by the Open Inference Protocol: \(1, 10, 2\)/);
      const wanted = await compute(data, 7);
      await checkParameters(`${out}/parameters.npz`, wanted.model);
      await checkRates(`${out}/rates.npz`, wanted);
      checkPoints((await readJson(`${out}/fixed_points.json`)).fixedPoints, wanted);

      const refused = await run("--hyperparameters", '{"stpes": 1}');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /400 .* expected hyperparameters\.stpes to be left out/);
      const gone = await run("--server", "http://127.0.0.1:1");
      assert.deepEqual([gone.code, gone.stdout], [1, ""]);
      assert.equal((await run("--nonsense")).code, 2);
    }),
});

Deno.test({
  name:
    "client.py gets the same numbers by the Open Inference Protocol's binary tensors as by .npz",
  ignore: python === null,
  fn: () =>
    withProcess(async (_, address, folder) => {
      const { model } = await train(new Client(address));
      await Deno.writeFile(`${folder}/mine.npz`, datasetToBytes(data));
      const script = `
import sys
sys.path.insert(0, ${JSON.stringify(fileURLToPath(new URL("../examples", import.meta.url)))})
import numpy
from client import Client, Problem
latentd = Client(${JSON.stringify(address)})
spikes = numpy.load(${JSON.stringify(`${folder}/mine.npz`)})["spikes"]
wanted = latentd.infer("${model}", spikes, samples=8, seed=3)
assert wanted["rates"].shape == spikes.shape and wanted["rates"].dtype == numpy.float32
for kind in ("uint8", "uint16", "int64", "float32", ">u2"):
    found = latentd.infer_oip("${model}", spikes.astype(kind), samples=8, seed=3)
    assert list(found) == list(wanted), list(found)
    for name, array in wanted.items():
        assert numpy.array_equal(found[name], array), (kind, name)
try:
    latentd.infer_oip("${model}", spikes[:, 1:])
except Problem as problem:
    assert "expected spikes of shape [trials, 10, 6]" in str(problem), problem
else:
    raise AssertionError("nine bins were taken")
`;
      const { code, stderr } = await runProgram(python!, ["-c", script]);
      assert.equal(code, 0, stderr);
    }),
});

Deno.test({
  name: "closed_loop.py gets each trial's posterior mean, and prints latencies",
  ignore: python === null,
  fn: () =>
    withProcess(async (_, address, folder) => {
      const { model } = await train(new Client(address));
      const upload = `${folder}/mine.npz`, out = `${folder}/factors.npz`;
      await Deno.writeFile(upload, datasetToBytes(data));
      const run = (id: string) =>
        runProgram(python!, [
          ...[example("closed_loop.py"), id, upload, "--server", address],
          ...["--trials", "30", "--rate", "200", "--out", out],
        ]);
      const { code, stdout, stderr } = await run(model);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /end to end +median [\d.]+ +p99 [\d.]+ +most [\d.]+\n/);
      assert.match(stdout, /on the device +median [\d.]+ +p99 [\d.]+ +most [\d.]+\n/);
      const { factors } = await readNpz(await Deno.readFile(out));
      assert.deepEqual([...factors.shape], [30, 10, 2]);
      const { mean } = await compute(data);
      const size = 10 * 2;
      for (let i = 0; i < 30; i++) {
        const from = i % data.trials * size;
        same(
          (factors.data as Float32Array).subarray(i * size, (i + 1) * size),
          mean.factors_BTF.subarray(from, from + size),
          `trial ${i}`,
        );
      }
      const unknown = await run("m-0123456789abcdef");
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /404 .*Cannot find a model/);
    }),
});

Deno.test("client.ts does the same with fetch alone", () =>
  withProcess(async (_, address, folder) => {
    const run = (...args: string[]) =>
      runProgram(Deno.execPath(), [
        ...["run", "--quiet", "--no-prompt", `--allow-net=${new URL(address).host}`],
        `--allow-write=${folder}/out`,
        ...[example("client.ts"), "--server", address, "--device", "wasm"],
        ...["--out", `${folder}/out`, ...args],
      ]);
    const { code, stdout, stderr } = await run("--hyperparameters", HYPERPARAMETERS);
    assert.equal(code, 0, stderr);
    const [, id] = /dataset (d-\w{16})/.exec(stdout)!;
    const file = await fetch(`${address}/v1/datasets/${id}/file`);
    const wanted = await compute(datasetFromBytes(await file.bytes(), "spikes.npz"));
    await checkParameters(`${folder}/out/parameters.npz`, wanted.model);
    const bytes = await Deno.readFile(`${folder}/out/rates.f32`);
    same(new Float32Array(bytes.buffer), wanted.posterior.rates_BTN, "rates");
    checkPoints(await readJson(`${folder}/out/fixed_points.json`), wanted);

    const refused = await run("--hyperparameters", '{"stpes": 1}');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^POST \/v1\/runs: 400 .* expected hyperparameters\.stpes/);
  }));

const spikes: Spikes = {
  shape: [data.trials, data.T, data.N],
  data: Uint8Array.from(data.counts_BTN),
};

/** A model of the data, trained by a server. */
async function train(client: Client): Promise<{ run: string; model: string }> {
  const { id } = await client.upload(datasetToBytes(data) as Uint8Array<ArrayBuffer>);
  const { id: run } = await client.train(id, SMALL, { device: "wasm" });
  for await (const _ of client.events(run));
  const { model } = await client.run(run);
  return { run, model: model! };
}

Deno.test("client.ts: .npy, safetensors and the Open Inference Protocol carry the library's numbers", () =>
  withProcess(async (_, address) => {
    const client = new Client(address);
    const { run, model } = await train(client);
    const wanted = await compute(data);

    const stored = await client.upload(writeNpy(spikes), "spikes.npy");
    assert.deepEqual([stored.trials, stored.T, stored.N], [...spikes.shape]);
    const file = await fetch(`${address}/v1/datasets/${stored.id}/file`);
    assert.deepEqual(
      Array.from(datasetFromBytes(await file.bytes(), "spikes.npz").counts_BTN),
      Array.from(spikes.data),
    );

    const arrays = await client.infer(model, spikes);
    assert.deepEqual(arrays.rates.shape, [...spikes.shape]);
    same(arrays.rates.data, wanted.posterior.rates_BTN, "rates");
    same(arrays.factors.data, wanted.posterior.factors_BTF, "factors");
    const mean = await client.inferOip(model, spikes, {
      samples: 0,
      outputs: ["gen_init", "rates"],
    });
    assert.deepEqual(Object.keys(mean), ["gen_init", "rates"]);
    same(mean.rates.data, wanted.mean.rates_BTN, "rates by the Open Inference Protocol");
    same(mean.gen_init.data, wanted.mean.g0_BG, "initial conditions");

    const learned = readSafetensors(await client.parameters(model, "safetensors"));
    for (const { name, offset, length } of parameterLayout(wanted.model.architecture).slices) {
      same(learned[name].data, wanted.model.params_P.slice(offset, offset + length), name);
    }

    // a run that is over: its events from any place on, and nothing behind the last
    const all = [], late = [], none = [];
    for await (const event of client.events(run)) all.push(event);
    assert.deepEqual(all.map(({ id }) => id), all.map((_, i) => i + 1));
    for await (const event of client.events(run, 3)) late.push(event);
    assert.deepEqual(late, all.slice(3));
    for await (const event of client.events(run, all.length)) none.push(event);
    assert.deepEqual(none, []);

    await assert.rejects(
      client.infer(model, { ...spikes, shape: [24, 6, 10] }),
      (error: Error) => error instanceof Problem && /shape \[trials, 10, 6\]/.test(error.message),
    );
  }));

Deno.test("where every field is optional, a POST needs no body", () =>
  withProcess(async (_, address) => {
    const { model } = await train(new Client(address));
    const url = `${address}/v1/models/${model}/fixed-points`;
    const wanted = await (await fetch(url, { method: "POST", body: JSON_BODY, headers: JSON_TYPE }))
      .text();
    const found = await fetch(url, { method: "POST" });
    assert.equal(found.status, 200);
    assert.equal(await found.text(), wanted);
    const untyped = await fetch(url, { method: "POST", body: new TextEncoder().encode(JSON_BODY) });
    assert.equal(untyped.status, 415);
    assert.match((await untyped.json()).error, /expected Content-Type to be application\/json/);
  }));

const JSON_BODY = "{}", JSON_TYPE = { "content-type": "application/json" };

Deno.test({
  name: "client.ts runs in Node, too",
  ignore: node === null,
  fn: () =>
    withProcess((_, address) =>
      inFolder(async (folder) => {
        const client = new Client(address);
        const { model } = await train(client);
        const bundle = `${folder}/client.mjs`;
        const bundled = await runProgram(Deno.execPath(), [
          ...["bundle", "--quiet", "--platform", "browser", "--external", "node:*"],
          ...["--output", bundle, example("client.ts")],
        ]);
        assert.equal(bundled.code, 0, bundled.stderr);
        const script = `
          import { Client } from ${JSON.stringify(new URL(`file://${bundle}`).href)};
          const spikes = ${JSON.stringify({ shape: spikes.shape, data: Array.from(spikes.data) })};
          spikes.data = Uint8Array.from(spikes.data);
          const client = new Client(${JSON.stringify(address)});
          const { rates } = await client.infer(${JSON.stringify(model)}, spikes, { samples: 0 });
          console.log(JSON.stringify(Array.from(rates.data)));`;
        const { code, stdout, stderr } = await runProgram(node!, [
          "--input-type=module",
          "--eval",
          script,
        ]);
        assert.equal(code, 0, stderr);
        same(JSON.parse(stdout), (await compute(data)).mean.rates_BTN, "rates");
      })
    ),
});

/** Passes every byte on to a server and back, but cuts the first two streams of events. */
async function withCuts(address: string, test: (proxy: string) => Promise<void>): Promise<number> {
  let cuts = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Promise<void>[] = [];
  const pass = async (near: Deno.Conn, far: Deno.Conn) => {
    let left = Infinity;
    const request = new TextDecoder();
    const up = async () => {
      for await (const bytes of near.readable) {
        if (cuts < 2 && request.decode(bytes).includes("/events HTTP/1.1")) left = 1200;
        await far.write(bytes);
      }
    };
    const down = async () => {
      for await (const bytes of far.readable) {
        await near.write(bytes.subarray(0, left));
        left -= bytes.length;
        if (left > 0) continue;
        cuts++;
        near.close();
      }
    };
    // whoever leaves first takes the other side along
    await Promise.race([up(), down()]).catch(() => {});
    for (const side of [near, far]) {
      try {
        side.close();
      } catch { /* it is closed */ }
    }
  };
  const accept = (async () => {
    for await (const near of listener) {
      const far = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(new URL(address).port),
      });
      open.push(pass(near, far));
    }
  })();
  try {
    await test(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`);
  } finally {
    listener.close();
    await accept;
    await Promise.all(open);
  }
  return cuts;
}

Deno.test("every client comes back where its stream of events is cut, and hears of each event once", () =>
  withProcess(async (_, address, folder) => {
    const upload = `${folder}/mine.npz`;
    await Deno.writeFile(upload, datasetToBytes(data));
    const clients: ((proxy: string) => Promise<{ stdout: string }>)[] = [
      (proxy) =>
        runProgram(Deno.execPath(), [
          ...["run", "--quiet", "--allow-net", "--allow-write", example("client.ts")],
          ...["--server", proxy, "--device", "wasm", "--hyperparameters", HYPERPARAMETERS],
          ...["--out", folder],
        ]),
    ];
    if (python) {
      clients.push((proxy) =>
        runProgram(python, [
          ...[example("client.py"), upload, "--server", proxy, "--device", "wasm"],
          ...["--hyperparameters", HYPERPARAMETERS, "--out", folder],
        ])
      );
    }
    if (bash && curl) {
      const env = { HYPERPARAMETERS, DEVICE: "wasm" };
      clients.push((proxy) =>
        runProgram(bash, [example("curl.sh"), upload, folder], { ...env, LATENTD_SERVER: proxy })
      );
    }
    for (const client of clients) {
      const cuts = await withCuts(address, async (proxy) => {
        const { stdout } = await client(proxy);
        const steps = [...stdout.matchAll(/ {2}step (\d+): nll/g)].map(([, step]) => Number(step));
        assert.deepEqual(steps, [10, 20, 30, 40], stdout);
      });
      assert.equal(cuts, 2);
    }
  }));
