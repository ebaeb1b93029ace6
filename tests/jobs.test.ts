/** Datasets and models of a data directory, its limits and its ids. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DEVICE_CHOICES } from "../src/compute/devices.ts";
import { datasetFromBytes, datasetToBytes } from "../src/data/dataset.ts";
import { modelToBytes } from "../src/data/model_file.ts";
import { npyArray, writeNpy } from "../src/data/npy.ts";
import { readNpz, writeNpz } from "../src/data/npz.ts";
import { readSafetensors } from "../src/data/safetensors.ts";
import { simulateLorenz, simulateRotation } from "../src/data/simulate.ts";
import { InputError } from "../src/errors.ts";
import { ConflictError, LimitError, NotFoundError, StorageError } from "../src/jobs/errors.ts";
import { type IdKind, newId, parseId } from "../src/jobs/ids.ts";
import { openJobs } from "../src/jobs/jobs.ts";
import type { JobsOptions } from "../src/jobs/options.ts";
import { DEVICES, type SimulateRequest, STARTS } from "../src/jobs/records.ts";
import { architecture, parseHyperparameters } from "../src/model/hyperparameters.ts";
import { initialise } from "../src/model/initialise.ts";
import { MOST_STARTS } from "../src/train/fit.ts";
import { inFolder, listing } from "./folders.ts";
import { queue, SMALL, TINY_DATA, withJobs } from "./jobs_helpers.ts";

/** The files of datasets and models. */
async function stored(folder: string): Promise<string[]> {
  return (await listing(folder)).filter((line) => /^(datasets|models|runs)\/./.test(line));
}

function modelBytes(wide = false): Uint8Array {
  const hyperparameters = parseHyperparameters(SMALL);
  const shape = architecture(hyperparameters, 5, 3);
  const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
  const origin = { seed: 0, step: 0, binWidth: 0.01 };
  return modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P }, wide);
}

Deno.test("an id has one form, and nothing else is one", () => {
  for (const kind of ["dataset", "run", "model"] as const) {
    const id = newId(kind);
    assert.equal(parseId(kind, id), id);
    assert.notEqual(newId(kind), id);
    const others = { dataset: "run", run: "model", model: "dataset" } as const;
    const refused = [
      ...["", ".", "..", "../latentd.sqlite", `../${id}`, `${id}/..`, `${id}\0`, `${id}\n`],
      ...[id.toUpperCase(), id.slice(1), `${id}0`, ` ${id}`, newId(others[kind])],
      ...["%2e%2e", id.replace("-", "/"), id.replace(/.$/, "u"), "x".repeat(1e6)],
    ];
    for (const text of refused) {
      assert.throws(() => parseId(kind, text), InputError, JSON.stringify(text).slice(0, 80));
    }
  }
});

Deno.test("every call refuses an id that is none before it touches a file", () =>
  withJobs(async ({ datasets, models, runs }) => {
    const id = "d-../../../../etc/p";
    const calls: (() => Promise<unknown>)[] = [
      ...[() => datasets.get(id), () => datasets.bytes(id), () => datasets.delete(id)],
      ...[() => models.get(id), () => models.bytes(id), () => models.report(id)],
      ...[() => models.delete(id), () => models.parameters(id, "npz")],
      ...[() => runs.get(id), () => runs.cancel(id), () => runs.delete(id)],
      ...[() => runs.subscribe(id), () => runs.create({ dataset: id })],
      ...[() => datasets.list({ before: id }), () => models.list({ before: id })],
      ...[() => runs.list({ before: id }), () => runs.create({ resumeFrom: id })],
    ];
    for (const call of calls) {
      await assert.rejects(call, (error) => error instanceof InputError, String(call));
    }
  }));

Deno.test("what is not there is not found", () =>
  withJobs(async ({ datasets, models, runs }) => {
    const missing = (kind: IdKind) => new RegExp(`Cannot find the ${kind}`);
    const cases: [IdKind, (id: string) => Promise<unknown>][] = [
      ["dataset", (id) => datasets.get(id)],
      ["dataset", (id) => datasets.delete(id)],
      ["dataset", (id) => runs.create({ dataset: id })],
      ["model", (id) => models.bytes(id)],
      ["model", (id) => models.delete(id)],
      ["run", (id) => runs.get(id)],
      ["run", (id) => runs.cancel(id)],
      ["run", (id) => runs.subscribe(id)],
      ["run", (id) => runs.create({ resumeFrom: id })],
    ];
    for (const [kind, call] of cases) {
      await assert.rejects(call(newId(kind)), (error) => {
        assert.ok(error instanceof NotFoundError);
        assert.match(error.message, missing(kind));
        return true;
      });
    }
  }));

