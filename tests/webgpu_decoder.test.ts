/** The decoder's sweeps on webgpu against their float64 definition, and what changes none of their bits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KernelName } from "../src/compute/kernels.ts";
import type { Dispatch, Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import type { WebgpuOptions } from "../src/compute/webgpu.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { planStages, traceRecording } from "../src/compute/webgpu/trace.ts";
import type { CellKind } from "../src/dims.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { parameterLayout } from "../src/model/layout.ts";
import {
  type Case,
  cases,
  chain,
  checkKernels,
  checkRecording,
  type Numbers,
  planOf,
  readAll,
  sameBits,
  scalarsOf,
  start,
  stepOptionsOf,
  write,
} from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const KERNELS: readonly KernelName[] = ["decoder", "decoder_backward"];
const isMine = (kernel: KernelName) => KERNELS.includes(kernel);

interface Shape {
  readonly T: number;
  readonly E: number;
  readonly C?: number;
  readonly U?: number;
  readonly G: number;
  readonly F: number;
  readonly cell: CellKind;
  readonly B: number;
}

/** A case of given sizes; noise and masks are drawn. */
function caseOf({ cell, B, ...dims }: Shape): Case {
  const model = { dims: { C: 0, U: 0, N: 1, ...dims }, cell, nonlinearity: "tanh" as const };
  return { model, B, counts: "u8", density: 0.5, explicitNoise: false, keepRate: 0.75, seed: 7 };
}

/** A plan's buffers with some recordings. */
const planWith = (plan: Plan, recordings: Record<string, readonly Dispatch[]>): Plan => ({
  buffers: plan.buffers,
  recordings,
});

const dispatchesOf = (plan: Plan, recording: string, kernels: readonly KernelName[]) =>
  plan.recordings[recording].filter(({ kernel }) => kernels.includes(kernel));

/** Every buffer after some recordings, one after the other, from the case's start. */
function buffersAfter(
  plan: Plan,
  given: Case,
  recordings: readonly string[],
  options: WebgpuOptions = {},
): Promise<Numbers> {
  return withWebgpu(async (executor) => {
    const program = await executor.load(plan);
    write(program, start(plan, given));
    for (const recording of recordings) await program.run(recording, scalarsOf(given));
    return await readAll(program, plan);
  }, options);
}

function sameNumbers(got: Numbers, want: Numbers): void {
  for (const [name, values] of want) sameBits(got.get(name)!, values, name);
}

Deno.test({
  name: "the decoder's sweeps agree with their float64 definition",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(cases, (given) => checkKernels(given, executor, isMine)),
        { numRuns: 20, seed: 1 },
      )
    ),
});

/** Layers wider than a workgroup, sums in several parts, tiles that are not full. */
const WIDE: readonly Shape[] = [
  { T: 3, E: 40, C: 70, U: 5, G: 70, F: 40, cell: "gru", B: 6 },
  { T: 3, E: 5, C: 30, U: 9, G: 70, F: 1, cell: "vanilla", B: 5 },
  { T: 12, E: 70, G: 40, F: 33, cell: "gru", B: 3 },
  { T: 2, E: 1, G: 300, F: 3, cell: "gru", B: 2 },
  { T: 12, E: 140, G: 270, F: 5, cell: "vanilla", B: 3 },
];

for (const shape of WIDE) {
  const { E, C = 0, U = 0, G, F, cell } = shape;
  Deno.test({
    name: `the decoder's sweeps agree with their definition at ${cell}, E ${E}, C ${C}, U ${U}, ` +
      `G ${G}, F ${F}`,
    ...withoutAdapter,
    fn: () => withWebgpu((executor) => checkKernels(caseOf(shape), executor, isMine)),
  });
}

Deno.test({
  name: "several samples of each trial agree with their float64 definition",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      for (
        const shape of [
          { T: 4, E: 3, C: 9, U: 2, G: 12, F: 5, cell: "gru", B: 3 },
          { T: 4, E: 20, G: 11, F: 2, cell: "vanilla", B: 5 },
        ] as const
      ) {
        // three samples of a trial: tiles of four rows begin within a trial, and the last is not full
        const given = caseOf(shape), S = 3;
        const { model, B } = given;
        const sizes = { B, S, trials: B + 1, counts: "u8" } as const;
        const whole = posteriorPlan(model, stepOptionsOf(given), sizes);
        // with masks, which differ from sample to sample; and the posterior's mean, which reads no noise
        const recordings = Object.fromEntries(
          (["sample", "mean"] as const).map((name) => {
            const [decoder] = dispatchesOf(whole, name, ["decoder"]);
            const numbers = { ...decoder.numbers, dropout: 1, dropoutGen: 1 };
            return [name, [{ ...decoder, numbers }]];
          }),
        );
        const plan = planWith(whole, recordings);
        const pair = {
          plan,
          reference: await createReferenceExecutor().load(plan),
          program: await executor.load(plan),
        };
        const s = { ...scalarsOf(given), S, purpose: 2 };
        for (const name of ["sample", "mean"]) {
          await checkRecording(pair, name, name, start(plan, given), s, chain(given));
        }
      }
    }),
});

