import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../src/errors.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { readModel } from "../src/data/model_file.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { parseHyperparameters } from "../src/model/hyperparameters.ts";
import { fit, type FitResult } from "../src/train/fit.ts";
import { readRunState, requireFreeFolder, RunDirectory } from "../src/train/run_directory.ts";
import {
  countsSha256,
  isRunFolder,
  newRunRecord,
  readRunRecord,
  recordToBytes,
  type RunRecord,
  runRecordSchema,
} from "../src/train/run_record.ts";
import { stateToBytes } from "../src/train/run_state.ts";
import { splitTrials } from "../src/data/dataset.ts";
import { inFolder, listing } from "./folders.ts";
import { PLAIN } from "../src/study/recipes.ts";

const data = simulateRotation({ trials: 6, T: 4, N: 3 });
const hyperparameters = parseHyperparameters({
  ...PLAIN,
  encoderUnits: 2,
  generatorUnits: 2,
  factors: 2,
  batchSize: 4,
  steps: 4,
  evaluateEvery: 2,
  checkpointEvery: 1,
});
const executor = createReferenceExecutor();

function record(): Promise<RunRecord> {
  return newRunRecord({
    seed: 1,
    hyperparameters,
    device: executor.info,
    reproducible: false,
    data,
    dataPath: "data.npz",
    split: splitTrials(data.trials, hyperparameters.evalFraction, 1),
  });
}

/** Fits into a run's folder, calling `each` after every save. */
async function fitInto(run: RunDirectory, each = () => Promise.resolve()): Promise<FitResult> {
  const progress = fit(data, executor, {
    hyperparameters,
    seed: 1,
    checkpoint: async (state) => {
      await run.save(state);
      await each();
    },
  });
  let next = await progress.next();
  while (!next.done) next = await progress.next();
  return next.value;
}

Deno.test("a record is the same after it was written and read", async () => {
  const begun = await record();
  const before: RunRecord = {
    ...begun,
    dataset: { ...begun.dataset, name: '"train": "<train>"' },
    resumed: [{ at: new Date(0).toISOString(), step: 3, changed: { l2: [0, 1] } }],
  };
  const text = new TextDecoder().decode(recordToBytes(before));
  assert.deepEqual(runRecordSchema.parse(JSON.parse(text)), before);
});

Deno.test("a run's files hold the state, the best model and the history of its last checkpoint", () =>
  inFolder(async (folder) => {
    const path = join(folder, "deep", "run");
    const run = await RunDirectory.create(path, await record());
    const result = await fitInto(run);
    await run.finish(result.ended, result.model);
    run.close();

    const after = await readRunRecord(path);
    assert.deepEqual({ status: after.status, steps: after.steps }, {
      status: "completed",
      steps: 4,
    });
    const { seconds: _, ...state } = await readRunState(path, after);
    const { seconds: __, ...wanted } = result.state;
    assert.deepEqual(state, wanted);
    const model = await readModel(join(path, "model.safetensors"));
    assert.deepEqual(model, result.model);
    const lines = (await Deno.readTextFile(join(path, "losses.csv"))).trim().split("\n");
    const columns = lines[0].split(",");
    assert.equal(lines.length, 1 + state.history.length);
    state.history.forEach(({ step, evaluation }, i) => {
      const values = lines[1 + i].split(",");
      assert.equal(values.length, columns.length);
      assert.equal(Number(values[columns.indexOf("step")]), step);
      assert.equal(Number(values[columns.indexOf("evaluation_nll")]), evaluation.nll);
    });
  }));

Deno.test("after every save the folder can be resumed, with the best model so far beside it", () =>
  inFolder(async (folder) => {
    const run = await RunDirectory.create(join(folder, "run"), await record());
    const seen: number[] = [];
    await fitInto(run, async () => {
      const now = await readRunRecord(run.folder);
      const state = await readRunState(run.folder, now);
      assert.equal(state.step, now.steps);
      seen.push(state.step);
      if (state.best.score === Infinity) return;
      assert.equal((await readModel(run.path("model"))).step, state.best.step);
    });
    run.close();
    assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  }));