Deno.test("a dataset that is added is what its bytes hold, with the same warnings", () =>
  withJobs(async ({ datasets }) => {
    const simulated = simulateRotation({ trials: 4, T: 5, N: 3, binWidth: 0.02 });
    const other = npyArray([4, 5, 2], Uint8Array.from({ length: 40 }, (_, i) => i % 7 ? 0 : 1));
    const uploads: [string, Uint8Array][] = [
      ["monkey J.npz", datasetToBytes(simulated)],
      ["folder/counts.npz", writeNpz({ counts: other })],
      ["plain.npy", writeNpy(other)],
    ];
    for (const [name, bytes] of uploads) {
      const wanted = datasetFromBytes(bytes, name);
      const record = await datasets.add(bytes.slice(), { name });
      const { trials, T, N, binWidth, warnings } = wanted;
      const { id } = record;
      assert.deepEqual(
        [record.name, record.trials, record.T, record.N, record.binWidth, record.warnings],
        [wanted.name, trials, T, N, binWidth, warnings],
      );
      assert.deepEqual(await datasets.get(id), record);
      const again = datasetFromBytes(await datasets.bytes(id), `${record.name}.npz`);
      assert.deepEqual(
        { ...again, warnings: [] },
        { ...wanted, warnings: [] },
      );
      assert.equal(record.spikes, Array.from(wanted.counts_BTN).reduce((sum, n) => sum + n));
    }
    const [plain, counts, monkey] = (await datasets.list()).items;
    assert.deepEqual([plain.name, counts.name, monkey.name], ["plain", "counts", "monkey J"]);
    assert.match(counts.warnings.join(), /no "spikes"; took "counts"/);
    assert.deepEqual([monkey.truth, monkey.conditions, counts.truth, counts.conditions], [
      true,
      new Set(simulated.condition).size,
      false,
      null,
    ]);
  }));

Deno.test("simulated data are those of the simulator", () =>
  withJobs(async ({ datasets }) => {
    const lorenz = { trials: 6, conditions: 3, T: 4, N: 2, seed: 9 };
    const cases = [
      [{ ...TINY_DATA, seed: 4 }, simulateRotation({ trials: 8, T: 5, N: 3, seed: 4 })],
      [{ kind: "lorenz", ...lorenz }, simulateLorenz(lorenz)],
    ] as const;
    for (const [request, wanted] of cases) {
      const { id, source } = await datasets.simulate(request);
      assert.equal(source, request.kind);
      assert.deepEqual(await datasets.bytes(id), datasetToBytes(wanted));
    }
    const { name } = await datasets.simulate({ ...TINY_DATA, name: "first try" });
    assert.equal(name, "first try");
  }));

Deno.test("what cannot be used is refused with a reason, and leaves nothing behind", () =>
  withJobs(async ({ datasets, models, runs }, folder) => {
    const bytes = datasetToBytes(simulateRotation({ trials: 4, T: 5, N: 3 }));
    const cases: [() => Promise<unknown>, RegExp][] = [
      [() => datasets.add(bytes.slice(0, -9)), /Cannot read "spikes.npz"/],
      [() => datasets.add(new Uint8Array()), /found an empty file/],
      [() => datasets.add(bytes.slice(), { name: "" }), /its name/],
      [() => datasets.add(bytes.slice(), { name: "/" }), /its name/],
      [() => datasets.add(bytes.slice(), { name: `${"x".repeat(201)}.npz` }), /its name/],
      [() => datasets.list({ limit: 0 }), /limit from 1 to 10000, found 0/],
      [() => runs.list({ limit: 1.5 }), /limit from 1 to 10000, found 1.5/],
      [() => datasets.add(bytes.slice(), { name: "a\nb.npz" }), /control characters, found "a\\nb/],
      [() => datasets.add(modelBytes()), /expected a .npz archive/],
      [() => models.import(bytes.slice(), { name: "no model" }), /no model/],
      [() => models.import(modelBytes().slice(0, -4)), /model/],
      [() => datasets.simulate({ kind: "rotation", trials: 1 }), /trials: .*>=2, found 1/],
      [() => datasets.simulate({ kind: "rotation", dt: 1 } as SimulateRequest), /"dt"/],
      [
        () => datasets.simulate({ kind: "circle" } as unknown as SimulateRequest),
        /kind: expected "rotation" or "lorenz", found "circle"/,
      ],
      [() => datasets.simulate({ kind: "lorenz", T: 10, N: 2, dt: 0.5 }), /Cannot simulate/],
      [() => runs.create({}), /expected a dataset or resumeFrom, found neither/],
    ];
    for (const [call, words] of cases) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, words);
        return true;
      });
    }
    assert.deepEqual(await stored(folder), []);
    assert.deepEqual((await datasets.list()).items, []);
  }));

