/** What must not change, or change in step, whatever the parameters: on every executor. */
import assert from "node:assert/strict";
import { drawParameters } from "../src/check/random_draws.ts";
import { relativeError } from "../src/check/table.ts";
import { tolerances } from "../src/check/tolerances.ts";
import type { Executor, Program } from "../src/compute/executor.ts";
import { scalars } from "../src/compute/executor.ts";
import { LOSSES, type Scalars } from "../src/compute/kernels.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import type { PlanSizes, StepOptions } from "../src/model/choreography.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { fillKeep, fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { withExecutors } from "./executors.ts";

const OPTIONS: StepOptions = {
  keepRate: 0.75,
  generatorKeepRate: 0.875,
  varMin: 2 ** -10,
  coordinatedDropout: 0,
  observationFloor: 0,
  weightDecay: 0,
  adamB1: 0.9,
  adamB2: 0.999,
  adamEps: 1e-4,
  maxGradNorm: 10,
};

/** Models that between them have every cell, nonlinearity, a controller and none, and sizes of 1. */
const MODELS: readonly Architecture[] = [
  {
    dims: { T: 6, N: 7, E: 5, C: 3, U: 2, G: 6, F: 3 },
    cell: "gru",
    nonlinearity: "tanh",
  },
  {
    dims: { T: 5, N: 9, E: 2, C: 0, U: 0, G: 2, F: 2 },
    cell: "vanilla",
    nonlinearity: "tanh",
  },
  {
    dims: { T: 4, N: 1, E: 1, C: 9, U: 1, G: 5, F: 1 },
    cell: "vanilla",
    nonlinearity: "relu",
  },
  {
    dims: { T: 3, N: 5, E: 9, C: 1, U: 5, G: 9, F: 9 },
    cell: "vanilla",
    nonlinearity: "identity",
  },
  {
    dims: { T: 4, N: 12, E: 20, C: 18, U: 3, G: 21, F: 7 },
    cell: "gru",
    nonlinearity: "tanh",
  },
];

const B = 7, TRIALS = 9;
const TRIALS_B = [3, 0, 8, 3, 5, 1, 7];

interface Data {
  readonly params_P: Float64Array;
  readonly counts: Float64Array;
}

function draw(model: Architecture): Data {
  const { T, N } = model.dims;
  const params_P = drawParameters(parameterLayout(model), 11, 0);
  const at = { ...seedWords(11), stream: STREAMS.poisson };
  const counts = fillUniform(at, 0, new Float64Array(TRIALS * T * N)).map((x) =>
    Math.floor(4 * x * x)
  );
  return { params_P, counts };
}

const RUN = scalars({
  B,
  ...seedWords(2 ** 40 + 9),
  step: 17,
  firstTrial: 21,
  klIcScale: 0.5,
  klInputsScale: 0.5,
});

/** One plan, loaded and filled. */
async function load(
  executor: Executor,
  model: Architecture,
  data: Data,
  more: Partial<PlanSizes> & { trials_B?: readonly number[]; options?: StepOptions } = {},
  plan: typeof trainingPlan = trainingPlan,
): Promise<Program> {
  const { trials_B = TRIALS_B, options = OPTIONS, ...sizes } = more;
  const program = await executor.load(
    plan(model, options, { B, S: 1, trials: TRIALS, counts: "u8", ...sizes }),
  );
  program.write("params_P", data.params_P);
  if (plan === trainingPlan) {
    program.write("l2_P", new Float64Array(data.params_P.length).fill(2 ** -9));
  }
  program.write("counts", data.counts);
  program.write("trials_B", trials_B);
  return program;
}

/** Runs a recording and reads buffers. */
async function outputs<K extends string>(
  program: Program,
  recording: string,
  run: Scalars,
  names: readonly K[],
): Promise<Record<K, Float64Array>> {
  await program.run(recording, run);
  const found: [K, Float64Array][] = [];
  for (const name of names) found.push([name, await program.read(name)]);
  return Object.fromEntries(found) as Record<K, Float64Array>;
}

/** What a forward pass makes of each trial: buffer, rows in time, length of a row. */
function perTrial({ dims: { T, N, C, U, G, F } }: Architecture) {
  const rows: [name: string, times: number, n: number][] = [
    ["logRates_TRN", T, N],
    ["gen_HRG", T + 1, G],
    ["factors_HRF", T + 1, F],
    ["ic_B2I", 1, 2 * G],
    ["nll_R", 1, 1],
    ["klIc_R", 1, 1],
  ];
  if (U > 0) {
    rows.push(["con_HRC", T + 1, C], ["inputs_TRU", T, U], ["klInputs_R", 1, 1]);
  }
  return rows;
}

/** Row `to[b]` of the result is row b of `values` (`[times][rows][n]`). */
function permuted(values: Float64Array, times: number, n: number, to: readonly number[]) {
  const out = values.slice();
  for (let t = 0; t < times; t++) {
    to.forEach((target, b) => {
      const from = (t * to.length + b) * n;
      out.set(values.subarray(from, from + n), (t * to.length + target) * n);
    });
  }
  return out;
}

/** Row b of `values` (`[times][B][n]`). */
function slice(values: Float64Array, times: number, n: number, b: number): Float64Array {
  const parts = Array.from(
    { length: times },
    (_, t) => [...values.subarray((t * B + b) * n, (t * B + b + 1) * n)],
  );
  return Float64Array.from(parts.flat());
}

/** Each model on each executor, with the name of both for messages. */
async function onEach(
  body: (executor: Executor, model: Architecture, data: Data, name: string) => Promise<void>,
): Promise<void> {
  await withExecutors(async (all) => {
    for (const executor of all) {
      for (const [i, model] of MODELS.entries()) {
        const name = `model ${i} on ${executor.info.name}, ${executor.info.arithmetic}`;
        await body(executor, model, draw(model), name);
      }
    }
  });
}

/** Noise and masks as the generator addresses them, from float64, for every explicit buffer. */
function explicitNoise(model: Architecture, run: Scalars): Record<string, Float64Array> {
  const { T, N, E, U, G } = model.dims;
  const { keepRate, generatorKeepRate } = OPTIONS;
  /** `rows` rows of each trial */
  const rows = (
    fill: (row: number, out: Float64Array) => void,
    rowsPerTrial: number,
    n: number,
  ): Float64Array => {
    const values = new Float64Array(B * rowsPerTrial * n);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < rowsPerTrial; t++) {
        const at = (b * rowsPerTrial + t) * n;
        fill((run.firstTrial + b) * rowsPerTrial + t, values.subarray(at, at + n));
      }
    }
    return values;
  };
  const keep = (stream: number, rate: number) => (row: number, out: Float64Array) =>
    void fillKeep({ ...run, stream }, row, rate, out);
  const normal = (stream: number) => (row: number, out: Float64Array) =>
    void fillNormal({ ...run, stream }, row, out);
  const epsInputs_BTU = rows(normal(STREAMS.epsInputs), T, U);
  const epsInputs_TRU = Float64Array.from(
    { length: T * B * U },
    (_, i) => {
      const u = i % U, b = Math.floor(i / U) % B, t = Math.floor(i / U / B);
      return epsInputs_BTU[(b * T + t) * U + u];
    },
  );
  return {
    epsIc_RI: rows(normal(STREAMS.epsIc), 1, G),
    keepSpikes_BTN: rows(keep(STREAMS.keepSpikes, keepRate), T, N),
    keepEnds_B2E: rows(keep(STREAMS.keepEnds, keepRate), 1, 2 * E),
    keepGen_RTG: rows(keep(STREAMS.keepGen, generatorKeepRate), T, G),
    ...(U > 0 && { epsInputs_TRU, keepEnc_BT2E: rows(keep(STREAMS.keepEnc, keepRate), T, 2 * E) }),
  };
}

