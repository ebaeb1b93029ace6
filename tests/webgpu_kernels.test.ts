/**
 * The element-wise kernels in WGSL against their float64 definitions, on the same float32 inputs; the
 * same bits wherever a kernel's loop is cut, and for a batch of 1.
 */
import assert from "node:assert/strict";
import type { Plan } from "../src/compute/recording.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { SHADERS } from "../src/compute/webgpu/kernels/index.ts";
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

/** Runs whose loops take several steps, and loop iterations after which they are cut. */
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
      const [{ kernel, numbers }] = run.plan.recordings.main;
      const { variant, range } = SHADERS[kernel];
      const { steps, iterations } = range!(
        numbers,
        run.scalars,
        variant(numbers, COMMON_CAPABILITIES),
      );
      assert.ok(steps > 1 && steps * iterations > loopIterations, "the loop is cut");
      const whole = await withWebgpu((executor) => runOn(executor, run), {
        loopIterations: 65_535,
      });
      const parts = await withWebgpu((executor) => runOn(executor, run), { loopIterations });
      for (const output of run.outputs) sameBits(parts[output], whole[output], output);
    },
  });
}

/** A run of the first trial alone: its rows are the first of every bin. */
function firstTrial({ plan, inputs, outputs, scalars }: KernelRun, rows: string[]): KernelRun {
  const { B, S } = scalars;
  const own = Object.entries(inputs).map(([name, values]) => {
    if (!rows.includes(name)) return [name, values] as const;
    const { slots, width } = slotsOf(plan, name, B * S);
    const kept = Float64Array.from({ length: slots * S * width }, (_, i) => {
      const slot = Math.floor(i / (S * width));
      return values[slot * B * S * width + i % (S * width)];
    });
    return [name, kept] as const;
  });
  return { plan, inputs: Object.fromEntries(own), outputs, scalars: { ...scalars, B: 1 } };
}

function slotsOf(plan: Plan, name: string, rows: number): { slots: number; width: number } {
  const { length } = plan.buffers.find((buffer) => buffer.name === name)!;
  const [{ numbers: { T, F, n }, kernel }] = plan.recordings.main;
  const slots = kernel === "average_samples" ? T : T + 1;
  assert.equal(length, slots * rows * (F ?? n));
  return { slots, width: F ?? n };
}

for (
  const [run, rows, widths] of [
    [readoutRun({ B: 4, S: 2, T: 40, N: 70, F: 5, wide: 1, gradient: 1 }), ["factors"], {
      logRates: [40, 2 * 70],
      dFactors: [41, 2 * 5],
      nll: [1, 2],
    }],
    [posteriorRun(5, 3, 4, 20, 6), ["factors"], { rates: [4, 20], logRates: [4, 20] }],
    [posteriorRun(3, 40, 4, 20, 6), ["factors"], { rates: [4, 20], logRates: [4, 20] }],
    [averageRun(5, 3, 4, 20), ["source"], { mean: [4, 20] }],
    [averageRun(5, 30, 4, 20), ["source"], { mean: [4, 20] }],
  ] as [KernelRun, string[], Record<string, [slots: number, width: number]>][]
) {
  const [{ kernel }] = run.plan.recordings.main;
  Deno.test({
    name: `a batch of 1 equals a slice of a batch: ${kernel}, ${run.scalars.S} samples`,
    ...withoutAdapter,
    fn: () =>
      withWebgpu(async (executor) => {
        const all = await runOn(executor, run);
        const one = await runOn(executor, firstTrial(run, rows));
        const { B } = run.scalars;
        for (const [name, [slots, width]] of Object.entries(widths)) {
          // gradients are those of a mean over the batch, and 4 is a power of two
          const scale = name === "logRates" && kernel === "readout" || name === "dFactors" ? B : 1;
          for (let slot = 0; slot < slots; slot++) {
            const slice = all[name].subarray(slot * B * width, (slot * B + 1) * width);
            const own = one[name].subarray(slot * width, (slot + 1) * width);
            sameBits(own, slice.map((x) => scale * x), name);
          }
        }
      }),
  });
}

for (
  const [name, run] of [
    ["posterior_rates", posteriorRun(65_600, 17, 1, 1, 1)],
    ["average_samples", averageRun(65_600, 64, 1, 1)],
  ] as const
) {
  Deno.test({
    name: `more means than an adapter takes workgroups: ${name}`,
    ...withoutAdapter,
    fn: () =>
      withWebgpu(async (executor) => {
        const want = await wanted(run), got = await runOn(executor, run);
        for (const output of run.outputs) {
          want[output].forEach((x, i) => {
            // far above the kernel's rounding, far below a mean that was left out
            const error = Math.abs(got[output][i] - x);
            assert.ok(error < 1e-4 * (1 + Math.abs(x)), `${output}[${i}] is off by ${error}`);
          });
        }
      }),
  });
}

Deno.test({
  name: "counts that each fit would have for itself are refused, not misread",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const { plan } = readoutRun({ B: 1, S: 1, T: 1, N: 1, F: 1, wide: 0, gradient: 0 });
      const buffers = plan.buffers.map((spec) => ({ ...spec, shared: false }));
      await assert.rejects(
        executor.load({ buffers, recordings: plan.recordings }),
        /kernel readout: expected counts to be a shared buffer/,
      );
    }),
});