Deno.test("a run that cannot be is refused, naming what was wanted and found", () =>
  withJobs(async ({ datasets, runs }) => {
    const { id: dataset } = await datasets.simulate(TINY_DATA);
    const zeros = npyArray([3, 2, 2], new Uint8Array(12));
    const { id: silent } = await datasets.add(writeNpz({ spikes: zeros }));
    const cases: [unknown, RegExp][] = [
      [{ dataset, hyperparameters: { factor: 2 } }, /unknown "factor"/],
      [{ dataset, hyperparameters: { factors: 0 } }, /factors: .*found 0/],
      [{ dataset, hyperparameters: [1] }, /hyperparameters: /],
      [{ dataset, sed: 1 }, /"sed"/],
      [{ dataset, seed: -1 }, /seed: .*found -1/],
      [{ dataset, seed: 2 ** 53 }, /seed: /],
      [{ dataset, starts: 0 }, /starts: .*found 0/],
      [{ dataset, starts: 257 }, /starts: .*found 257/],
      [{ dataset, device: "cuda" }, /device: .*found "cuda"/],
      [{ dataset, device: "webgpu", reproducible: true }, /"wasm" or "reference" .*found "webgpu"/],
      [{ dataset: silent }, /expected at least one spike .*3 trials of zeros/],
    ];
    for (const [request, words] of cases) {
      await assert.rejects(runs.create(request as object), (error) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, words);
        return true;
      });
    }
    assert.deepEqual((await runs.list()).items, []);
  }));

Deno.test("limits are kept, and what is over them leaves nothing behind", () => {
  const limits = {
    datasets: 2,
    datasetBytes: 2000,
    modelBytes: 4000,
    unpackedBytes: 10_000,
    queuedRuns: 1,
    models: 1,
  };
  return withJobs(async (jobs, folder) => {
    const { datasets, models } = jobs;
    const limit = (which: LimitError["limit"]) => (error: unknown) =>
      error instanceof LimitError && error.limit === which &&
      /expected .*(at most|fewer)/.test(error.message);
    await assert.rejects(datasets.add(new Uint8Array(2001)), limit("bytes"));
    await assert.rejects(models.import(new Uint8Array(4001)), limit("bytes"));
    // refused from its sizes: these counts would take 4 TB
    const huge = { trials: 1_000_000, T: 100_000, N: 40 };
    await assert.rejects(datasets.simulate({ kind: "rotation", ...huge }), limit("bytes"));
    const packed = writeNpz({ spikes: npyArray([2, 100, 60], new Uint8Array(12_000)) });
    assert.ok(packed.length < 2000);
    await assert.rejects(datasets.add(packed), /10000|10 000/);
    assert.deepEqual(await stored(folder), []);

    const { dataset } = await queue(jobs);
    await assert.rejects(jobs.runs.create({ dataset: dataset.id }), limit("queue"));
    // two at once for one place: one is stored
    const both = await Promise.allSettled([1, 2].map(() => datasets.simulate(TINY_DATA)));
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    await assert.rejects(datasets.simulate(TINY_DATA), limit("datasets"));
    await models.import(modelBytes());
    await assert.rejects(models.import(modelBytes()), limit("models"));
    assert.equal((await stored(folder)).length, 3);
  }, { limits });
});

Deno.test("a dataset stays while a run that is not over uses it", () =>
  withJobs(async (jobs, folder) => {
    const { dataset, run } = await queue(jobs);
    await assert.rejects(jobs.datasets.delete(dataset.id), (error) => {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, new RegExp(`expected no run that uses it, found ${run.id}`));
      return true;
    });
    await jobs.datasets.bytes(dataset.id);
    await jobs.runs.cancel(run.id);
    await jobs.datasets.delete(dataset.id);
    await assert.rejects(jobs.datasets.get(dataset.id), NotFoundError);
    assert.deepEqual(await stored(folder), []);
    assert.equal((await jobs.runs.get(run.id)).datasetName, "rotation");
  }));

