import assert from "node:assert/strict";
import { join } from "node:path";
import { isRunFolder, readRunRecord, readRunState } from "../src/mod.ts";
import {
  assertRefused,
  latentd,
  outcome,
  spawn,
  TINY,
  writeSmall,
  writeSpikes,
} from "./cli_helpers.ts";
import { inFolder, listing } from "./folders.ts";

/** The build that gives the same bits, on a fixed number of threads. */
const WASM = ["--device", "wasm", "--reproducible", "--threads", "2"];
/** A model on the wasm device; the later option wins. */
const EXACT = [...TINY, ...WASM, "--checkpoint-every", "4"];

const model = (run: string) => Deno.readFile(join(run, "model.safetensors"));

/** Waits until the run of a process has a checkpoint of at least `step` steps, and says of how many. */
async function checkpointFrom(
  run: string,
  step: number,
  process: Deno.ChildProcess,
): Promise<number> {
  let over = false;
  process.status.then(() => over = true);
  while (!over) {
    if (await isRunFolder(run)) {
      const { steps } = await readRunRecord(run);
      if (steps >= step && await isFile(join(run, "checkpoint.safetensors"))) return steps;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { code, stderr } = await outcome(process);
  throw new Error(`exit ${code} before a checkpoint of ${step} steps: ${stderr}`);
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isFile, () => false);
}

Deno.test("a run that is killed at any checkpoint ends with the bytes of one that is not", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const whole = join(folder, "whole"), killed = join(folder, "killed");
    const steps = ["--steps", "400"];
    assert.equal((await latentd("fit", data, "--out", whole, ...EXACT, ...steps)).code, 0);

    let process = spawn(["fit", data, "--out", killed, ...EXACT, ...steps]);
    let kills = 0, last = -1;
    for (const step of [0, 4, 100]) {
      // a checkpoint of this process, not of the one before
      const reached = await checkpointFrom(killed, Math.max(step, last + 1), process);
      process.kill("SIGKILL");
      const { code } = await outcome(process);
      assert.notEqual(code, 0, `it was over before it was killed at ${reached}`);
      kills++;
      const { status, steps } = await readRunRecord(killed);
      assert.equal(status, "running");
      assert.ok(steps >= step && steps < 400);
      last = steps;
      process = spawn(["fit", "--resume", killed, "--no-report"]);
    }
    assert.equal((await outcome(process)).code, 0);
    assert.deepEqual(await model(killed), await model(whole));
    const record = await readRunRecord(killed);
    assert.equal(record.status, "completed");
    assert.equal(record.resumed.length, kills);
    const leftovers = (await listing(killed)).filter((line) => line.includes(".tmp"));
    assert.deepEqual(leftovers, []);
  }));

Deno.test("Ctrl-C and SIGTERM stop a run with a checkpoint that goes on to the same bytes", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const whole = join(folder, "whole"), stopped = join(folder, "stopped");
    const steps = ["--steps", "400"];
    assert.equal((await latentd("fit", data, "--out", whole, ...EXACT, ...steps)).code, 0);

    const process = spawn(["fit", data, "--out", stopped, ...EXACT, ...steps]);
    await checkpointFrom(stopped, 4, process);
    process.kill("SIGINT");
    const first = await outcome(process);
    assert.equal(first.code, 130);
    assert.match(first.stderr, /Stopping after the step in progress/);
    assert.ok(first.stdout.includes(`Go on with: latentd fit --resume ${stopped}`));
    const { status, steps: made } = await readRunRecord(stopped);
    assert.equal(status, "stopped");
    assert.equal((await readRunState(stopped, await readRunRecord(stopped))).step, made);

    const again = spawn(["fit", "--resume", stopped, "--no-report"]);
    await checkpointFrom(stopped, made + 4, again);
    again.kill("SIGTERM");
    assert.equal((await outcome(again)).code, 143);

    assert.equal((await latentd("fit", "--resume", stopped, "--no-report")).code, 0);
    assert.deepEqual(await model(stopped), await model(whole));
  }));

Deno.test("a run with more steps goes on as if it had been asked for them at first", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const long = join(folder, "long"), longer = join(folder, "longer");
    assert.equal((await latentd("fit", data, "--out", long, ...TINY, "--steps", "8")).code, 0);
    assert.equal((await latentd("fit", data, "--out", longer, ...TINY, "--steps", "4")).code, 0);
    const resume = ["fit", "--resume", longer, "--steps", "8", "--no-report"];
    assert.equal((await latentd(...resume)).code, 0);
    assert.deepEqual(await model(longer), await model(long));
    const { resumed, steps } = await readRunRecord(longer);
    assert.equal(steps, 8);
    assert.deepEqual(resumed.map(({ step, changed }) => ({ step, changed })), [
      { step: 4, changed: { steps: [4, 8] } },
    ]);
  }));