Deno.test({
  name: "a long time constant of the inputs' prior loses no digits, with samples and without",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const given = caseOf({ T: 3, E: 2, C: 3, U: 3, G: 4, F: 2, cell: "vanilla", B: 2 });
      const whole = planOf(given);
      const nameOf = (kernel: KernelName, sample: number) => `${kernel}, sample ${sample}`;
      const recordings = [1, 0].flatMap((sample) =>
        dispatchesOf(whole, "step", KERNELS).map((dispatch) => {
          const numbers = { ...dispatch.numbers, sample, draw: sample };
          return [nameOf(dispatch.kernel, sample), [{ ...dispatch, numbers }]] as const;
        })
      );
      const plan = planWith(whole, Object.fromEntries(recordings));
      const pair = {
        plan,
        reference: await createReferenceExecutor().load(plan),
        program: await executor.load(plan),
      };
      const { offset } = parameterLayout(given.model).slice("inputPrior.logTau_U");
      for (const sample of [1, 0]) {
        let numbers = start(plan, given);
        // 1 - φ² is 2e-4, 2e-6 and 4e-9: float32 holds φ to 6e-8
        numbers.get("params_P")!.set([9, 14, 20], offset);
        for (const kernel of KERNELS) {
          const name = nameOf(kernel, sample);
          const s = scalarsOf(given);
          const after = await checkRecording(pair, name, name, numbers, s, chain(given));
          numbers = new Map([...after].map(([name, values]) => [name, values.map(Math.fround)]));
        }
      }
    }),
});

/** Long enough to be cut several times, with masks of several bins drawn at once. */
const LONG: readonly Shape[] = [
  { T: 23, E: 5, C: 9, U: 2, G: 12, F: 5, cell: "gru", B: 5 },
  { T: 23, E: 5, C: 9, U: 2, G: 12, F: 5, cell: "vanilla", B: 5 },
  { T: 23, E: 5, G: 12, F: 5, cell: "gru", B: 5 },
  { T: 23, E: 5, G: 12, F: 5, cell: "vanilla", B: 5 },
];

for (const shape of LONG) {
  const inputs = shape.U ? "with inferred inputs" : "alone";
  Deno.test({
    name: `cutting the decoder's sweeps changes no bit, ${shape.cell} ${inputs}`,
    ...withoutAdapter,
    async fn() {
      const given = caseOf(shape), whole = planOf(given);
      const recordings = { sweeps: dispatchesOf(whole, "step", KERNELS) };
      const plan = planWith(whole, recordings);
      const loopIterations = 1500;
      const capabilities = { ...COMMON_CAPABILITIES, loopIterations };
      const { stages } = traceRecording(plan, "sweeps", scalarsOf(given), capabilities);
      const parts = stages.slice(-2).map(({ dispatches }) => dispatches);
      assert.ok(Math.min(...parts) >= 3, `cut into ${parts}`);
      const cut = await buffersAfter(plan, given, ["sweeps"], { loopIterations });
      sameNumbers(cut, await buffersAfter(plan, given, ["sweeps"]));
    },
  });
}

Deno.test({
  name: "the number of trials in a workgroup changes no bit of the decoder's sweeps",
  ...withoutAdapter,
  async fn() {
    const given = caseOf({ ...LONG[0], T: 5 }), whole = planOf(given);
    const plan = planWith(whole, { sweeps: dispatchesOf(whole, "step", KERNELS) });
    const want = await buffersAfter(plan, given, ["sweeps"], { tile: 1 });
    for (const tile of [2, 4] as const) {
      sameNumbers(await buffersAfter(plan, given, ["sweeps"], { tile }), want);
    }
  },
});

Deno.test({
  name: "encoder and decoder in one workgroup give the bits that they give alone",
  ...withoutAdapter,
  async fn() {
    for (const cell of ["vanilla", "gru"] as const) {
      const given = caseOf({ T: 6, E: 3, G: 10, F: 4, cell, B: 6 }), whole = planOf(given);
      const forward = dispatchesOf(whole, "step", ["encoder", "decoder", "readout"]);
      const backward = dispatchesOf(whole, "step", ["decoder_backward", "encoder_backward"]);
      const alone = [...forward, ...backward].map((dispatch) =>
        [`alone ${dispatch.kernel}`, [dispatch]] as const
      );
      const plan = planWith(whole, { forward, backward, ...Object.fromEntries(alone) });
      const { stages } = planStages(plan, COMMON_CAPABILITIES);
      const fused = ["forward", "backward"].flatMap((name) => stages.get(name)!)
        .filter(({ fusion }) => fusion.how === "inTurn");
      assert.equal(fused.length, 2);
      const want = await buffersAfter(plan, given, alone.map(([name]) => name));
      sameNumbers(await buffersAfter(plan, given, ["forward", "backward"]), want);
    }
  },
});