Deno.test("a model that is imported comes back byte for byte, and as arrays", () =>
  withJobs(async ({ models }, folder) => {
    for (const wide of [false, true]) {
      const bytes = modelBytes(wide);
      const record = await models.import(bytes.slice(), { name: "mine" });
      assert.deepEqual(
        [record.name, record.source, record.T, record.N, record.binWidth, record.run],
        ["mine", "import", 5, 3, 0.01, null],
      );
      assert.deepEqual(await models.get(record.id), record);
      assert.deepEqual(await models.parameters(record.id, "safetensors"), bytes);
      const arrays = readNpz(await models.parameters(record.id, "npz"));
      const { tensors } = readSafetensors(bytes);
      assert.deepEqual(Object.keys(arrays).sort(), Object.keys(tensors).sort());
      let parameters = 0;
      for (const [name, { shape, data }] of Object.entries(tensors)) {
        assert.deepEqual({ shape: arrays[name].shape, data: arrays[name].data }, { shape, data });
        parameters += data.length;
      }
      assert.equal(record.parameters, parameters);
      assert.equal(await models.report(record.id), null);
      await models.delete(record.id);
      await assert.rejects(models.bytes(record.id), NotFoundError);
    }
    assert.deepEqual(await stored(folder), []);
  }));

Deno.test("lists come newest first, in parts that miss nothing", () =>
  withJobs(async ({ datasets }) => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift((await datasets.simulate(TINY_DATA)).id);
    const found: string[] = [];
    let before: string | undefined;
    do {
      const { items, next } = await datasets.list({ before, limit: 2 });
      found.push(...items.map(({ id }) => id));
      before = next ?? undefined;
    } while (before);
    assert.deepEqual(found, ids);
  }));

Deno.test("everything is there after closing and opening, and nothing else", () =>
  inFolder(async (folder) => {
    const first = await openJobs(folder);
    const { dataset, run } = await queue(first);
    const model = await first.models.import(modelBytes());
    await first.close();

    const kept = await stored(folder);
    const left = `.${dataset.id}.npz.${crypto.randomUUID()}.tmp`;
    await Deno.writeTextFile(join(folder, "datasets", left), "half");
    await Deno.writeTextFile(join(folder, "datasets", `${newId("dataset")}.npz`), "unacknowledged");
    await Deno.writeTextFile(join(folder, "models", `${newId("model")}.html`), "unacknowledged");
    await Deno.mkdir(join(folder, "runs", newId("run")));
    const second = await openJobs(folder);
    assert.deepEqual(await stored(folder), kept);
    assert.deepEqual((await second.datasets.list()).items, [dataset]);
    assert.deepEqual((await second.models.list()).items, [model]);
    assert.deepEqual((await second.runs.list()).items, [run]);
    assert.deepEqual((await second.counts()).runs.queued, 1);
    await second.close();
  }));

Deno.test("options that cannot be are refused before a folder is made", () =>
  inFolder(async (folder) => {
    const cases: [JobsOptions, RegExp][] = [
      [{ runsPerDevice: 0 }, /runsPerDevice to be a whole number of at least 1, found 0/],
      [{ threads: 1.5 }, /threads .*found 1.5/],
      [{ graceMs: NaN }, /graceMs .*found NaN/],
      [{ limits: { queuedRuns: -1 } }, /queuedRuns .*at least 0, found -1/],
    ];
    for (const [options, words] of cases) {
      await assert.rejects(async () => await openJobs(join(folder, "data"), options), words);
    }
    assert.deepEqual(await listing(folder), []);
    const unset = { graceMs: undefined, limits: { datasets: undefined } };
    const jobs = await openJobs(join(folder, "data"), unset);
    await jobs.datasets.simulate(TINY_DATA);
    await jobs.close();
  }));

Deno.test("one server at a time has a data directory", () =>
  withJobs(async (_, folder) => {
    await assert.rejects(openJobs(folder), (error) => {
      assert.ok(error instanceof StorageError && error.reason === "locked");
      assert.match(error.message, /expected that no other server has it, found that one does/);
      return true;
    });
  }));

Deno.test("the records know the devices and starts that there are", () => {
  assert.deepEqual(DEVICES, DEVICE_CHOICES);
  assert.equal(STARTS, MOST_STARTS);
});
