/** Several fits of one program: each computes the bits that it computes alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawParameters } from "../src/check/random_draws.ts";
import { type Executor, type Program, scalars } from "../src/compute/executor.ts";
import type { Scalars } from "../src/compute/kernels.ts";
import { PlanBuilder } from "../src/compute/recording.ts";
import type { PlanSizes, StepOptions } from "../src/model/choreography.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { withExecutors } from "./executors.ts";

const OPTIONS: StepOptions = {
  keepRate: 0.8,
  generatorKeepRate: 0.9,
  varMin: 1e-3,
  coordinatedDropout: 0,
  observationFloor: 0,
  weightDecay: 0,
  adamB1: 0.9,
  adamB2: 0.999,
  adamEps: 1e-4,
  maxGradNorm: 5,
};

/** What a step changes, and what it computes on the way. */
const BUFFERS = ["params_P", "m_P", "v_P", "grads_P", "losses", "gen_HRG", "epsIc_RI", "partials"];

interface Case {
  readonly model: Architecture;
  readonly B: number;
  readonly trials: number;
  readonly wide: boolean;
  readonly fits: number;
  readonly seed: number;
}

const size = (most: number) => fc.integer({ min: 1, max: most });

const cases: fc.Arbitrary<Case> = fc.record({
  T: size(6),
  N: size(20),
  E: size(9),
  controller: fc.option(fc.record({ C: size(7), U: size(3) }), { nil: null }),
  G: size(9),
  F: size(6),
  cell: fc.constantFrom("vanilla" as const, "gru" as const),
  nonlinearity: fc.constantFrom("tanh" as const, "relu" as const, "identity" as const),
  B: size(9),
  trials: size(12),
  wide: fc.boolean(),
  fits: fc.integer({ min: 2, max: 5 }),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
}).map(({ T, N, E, controller, G, F, cell, nonlinearity, ...rest }) => {
  const dims = { T, N, E, G, F, C: controller?.C ?? 0, U: controller?.U ?? 0 };
  return { model: { dims, cell, nonlinearity }, ...rest };
});

function uniforms(seed: number, row: number, length: number): Float64Array {
  const at = { ...seedWords(seed), stream: STREAMS.poisson };
  return fillUniform(at, row, new Float64Array(length));
}

function planOf({ model, B, trials, wide }: Case) {
  const sizes: PlanSizes = { B, S: 1, trials, counts: wide ? "u16" : "u8" };
  return trainingPlan(model, OPTIONS, sizes);
}

/** A fit's own start, batches and scalars, by its number. */
function drawsOf({ model, B, trials, seed }: Case, fit: number) {
  const params_P = drawParameters(parameterLayout(model), seed, fit);
  return {
    params_P,
    batch: (step: number) =>
      Uint32Array.from(uniforms(seed, 1 + 7 * fit + step, B), (u) => Math.floor(u * trials)),
    scalars: (step: number): Scalars =>
      scalars({
        B,
        ...seedWords(seed + fit),
        step,
        count: step + 1,
        klIcScale: 0.3 + 0.1 * step,
        klInputsScale: 0.4 + 0.1 * step,
        learningRate: 0.01,
      }),
  };
}

function writeCounts(program: Program, { model, trials, seed }: Case): void {
  const { T, N } = model.dims;
  program.write("counts", uniforms(seed, 0, trials * T * N).map((u) => Math.floor(4 * u * u)));
}

async function buffersOf(program: Program, fit: number): Promise<Record<string, Float64Array>> {
  const found = await Promise.all(
    BUFFERS.map(async (name) => [name, await program.read(name, 0, undefined, fit)] as const),
  );
  return Object.fromEntries(found);
}

const STEPS = 3;

/** Steps of one fit alone. */
async function alone(executor: Executor, given: Case, fit: number) {
  const program = await executor.load(planOf(given));
  try {
    writeCounts(program, given);
    const { params_P, batch, scalars } = drawsOf(given, fit);
    program.write("params_P", params_P);
    const losses: Float64Array[] = [];
    for (let step = 0; step < STEPS; step++) {
      program.write("trials_B", batch(step));
      await program.run("step", scalars(step));
      losses.push(await program.read("losses"));
    }
    return { losses, buffers: await buffersOf(program, 0) };
  } finally {
    program.free();
  }
}