/** float32 keeps 24 bits of a value, the reference all; both as the executors' own rounding. */
function unit(executor: Executor): number {
  return executor.info.name === "reference" ? 2 ** -53 : 2 ** -24;
}

Deno.test("permuting trials, with their noise, permutes what is theirs and leaves the losses", async () => {
  const to = [4, 2, 6, 0, 1, 5, 3];
  await onEach(async (executor, model, data, name) => {
    const { T, U } = model.dims;
    const noise = explicitNoise(model, RUN);
    const names = [...perTrial(model).map(([buffer]) => buffer), "losses"];
    const run = async (order: readonly number[]) => {
      const trials_B = [...permuted(Float64Array.from(TRIALS_B), 1, 1, order)];
      const program = await load(executor, model, data, { explicitNoise: true, trials_B });
      for (const [buffer, values] of Object.entries(noise)) {
        const inTime = buffer === "epsInputs_TRU";
        const n = inTime ? U : values.length / B;
        program.write(buffer, permuted(values, inTime ? T : 1, n, order));
      }
      const found = await outputs(program, "forward", RUN, names);
      const { grads_P, losses } = await outputs(program, "gradient", RUN, ["grads_P", "losses"]);
      program.free();
      return { found, grads_P, losses };
    };
    const plain = await run([0, 1, 2, 3, 4, 5, 6]), moved = await run(to);
    for (const [buffer, times, n] of perTrial(model)) {
      const wanted = permuted(plain.found[buffer], times, n, to);
      assert.deepEqual(moved.found[buffer], wanted, `${buffer}, ${name}`);
    }
    // sums over the batch in another order
    const { forward, gradient } = tolerances(executor.info);
    assert.ok(relativeError(moved.losses, plain.losses) <= forward, name);
    assert.ok(relativeError(moved.grads_P, plain.grads_P) <= gradient, name);
  });
});