Deno.test("a resumed run refuses other data, hyperparameters, seeds and folders", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    assert.equal((await latentd("fit", data, "--out", run, ...TINY, "--steps", "4")).code, 0);
    const before = await listing(folder);
    const resume = (...args: string[]) => latentd("fit", "--resume", run, "--no-report", ...args);
    assertRefused(await resume("--seed", "3"), /expected seed 0, .*found 3/);
    assertRefused(await resume("--generator-units", "3"), /expected generatorUnits 2, .*found 3/);
    assertRefused(await resume("--step-size", "0.1"), /only a failed run may change it.*found 0.1/);
    assertRefused(await resume("--steps", "2"), /expected at least 4 steps, found 2/);
    assertRefused(await resume("--out", folder), /expected no --out/);
    assertRefused(await latentd("fit", data, "--out", run, ...TINY), /--resume .*another folder/);
    assertRefused(await latentd("fit", "--resume", folder), /expected a run's folder.*found none/);
    assert.deepEqual(await listing(folder), before);

    const other = Uint8Array.from({ length: 8 * 5 * 3 }, (_, i) => i % 2);
    const file = await writeSpikes(join(folder, "other.npz"), [8, 5, 3], other);
    assertRefused(await latentd("fit", file, "--resume", run), /counts that the run began with/);
    await Deno.rename(file, data);
    assertRefused(await resume(), /counts that the run began with.*SHA-256.*found/);
    await Deno.remove(data);
    assertRefused(await resume(), /found no such file/);
  }));

Deno.test("a checkpoint of another shape, a damaged one and a damaged record are refused", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run"), large = join(folder, "large");
    const fit = (out: string, ...args: string[]) =>
      latentd("fit", data, "--out", out, ...TINY, "--steps", "2", ...args);
    assert.equal((await fit(run)).code, 0);
    assert.equal((await fit(large, "--generator-units", "3")).code, 0);
    const resume = () => latentd("fit", "--resume", run, "--no-report");
    const checkpoint = join(run, "checkpoint.safetensors");
    const good = await Deno.readFile(checkpoint);

    await Deno.copyFile(join(large, "checkpoint.safetensors"), checkpoint);
    assertRefused(await resume(), /expected "params_P" of the \d+ parameters.*found \d+/);
    await Deno.copyFile(join(run, "model.safetensors"), checkpoint);
    assertRefused(await resume(), /"latentd checkpoint 2", found "latentd model 1"/);
    await Deno.writeFile(checkpoint, good.subarray(0, good.length - 1));
    assertRefused(await resume(), /expected \d+ bytes of tensors, found \d+/);
    await Deno.remove(checkpoint);
    assertRefused(await resume(), /found no such file/);
    await Deno.writeFile(checkpoint, good);

    const record = join(run, "run.json");
    const text = await Deno.readTextFile(record);
    await Deno.writeTextFile(record, text.slice(0, 100));
    assertRefused(await resume(), /expected JSON in its run.json/);
    await Deno.writeTextFile(record, text.replace('"steps": 2', '"steps": -2'));
    assertRefused(await resume(), /record of latentd .*found hyperparameters.steps/);
    await Deno.writeTextFile(record, text);
    assert.equal((await resume()).code, 0);
  }));

Deno.test("a run that meets a number that is not finite fails with 1, keeps its checkpoint, and goes on with a smaller step", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const huge = ["--step-size", "10", "--max-grad-norm", "1e9", "--guard-retries", "0"];
    const args = ["--out", run, ...EXACT, ...huge, "--steps", "200", "--json"];
    const failed = await latentd("fit", data, ...args);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /at step \d+ the loss term "\w+" is not finite.*gradient of \w+\.\w+/,
    );
    assert.doesNotMatch(failed.stderr, /\.ts:\d+/);
    assert.equal(JSON.parse(failed.stdout).error.name, "NonFiniteError");
    const record = await readRunRecord(run);
    assert.equal(record.status, "failed");
    assert.match(record.failure ?? "", /is not finite/);
    const state = await readRunState(run, record);
    assert.ok(state.params_P.every(Number.isFinite));
    assert.equal(state.step, record.steps);

    assertRefused(
      await latentd("fit", "--resume", run, "--l2", "0.1"),
      /expected l2 0.00002, .*found 0.1/,
    );
    const smaller = ["--step-size", "1e-6", "--max-grad-norm", "1", "--steps", "201"];
    const resumed = await latentd("fit", "--resume", run, "--no-report", ...smaller);
    assert.equal(resumed.code, 0);
    assert.match(resumed.stderr, /The run had failed: .*not finite/);
    const after = await readRunRecord(run);
    assert.deepEqual({ status: after.status, failure: after.failure }, {
      status: "completed",
      failure: null,
    });
    assert.deepEqual(Object.keys(after.resumed[0].changed).sort(), [
      "maxGradNorm",
      "stepSize",
      "steps",
    ]);
  }));
