/** Fixed points on webgpu: the kernel against its float64 definition, golden files, the search. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { cellFromReference } from "../src/analysis/cell.ts";
import { findFixedPoints } from "../src/analysis/fixed_points.ts";
import { checkFile } from "../src/check/files.ts";
import { printCheck } from "../src/check/print.ts";
import { type Executor, scalars } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { fixed_points } from "../src/compute/webgpu/kernels/fixed_points.ts";
import { InputError } from "../src/errors.ts";
import {
  checkAlone,
  checkFixedPointCase,
  descend,
  descendTogether,
  type FixedPointCase,
  fixedPointCases,
  OUTPUTS,
  type Outputs,
  planOf,
} from "./fixed_point_cases.ts";
import { sameBits } from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

function sameOutputs(got: Outputs, want: Outputs): void {
  for (const name of OUTPUTS) sameBits(got[name], want[name], name);
}

Deno.test({
  name: "fixed points move on webgpu as their float64 definition says",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(fixedPointCases, (given) => checkFixedPointCase(executor, given)),
        { numRuns: 40, seed: 1 },
      )
    ),
});

/** From 17 units sums are cut into parts, from 257 they are whole, from 513 units are left over. */
const LARGE: readonly FixedPointCase[] = [17, 100, 129, 260, 530].flatMap((G) =>
  ([0, 1] as const).map((cell) => ({ K: 3, G, U: 2, cell, nonlinearity: 0, seed: G }))
);

Deno.test({
  name: "fixed points of cells with more units than a workgroup has invocations move so too",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      for (const given of LARGE) await checkFixedPointCase(executor, given);
    }),
});

Deno.test({
  name: "a candidate's path on webgpu does not depend on its companions",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(
          fixedPointCases,
          fc.nat(),
          (given, pick) => checkAlone(executor, given, pick % given.K),
        ),
        { numRuns: 20, seed: 2 },
      )
    ),
});

Deno.test({
  name: "cutting the iterations, or tiles of 1, 2 and 4 candidates, change no bit of their paths",
  ...withoutAdapter,
  fn: async () => {
    const given = LARGE.filter(({ G }) => G < 129);
    const whole = await withWebgpu((executor) =>
      Promise.all(given.map((g) => descend(executor, g)))
    );
    for (const tile of [1, 2] as const) {
      await withWebgpu(async (executor) => {
        for (const [i, one] of given.entries()) sameOutputs(await descend(executor, one), whole[i]);
      }, { tile });
    }
    for (const [i, one] of given.entries()) {
      const numbers = { G: one.G, cell: one.cell };
      const variant = fixed_points.variant(numbers, COMMON_CAPABILITIES);
      const { iterations } = fixed_points.range!(numbers, scalars({ iterations: 3 }), variant);
      // two iterations of three in a dispatch
      await withWebgpu(
        async (executor) => sameOutputs(await descend(executor, one), whole[i]),
        { loopIterations: 2 * iterations },
      );
    }
  },
});

Deno.test({
  name: "a run of more iterations than some drivers' loops last is many short ones, bit for bit",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      for (const cell of [0, 1] as const) {
        const given: FixedPointCase = { K: 5, G: 3, U: 0, cell, nonlinearity: 0, seed: 4 };
        sameOutputs(
          await descend(executor, given, 0, [6000]),
          await descend(executor, given, 0, Array(6).fill(1000)),
        );
      }
    }),
});

Deno.test({
  name: "searches side by side, of candidates that differ in number, have the bits they have alone",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const fits = [9, 2, 5].map((K, seed) => ({ ...LARGE[1], K, seed }));
      const together = await descendTogether(executor, fits);
      for (const [i, fit] of fits.entries()) sameOutputs(together[i], await descend(executor, fit));
    }),
});

/**
 * With no weights F(h) = 0, and from h = 0 q has no gradient: an iteration moves h by Adam's step from
 * the moments alone. Roundings to first order, in units of 2^-24: the decays as powers take
 * 6 for each unit of the exponent, b1's and b2's corrections at most 12 each (their exponents' errors
 * shrink as x / (e^x - 1) <= 1, and what is subtracted from 1 is at most e^-0.3, or a series), and the
 * ten products, quotients and the root 2 each at most.
 */
