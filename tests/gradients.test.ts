/** The gradient of the whole step: against differences in float64, and alike on every executor. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { smoothDerivative } from "../src/check/differences.ts";
import { printCheck } from "../src/check/print.ts";
import { checkRandomShapes } from "../src/check/random_shapes.ts";
import type { Executor, Program } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { InputError } from "../src/errors.ts";
import { withExecutors } from "./executors.ts";

Deno.test("random models: the gradient is the loss's derivative, and every executor's within 1e-5", async () => {
  await withExecutors((all) =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const report = await checkRandomShapes(all, { seed, shapes: 5 });
        // for each shape the differences, then losses and gradient on each wasm
        assert.equal(report.rows.length, 5 * (1 + 2 * (all.length - 1)));
        assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
      }),
      { numRuns: 8 },
    )
  );
});

Deno.test("the same seed draws the same models, another seed others", async () => {
  const draw = async (seed: number) => (await checkRandomShapes([], { seed, shapes: 3 })).rows;
  assert.deepEqual(await draw(5), await draw(5));
  const errors = async (seed: number) => (await draw(seed)).map((row) => row.error);
  assert.notDeepEqual(await errors(5), await errors(6));
});

/** An executor that misreads one buffer. */
function lying(executor: Executor, buffer: string, lie: (values: Float64Array) => void): Executor {
  const info = { ...executor.info, name: "wasm" as const, arithmetic: "a lie" };
  const load = (plan: Parameters<Executor["load"]>[0]): Program => {
    const program = executor.load(plan);
    return {
      write: (name, values, offset) => program.write(name, values, offset),
      run: (recording, scalars) => program.run(recording, scalars),
      free: () => program.free(),
      async read(name, offset, length) {
        const values = await program.read(name, offset, length);
        if (name === buffer) lie(values);
        return values;
      },
    };
  };
  return { info, load, close: () => executor.close() };
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
  for (const shapes of [0, -1, 1.5]) {
    await assert.rejects(checkRandomShapes([], { seed: 0, shapes }), InputError);
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
