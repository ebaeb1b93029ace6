/** The encoder's sweeps on webgpu against their float64 definition, and what changes none of their bits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Executor } from "../src/compute/executor.ts";
import type { Plan } from "../src/compute/recording.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { encoder, encoder_backward } from "../src/compute/webgpu/kernels/encoder.ts";
import { InputError } from "../src/errors.ts";
import {
  type Case,
  cases,
  checkKernels,
  type Numbers,
  planOf,
  sameBits,
  scalarsOf,
  start,
  write,
} from "./step_cases.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

const KERNELS = ["encoder", "encoder_backward"] as const;

/** Buffers that the sweeps write, and by how many bins. */
const OUTPUTS = (T: number) => ({
  forward_HBE: T + 1,
  backward_HBE: T + 1,
  reset_TBDE: T,
  gates_TBD3E: T,
  dStart_BDE: 1,
});

const check = (given: Case, executor: Executor) =>
  checkKernels(given, executor, (kernel) => KERNELS.some((mine) => mine === kernel));

/** A model that is all encoder. */
function encoderCase(T: number, E: number, B: number, controller = false): Case {
  const dims = { T, N: 2, E, G: 2, F: 1, C: controller ? 3 : 0, U: controller ? 1 : 0 };
  return {
    model: { dims, cell: "vanilla", nonlinearity: "tanh" },
    B,
    counts: "u8",
    density: 0.5,
    explicitNoise: false,
    keepRate: 1,
    seed: 7,
  };
}

/** The two sweeps as recordings of their own, and each fused with the decoder's sweep beside it. */
function sweepPlan(given: Case): Plan {
  const { buffers, recordings: { step } } = planOf(given);
  const only = (...kernels: string[]) => step.filter(({ kernel }) => kernels.includes(kernel));
  return {
    buffers,
    recordings: {
      encoder: only("encoder"),
      encoder_backward: only("encoder_backward"),
      decoder: only("decoder"),
      decoder_backward: only("decoder_backward"),
      forwardInTurn: only("encoder", "decoder"),
      backwardInTurn: only("decoder_backward", "encoder_backward"),
    },
  };
}

/** What recordings leave in the sweeps' buffers, from any numbers. */
async function run(
  executor: Executor,
  given: Case,
  recordings: readonly string[] = KERNELS,
  numbers: Numbers = start(planOf(given), given),
): Promise<Numbers> {
  const plan = sweepPlan(given);
  const used = Object.fromEntries(recordings.map((name) => [name, plan.recordings[name]]));
  const program = await executor.load({ ...plan, recordings: used });
  try {
    write(program, numbers);
    for (const recording of recordings) await program.run(recording, scalarsOf(given));
    return await readOutputs((name) => program.read(name), given);
  } finally {
    program.free();
  }
}

async function readOutputs(read: (name: string) => Promise<Float64Array>, given: Case) {
  const names = Object.keys(OUTPUTS(given.model.dims.T));
  return new Map(await Promise.all(names.map(async (name) => [name, await read(name)] as const)));
}

function sameNumbers(got: Numbers, want: Numbers): void {
  for (const [name, values] of want) sameBits(got.get(name)!, values, name);
}

Deno.test({
  name: "the encoder's sweeps agree with their float64 definition",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(cases, (given) => check(given, executor)),
        { numRuns: 25, seed: 1 },
      )
    ),
});

Deno.test({
  name: "encoders of more columns than a workgroup has invocations agree too",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      // up to 64 units sums are cut into parts, from 65 a part is whole, from 129 columns are left over
      for (const E of [17, 63, 64, 100, 129, 260]) await check(encoderCase(3, E, 5), executor);
      await check(encoderCase(2, 130, 3, true), executor);
    }),
});

Deno.test({
  name: "cutting the encoder's sweeps changes no bit",
  ...withoutAdapter,
  fn: async () => {
    const given = [encoderCase(7, 3, 5, true), encoderCase(7, 20, 5), encoderCase(5, 130, 2)];
    const whole = await withWebgpu((executor) =>
      Promise.all(given.map((one) => run(executor, one)))
    );
    for (const [i, one] of given.entries()) {
      const dims = { ...one.model.dims };
      const shader = [encoder, encoder_backward].map((kernel) =>
        kernel.range!(dims, scalarsOf(one), kernel.variant(dims, COMMON_CAPABILITIES)).iterations
      );
      // two steps in a dispatch of the longer one
      await withWebgpu(
        async (executor) => sameNumbers(await run(executor, one), whole[i]),
        { loopIterations: 2 * Math.max(...shader) },
      );
    }
  },
});