Deno.test("permuting neurons, with their weights, permutes their log-rates and leaves the rest", async () => {
  await onEach(async (executor, model, data, name) => {
    const { T, N, E, F } = model.dims;
    const to = Array.from({ length: N }, (_, n) => (n * 5 + 2) % N);
    if (new Set(to).size < N) to.forEach((_, n) => to[n] = N - 1 - n);
    const layout = parameterLayout(model);
    /** neurons are the slow axis of what the encoder reads, the fast one of what the readout writes */
    const moveNeurons = (values_P: Float64Array) => {
      const out = values_P.slice();
      const move = (slice: string, rows: number, n: number) => {
        const { offset, length } = layout.slice(slice);
        out.set(permuted(values_P.subarray(offset, offset + length), rows, n, to), offset);
      };
      move("encoder.wInput_ND3E", 1, 6 * E);
      move("readout.w_FN", F, 1);
      move("readout.b_N", 1, 1);
      return out;
    };
    const moved: Data = {
      params_P: moveNeurons(data.params_P),
      counts: permuted(data.counts, TRIALS * T, 1, to),
    };
    const noise = explicitNoise(model, RUN);
    const run = async (given: Data, order: readonly number[]) => {
      const program = await load(executor, model, given, { explicitNoise: true });
      for (const [buffer, values] of Object.entries(noise)) program.write(buffer, values);
      program.write("keepSpikes_BTN", permuted(noise.keepSpikes_BTN, B * T, 1, order));
      const found = await outputs(program, "forward", RUN, ["logRates_TRN", "gen_HRG"]);
      const gradient = await outputs(program, "gradient", RUN, ["grads_P", "losses"]);
      program.free();
      return { ...found, ...gradient };
    };
    const plain = await run(data, Array.from({ length: N }, (_, n) => n));
    const found = await run(moved, to);
    // sums over neurons in another order
    const { forward, gradient } = tolerances(executor.info);
    const near = (what: string, a: Float64Array, b: Float64Array, most: number) =>
      assert.ok(relativeError(a, b) <= most, `${what}, ${name}: ${relativeError(a, b)}`);
    near("log-rates", found.logRates_TRN, permuted(plain.logRates_TRN, T * B, 1, to), forward);
    near("generator states", found.gen_HRG, plain.gen_HRG, forward);
    near("losses", found.losses, plain.losses, forward);
    near("gradient", found.grads_P, moveNeurons(plain.grads_P), gradient);
  });
});

