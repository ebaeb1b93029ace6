/** The gradient of the whole step: against differences in float64, and alike on every executor. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { smoothDerivative } from "../src/check/differences.ts";
import { printCheck } from "../src/check/print.ts";
import { drawParameters } from "../src/check/random_draws.ts";
import { checkRandomShapes } from "../src/check/random_shapes.ts";
import { relativeError } from "../src/check/table.ts";
import { tolerances } from "../src/check/tolerances.ts";
import { type Executor, type Program, scalars } from "../src/compute/executor.ts";
import type { Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { InputError } from "../src/errors.ts";
import type { StepOptions } from "../src/model/choreography.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { withExecutors } from "./executors.ts";

for (
  const [on, kinds, numRuns] of [
    ["the reference and wasm", ["reference", "wasm", "wasm, reproducible"], 8],
    // each model wants pipelines of its own, which a software adapter takes seconds to compile
    ["webgpu", ["reference", "webgpu"], 2],
  ] as const
) {
  Deno.test(`random models: the gradient is the loss's derivative, and every executor's within 1e-5: ${on}`, async () => {
    await withExecutors(
      (all) =>
        fc.assert(
          fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
            const report = await checkRandomShapes(all, { seed, shapes: 5 });
            // for each shape the differences, then losses and gradient on each other executor
            assert.equal(report.rows.length, 5 * (1 + 2 * (all.length - 1)));
            assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
          }),
          { numRuns },
        ),
      kinds,
    );
  });
}

Deno.test("the same seed draws the same models, another seed others", async () => {
  const draw = async (seed: number) => (await checkRandomShapes([], { seed, shapes: 3 })).rows;
  assert.deepEqual(await draw(5), await draw(5));
  const errors = async (seed: number) => (await draw(seed)).map((row) => row.error);
  assert.notDeepEqual(await errors(5), await errors(6));
});

/** An executor that misreads one buffer. */
function lying(executor: Executor, buffer: string, lie: (values: Float64Array) => void): Executor {
  const info = { ...executor.info, name: "wasm" as const, arithmetic: "a lie" };
  const load = async (plan: Plan, fits?: number): Promise<Program> => {
    const program = await executor.load(plan, fits);
    return {
      fits: program.fits,
      write: (name, values, offset, fit) => program.write(name, values, offset, fit),
      run: (recording, scalars) => program.run(recording, scalars),
      sequence: (recording, runs, collect) => program.sequence(recording, runs, collect),
      free: () => program.free(),
      async read(name, offset, length, fit) {
        const values = await program.read(name, offset, length, fit);
        if (name === buffer) lie(values);
        return values;
      },
    };
  };
  return { info, runsAtOnce: 1, load, close: () => executor.close() };
}

Deno.test("an executor whose gradient is off by 1e-4 of itself, or whose loss is, does not pass", async () => {
  const shapes = { seed: 3, shapes: 4 };
  const reference = createReferenceExecutor("a test");
  const scaled = (values: Float64Array) => values.forEach((x, i) => values[i] = x * (1 + 1e-4));
  for (const buffer of ["grads_P", "losses"]) {
    const report = await checkRandomShapes([lying(reference, buffer, scaled)], shapes);
    assert.equal(report.passed, false, buffer);
  }
  const nan = (values: Float64Array) => values[0] = NaN;
  for (const buffer of ["grads_P", "losses"]) {
    const report = await checkRandomShapes([lying(reference, buffer, nan)], shapes);
    assert.equal(report.passed, false, `${buffer} with NaN`);
  }
  const honest = await checkRandomShapes([lying(reference, "grads_P", () => {})], shapes);
  assert.equal(honest.passed, true, "the wrapper itself changes nothing");
});

Deno.test("a random check refuses seeds and numbers of shapes that cannot be", async () => {
  for (const seed of [-1, 0.5, NaN]) {
    await assert.rejects(checkRandomShapes([], { seed, shapes: 1 }), InputError);
  }
  for (const wrong of [0, -1, 1.5]) {
    await assert.rejects(checkRandomShapes([], { seed: 0, shapes: wrong }), InputError);
    await assert.rejects(checkRandomShapes([], { seed: 0, shapes: 1, largest: wrong }), InputError);
  }
});

