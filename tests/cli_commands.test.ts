import assert from "node:assert/strict";
import { join } from "node:path";
import { endingWords } from "../src/cli/ending.ts";
import { HYPERPARAMETER_GROUPS } from "../src/cli/hyperparameter_options.ts";
import { hyperparametersSchema, readDataset, readNpz } from "../src/mod.ts";
import {
  assertRefused,
  lastJson,
  latentd,
  outcome,
  spawn,
  TINY,
  writeSmall,
} from "./cli_helpers.ts";
import { inFolder, listing } from "./folders.ts";

const REFERENCE = ["--device", "reference"];

/** A folder with data and a run of a few steps. */
async function withRun(
  test: (paths: { folder: string; data: string; run: string }) => Promise<void>,
  ...args: string[]
): Promise<void> {
  await inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const fit = await latentd("fit", data, "--out", run, ...TINY, "--steps", "4", ...args);
    assert.equal(fit.code, 0, fit.stderr);
    await test({ folder, data, run });
  });
}

Deno.test("help lists every hyperparameter with its default", async () => {
  const { code, stdout } = await latentd("fit", "--help");
  assert.equal(code, 0);
  const words = stdout.replace(/\s+/g, " ");
  for (const [name, field] of Object.entries(hyperparametersSchema.shape)) {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} <`;
    assert.ok(words.includes(flag), flag);
    const rest = words.slice(words.indexOf(flag));
    const shown = /default: ([^)]*)\)/.exec(rest)?.[1];
    assert.equal(shown, String(field.parse(undefined)), name);
  }
});

Deno.test("every hyperparameter stands under one heading of the help", () => {
  const grouped = Object.values(HYPERPARAMETER_GROUPS).flat();
  assert.equal(new Set(grouped).size, grouped.length);
  const names = Object.keys(hyperparametersSchema.shape);
  assert.deepEqual(grouped.filter((name) => !names.includes(name)), []);
});

Deno.test("every flag of a hyperparameter reaches the run", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const wanted: Record<string, string | number> = {};
    const flags: string[] = [];
    // shares are below 1, ramps end after they start, and there are no external inputs
    const chosen: Record<string, number> = {
      ...{ heldOutNeurons: 0.25, coordinatedDropout: 0.25, sampleValidation: 0.25 },
      ...{ klEnd: 2, l2End: 2, externalInputs: 0 },
    };
    for (const [name, field] of Object.entries(hyperparametersSchema.shape)) {
      const usual = field.parse(undefined);
      const choices = "options" in field.def.innerType ? field.def.innerType.options : null;
      // half of a default is within every bound but those of counts, which are whole
      const value = name in chosen
        ? chosen[name]
        : choices
        ? choices.find((choice) => choice !== usual) ?? ""
        : Number.isInteger(usual)
        ? 1
        : Number(usual) / 2;
      wanted[name] = value;
      const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      flags.push(flag, String(value));
    }
    const { code, stderr } = await latentd("fit", data, "--out", run, "--no-report", ...[
      ...REFERENCE,
      ...flags,
    ]);
    assert.equal(code, 0, stderr);
    const { hyperparameters } = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    assert.deepEqual(hyperparameters, wanted);
  }));

Deno.test("every command that computes says which device runs, and why", () =>
  withRun(async ({ data, run }) => {
    for (const args of [["infer", run, data], ["fixed-points", run], ["check", "--shapes", "1"]]) {
      const { stderr } = await latentd(...args, ...REFERENCE);
      assert.match(
        stderr,
        /Device: reference, 1 thread, float64, plain loops \(asked for by name\)/,
      );
    }
  }));

Deno.test("with --json the last line of stdout is the one JSON object, and nothing else is there", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const report = TINY.filter((flag) => flag !== "--no-report");
    const fit = await outcome(
      spawn(["fit", data, "--out", run, ...report, "--steps", "4", "--json"]),
    );
    assert.equal(fit.code, 0, fit.stderr);
    assert.equal(fit.stdout.trimEnd().split("\n").length, 1);
    const fitted = lastJson(fit);
    assert.equal(fitted.status, "completed");
    assert.equal(fitted.steps, 4);
    assert.equal(fitted.report, join(run, "report.html"));
    assert.match(await Deno.readTextFile(join(run, "report.html")), /^<!doctype html>/);

    const fixed = await latentd("fixed-points", run, ...REFERENCE, "--json");
    const counts = lastJson(fixed).counts as Record<string, number>;
    assert.equal(fixed.stdout.split("\n").length, 1);
    assert.equal(counts.candidates, 500);
    assert.equal(
      lastJson(fixed).candidates,
      "states of 100 trials that the model generated from its prior",
    );
    assert.equal((lastJson(fixed).fixedPoints as unknown[]).length, counts.kept);

    const again = await latentd("report", run, ...REFERENCE, "--samples", "2", "--json");
    assert.equal(lastJson(again).report, join(run, "report.html"));
    const failed = await latentd("infer", run, run, "--json");
    assert.equal(failed.code, 2);
    assert.equal((lastJson(failed).error as { name: string }).name, "InputError");
  }));

Deno.test("infer writes every array by its name and shape, and the averages agree with each other", () =>
  withRun(
    async ({ folder, data, run }) => {
      const out = join(folder, "posterior.npz");
      const done = await latentd("infer", run, data, "--out", out, "--samples", "8", ...REFERENCE);
      assert.equal(done.code, 0, done.stderr);
      const arrays = readNpz(await Deno.readFile(out));
      const shapes = Object.fromEntries(Object.entries(arrays).map(([k, v]) => [k, v.shape]));
      assert.deepEqual(shapes, {
        rates: [8, 5, 3],
        log_rates: [8, 5, 3],
        factors: [8, 5, 2],
        gen_states: [8, 5, 2],
        gen_init: [8, 2],
        ic_mean: [8, 2],
        ic_logvar: [8, 2],
        ic_std: [8, 2],
        gen_inputs: [8, 5, 1],
        input_mean: [8, 5, 1],
        input_logvar: [8, 5, 1],
        input_std: [8, 5, 1],
        con_states: [8, 5, 2],
      });
      // Jensen: the log of an average is at least the average of the logs; 1e-12 for rounding
      arrays.rates.data.forEach((rate, i) =>
        assert.ok(Math.log(rate) >= arrays.log_rates.data[i] - 1e-12)
      );
      const means = [join(folder, "a.npz"), join(folder, "b.npz")];
      for (const [i, seed] of ["1", "2"].entries()) {
        await latentd(
          "infer",
          run,
          data,
          "--out",
          means[i],
          "--mean",
          "--seed",
          seed,
          ...REFERENCE,
        );
      }
      assert.deepEqual(await Deno.readFile(means[0]), await Deno.readFile(means[1]));
    },
    "--inferred-inputs",
    "1",
    "--controller-units",
    "2",
  ));

Deno.test("rates per second appear where the bin width is known", () =>
  inFolder(async (folder) => {
    const data = join(folder, "data.npz"), out = join(folder, "p.npz"), run = join(folder, "run");
    const small = ["--trials", "4", "--bins", "5", "--neurons", "3", "--bin-width", "0.02"];
    assert.equal((await latentd("generate", "rotation", "--out", data, ...small)).code, 0);
    assert.equal((await latentd("fit", data, "--out", run, ...TINY, "--steps", "2")).code, 0);
    await latentd("infer", run, data, "--mean", "--out", out, ...REFERENCE);
    const { rates, rates_hz } = readNpz(await Deno.readFile(out));
    assert.deepEqual(Array.from(rates_hz.data), Array.from(rates.data, (rate) => rate / 0.02));
  }));

Deno.test("a run's folder and its model file infer the same", () =>
  withRun(async ({ folder, data, run }) => {
    const files = [join(folder, "a.npz"), join(folder, "b.npz")];
    for (const [i, model] of [run, join(run, "model.safetensors")].entries()) {
      const { code } = await latentd("infer", model, data, "--out", files[i], ...REFERENCE);
      assert.equal(code, 0);
    }
    assert.deepEqual(await Deno.readFile(files[0]), await Deno.readFile(files[1]));
  }));

Deno.test("fixed points take every option of the search, and refuse one that has no meaning", () =>
  withRun(async ({ data, run }) => {
    const find = (...args: string[]) =>
      latentd("fixed-points", run, ...args, ...REFERENCE, "--json");
    const few = lastJson(await find(data, "--iterations", "3", "--batch", "2", "--tol", "1e-300"));
    assert.equal(few.iterations, 3);
    assert.equal(few.candidates, "states of the 8 trials of data");
    assert.deepEqual(few.fixedPoints, []);
    const thinned = lastJson(await find(data, "--candidates", "10")).counts as {
      candidates: number;
    };
    assert.equal(thinned.candidates, 10);
    assertRefusedJson(await find("--decay", "2"), /decay, found 2/);
    assertRefusedJson(await find("--input", "1"), /expected 0 numbers in the input, found 1/);
    assertRefusedJson(await find(data, "--trials", "3"), /only without DATA/);
    assertRefusedJson(await find("--samples", "3"), /only with DATA/);
  }));

Deno.test("fixed points by condition hold the inputs that the model had", () =>
  withRun(
    async ({ data, run }) => {
      const find = (...args: string[]) =>
        latentd("fixed-points", run, ...args, "--by-condition", ...REFERENCE, "--json");
      const few = ["--samples", "1", "--candidates", "10", "--iterations", "3"];
      const found = lastJson(await find(data, ...few));
      assert.equal(found.by, "the mean input of each condition");
      const groups = found.groups as { condition: number; input: number[]; counts: object }[];
      const conditions = new Set((await readDataset(data)).condition);
      assert.deepEqual(groups.map(({ condition }) => condition), [...conditions].sort());
      const inputs = groups.map(({ input }) => input[0]);
      assert.ok(inputs.length > 1 && new Set(inputs).size === inputs.length);
      // a condition has 5 states of each of its trials
      for (const { counts } of groups) {
        const candidates = Reflect.get(counts, "candidates");
        assert.ok(candidates >= 5 && candidates <= 10, `${candidates} candidates`);
      }
      assertRefusedJson(await find(), /expected --by-condition with DATA .*found it without DATA/);
      assertRefusedJson(await find(data, "--input", "1"), /without --input, found it with --input/);
    },
    "--controller-units",
    "2",
    "--inferred-inputs",
    "1",
  ));

function assertRefusedJson(
  done: { code: number; stdout: string; stderr: string },
  pattern: RegExp,
) {
  assert.equal(lastJson(done).error instanceof Object, true);
  assertRefused({ ...done, stdout: "" }, pattern);
}

Deno.test("generate writes data that fit reads, from simulators and from a model", () =>
  withRun(async ({ folder, run }) => {
    const cases: [source: string, args: string[], shape: number[], L: number][] = [
      ["rotation", ["--trials", "3", "--bins", "4", "--neurons", "2", "--w", "0.1"], [3, 4, 2], 2],
      ["lorenz", ["--trials", "6", "--conditions", "3", "--bins", "7"], [6, 7, 30], 3],
      ["driven", ["--trials", "4", "--neurons", "3", "--pulses", "1"], [4, 60, 3], 2],
      [run, ["--trials", "3", "--seed", "4"], [3, 5, 3], 2],
    ];
    for (const [source, args, shape, L] of cases) {
      const out = join(folder, "out.npz");
      const done = await latentd("generate", source, "--out", out, ...args, "--json");
      assert.equal(done.code, 0, done.stderr);
      const { trials, T, N, truth } = await readDataset(out);
      assert.deepEqual([trials, T, N], shape);
      assert.equal(truth?.L, L);
      assert.equal(lastJson(done).latents, L);
    }
    assertRefused(
      await latentd("generate", "rotation", "--gain", "2"),
      /a rotation has, found --gain/,
    );
    assertRefused(await latentd("generate", run, "--neurons", "2"), /a model has, found --neurons/);
    assertRefused(await latentd("generate", "rotatoin"), /found no such file/);
  }));

Deno.test("check exits with 0 within tolerance, 1 beyond it and 2 for what it cannot read", () =>
  inFolder(async (folder) => {
    const file = join(folder, "schedules.json");
    const write = (scale: number) =>
      Deno.writeTextFile(
        file,
        JSON.stringify({
          // halfway from 0.1 to 1, and 0.5 after one decay of 1/4
          kl_warmup: { start: 0, end: 10, min: 0.1, max: 1, batch: [5], scale: [scale] },
          exponential_decay: {
            ...{ step_size: 0.5, decay_steps: 1, decay_factor: 0.25 },
            ...{ batch: [1], rate: [0.125] },
          },
        }),
      );
    const check = (...args: string[]) => latentd("check", ...args, ...REFERENCE);
    await write(0.55);
    const good = await check(file);
    assert.equal(good.code, 0, good.stderr);
    await write(0.56);
    const bad = await check(file, "--json");
    assert.equal(bad.code, 1);
    assert.equal(lastJson(bad).passed, false);
    await Deno.writeTextFile(file, "{}");
    assertRefused(await check(file), /expected .*found/);
    assertRefused(await check(join(folder, "absent.json")), /found .*no such file/);
    assertRefused(await check(folder), /expected .*found/);
    assertRefused(await check(file, "--seed", "1"), /--seed only with random shapes/);
    const shapes = await check("--shapes", "1", "--seed", "1", "--json");
    assert.equal(shapes.code, 0, shapes.stderr);
    assert.equal(lastJson(shapes).passed, true);
  }));

Deno.test("why a fit is over is told in words", () => {
  const of = (ended: "steps" | "early-stop" | "signal", earlyStop = 10) =>
    endingWords(ended, 400, { steps: 2000, earlyStop });
  assert.equal(of("steps"), "Completed at step 400 of 2000");
  assert.equal(of("signal"), "Stopped at step 400 of 2000");
  const since = "Completed at step 400 of 2000, since";
  assert.equal(of("early-stop"), `${since} 10 evaluations in a row were no better`);
  assert.equal(of("early-stop", 1), `${since} 1 evaluation was no better`);
});

Deno.test("demo runs the tutorial and prints what it found as JSON", () =>
  inFolder(async (folder) => {
    const out = join(folder, "demo");
    const args = ["demo", "--steps", "2", "--seed", "3", "--out", out, "--json"];
    const done = await outcome(spawn(args));
    assert.equal(done.code, 0, done.stderr);
    const found = lastJson(done);
    assert.deepEqual(Object.keys(found), [
      ...["device", "seed", "steps", "ended", "trainSeconds", "nll", "explained"],
      ...["fixedPoints", "truth", "report"],
    ]);
    const { reason } = found.device as Record<string, string>;
    assert.ok(done.stderr.includes(`(${reason}).`), done.stderr);
    assert.deepEqual([found.seed, found.steps, found.ended], [3, 2, "steps"]);
    assert.match(done.stderr, /^Completed at step 2 of 2, in .*Held-out trials: null/m);
    const nll = found.nll as Record<string, number>;
    assert.ok(nll.oracle < nll.null);
    // √(1 - 0.2²) ± 0.2i, the data's own
    const truth = found.truth as Record<string, number>;
    assert.ok(Math.abs(truth.modulus - 1) < 1e-12);
    assert.ok(Math.abs(truth.angle - Math.asin(0.2)) < 1e-12);
    const files = (await listing(out)).map((line) => line.split(" ")[0]);
    assert.deepEqual(files, ["model.safetensors", "report.html", "rotation.npz"]);
    assertRefused(await latentd("demo", "--recipe", "mine", "--out", out), /recipe .*found "mine"/);
  }));