Deno.test("a batch of 1 is a slice of a batch, bit for bit", async () => {
  await onEach(async (executor, model, data, name) => {
    const names = perTrial(model).map(([buffer]) => buffer);
    const program = await load(executor, model, data);
    const all = await outputs(program, "forward", RUN, names);
    program.free();
    for (let b = 0; b < B; b++) {
      const one = await load(executor, model, data, { B: 1, trials_B: [TRIALS_B[b]] });
      const run = { ...RUN, B: 1, firstTrial: RUN.firstTrial + b };
      const alone = await outputs(one, "forward", run, names);
      one.free();
      for (const [buffer, times, n] of perTrial(model)) {
        assert.deepEqual(
          alone[buffer],
          slice(all[buffer], times, n, b),
          `${buffer}, trial ${b}, ${name}`,
        );
      }
    }
  });
});

Deno.test("a run does not depend on what ran before it", async () => {
  await onEach(async (executor, model, data, name) => {
    const program = await load(executor, model, data);
    const names = ["grads_P", "losses"];
    const first = await outputs(program, "gradient", RUN, names);
    await program.run("evaluate", { ...RUN, B: 2, seedLo: 1, step: 3 });
    await program.run("gradient", { ...RUN, B: B - 1, seedLo: 5 });
    const again = await outputs(program, "gradient", RUN, names);
    program.free();
    assert.deepEqual(again, first, name);
  });
});

Deno.test("without a spike every number is finite", async () => {
  await onEach(async (executor, model, { params_P }, name) => {
    const { T, N } = model.dims;
    const silent = { params_P, counts: new Float64Array(TRIALS * T * N) };
    const program = await load(executor, model, silent, { density: 0 });
    const buffers = perTrial(model).map(([buffer]) => buffer);
    const found = await outputs(program, "gradient", RUN, [...buffers, "grads_P", "losses"]);
    program.free();
    for (const [buffer, values] of Object.entries(found)) {
      assert.ok(values.every(Number.isFinite), `${buffer}, ${name}`);
    }
    const nll = found.losses[LOSSES.indexOf("nll")];
    assert.ok(
      nll > 0,
      `the expected number of spikes, which is all that is left, is positive: ${nll}`,
    );
  });
});

Deno.test("in one bin the two directions of the encoder are one: equal weights give equal ends", async () => {
  await onEach(async (executor, model, data, name) => {
    const short: Architecture = { ...model, dims: { ...model.dims, T: 1 } };
    const { N, E } = short.dims;
    const layout = parameterLayout(short);
    const params_P = data.params_P.slice();
    const copyDirection = (slice: string, rows: number, n: number) => {
      const { offset } = layout.slice(slice);
      for (let row = 0; row < rows; row++) {
        const at = offset + row * 2 * n;
        params_P.copyWithin(at + n, at, at + n);
      }
    };
    copyDirection("encoder.wInput_ND3E", N, 3 * E);
    copyDirection("encoder.b_D3E", 1, 3 * E);
    copyDirection("encoder.wGates_DE2E", 1, 2 * E * E);
    copyDirection("encoder.wCandidate_DEE", 1, E * E);
    copyDirection("encoder.h0_DE", 1, E);
    const counts = data.counts.subarray(0, TRIALS * N);
    const program = await load(executor, short, { params_P, counts });
    const { ends_B2E, losses } = await outputs(program, "evaluate", RUN, ["ends_B2E", "losses"]);
    program.free();
    for (let b = 0; b < B; b++) {
      const end = (direction: number) =>
        ends_B2E.slice((2 * b + direction) * E, (2 * b + direction + 1) * E);
      assert.deepEqual(end(0), end(1), `trial ${b}, ${name}`);
    }
    assert.ok(losses.every(Number.isFinite), name);
  });
});

