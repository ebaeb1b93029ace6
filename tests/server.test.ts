/** The server, from an empty data directory to fixed points; and that it computes what the library does. */
import assert from "node:assert/strict";
import {
  createWasmExecutor,
  datasetFromBytes,
  datasetToBytes,
  findFixedPoints,
  fit,
  fixedPointView,
  generate,
  generateTrials,
  generatorCell,
  infer,
  type Model,
  modelFromBytes,
  parameterLayout,
  parseHyperparameters,
  readNpz,
  readSafetensors,
  simulateRotation,
  visitedStates,
} from "../src/mod.ts";
import { main } from "../src/cli/main.ts";
import { eventsOf, SMALL, type TestServer, withServer } from "./server_helpers.ts";

const NPZ = "application/x-npz";
const SHAPE = { trials: 12, T: 6, N: 4 } as const;
const data = simulateRotation({ ...SHAPE, seed: 3, binWidth: 0.02 });
const upload = datasetToBytes(data) as Uint8Array<ArrayBuffer>;
const HYPERPARAMETERS = { ...SMALL };
const SEED = 5;

const fitted = await (async (): Promise<Model> => {
  const executor = await createWasmExecutor({ threads: 1, reproducible: true });
  const run = fit(data, executor, {
    hyperparameters: parseHyperparameters(HYPERPARAMETERS),
    seed: SEED,
  });
  let next = await run.next();
  while (!next.done) next = await run.next();
  executor.close();
  return next.value.model;
})();

async function json(response: Response, status: number) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
}

async function bytes(response: Response): Promise<Uint8Array> {
  const found = await response.bytes();
  assert.equal(response.status, 200, new TextDecoder().decode(found.subarray(0, 1000)));
  return found;
}

/** Uploads and trains; the model's id. */
async function train(
  { ask, post }: TestServer,
): Promise<{ dataset: string; run: string; model: string }> {
  const stored = await json(
    await ask("/v1/datasets?name=mine.npz", {
      method: "POST",
      headers: { "content-type": NPZ },
      body: upload,
    }),
    201,
  );
  const queued = await post("/v1/runs", {
    dataset: stored.id,
    hyperparameters: HYPERPARAMETERS,
    device: "wasm",
    reproducible: true,
    seed: SEED,
  });
  assert.match(queued.headers.get("location")!, /^\/v1\/runs\/r-/);
  const run = await json(queued, 202);
  for await (const _ of eventsOf(await ask(`/v1/runs/${run.id}/events`)));
  const { state, model, failure } = await json(await ask(`/v1/runs/${run.id}`), 200);
  assert.deepEqual([state, failure], ["completed", null]);
  return { dataset: stored.id, run: run.id, model };
}

const same = (found: ArrayLike<number>, wanted: ArrayLike<number>, what: string) =>
  assert.deepEqual(Float32Array.from(found), Float32Array.from(wanted), what);