Deno.test("differences stay within their own bound on functions with known derivatives", async () => {
  const known: [f: (s: number) => number, slope: number][] = [
    [Math.exp, 1],
    [(s) => Math.sin(3 * s), 3],
    [(s) => Math.tanh(10 * s + 0.5), 10 / Math.cosh(0.5) ** 2],
    [(s) => 1 / (1 + s), -1],
    [(s) => 5 - 2 * s, -2],
  ];
  for (const [f, slope] of known) {
    // one or two roundings of a value of size up to 5
    const found = await smoothDerivative(f, 10 * Number.EPSILON);
    assert.ok(found && Math.abs(found.value - slope) <= found.bound, `${f}`);
    assert.ok(found.bound < 1e-8, `${f}: ±${found.bound}`);
  }
});

Deno.test("differences at a kink: none where it is declared, a useless bound where it is not", async () => {
  const kink = (s: number) => Math.max(0, s - 1e-6) + s;
  const declared = await smoothDerivative((s) => s > 1e-6 ? null : kink(s), Number.EPSILON);
  assert.equal(declared, null);
  const jump = await smoothDerivative((s) => s > 1e-6 ? 1 : 0, Number.EPSILON);
  assert.ok(jump && jump.bound === Infinity);
});

Deno.test("larger random models: the same", async () => {
  await withExecutors(async (all) => {
    const report = await checkRandomShapes(all, { seed: 7, shapes: 3, largest: 30 });
    assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
  });
});

/** Sizes just above the blocks that the wasm kernels cut work into, and cells of two units. */
const BEYOND_BLOCKS: readonly (Architecture & { B: number; density: number })[] = [
  {
    dims: { T: 30, N: 101, E: 97, C: 0, U: 0, G: 98, F: 33 },
    cell: "gru",
    nonlinearity: "tanh",
    B: 5,
    density: 1,
  },
  {
    dims: { T: 2, N: 97, E: 33, C: 100, U: 4, G: 65, F: 40 },
    cell: "vanilla",
    nonlinearity: "tanh",
    B: 67,
    density: 0.1,
  },
  {
    dims: { T: 4, N: 193, E: 2, C: 0, U: 0, G: 2, F: 2 },
    cell: "vanilla",
    nonlinearity: "relu",
    B: 131,
    density: 0.1,
  },
  {
    dims: { T: 50, N: 100, E: 2, C: 0, U: 0, G: 2, F: 2 },
    cell: "vanilla",
    nonlinearity: "tanh",
    B: 33,
    density: 0.3,
  },
  {
    dims: { T: 9, N: 13, E: 2, C: 2, U: 1, G: 2, F: 2 },
    cell: "gru",
    nonlinearity: "tanh",
    B: 66,
    density: 1,
  },
];

Deno.test("models beyond every block size: each executor's gradient is the reference's within 1e-5", async () => {
  const options: StepOptions = {
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
  await withExecutors(async (all) => {
    for (const { B, density, ...model } of BEYOND_BLOCKS) {
      const { T, N } = model.dims;
      const layout = parameterLayout(model);
      const params_P = drawParameters(layout, 1, 0);
      const at = { ...seedWords(1), stream: STREAMS.poisson };
      const counts = fillUniform(at, 0, new Float64Array(B * T * N))
        .map((x) => x < density ? 1 + Math.floor(3 * x) : 0);
      const run = scalars({ B, ...seedWords(99), step: 2, klIcScale: 0.5, klInputsScale: 0.5 });
      const found: Float64Array[] = [];
      for (const executor of all) {
        const program = await executor.load(
          trainingPlan(model, options, { B, S: 1, trials: B, counts: "u8", density }),
        );
        program.write("params_P", params_P);
        program.write("l2_P", new Float64Array(params_P.length).fill(2 ** -9));
        program.write("counts", counts);
        program.write("trials_B", Array.from({ length: B }, (_, b) => B - 1 - b));
        await program.run("gradient", run);
        found.push(await program.read("grads_P"));
        program.free();
        const error = relativeError(found[found.length - 1], found[0]);
        const name = `${JSON.stringify(model.dims)} on ${executor.info.arithmetic}`;
        assert.ok(error <= tolerances(executor.info).gradient, `${name}: ${error}`);
      }
      assert.ok(found[0].every(Number.isFinite) && found[0].some((g) => g !== 0));
    }
  });
});