Deno.test("noise and masks that are drawn, given explicitly, change nothing", async () => {
  await onEach(async (executor, model, data, name) => {
    const { T, U, G } = model.dims;
    const noise = explicitNoise(model, RUN);
    const drawn = await load(executor, model, data);
    const buffers = [...perTrial(model).map(([buffer]) => buffer), "spikes_TBN", "ends_B2E"];
    const wanted = await outputs(drawn, "forward", RUN, buffers);
    const gradient = await outputs(drawn, "gradient", RUN, ["grads_P", "losses"]);
    // The masks are whole numbers: all executors draw the same. Normals are as exact as the executor's
    // log, root and cosine, 1e-6 in float32; its own draws, which it leaves in the buffer, go back in.
    const epsIc_RI = await drawn.read("epsIc_RI");
    const most = executor.info.name === "reference" ? 0 : 4e-6;
    const near = (ours: Float64Array, theirs: Float64Array) =>
      ours.forEach((x, i) =>
        assert.ok(Math.abs(x - theirs[i]) <= most, `${x} for ${theirs[i]}, ${name}`)
      );
    assert.equal(epsIc_RI.length, B * G);
    near(epsIc_RI, noise.epsIc_RI);
    const given: Record<string, Float64Array> = { ...noise, epsIc_RI };
    if (U > 0) {
      given.epsInputs_TRU = await drawn.read("epsInputs_TRU");
      assert.equal(given.epsInputs_TRU.length, T * B * U);
      near(given.epsInputs_TRU, noise.epsInputs_TRU);
    }
    drawn.free();
    const explicit = await load(executor, model, data, { explicitNoise: true });
    for (const [buffer, values] of Object.entries(given)) explicit.write(buffer, values);
    assert.deepEqual(await outputs(explicit, "forward", RUN, buffers), wanted, name);
    const found = await outputs(explicit, "gradient", RUN, ["grads_P", "losses"]);
    explicit.free();
    assert.deepEqual(found, gradient, name);
  });
});

/** What inference reads: buffer, rows in time, length of a row. */
function posteriorBuffers({ dims: { T, N, U, G, F } }: Architecture) {
  const rows: [name: string, times: number, n: number][] = [
    ["rates_TBN", T, N],
    ["logRates_TBN", T, N],
    ["mean_gen_HBG", T + 1, G],
    ["mean_factors_HBF", T + 1, F],
  ];
  if (U > 0) rows.push(["mean_inputs_TBU", T, U], ["mean_inputParams_TB2U", T, 2 * U]);
  return rows;
}

Deno.test("the average of S posterior samples is the average of S runs of one", async () => {
  const S = 5;
  await onEach(async (executor, model, data, name) => {
    const { T, U, G } = model.dims;
    const names = posteriorBuffers(model).map(([buffer]) => buffer);
    const together = await load(executor, model, data, { S }, posteriorPlan);
    const wanted = await outputs(together, "sample", { ...RUN, S }, names);
    const epsIc_RI = await together.read("epsIc_RI");
    const epsInputs_TRU = U > 0 ? await together.read("epsInputs_TRU") : new Float64Array(0);
    together.free();

    const alone = await load(executor, model, data, { explicitNoise: true }, posteriorPlan);
    const sums = Object.fromEntries(names.map((buffer) => [
      buffer,
      { sum: new Float64Array(wanted[buffer].length), size: 0 },
    ]));
    const firsts: string[] = [];
    for (let k = 0; k < S; k++) {
      /** every S-th row, from k */
      const rows = (values: Float64Array, times: number, n: number) =>
        Float64Array.from({ length: times * B * n }, (_, i) => {
          const row = Math.floor(i / n);
          return values[(row * S + k) * n + i % n];
        });
      const eps = rows(epsIc_RI, 1, G);
      firsts.push(String(eps[0]));
      alone.write("epsIc_RI", eps);
      if (U > 0) alone.write("epsInputs_TRU", rows(epsInputs_TRU, T, U));
      const found = await outputs(alone, "sample", RUN, names);
      for (const buffer of names) {
        const { sum } = sums[buffer];
        found[buffer].forEach((x, i) => sum[i] += x / S);
        sums[buffer].size = Math.max(sums[buffer].size, ...found[buffer].map(Math.abs));
      }
    }
    alone.free();
    assert.equal(new Set(firsts).size, S, "samples are not alike");
    for (const buffer of names) {
      const { sum, size } = sums[buffer];
      // one rounding of each of S partial sums and of the mean
      const most = 2 * (S + 1) * unit(executor) * size;
      wanted[buffer].forEach((x, i) =>
        assert.ok(Math.abs(x - sum[i]) <= most, `${buffer}[${i}]: ${x}, ${sum[i]}, ${name}`)
      );
    }
  });
});