Deno.test({
  name: "Adam's corrections and the decay hold from the first iteration to the hundred thousandth",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const given: FixedPointCase = { K: 1, G: 1, U: 0, cell: 0, nonlinearity: 2, seed: 0 };
      const f = Math.fround;
      const settings = [[0.5, 0.999, 1], [0.9, 0.999, 0.9999], [0.99999, 0.9999, 0.9]] as const;
      for (const [b1, b2, decay] of settings.map((numbers) => numbers.map(f))) {
        const adam = { b1, b2, decay, eps: 2 ** -20, stepSize: 0.25 };
        const program = await executor.load(planOf(given, adam));
        for (const n of [1, 2, 3, 30, 299, 301, 1000, 10_000, 100_000]) {
          program.write("points_KG", [0]);
          program.write("m_KG", [1]);
          program.write("v_KG", [1]);
          await program.run("main", scalars({ B: 1, count: n, iterations: 1 }));
          const [found] = await program.read("points_KG");
          const root = Math.sqrt(b2 / -Math.expm1(n * Math.log(b2))) + adam.eps;
          const first = b1 / -Math.expm1(n * Math.log(b1));
          const exponent = (n - 1) * Math.log(decay);
          const want = Math.exp(exponent);
          // e^-87 is as near to 0 as the kernels' exponential gets
          const bound = (6 * Math.abs(exponent) + 12 + 12 + 20) * 2 ** -24 * want + Math.exp(-86);
          const error = Math.abs(found / (-0.25 * first / root) - want);
          assert.ok(error <= bound, `iteration ${n} with ${[b1, b2, decay]}: off by ${error}`);
        }
        program.free();
      }
    }),
});

/** The looks at the mean speed come one by one, as on a device where a wait costs nothing. */
function oneByOne(executor: Executor): Executor {
  return {
    info: executor.info,
    runsAtOnce: 1,
    load: (plan, fits) => executor.load(plan, fits),
    close: () => executor.close(),
  };
}

/** Two attractors and a saddle. */
const bistable = cellFromReference({ wA: [[1.5, 0], [0.1, 0.5]], wB: [[], []], wb: [0, 0.1] });
const grid_KG = Float64Array.from(
  { length: 50 },
  (_, i) => i % 2 ? (i % 10 - 4) / 3 : (Math.floor(i / 10) - 2) / 2,
);

/** A search that stops before the iterations that are asked for at once are over. */
async function stopsTheSame(executor: Executor): Promise<void> {
  for (const stopTol of [1e-3, 1e-5, 0]) {
    const search = async (on: Executor) => {
      const progress: { iterations: number; meanSpeed: number }[] = [];
      const result = await findFixedPoints(on, bistable, grid_KG, [], {
        iterations: 165,
        batch: 10,
        stopTol,
        tol: 1,
        uniqueTol: 0,
        outlierTol: Infinity,
        polishRadius: 0,
        onProgress: (now) => progress.push(now),
      });
      return { result, progress };
    };
    const got = await search(executor), want = await search(oneByOne(executor));
    assert.equal(got.result.stoppedEarly, stopTol > 0);
    assert.deepEqual(got.progress, want.progress);
    assert.equal(got.result.iterations, want.result.iterations);
    assert.equal(got.result.points.length, 25);
    for (const [i, { point_G }] of want.result.points.entries()) {
      sameBits(got.result.points[i].point_G, point_G, `point ${i}`);
    }
  }
}

Deno.test("a search that looks at several batches at once ends where one by one ends", async () => {
  const { info, load } = createReferenceExecutor();
  await stopsTheSame({ info, runsAtOnce: 128, load, close: () => {} });
});

Deno.test({
  name: "a search on webgpu ends where one by one ends",
  ...withoutAdapter,
  fn: () => withWebgpu(stopsTheSame),
});

for (const name of ["gru", "vanilla_bistable_input", "vanilla_rotation"]) {
  const path = fileURLToPath(
    new URL(`../../shared/golden/fixed_points_${name}.json`, import.meta.url),
  );
  Deno.test({
    name: `golden fixed_points_${name}: every number, on webgpu`,
    ignore: withoutAdapter.ignore || !existsSync(path),
    fn: () =>
      withWebgpu(async (executor) => {
        const report = await checkFile(path, [executor]);
        assert.ok(report.passed, "\n" + printCheck(report, { onlyFailed: true }));
      }),
  });
}

Deno.test("a cell that no tile of candidates fits names the adapter's limit", () => {
  const { tile } = fixed_points.variant({ G: 400, cell: 1 }, COMMON_CAPABILITIES);
  assert.equal(tile, 1); // 5 arrays of 448 numbers, 3 * 448 constants and 256 parts: 15.2 KiB of the 16
  assert.throws(
    () => fixed_points.variant({ G: 2000, cell: 1 }, COMMON_CAPABILITIES),
    (error) =>
      error instanceof InputError &&
      /fixed_points .*16384 bytes.*maxComputeWorkgroupStorageSize/.test(error.message),
  );
});
