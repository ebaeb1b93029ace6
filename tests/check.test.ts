/** `checkFile`: what it recognises, what it refuses, that it passes what is right and only that. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { checkFile } from "../src/check/files.ts";
import { checkJson, printCheck, summary } from "../src/check/print.ts";
import { type CheckReport, relativeError, report, Sheet, worstError } from "../src/check/table.ts";
import { drawParameters } from "../src/check/random_draws.ts";
import { scalars } from "../src/compute/executor.ts";
import { LOSSES } from "../src/compute/kernels.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { InputError } from "../src/errors.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { toReference } from "../src/model/reference_names.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { withExecutors } from "./executors.ts";

const golden = fileURLToPath(new URL("../../shared/golden/", import.meta.url));
const noGolden = !existsSync(golden);
if (noGolden) {
  console.warn(
    "The golden files are not there: no answer of the reference implementation is checked.",
  );
}
const files = noGolden ? [] : readdirSync(golden).filter((name) => name.endsWith(".json")).sort();

if (noGolden) {
  Deno.test({ name: "golden files: every number, on every executor", ignore: true, fn: () => {} });
}

type Json = number | string | null | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

function read(name: string): JsonObject {
  return JSON.parse(readFileSync(join(golden, name), "utf8"));
}

const reference = createReferenceExecutor("a test");

for (const name of files) {
  Deno.test(`golden ${name}: every number, on every executor`, async () => {
    await withExecutors(async (all) => {
      const report = await checkFile(join(golden, name), all);
      assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
      const labels = new Set(report.rows.map((row) => row.executor));
      if (labels.has("reference")) {
        assert.equal(labels.size - (labels.has("host") ? 1 : 0), all.length);
      }
    });
  });
}

/** All places of numbers below `keys`, as paths. */
function places(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value === "number") return [path];
  if (Array.isArray(value)) return value.flatMap((v, i) => places(v, [...path, i]));
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, v]) => places(v, [...path, key]));
}

/** A copy with the number at `path` moved by `by`. */
function moved(content: JsonObject, path: readonly (string | number)[], by: number): JsonObject {
  const copy = structuredClone(content);
  let at: Json = copy;
  for (const key of path.slice(0, -1)) at = (at as JsonObject)[key as string];
  const last = path[path.length - 1] as string;
  (at as JsonObject)[last] = (at as JsonObject)[last] as number + by;
  return copy;
}

/** What each format's files hold that a program has to reproduce. */
const ANSWERS: Record<string, RegExp> = {
  lfads:
    /^(outputs|losses|grads|params_after_10|grad_norm_before_clip_10|total_after_step_10|params|noise\.eps_ic)/,
  fixed_points: /^(loss|grad|jacobians|points|true|eigenvalues|candidates|params\.(w|b))/,
  schedules: /\.(scale|rate|step_size)/,
  bits_per_spike: /(nll|bits_per_spike|rates_BTN)/,
};

for (const name of files) {
  Deno.test(`golden ${name}: with any one number changed by 1 in 1000 it fails`, async () => {
    const content = read(name);
    const [, wanted] = Object.entries(ANSWERS).find(([format]) => name.startsWith(format))!;
    const answers = places(content).filter((path) => wanted.test(path.join(".")));
    assert.ok(answers.length > 0);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...answers), async (path) => {
        const at = path.reduce<Json>((value, key) => (value as JsonObject)[key], content);
        const by = 1e-3 * Math.max(1, Math.abs(at as number));
        const report = await checkFile({ name, content: moved(content, path, by) }, [reference]);
        assert.equal(report.passed, false, path.join("."));
      }),
      { numRuns: 25 },
    );
  });
}