Deno.test("the posterior mean is the same whatever the seed; samples are not", async () => {
  await onEach(async (executor, model, data, name) => {
    const names = posteriorBuffers(model).map(([buffer]) => buffer);
    const program = await load(executor, model, data, {}, posteriorPlan);
    const other = { ...RUN, ...seedWords(5), step: 4, purpose: 2, firstTrial: 0 };
    const mean = await outputs(program, "mean", RUN, names);
    const sample = await outputs(program, "sample", RUN, names);
    assert.deepEqual(await outputs(program, "mean", other, names), mean, name);
    assert.notDeepEqual(sample, mean, name);
    assert.notDeepEqual(await outputs(program, "sample", other, names), sample, name);
    program.free();
  });
});

Deno.test("klScale 0 takes the KL terms out of the total, and the priors out of the gradient", async () => {
  const priors = /^(icPrior|inputPrior)\./;
  await onEach(async (executor, model, data, name) => {
    const layout = parameterLayout(model);
    const program = await load(executor, model, data);
    program.write("l2_P", new Float64Array(layout.length));
    const at = async (klScale: number) => {
      const found = await outputs(program, "gradient", {
        ...RUN,
        klIcScale: klScale,
        klInputsScale: klScale,
      }, ["grads_P", "losses"]);
      const [total, nll, klIc, klInputs] = found.losses;
      return { ...found, total, nll, kl: klIc + klInputs };
    };
    const without = await at(0), half = await at(0.5);
    program.free();
    assert.ok(half.kl > 0, name);
    assert.equal(without.kl, half.kl, `the terms themselves are still reported, ${name}`);
    assert.equal(without.total, without.nll, name);
    const rounding = 4 * unit(executor) * (Math.abs(half.nll) + half.kl);
    assert.ok(Math.abs(half.total - half.nll - 0.5 * half.kl) <= rounding, name);
    for (
      const { name: slice, offset, length } of layout.slices.filter((s) => priors.test(s.name))
    ) {
      const part = (values_P: Float64Array) => values_P.subarray(offset, offset + length);
      assert.ok(part(without.grads_P).every((g) => g === 0), `${slice}, ${name}`);
      assert.ok(part(half.grads_P).every((g) => g !== 0), `${slice}, ${name}`);
    }
  });
});

Deno.test("the L2 term is the squared norm of the parameters, in the total and in the gradient", async () => {
  await onEach(async (executor, model, data, name) => {
    const at = async (l2: number) => {
      const program = await load(executor, model, data);
      program.write("l2_P", new Float64Array(data.params_P.length).fill(l2));
      const found = await outputs(program, "gradient", RUN, ["grads_P", "losses"]);
      program.free();
      return found;
    };
    const l2 = 2 ** -6;
    const without = await at(0), full = await at(l2);
    const { forward, gradient } = tolerances(executor.info);
    const squares = data.params_P.reduce((sum, x) => sum + x * x, 0);
    const penalty = full.losses[LOSSES.indexOf("l2")];
    assert.ok(relativeError([penalty], [l2 * squares]) <= forward, name);
    assert.equal(without.losses[LOSSES.indexOf("l2")], 0, name);
    const wanted = without.grads_P.map((g, p) => g + 2 * l2 * data.params_P[p]);
    assert.ok(relativeError(full.grads_P, wanted) <= gradient, name);
  });
});

Deno.test("the number of threads does not change a bit of a training step", async () => {
  for (const reproducible of [false, true]) {
    const found: Record<string, Float64Array>[][] = [];
    for (const threads of [1, 2, 3]) {
      const executor = await createWasmExecutor({ threads, reproducible });
      try {
        const ofModels = [];
        for (const model of MODELS) {
          const program = await load(executor, model, draw(model));
          const run = { ...RUN, learningRate: 0.01 };
          await program.run("step", run);
          const names = ["params_P", "grads_P", "losses"];
          ofModels.push(await outputs(program, "step", { ...run, step: 18, count: 2 }, names));
          program.free();
        }
        found.push(ofModels);
      } finally {
        executor.close();
      }
    }
    assert.deepEqual(found[1], found[0]);
    assert.deepEqual(found[2], found[0]);
  }
});
