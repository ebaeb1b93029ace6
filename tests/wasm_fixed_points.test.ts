/**
 * The fixed-point kernel on wasm against its float64 definition. The tolerance is that of
 * wasm_step.test.ts: (k + 16) times what float32 stores alone make of the same iterations. Adam's
 * decays are exact in float32 (1 - 2^-3, 1 - 2^-10), because 1 - b2 magnifies b2's own rounding.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Executor, scalars } from "../src/compute/executor.ts";
import { type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";

const ROUNDOFF = 2 ** -24;
const OUTPUTS = ["points_KG", "m_KG", "v_KG", "speeds_K"] as const;

interface Case {
  readonly K: number;
  readonly G: number;
  readonly U: number;
  readonly cell: 0 | 1;
  readonly nonlinearity: 0 | 1 | 2;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  K: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(130)),
  G: fc.integer({ min: 1, max: 15 }),
  U: fc.integer({ min: 0, max: 5 }),
  cell: fc.constantFrom(0 as const, 1 as const),
  nonlinearity: fc.constantFrom(0 as const, 1 as const, 2 as const),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
});

function planOf({ K, G, U, cell, nonlinearity }: Case): Plan {
  const plan = new PlanBuilder();
  const width = cell ? 3 * G : G;
  const weights = {
    wGenInput: U ? plan.buffer("wGenInput", U * width) : null,
    wGenRecurrent: plan.buffer("wGenRecurrent", G * (cell ? 2 * G : G)),
    wGenCandidate_GG: cell ? plan.buffer("wGenCandidate_GG", G * G) : null,
    bGen: plan.buffer("bGen", width),
    input_U: U ? plan.buffer("input_U", U) : null,
  };
  plan.record("main").dispatch("fixed_points", {
    ...weights,
    points_KG: plan.buffer("points_KG", K * G),
    m_KG: plan.buffer("m_KG", K * G),
    v_KG: plan.buffer("v_KG", K * G),
    speeds_K: plan.buffer("speeds_K", K),
  }, {
    U,
    G,
    cell,
    nonlinearity,
    b1: 1 - 2 ** -3,
    b2: 1 - 2 ** -10,
    eps: 2 ** -7,
    stepSize: 2 ** -4,
    decay: 1 - 2 ** -7,
  });
  return plan;
}

type Outputs = Record<string, Float64Array>;

/** Two runs of three iterations on candidates `first … first + K - 1`. */
async function run(executor: Executor, given: Case, first = 0): Promise<Outputs> {
  const plan = planOf(given), program = await executor.load(plan);
  plan.buffers.forEach(({ name, length }, i) => {
    if (["m_KG", "v_KG", "speeds_K"].includes(name)) return;
    const at = { ...seedWords(given.seed), stream: STREAMS.candidates, sample: i };
    const scale = name.startsWith("w") ? 0.5 / Math.sqrt(given.G) : 0.5;
    const skip = name === "points_KG" ? first * given.G : 0;
    const normal = fillNormal(at, 0, new Float64Array(skip + length));
    program.write(name, normal.subarray(skip).map((x) => Math.fround(scale * x)));
  });
  for (const count of [1, 4]) {
    await program.run("main", scalars({ B: given.K, count, iterations: 3 }));
  }
  const found: Outputs = {};
  for (const name of OUTPUTS) found[name] = await program.read(name);
  program.free();
  return found;
}

/** The reference with float32 stores; see wasm_step.test.ts. */
async function runStored(given: Case): Promise<Outputs> {
  const real = globalThis.Float64Array;
  try {
    (globalThis as { Float64Array: unknown }).Float64Array = Float32Array;
    return await run(createReferenceExecutor(), given);
  } finally {
    globalThis.Float64Array = real;
  }
}

const largest = (values: Float64Array) =>
  values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

function difference(a: Float64Array, b: Float64Array): number {
  return a.reduce((most, x, i) => {
    const d = Math.abs(x - b[i]);
    return Number.isNaN(d) ? Infinity : Math.max(most, d);
  }, 0);
}

async function withExecutors(threads: number[], body: (executors: Executor[]) => Promise<void>) {
  const executors: Executor[] = [];
  try {
    for (const count of threads) executors.push(await createWasmExecutor({ threads: count }));
    await body(executors);
  } finally {
    for (const executor of executors) executor.close();
  }
}

Deno.test("fixed points move as their float64 definition says", async () => {
  await withExecutors([2], ([executor]) =>
    fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const want = await run(createReferenceExecutor(), given);
        const stored = await runStored(given), got = await run(executor, given);
        for (const name of OUTPUTS) {
          const carried = difference(stored[name], want[name]);
          const bound = (3 * given.G + 16) * (carried + ROUNDOFF * largest(want[name]));
          const error = difference(got[name], want[name]);
          assert.ok(error <= bound, `${name} is off by ${error}, bound ${bound}`);
        }
      }),
      { numRuns: 60, seed: 1 },
    ));
});

Deno.test("a candidate's path depends neither on its companions nor on the threads", async () => {
  await withExecutors([1, 2, 3], (executors) =>
    fc.assert(
      fc.asyncProperty(cases, fc.nat(), async (given, pick) => {
        const [one, ...more] = await Promise.all(executors.map((e) => run(e, given)));
        for (const other of more) {
          for (const name of OUTPUTS) assert.equal(difference(other[name], one[name]), 0, name);
        }
        const k = pick % given.K;
        const alone = await run(executors[1], { ...given, K: 1 }, k);
        for (const name of OUTPUTS) {
          const n = one[name].length / given.K;
          assert.equal(difference(alone[name], one[name].slice(k * n, (k + 1) * n)), 0, name);
        }
      }),
      { numRuns: 30, seed: 2 },
    ));
});