Deno.test({
  name: "the encoder's sweeps agree over more bins than some drivers' loops last",
  ...withoutAdapter,
  fn: () => withWebgpu((executor) => check(encoderCase(6000, 3, 1), executor)),
});

Deno.test({
  name: "the encoder's sweeps have the same bits in tiles of 1, 2 and 4",
  ...withoutAdapter,
  fn: async () => {
    for (const given of [encoderCase(4, 3, 7), encoderCase(3, 20, 6, true)]) {
      const [four, ...fewer] = await Promise.all(
        ([4, 2, 1] as const).map((tile) =>
          withWebgpu((executor) => run(executor, given), { tile })
        ),
      );
      for (const other of fewer) sameNumbers(other, four);
    }
  },
});

Deno.test({
  name: "the encoder has the same bits before a decoder in the same dispatch and alone",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      for (const E of [2, 5, 16]) {
        const given = encoderCase(4, E, 7);
        sameNumbers(
          await run(executor, given, ["forwardInTurn", "backwardInTurn"]),
          await run(executor, given, [
            "encoder",
            "decoder",
            "decoder_backward",
            "encoder_backward",
          ]),
        );
      }
    }),
});

/** Row `b` of a buffer laid out [bin][row][n]. */
function rowOf(values: Float64Array, bins: number, rows: number, b: number): Float64Array {
  const n = values.length / bins / rows;
  return Float64Array.from(
    { length: bins * n },
    (_, i) => values[(Math.floor(i / n) * rows + b) * n + i % n],
  );
}

Deno.test({
  name: "the encoder's sweeps of one trial are those of it in a batch, bit for bit",
  ...withoutAdapter,
  fn: () =>
    withWebgpu((executor) =>
      fc.assert(
        fc.asyncProperty(cases, fc.nat(), async (given, pick) => {
          const { T } = given.model.dims, b = pick % given.B;
          const numbers = start(planOf(given), given);
          const whole = await run(executor, given, KERNELS, numbers);
          const bins = { ...OUTPUTS(T), dEnds_B2E: 1, dEnc_TB2E: T };
          const of = (all: Numbers) =>
            new Map(
              [...all].flatMap(([name, values]) =>
                name in bins
                  ? [[name, rowOf(values, bins[name as keyof typeof bins], given.B, b)] as const]
                  : []
              ),
            );
          const mine = new Map([["params_P", numbers.get("params_P")!], ...of(numbers)]);
          sameNumbers(await run(executor, { ...given, B: 1 }, KERNELS, mine), of(whole));
        }),
        { numRuns: 12, seed: 3 },
      )
    ),
});

Deno.test({
  name: "fits side by side, of batches that differ, have the bits that they have alone",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const given = encoderCase(3, 18, 9);
      const plan = sweepPlan(given);
      const { encoder, encoder_backward } = plan.recordings;
      const fits = [{ B: 9, seed: 1 }, { B: 2, seed: 2 }, { B: 5, seed: 3 }];
      const numbers = fits.map(({ seed }) => start(plan, { ...given, seed }));
      const all = fits.map(({ B }) => ({ ...scalarsOf(given), B }));
      const descend = async (which: readonly number[]) => {
        const recordings = { encoder, encoder_backward };
        const program = await executor.load({ ...plan, recordings }, which.length);
        try {
          which.forEach((fit, at) => {
            for (const [name, values] of numbers[fit]) program.write(name, values, 0, at);
          });
          for (const name of KERNELS) await program.run(name, which.map((fit) => all[fit]));
          return await Promise.all(
            which.map((_, at) =>
              readOutputs((name) => program.read(name, 0, undefined, at), given)
            ),
          );
        } finally {
          program.free();
        }
      };
      const together = await descend([0, 1, 2]);
      for (const fit of [0, 1, 2]) sameNumbers(together[fit], (await descend([fit]))[0]);
    }),
});

Deno.test("an encoder that no tile fits names the adapter's limit", () => {
  const { tile } = encoder.variant({ E: 1000 }, COMMON_CAPABILITIES);
  assert.equal(tile, 1); // 3 arrays of 1024 numbers of 4 bytes: 12 KiB of the 16 for one trial
  assert.throws(
    () => encoder.variant({ E: 5000 }, COMMON_CAPABILITIES),
    (error) =>
      error instanceof InputError &&
      /encoder .*16384 bytes.*maxComputeWorkgroupStorageSize/.test(error.message),
  );
});