Deno.test("a folder with a run, or with a file that a run would replace, is refused and left alone", () =>
  inFolder(async (folder) => {
    const run = await RunDirectory.create(folder, await record());
    run.close();
    const before = await listing(folder);
    await assert.rejects(RunDirectory.create(folder, await record()), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, /found a run \(running, step 0\).*--resume .*--out/);
      return true;
    });
    assert.deepEqual(await listing(folder), before);
  }));

Deno.test("a model that no run put there is not replaced", () =>
  inFolder(async (folder) => {
    const model = join(folder, "model.safetensors");
    await Deno.writeTextFile(model, "precious");
    await assert.rejects(requireFreeFolder(folder), /found model.safetensors/);
    await assert.rejects(RunDirectory.create(folder, await record()), InputError);
    assert.deepEqual(await listing(folder), ["model.safetensors 8"]);
    assert.equal(await Deno.readTextFile(model), "precious");
  }));

Deno.test("only one may write a run at a time; the next may once it is closed", () =>
  inFolder(async (folder) => {
    const run = await RunDirectory.create(folder, await record());
    await assert.rejects(RunDirectory.open(folder), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, /expected it to be idle, found that another process/);
      return true;
    });
    run.close();
    (await RunDirectory.open(folder)).close();
  }));

Deno.test("opening clears what a crash left half-written, and nothing else", () =>
  inFolder(async (folder) => {
    (await RunDirectory.create(folder, await record())).close();
    const left = `.checkpoint.safetensors.${crypto.randomUUID()}.tmp`;
    for (const name of [left, "notes.tmp", ".hidden", `.${crypto.randomUUID()}`]) {
      await Deno.writeTextFile(join(folder, name), "x");
    }
    const before = await listing(folder);
    (await RunDirectory.open(folder)).close();
    assert.deepEqual(await listing(folder), before.filter((line) => line !== `${left} 1`));
  }));

Deno.test("a folder that is no run cannot be opened, and stays as it is", () =>
  inFolder(async (folder) => {
    assert.equal(await isRunFolder(folder), false);
    assert.equal(await isRunFolder(join(folder, "absent")), false);
    await assert.rejects(RunDirectory.open(folder), /expected a run's folder/);
    await assert.rejects(RunDirectory.open(join(folder, "absent")), InputError);
    assert.deepEqual(await listing(folder), []);
  }));

Deno.test("a checkpoint of another seed is refused", () =>
  inFolder(async (folder) => {
    const run = await RunDirectory.create(folder, await record());
    const { state } = await fitInto(run);
    run.close();
    await Deno.writeFile(run.path("checkpoint"), stateToBytes({ ...state, seed: 2 }, true));
    await assert.rejects(readRunState(folder, run.record), /seed 1, .*found seed 2/);
  }));

Deno.test("a run that goes on records where, what changed, and that it is running again", () =>
  inFolder(async (folder) => {
    const run = await RunDirectory.create(folder, await record());
    await run.fail("it met a number that is not finite");
    assert.equal((await readRunRecord(folder)).status, "failed");
    const next = { ...hyperparameters, stepSize: 0.001 };
    await run.resume(2, { stepSize: [0.01, 0.001] }, { hyperparameters: next });
    run.close();
    const { status, failure, finished, resumed, hyperparameters: now } = await readRunRecord(
      folder,
    );
    assert.deepEqual({ status, failure, finished }, {
      status: "running",
      failure: null,
      finished: null,
    });
    assert.equal(now.stepSize, 0.001);
    assert.deepEqual(resumed[0].changed, { stepSize: [0.01, 0.001] });
    assert.equal(resumed[0].step, 2);
  }));

Deno.test("the hash of the counts tells one changed count", async () => {
  const sha = (counts_BTN: Dataset["counts_BTN"]) => countsSha256({ counts_BTN });
  const counts = Uint8Array.from(data.counts_BTN);
  const first = await sha(counts);
  assert.equal(await sha(counts.slice()), first);
  counts[5]++;
  assert.notEqual(await sha(counts), first);
  // FIPS 180-4's example: "abc"
  assert.equal(
    await sha(new TextEncoder().encode("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});
