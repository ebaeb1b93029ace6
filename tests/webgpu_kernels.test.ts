/**
 * The element-wise kernels in WGSL against their float64 definitions, on the same float32 inputs; the
 * same bits wherever a kernel's loop is cut, and for a batch of 1.
 */
import assert from "node:assert/strict";
import {
  averageRun,
  kernelCases,
  type KernelRun,
  posteriorRun,
  readoutRun,
  type Rounding,
  runOn,
  wanted,
} from "./kernel_cases.ts";
import { sameBits } from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

/** What WGSL promises: a quotient to 2.5 ulp, a root to 4.5, and an ulp is at most 2 u. */
const rounding: Rounding = { quotient: 5, root: 9, chain: (n) => n };

Deno.test({
  name: "the element-wise kernels agree with float64 on webgpu",
  ...withoutAdapter,
  fn: (t) =>
    withWebgpu(async (executor) => {
      for (const test of kernelCases) {
        await t.step(test.name, async () => {
          test.check(await wanted(test), await runOn(executor, test), rounding);
        });
      }
    }),
});

/** Runs whose loops take several steps, and loop iterations below which they are cut. */
const long: readonly [string, KernelRun, number][] = [
  ["readout", readoutRun({ B: 2, S: 1, T: 130, N: 70, F: 5, wide: 0, gradient: 1 }), 200],
  ["posterior_rates", posteriorRun(2, 1000, 2, 66, 3), 300],
  ["average_samples", averageRun(2, 1500, 2, 70), 80],
  ["average_samples of few columns", averageRun(1, 9000, 1, 3), 80],
];

for (const [name, run, loopIterations] of long) {
  Deno.test({
    name: `a cut loop gives the bits of an uncut one: ${name}`,
    ...withoutAdapter,
    fn: async () => {
      const whole = await withWebgpu((executor) => runOn(executor, run), {
        loopIterations: 65_535,
      });
      const parts = await withWebgpu((executor) => runOn(executor, run), { loopIterations });
      for (const output of run.outputs) sameBits(parts[output], whole[output], output);
    },
  });
}