Deno.test({
  name:
    "a file of the LFADS format without a mask, with a ragged array or a word for a number is refused",
  ignore: noGolden,
  fn: async () => {
    const name = "lfads_vanilla_autonomous.json";
    const content = read(name);
    const without = (key: string) =>
      Object.fromEntries(Object.entries(content).filter(([k]) => k !== key));
    const noise = content.noise as JsonObject;
    const dims = content.dims as JsonObject;
    const spikes = content.spikes_BTN as number[][][];
    const params = content.params as JsonObject;
    const refused: [JsonObject, RegExp][] = [
      [without("losses"), /losses/],
      [
        { ...content, noise: { ...noise, keep_gen_BTG: [] } },
        /keep_gen_BTG.*\[3, 7, 3\].*0 elements/,
      ],
      [{ ...content, dims: { ...dims, T: 8 } }, /\[3, 8, /],
      [{ ...content, dims: { ...dims, U: 1 } }, /C and U/],
      [{ ...content, spikes_BTN: spikes.slice(1) }, /spikes_BTN.*\[3, 7, 5\].*2 elements/],
      [moved(content, ["spikes_BTN", 0, 0, 0], 0.5), /spikes_BTN.*counts.*\d\.5/],
      [moved(content, ["noise", "keep_gen_BTG", 0, 0, 0], 1), /keep_gen_BTG.*0 and 1/],
      [{ ...content, params: { ...params, "logrates": { w: [["x"]], b: [] } } }, /params/],
      [{ ...content, generator: "lstm" }, /generator/],
      [{ ...content, keep_rate: 0 }, /keep_rate/],
    ];
    for (const [changed, message] of refused) {
      await assert.rejects(
        checkFile({ name, content: changed }, [reference]),
        (error: unknown) => {
          assert.ok(error instanceof InputError, String(error));
          assert.match(error.message, message);
          assert.match(error.message, new RegExp(name));
          return true;
        },
      );
    }
  },
});

Deno.test("a file that is missing, no JSON or of no known format is refused, and the formats are told", async () => {
  const folder = await mkdtemp(join(tmpdir(), "check-"));
  try {
    const missing = join(folder, "missing.json");
    await assert.rejects(checkFile(missing, [reference]), {
      name: "InputError",
      message: /missing\.json/,
    });
    const contents: [text: string, found: RegExp][] = [
      ["{", /found text/],
      ["", /found text/],
      ["[1, 2]", /found a list/],
      ["null", /found null/],
      ["{}", /found an empty object/],
      ['{"spikes": [], "rates": []}', /found keys spikes, rates/],
    ];
    for (const [text, found] of contents) {
      const path = join(folder, "other.json");
      await writeFile(path, text);
      await assert.rejects(checkFile(path, [reference]), (error: unknown) => {
        assert.ok(error instanceof InputError);
        for (
          const part of [/other\.json/, /"LFADS step"/, /"fixed points"/, /"schedules"/, found]
        ) {
          assert.match(error.message, part);
        }
        return true;
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** Schedules as anybody could write them down. */
const schedules = {
  kl_warmup: { start: 2, end: 4, min: 0, max: 1, batch: [0, 2, 3, 4, 9], scale: [0, 0, 0.5, 1, 1] },
  exponential_decay: {
    step_size: 8,
    decay_steps: 2,
    decay_factor: 0.25,
    batch: [0, 1, 2, 4],
    rate: [8, 4, 2, 0.5],
  },
};

Deno.test("a hand-made file of schedules passes, and fails with one rate changed", async () => {
  const name = "schedules.json";
  assert.ok((await checkFile({ name, content: schedules }, [])).passed);
  const changed = structuredClone(schedules);
  changed.exponential_decay.rate[3] += 1e-11;
  assert.equal((await checkFile({ name, content: changed }, [])).passed, false);
  changed.exponential_decay.rate.pop();
  await assert.rejects(checkFile({ name, content: changed }, []), InputError);
});

Deno.test("a hand-made file of bits per spike passes: 0.5 and 1.5 for 0 and 2 spikes give log2 1.5", async () => {
  const entry = {
    name: "two bins",
    spikes_BTN: [[[0], [2], [null]]],
    nll: 0.5 + 1.5 - 2 * Math.log(1.5) + Math.log(2),
    bits_per_spike: Math.log2(1.5),
  };
  const content = { rates_BTN: [[[0.5], [1.5], [7]]], cases: [entry] };
  const name = "bits.json";
  assert.ok((await checkFile({ name, content }, [])).passed);
  const cases = [{ ...entry, bits_per_spike: 0.585 }];
  assert.equal((await checkFile({ name, content: { ...content, cases } }, [])).passed, false);
});

/** A linear cell h' = h/2 + b: its fixed point is 2b, and everything else follows by hand. */
const halving = {
  params: { wA: [[0.5]], wB: [[]], wb: [0.25] },
  nonlinearity: "identity",
  x_star: [],
  // q = (h/2 + b - h)² = (0.25 - h/2)²
  candidates: [[0], [1]],
  loss_at_candidates: [0.0625, 0.0625],
  // dq/dh = -(0.25 - h/2), and half of it in the mean over two candidates
  grad_of_mean_loss_at_candidates: [[-0.125], [0.125]],
  jacobians_at_candidates: [[[0.5]], [[0.5]]],
  hps: {
    num_batches: 1,
    step_size: 0.1,
    decay_factor: 1,
    decay_steps: 1,
    adam_b1: 0.9,
    adam_b2: 0.999,
    adam_eps: 1e-5,
  },
  // Adam's first step is stepSize * g / (|g| + eps) whatever b1 and b2
  points_after_60_adam_steps: [[0.1 * 0.125 / (0.125 + 1e-5)], [1 - 0.1 * 0.125 / (0.125 + 1e-5)]],
  loss_after_60_adam_steps: [0, 1].map(() => (0.25 - 0.05 * 0.125 / (0.125 + 1e-5)) ** 2),
  true_fixed_points: [[0.5]],
  jacobians_at_true: [[[0.5]]],
  eigenvalues_at_true: [[[0.5, 0]]],
};

Deno.test("a hand-made linear cell passes on every executor; with another fixed point it fails", async () => {
  const name = "halving.json";
  await withExecutors(async (all) => {
    const report = await checkFile({ name, content: halving }, all);
    assert.ok(report.passed, "\n" + printCheck(report));
    const elsewhere = { ...halving, true_fixed_points: [[0.5 + 1e-4]] };
    const failed = (await checkFile({ name, content: elsewhere }, all)).rows.filter((r) =>
      !r.passed
    );
    assert.equal(failed.length, all.length);
    const twice = {
      ...halving,
      true_fixed_points: [[0.5], [0.7]],
      jacobians_at_true: [[[0.5]], [[0.5]]],
      eigenvalues_at_true: [[[0.5, 0]], [[0.5, 0]]],
    };
    assert.equal((await checkFile({ name, content: twice }, all)).passed, false);
    const input = { ...halving, x_star: [1] };
    await assert.rejects(checkFile({ name, content: input }, all), InputError);
  });
});

/** Nests a flat array. */
function nest(values: ArrayLike<number>, shape: readonly number[]): Json {
  if (shape.length === 0) return values[0];
  const size = shape.slice(1).reduce((product, n) => product * n, 1);
  const all = Array.from(values);
  return Array.from(
    { length: shape[0] },
    (_, i) => nest(all.slice(i * size, (i + 1) * size), shape.slice(1)),
  );
}

/** `[T][B][n]` from a slot on, as `[B][T][n]`. */
function byTrial(values: Float64Array, slot: number, [B, T, n]: number[]): Json {
  const at = (b: number, t: number) => ((t + slot) * B + b) * n;
  return Array.from(
    { length: B },
    (_, b) => Array.from({ length: T }, (_, t) => [...values.subarray(at(b, t), at(b, t) + n)]),
  );
}

/** A file of the LFADS format, its answers written by the reference executor. */
async function writeLfads(model: Architecture, B: number, keep_rate: number): Promise<JsonObject> {
  const { T, N, E, C, U, G, F } = model.dims;
  const options = {
    keepRate: keep_rate,
    generatorKeepRate: keep_rate,
    varMin: 2 ** -10,
    coordinatedDropout: 0,
    observationFloor: 0,
    weightDecay: 0,
    adamB1: 0.9,
    adamB2: 0.999,
    adamEps: 1e-4,
    maxGradNorm: 10,
  };
  const program = await reference.load(
    trainingPlan(model, options, { B, S: 1, trials: B, counts: "u8", explicitNoise: true }),
  );
  const params_P = drawParameters(parameterLayout(model), 4, 0);
  let row = 0;
  const at = { ...seedWords(4), stream: STREAMS.simulate };
  const normals = (n: number) => fillNormal(at, row++, new Float64Array(n));
  const mask = (n: number) => normals(n).map((x) => x > -0.5 ? 1 : 0);
  const spikes = normals(B * T * N).map((x) => Math.floor(Math.abs(2 * x)));
  const eps_ii_BTU = normals(B * T * U);
  const epsInputs_TRU = Float64Array.from({ length: T * B * U }, (_, i) => {
    const u = i % U, b = Math.floor(i / U) % B, t = Math.floor(i / U / B);
    return eps_ii_BTU[(b * T + t) * U + u];
  });
  const keep_enc = mask(B * T * 2 * E);
  const given: Record<string, Float64Array> = {
    params_P,
    l2_P: new Float64Array(params_P.length).fill(2 ** -9),
    counts: spikes,
    trials_B: Float64Array.from({ length: B }, (_, b) => b),
    epsIc_RI: normals(B * G),
    keepSpikes_BTN: mask(B * T * N),
    keepEnds_B2E: mask(B * 2 * E),
    keepGen_RTG: mask(B * T * G),
    ...(U > 0 && { keepEnc_BT2E: keep_enc, epsInputs_TRU }),
  };
  for (const [buffer, values] of Object.entries(given)) program.write(buffer, values);
  const run = scalars({ B, klIcScale: 0.5, klInputsScale: 0.5 });
  await program.run("forward", run);
  const timed = async (buffer: string, slot: number, n: number) =>
    byTrial(await program.read(buffer), slot, [B, T, n]);
  const columns = (rows: Json, from: number, to: number): Json =>
    (rows as Json[]).map((row) =>
      Array.isArray((row as Json[])[0]) ? columns(row, from, to) : (row as Json[]).slice(from, to)
    );
  const ic = nest(await program.read("ic_B2I"), [B, 2 * G]);
  const forward = await timed("forward_HBE", 1, E) as number[][][];
  const backward = await timed("backward_HBE", 0, E) as number[][][];
  const outputs: JsonObject = {
    lograte_t: await timed("logRates_TRN", 0, N),
    factor_t: await timed("factors_HRF", 1, F),
    gen_t: await timed("gen_HRG", 1, G),
    ic_mean: columns(ic, 0, G),
    ic_logvar: columns(ic, G, 2 * G),
    xenc_t: forward.map((bins, b) =>
      bins.map((states, t) =>
        [...states, ...backward[b][t]].map((h, e) =>
          keep_rate < 1 ? h * keep_enc[(b * T + t) * 2 * E + e] / keep_rate : h
        )
      )
    ),
  };
  if (U > 0) {
    outputs.c_t = await timed("con_HRC", 1, C);
    outputs.ii_t = await timed("inputs_TRU", 0, U);
    const params = await timed("inputParams_TR2U", 0, 2 * U);
    outputs.ii_mean_t = columns(params, 0, U);
    outputs.ii_logvar_t = columns(params, U, 2 * U);
  }
  const tree = (values_P: Float64Array): JsonObject => {
    const root: JsonObject = {};
    for (const [path, { shape, values }] of toReference(values_P, model)) {
      const names = path.split(".");
      const last = names.pop()!;
      let node = root;
      for (const name of names) node = (node[name] ??= {}) as JsonObject;
      node[last] = nest(values, shape);
    }
    return root;
  };
  await program.run("gradient", run);
  const [total, nll, klIc, klInputs, l2] = await program.read("losses");
  const grads = tree(await program.read("grads_P"));
  await program.run("step", { ...run, count: 1, learningRate: 0.01 });
  const norm = (await program.read("losses"))[LOSSES.indexOf("gradNorm")];
  await program.run("forward", run);
  const after = (await program.read("losses"))[0];
  return {
    dims: { B, ...model.dims },
    generator: model.cell,
    nonlinearity: model.nonlinearity,
    keep_rate,
    kl_scale: 0.5,
    var_min: options.varMin,
    l2reg: 2 ** -9,
    params: tree(params_P),
    spikes_BTN: nest(spikes, [B, T, N]),
    noise: {
      eps_ic_BG: nest(given.epsIc_RI, [B, G]),
      eps_ii_BTU: nest(eps_ii_BTU, [B, T, U]),
      keep_x_BTN: nest(given.keepSpikes_BTN, [B, T, N]),
      keep_ic_B2E: nest(given.keepEnds_B2E, [B, 2 * E]),
      keep_enc_BT2E: nest(keep_enc, [B, T, 2 * E]),
      keep_gen_BTG: nest(given.keepGen_RTG, [B, T, G]),
    },
    losses: { total, nlog_p_xgz: nll, kl_g0_prescale: klIc, kl_ii_prescale: klInputs, l2 },
    outputs,
    grads,
    optimiser: {
      step_size: 0.01,
      decay_factor: 1,
      decay_steps: 1,
      adam_b1: 0.9,
      adam_b2: 0.999,
      adam_eps: 1e-4,
      max_grad_norm: 10,
    },
    grad_norm_before_clip_10: [norm],
    total_after_step_10: [after],
    params_after_10: tree(await program.read("params_P")),
  };
}

Deno.test("LFADS files of other sizes pass: one trial, one bin, one of everything, any nonlinearity", async () => {
  const models: [Architecture, B: number, keepRate: number][] = [
    [
      {
        dims: { T: 1, N: 1, E: 1, C: 0, U: 0, G: 1, F: 1 },
        cell: "vanilla",
        nonlinearity: "identity",
      },
      1,
      1,
    ],
    [
      {
        dims: { T: 1, N: 3, E: 2, C: 3, U: 1, G: 5, F: 2 },
        cell: "vanilla",
        nonlinearity: "relu",
      },
      4,
      0.75,
    ],
    [
      { dims: { T: 5, N: 4, E: 1, C: 1, U: 2, G: 3, F: 4 }, cell: "gru", nonlinearity: "tanh" },
      1,
      0.75,
    ],
  ];
  await withExecutors(async (all) => {
    for (const [model, B, keepRate] of models) {
      const content = await writeLfads(model, B, keepRate);
      const name = `${JSON.stringify(model.dims)}.json`;
      const report = await checkFile({ name, content }, all);
      assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
      const other = moved(content, ["losses", "total"], 0.01);
      assert.equal((await checkFile({ name, content: other }, all)).passed, false);
    }
  });
});

Deno.test("errors are relative to all that is wanted, and NaN never passes", () => {
  assert.equal(relativeError([3, 0], [0, 4]), 5 / 4);
  assert.equal(relativeError([0.5, 0], [0, 0]), 0.5);
  assert.deepEqual(worstError([1, 2.5, 0], [1, 2, 0]), { error: 0.25, at: 1 });
  assert.deepEqual(worstError([1, NaN, 9], [1, 2, 0]), { error: NaN, at: 1 });
  const sheet = new Sheet("file", "host");
  sheet.compare("equal", [1, 2], [1, 2], 0);
  sheet.compare("NaN", [1, NaN], [1, 2], 1e9);
  sheet.compare("longer", [1, 2, 3], [1, 2], 1e9);
  sheet.compare("at the bound", [1.5], [1], 0.5);
  sheet.compare("beyond", [1.5], [1], 0.49);
  assert.deepEqual(sheet.rows.map((row) => row.passed), [true, false, false, true, false]);
  assert.equal(report(sheet.rows).passed, false);
  assert.equal(report(sheet.rows.slice(0, 1)).passed, true);
  assert.equal(report([]).passed, false);
});

Deno.test("a report prints a line for each row and sums itself up; JSON keeps NaN in words", () => {
  const row = { file: "f.json", executor: "wasm", what: "gradient", tolerance: 1e-5, note: "" };
  const good: CheckReport = report([
    { ...row, error: 2e-7, passed: true },
    { ...row, what: "losses", error: 9e-6, passed: true },
  ]);
  assert.deepEqual(printCheck(good).split("\n").map((line) => line.split(/ {2,}/)), [
    ["file", "executor", "what", "error", "tolerance", "ok", "note"],
    ["f.json", "wasm", "gradient", "2.0e-7", "1.0e-5", "ok"],
    ["f.json", "wasm", "losses", "9.0e-6", "1.0e-5", "ok"],
    [summary(good)],
  ]);
  assert.match(summary(good), /^All 2 comparisons of 1 source passed; .*losses of f\.json on wasm/);
  const bad = report([...good.rows, { ...row, error: NaN, passed: false, note: "why" }]);
  const failed = printCheck(bad, { onlyFailed: true }).split("\n");
  assert.equal(failed.length, 3);
  assert.match(failed[1], /NaN.*FAILED {2}why$/);
  assert.equal(failed[2], "1 of 3 comparisons of 1 source failed.");
  assert.equal(printCheck(good, { onlyFailed: true }), summary(good));
  const json = JSON.parse(checkJson(bad));
  assert.equal(json.rows[2].error, "NaN");
  assert.equal(json.rows[0].error, 2e-7);
  assert.equal(json.passed, false);
});
