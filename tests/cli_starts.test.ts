/** `fit --starts` on the command line: its run folder, the fits that it stands for, kill and resume. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { isRunFolder, readRunRecord, readStarts } from "../src/mod.ts";
import {
  assertRefused,
  lastJson,
  latentd,
  outcome,
  spawn,
  TINY,
  writeSmall,
} from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";

const WASM = ["--device", "wasm", "--reproducible", "--threads", "2"];
const MANY = [...TINY, "--seed", "5", "--starts", "3"];

const file = (run: string, name: string) => Deno.readFile(join(run, name));
const rows = async (path: string) =>
  (await Deno.readTextFile(path)).trim().split("\n").map((line) => line.split(","));

Deno.test("a run of several starts keeps the best, and each is the run of its seed on the same split", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const steps = ["--steps", "8"];
    const done = await latentd("fit", data, "--out", run, ...MANY, ...steps, "--json");
    assert.equal(done.code, 0);
    const record = await readRunRecord(run);
    assert.deepEqual({ seed: record.seed, splitSeed: record.splitSeed }, { seed: 5, splitSeed: 5 });
    const { going } = await readStarts(run, record);

    const solos: { seed: number; score: number; path: string }[] = [];
    for (const [i, seed] of [5, 6, 7].entries()) {
      const path = join(folder, `seed-${seed}`);
      const alone = [...TINY, ...steps, "--seed", `${seed}`, "--split-seed", "5"];
      assert.equal((await latentd("fit", data, "--out", path, ...alone)).code, 0);
      const solo = await readRunRecord(path);
      assert.deepEqual(solo.split, record.split);
      assert.deepEqual(record.starts[i], solo.starts[0]);
      const state = (await readStarts(path, solo)).going[0];
      for (const name of ["params_P", "m_P", "v_P"] as const) {
        assert.deepEqual(going[i][name], state[name]);
      }
      solos.push({ seed, score: solo.starts[0].best?.score ?? NaN, path });
    }
    const best = solos.reduce((a, b) => b.score < a.score ? b : a);
    assert.deepEqual(
      await file(run, "model.safetensors"),
      await file(best.path, "model.safetensors"),
    );

    const table = await rows(join(run, "starts.csv"));
    const without = (line: string[]) => line.filter((_, i) => table[0][i] !== "seconds");
    const ofBest = table.filter(([seed]) => seed === `${best.seed}`).map(without);
    const losses = await rows(join(best.path, "losses.csv"));
    const wanted = losses.slice(1).map((line) => line.filter((_, i) => losses[0][i] !== "seconds"));
    assert.deepEqual(ofBest, wanted.map((line) => [`${best.seed}`, ...line]));
    assert.equal(table.length, 1 + 3 * wanted.length);
    assert.deepEqual((await rows(join(run, "losses.csv"))).length, losses.length);

    const json = lastJson(done) as { starts: unknown; model: { seed: number } };
    assert.deepEqual(json.starts, record.starts);
    assert.equal(json.model.seed, best.seed);
    const printed = done.stderr.split("\n").filter((line) => /^ +\d+ +[\d.]+ +\d+$/.test(line));
    const ranked = solos.sort((a, b) => a.score - b.score).map(({ seed }) => seed);
    assert.deepEqual(printed.map((line) => Number(line.trim().split(/ +/)[0])), ranked);
  }));

Deno.test("a run of several starts that is killed ends with the bytes of one that is not", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const whole = join(folder, "whole"), killed = join(folder, "killed");
    const exact = [...MANY, ...WASM, "--checkpoint-every", "4", "--steps", "400"];
    assert.equal((await latentd("fit", data, "--out", whole, ...exact)).code, 0);
    let process = spawn(["fit", data, "--out", killed, ...exact]);
    for (const step of [0, 40]) {
      let over = false;
      process.status.then(() => over = true);
      while (!over && !(await reached(killed, step))) await new Promise((r) => setTimeout(r, 5));
      process.kill("SIGKILL");
      assert.notEqual((await outcome(process)).code, 0, "it was over before it was killed");
      process = spawn(["fit", "--resume", killed, "--no-report"]);
    }
    assert.equal((await outcome(process)).code, 0);
    assert.deepEqual(
      await file(killed, "model.safetensors"),
      await file(whole, "model.safetensors"),
    );
    const [a, b] = await Promise.all(
      [killed, whole].map(async (run) => await readStarts(run, await readRunRecord(run))),
    );
    for (const [i, start] of a.going.entries()) {
      assert.deepEqual(start.params_P, b.going[i].params_P);
    }
    const of = async (run: string) => (await readRunRecord(run)).starts;
    assert.deepEqual(await of(killed), await of(whole));
  }));

async function reached(run: string, step: number): Promise<boolean> {
  if (!await isRunFolder(run)) return false;
  const checkpoint = join(run, "checkpoint.safetensors");
  return (await readRunRecord(run)).steps >= step &&
    await Deno.stat(checkpoint).then(() => true, () => false);
}

Deno.test("a start whose numbers run away is told, recorded and left out; the others go on", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const wild = ["--nonlinearity", "identity", "--step-size", "9", "--max-grad-norm", "1e9"];
    const tame = ["--guard-retries", "0"];
    const args = [
      ...TINY,
      "--cell",
      "vanilla",
      ...wild,
      ...tame,
      "--steps",
      "60",
      "--starts",
      "12",
    ];
    const done = await latentd("fit", data, "--out", run, ...args);
    assert.equal(done.code, 0);
    const { starts, status } = await readRunRecord(run);
    const failed = starts.filter(({ failure }) => failure !== null);
    assert.equal(status, "completed");
    assert.ok(failed.length > 0 && failed.length < 12, `${failed.length} of 12 failed`);
    const table = await rows(join(run, "starts.csv"));
    const seeds = table.slice(1).map(([seed]) => Number(seed));
    assert.deepEqual(seeds, seeds.toSorted((a, b) => a - b));
    for (const { seed, failure } of failed) {
      assert.ok(failure);
      const told = new RegExp(
        `The start of seed ${seed} is left out: at step ${failure.step} its loss term ` +
          `"${failure.term}" is not finite`,
      );
      assert.match(done.stderr, told);
      const last = table.findLast((line) => line[0] === `${seed}`)!;
      assert.deepEqual([last[1], last.at(-1)], [
        `${failure.step}`,
        `failed: ${failure.term} is not finite`,
      ]);
      assert.ok(done.stdout.includes(`failed at step ${failure.step}: ${failure.term}`));
    }
    // at its end a run of which some have failed can be asked for more
    const more = ["--resume", run, "--no-report", "--steps", "62"];
    assert.equal((await latentd("fit", ...more)).code, 0);
  }));

Deno.test("a start that goes back says so at once, in its record and in its report; an early stop does too", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const wild = ["--nonlinearity", "identity", "--step-size", "9", "--max-grad-norm", "1e9"];
    const guard = ["--guard-factor", "1e-3", "--early-stop", "8", "--kl-min", "1"];
    const long = ["--cell", "vanilla", "--steps", "2000", "--seed", "8"];
    const plain = ["--coordinated-dropout", "0", "--l2-readout", "0", "--l2-encoder-input", "0"];
    const start = ["--start-readout", "1", "--keep-rate", "0.95"];
    const kl = ["--kl-ic-scale", "1", "--kl-end", "1000", "--decay-factor", "0.9998"];
    const args = [...TINY, ...plain, ...start, ...kl, ...wild, ...guard, ...long];
    const done = await latentd("fit", data, "--out", run, ...args, "--json");
    assert.equal(done.code, 0);
    const record = await readRunRecord(run);
    const [{ recoveries }] = record.starts;
    assert.ok(recoveries.length > 0);
    const [{ step, term, to }] = recoveries;
    const told = `Seed 8: at step ${step} the loss term "${term}" is not finite`;
    assert.ok(done.stderr.includes(told), done.stderr);
    assert.ok(done.stderr.includes(`goes back to step ${to} and on with`));

    assert.deepEqual([record.status, record.ended], ["completed", "early-stop"]);
    assert.ok(record.steps < 2000);
    const end = new RegExp(
      `Completed at step ${record.steps} of 2000, since 8 evaluations in a row were no better`,
    );
    assert.match(done.stderr, end);
    const json = lastJson(done);
    assert.deepEqual([json.ended, json.starts], ["early-stop", record.starts]);

    // only a later stop, or none, lets it go on
    const earlier = await latentd("fit", "--resume", run, "--early-stop", "2");
    assert.match(earlier.stderr, /expected earlyStop 8, as in its record, more, or 0, found 2/);
    const later = await latentd("fit", "--resume", run, "--no-report", "--early-stop", "9");
    assert.equal(later.code, 0);
    assert.ok((await readRunRecord(run)).steps > record.steps);

    const page = join(folder, "report.html");
    assert.equal((await latentd("report", run, "--samples", "2", "--out", page)).code, 0);
    const text = (await Deno.readTextFile(page)).replace(/\s+/g, " ");
    assert.match(text, new RegExp(`At step ${step} the loss term “${term}” was not finite`));
    assert.match(text, /Training stopped early/);
  }));

Deno.test("a number of starts that cannot be, or is not the run's, is refused", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    assert.equal((await latentd("fit", data, "--out", run, ...MANY, "--steps", "2")).code, 0);
    const resume = (...args: string[]) => latentd("fit", "--resume", run, "--no-report", ...args);
    assertRefused(await resume("--starts", "4"), /expected number of starts 3, .*found 4/);
    assertRefused(await resume("--split-seed", "4"), /expected split seed 5, .*found 4/);
    for (const wrong of ["0", "257", "two"]) {
      const refused = await latentd("fit", data, "--out", join(folder, "other"), "--starts", wrong);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /--starts.*whole number from 1 to 256/);
    }
    assert.equal((await resume("--starts", "3")).code, 0);
  }));