Deno.test("from an empty directory: upload, train, infer, fixed points, parameters, report, all as the library computes them", () =>
  withServer(async (server) => {
    const { ask, post } = server;
    assert.deepEqual(await json(await ask("/v1/datasets"), 200), { items: [], next: null });

    const { dataset, run, model } = await train(server);
    const stored = await json(await ask(`/v1/datasets/${dataset}`), 200);
    assert.deepEqual(
      [stored.name, stored.trials, stored.T, stored.N, stored.binWidth],
      ["mine", SHAPE.trials, SHAPE.T, SHAPE.N, 0.02],
    );

    // the events tell the whole story, numbered without gaps
    const events = [];
    for await (const event of eventsOf(await ask(`/v1/runs/${run}/events`))) events.push(event);
    assert.deepEqual(events.map(({ id }) => id), events.map((_, i) => i + 1));
    const kinds = new Set(events.map(({ data }) => data.kind));
    for (const kind of ["state", "device", "step", "evaluation", "checkpoint"]) {
      assert(kinds.has(kind), `no event of kind ${kind}`);
    }
    assert.equal(events.at(-1)!.data.state, "completed");

    // parameters: bit for bit those of a fit by the library
    const file = await bytes(
      await ask(`/v1/models/${model}/parameters`, {
        headers: { accept: "application/x-safetensors" },
      }),
    );
    const found = modelFromBytes(file, "the model");
    assert.deepEqual(found.params_P, fitted.params_P);
    assert.equal(found.step, fitted.step);
    const archive = await readNpz(await bytes(await ask(`/v1/models/${model}/parameters`)));
    const { tensors } = readSafetensors(file, "the model");
    assert.deepEqual(Object.keys(archive).sort(), Object.keys(tensors).sort());
    for (const { name, offset, length, shape } of parameterLayout(fitted.architecture).slices) {
      assert.deepEqual([...archive[name].shape], [...shape]);
      same(
        archive[name].data as Float32Array,
        fitted.params_P.slice(offset, offset + length),
        name,
      );
    }

    const executor = await createWasmExecutor({ threads: 1, reproducible: true });
    try {
      // inference
      for (const samples of [0, 16]) {
        const wanted = await infer(executor, fitted, data, { samples, seed: 7 });
        const answer = await readNpz(
          await bytes(
            await ask(`/v1/models/${model}/infer?samples=${samples}&seed=7`, {
              method: "POST",
              headers: { "content-type": NPZ },
              body: upload,
            }),
          ),
        );
        same(answer.rates.data as Float32Array, wanted.rates_BTN, "rates");
        same(answer.factors.data as Float32Array, wanted.factors_BTF, "factors");
        same(answer.gen_states.data as Float32Array, wanted.gen_BTG, "states");
        same(answer.gen_init.data as Float32Array, wanted.g0_BG, "initial states");
        const stored = await readNpz(
          await bytes(
            await ask(`/v1/models/${model}/infer/${dataset}?samples=${samples}&seed=7`, {
              method: "POST",
            }),
          ),
        );
        same(stored.rates.data as Float32Array, wanted.rates_BTN, "rates of the stored dataset");
        same(
          stored.rates_hz.data as Float32Array,
          wanted.rates_BTN.map((rate) => rate / 0.02),
          "rates in Hz of the stored dataset",
        );
      }

      // fixed points
      const options = { candidates: 50, seed: 2, search: { iterations: 300 } };
      const points = await json(await post(`/v1/models/${model}/fixed-points`, options), 200);
      const wanted = await findFixedPoints(
        executor,
        generatorCell(fitted),
        visitedStates(generateTrials(fitted, { trials: 100, seed: 2 }).gen_BTG, 2, 50),
        new Float64Array(0),
        { seed: 2, binWidth: 0.02, iterations: 300 },
      );
      assert.deepEqual(points.counts, wanted.counts);
      assert(wanted.points.length > 0, "no point was found to compare");
      assert.deepEqual(
        points.fixedPoints.map(({ polish: _, members: __, ...view }: Record<string, unknown>) =>
          view
        ),
        JSON.parse(JSON.stringify(wanted.points.map((point) => fixedPointView(point, 0.02)))),
      );
    } finally {
      executor.close();
    }

    await sameAsTheCommandLine(server, { dataset, model });

    // generated trials
    const generated = await bytes(
      await post(`/v1/models/${model}/generate`, { trials: 3, seed: 4 }),
    );
    assert.deepEqual(
      datasetFromBytes(generated, "generated.npz").counts_BTN,
      generate(fitted, { trials: 3, seed: 4 }).counts_BTN,
    );

    // the report
    const page = await ask(`/v1/models/${model}/report`);
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    assert.match(await page.text(), /^<!doctype html>/i);
  }));

/** The command line, with the server's own files, computes what the server answers. */
async function sameAsTheCommandLine(
  { ask, post, folder }: TestServer,
  { dataset, model }: { dataset: string; model: string },
): Promise<void> {
  const device = ["--device", "wasm", "--threads", "1", "--reproducible", "--json"];
  const latentd = async (...args: string[]) => {
    const lines: string[] = [];
    const streams = {
      stdout: (line: string) => lines.push(line),
      stderr: () => {},
      interactive: false,
    };
    assert.equal(await main([...args, ...device], streams), 0);
    return JSON.parse(lines.at(-1)!);
  };
  const files = [`${folder}/models/${model}.safetensors`, `${folder}/datasets/${dataset}.npz`];
  const out = `${folder}/inferred.npz`;
  await latentd("infer", ...files, "--samples", "16", "--seed", "7", "--out", out);
  const wanted = readNpz(await Deno.readFile(out));
  await Deno.remove(out);
  const answer = await ask(`/v1/models/${model}/infer/${dataset}?samples=16&seed=7`, {
    method: "POST",
  });
  const found = readNpz(await answer.bytes());
  assert.deepEqual(Object.keys(found), Object.keys(wanted));
  for (const [name, { shape, data }] of Object.entries(wanted)) {
    assert.deepEqual([found[name].shape, found[name].data], [shape, data], name);
  }
  const command = ["fixed-points", ...files, "--samples", "4", "--candidates", "40", "--seed", "3"];
  const asked = { dataset, samples: 4, candidates: 40, seed: 3 };
  // JSON has no infinity: null drops no outlier
  for (const [flags, search] of [[[], {}], [["--outlier-tol", "Infinity"], { outlierTol: null }]]) {
    const printed = await latentd(...command, ...flags as string[]);
    const answer = await post(`/v1/models/${model}/fixed-points`, { ...asked, search });
    const points = await json(answer, 200);
    for (const name of ["counts", "fixedPoints", "outliers", "input", "binWidth", "iterations"]) {
      assert.deepEqual(points[name], printed[name], name);
    }
  }
}