/** The same steps of all fits side by side: one by one, or in one sequence. */
async function together(executor: Executor, given: Case, inSequence: boolean) {
  const program = await executor.load(planOf(given), given.fits);
  try {
    assert.equal(program.fits, given.fits);
    writeCounts(program, given);
    const draws = Array.from({ length: given.fits }, (_, fit) => drawsOf(given, fit));
    draws.forEach(({ params_P }, fit) => program.write("params_P", params_P, 0, fit));
    const steps = Array.from({ length: STEPS }, (_, step) => step);
    let losses: Float64Array[][] = [];
    if (inSequence) {
      const runs = steps.map((step) => ({
        writes: { trials_B: draws.map(({ batch }) => batch(step)) },
        scalars: draws.map(({ scalars }) => scalars(step)),
      }));
      losses = await program.sequence("step", runs, "losses");
    } else {
      for (const step of steps) {
        draws.forEach(({ batch }, fit) => program.write("trials_B", batch(step), 0, fit));
        await program.run("step", draws.map(({ scalars }) => scalars(step)));
        losses.push(
          await Promise.all(draws.map((_, fit) => program.read("losses", 0, undefined, fit))),
        );
      }
    }
    return await Promise.all(draws.map(async (_, fit) => ({
      losses: losses.map((values) => values[fit]),
      buffers: await buffersOf(program, fit),
    })));
  } finally {
    program.free();
  }
}

for (
  const [on, kinds, numRuns] of [
    ["the reference and wasm", ["reference", "wasm", "wasm, reproducible"], 40],
    // each model wants pipelines of its own, which a software adapter takes seconds to compile
    ["webgpu", ["webgpu"], 6],
  ] as const
) {
  Deno.test(`random models: each of several fits has the bits of its own program, through several steps: ${on}`, async () => {
    await withExecutors(
      (all) =>
        fc.assert(
          fc.asyncProperty(cases, fc.boolean(), async (given, inSequence) => {
            for (const executor of all) {
              const found = await together(executor, given, inSequence);
              for (let fit = 0; fit < given.fits; fit++) {
                assert.deepEqual(found[fit], await alone(executor, given, fit));
              }
              // else fits that read each other's buffers would pass
              assert.notDeepEqual(found[0].buffers.params_P, found[1].buffers.params_P);
            }
          }),
          { numRuns },
        ),
      kinds,
    );
  });
}

/** A buffer that all fits share and one that each has: a step's counts and its parameters. */
function smallPlan() {
  const plan = new PlanBuilder();
  plan.buffer("shared", 3, "u8", { shared: true });
  const w_GF = plan.buffer("w_GF", 2), factorsHat_GF = plan.buffer("hat_GF", 2);
  const norms_F = plan.buffer("norms_F", 1);
  plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G: 2, F: 1 });
  return plan;
}

Deno.test("a shared buffer is one for all fits; every other is each fit's own, and starts as zeros", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const program = await executor.load(smallPlan(), 3);
      program.write("shared", [1, 2, 3], 0, 1);
      for (const fit of [0, 1, 2]) {
        assert.deepEqual([...await program.read("shared", 0, undefined, fit)], [1, 2, 3]);
      }
      program.write("w_GF", [3, 4], 0, 1);
      await program.run("prepare", scalars({}));
      for (const [fit, [w, norm]] of [[[0, 0], 0], [[3, 4], 5], [[0, 0], 0]].entries()) {
        assert.deepEqual([...await program.read("w_GF", 0, undefined, fit)], w);
        assert.deepEqual([...await program.read("norms_F", 0, undefined, fit)], [norm]);
      }
    }
  });
});

Deno.test("fits that a program does not have, and scalars for another number of them, are refused", async () => {
  await withExecutors(async (all) => {
    for (const executor of all) {
      const program = await executor.load(smallPlan(), 2);
      for (const fit of [2, -1, 0.5]) {
        const refused = new RegExp(`expected a fit from 0 to 1, found ${fit}`);
        assert.throws(() => program.write("w_GF", [1, 2], 0, fit), refused);
        await assert.rejects(program.read("w_GF", 0, 2, fit), refused);
      }
      for (const found of [0, 1, 3]) {
        await assert.rejects(
          program.run("prepare", Array.from({ length: found }, () => scalars({}))),
          new RegExp(`expected the scalars of 2 fits, found ${found}`),
        );
      }
      program.free();
      await assert.rejects(program.run("prepare", scalars({})), /freed/);
      for (const fits of [0, -1, 1.5, NaN]) {
        await assert.rejects(executor.load(smallPlan(), fits), /fits, 1 or more, found/);
      }
    }
  });
});
