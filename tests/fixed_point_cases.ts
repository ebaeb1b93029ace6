/**
 * Checks the fixed-point kernel of an executor against its float64 definition. The tolerance is that of
 * step_cases.ts: (k + 16) times what float32 stores alone make of the same iterations. Adam's decays
 * are exact in float32 (1 - 2^-3, 1 - 2^-10), because 1 - b2 magnifies b2's own rounding.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Executor, scalars } from "../src/compute/executor.ts";
import { type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { difference, sameBits } from "./step_cases.ts";

const ROUNDOFF = 2 ** -24;
export const OUTPUTS = ["points_KG", "m_KG", "v_KG", "speeds_K"] as const;

/** Candidates of a random cell. */
export interface FixedPointCase {
  readonly K: number;
  readonly G: number;
  readonly U: number;
  readonly cell: 0 | 1;
  readonly nonlinearity: 0 | 1 | 2;
  readonly seed: number;
}

/** Small cells of every kind, and candidates beyond one block or tile. */
export const fixedPointCases: fc.Arbitrary<FixedPointCase> = fc.record({
  K: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(130)),
  G: fc.integer({ min: 1, max: 15 }),
  U: fc.integer({ min: 0, max: 5 }),
  cell: fc.constantFrom(0 as const, 1 as const),
  nonlinearity: fc.constantFrom(0 as const, 1 as const, 2 as const),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
});

const ADAM = {
  b1: 1 - 2 ** -3,
  b2: 1 - 2 ** -10,
  eps: 2 ** -7,
  stepSize: 2 ** -4,
  decay: 1 - 2 ** -7,
};

export function planOf(
  { K, G, U, cell, nonlinearity }: FixedPointCase,
  adam: typeof ADAM = ADAM,
): Plan {
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
    ...adam,
  });
  return plan;
}

export type Outputs = Record<string, Float64Array>;

/** Two runs of three iterations, or as many as given, on candidates `first … first + K - 1`. */
export async function descend(
  executor: Executor,
  given: FixedPointCase,
  first = 0,
  runs: readonly number[] = [3, 3],
): Promise<Outputs> {
  const [found] = await descendTogether(executor, [given], first, runs);
  return found;
}

/** The same for several fits side by side, which differ in seed and K alone. */
export async function descendTogether(
  executor: Executor,
  fits: readonly FixedPointCase[],
  first = 0,
  runs: readonly number[] = [3, 3],
): Promise<Outputs[]> {
  const plan = planOf({ ...fits[0], K: Math.max(...fits.map(({ K }) => K)) });
  const program = await executor.load(plan, fits.length);
  try {
    for (const [fit, { G, seed }] of fits.entries()) {
      plan.buffers.forEach(({ name, length }, i) => {
        if (["m_KG", "v_KG", "speeds_K"].includes(name)) return;
        const at = { ...seedWords(seed), stream: STREAMS.candidates, sample: i };
        const scale = name.startsWith("w") ? 0.5 / Math.sqrt(G) : 0.5;
        const skip = name === "points_KG" ? first * G : 0;
        const normal = fillNormal(at, 0, new Float64Array(skip + length));
        const values = normal.subarray(skip).map((x) => Math.fround(scale * x));
        program.write(name, values, 0, fit);
      });
    }
    let count = 1;
    for (const iterations of runs) {
      await program.run("main", fits.map(({ K }) => scalars({ B: K, count, iterations })));
      count += iterations;
    }
    return await Promise.all(fits.map(async ({ K, G }, fit) => {
      const read = (name: string) => program.read(name, 0, name === "speeds_K" ? K : K * G, fit);
      const found = OUTPUTS.map(async (name) => [name, await read(name)] as const);
      return Object.fromEntries(await Promise.all(found));
    }));
  } finally {
    program.free();
  }
}

/** The reference with float32 stores; see wasm_step.test.ts. */
async function runStored(given: FixedPointCase): Promise<Outputs> {
  const real = globalThis.Float64Array;
  try {
    (globalThis as { Float64Array: unknown }).Float64Array = Float32Array;
    return await descend(createReferenceExecutor(), given);
  } finally {
    globalThis.Float64Array = real;
  }
}

const largest = (values: Float64Array) =>
  values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Checks one case; `scale` is a buffer's largest number. */
export async function checkFixedPointCase(executor: Executor, given: FixedPointCase) {
  const want = await descend(createReferenceExecutor(), given);
  const stored = await runStored(given), got = await descend(executor, given);
  for (const name of OUTPUTS) {
    const carried = difference(stored[name], want[name]);
    const bound = (3 * given.G + 16) * (carried + ROUNDOFF * largest(want[name]));
    const error = difference(got[name], want[name]);
    assert.ok(error <= bound, `${name} is off by ${error}, bound ${bound}`);
  }
}

/** Candidate k alone moves as it does among others, to the bit. */
export async function checkAlone(executor: Executor, given: FixedPointCase, k: number) {
  const all = await descend(executor, given),
    alone = await descend(executor, { ...given, K: 1 }, k);
  for (const name of OUTPUTS) {
    const n = all[name].length / given.K;
    sameBits(alone[name], all[name].slice(k * n, (k + 1) * n), name);
  }
}
