/** Large models run, or are refused at once with the limit named; nothing is silently wrong. */
import assert from "node:assert/strict";
import { drawParameters } from "../src/check/random_draws.ts";
import { relativeError } from "../src/check/table.ts";
import { type Executor, scalars } from "../src/compute/executor.ts";
import { LOSSES } from "../src/compute/kernels.ts";
import type { Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { traceRecording } from "../src/compute/webgpu/trace.ts";
import { InputError } from "../src/errors.ts";
import { infer } from "../src/inference/posterior.ts";
import { numbersPerTrial } from "../src/inference/posterior_program.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import {
  architecture,
  type Hyperparameters,
  parseHyperparameters,
  stepOptions,
} from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import type { Model } from "../src/model/model.ts";
import { SHAPES } from "../src/study/shapes.ts";
import { withoutAdapter, withWebgpu } from "./webgpu_adapter.ts";

/** A model on made-up data. */
interface Large {
  readonly T?: number;
  readonly N?: number;
  readonly changed?: Partial<Hyperparameters>;
}

function large({ T = SHAPES.S.T, N = SHAPES.S.N, changed = {} }: Large) {
  const hyperparameters = { ...SHAPES.S.hyperparameters, ...changed };
  const B = hyperparameters.batchSize, model = architecture(hyperparameters, T, N);
  const sizes = { B, S: 1, trials: B, counts: "u8", density: 0.2 } as const;
  const { buffers, recordings } = trainingPlan(model, stepOptions(hyperparameters), sizes);
  const plan: Plan = { buffers, recordings: { gradient: recordings.gradient } };
  const run = scalars({ B, step: 2, klIcScale: 0.5, klInputsScale: 0.5 });
  return { B, T, N, model, plan, run };
}

type Made = ReturnType<typeof large>;

/** The losses and the gradient. */
async function gradient({ B, T, N, model, plan, run }: Made, executor: Executor) {
  const program = await executor.load(plan);
  try {
    program.write("params_P", drawParameters(parameterLayout(model), 7, 0));
    // a spike in a fifth of the bins, two in some
    const spikes = (i: number) => Math.max(0, (Math.imul(i, 0x9e3779b1) >>> 28) - 12);
    program.write("counts", Uint8Array.from({ length: B * T * N }, (_, i) => spikes(i)));
    program.write("trials_B", Uint32Array.from({ length: B }, (_, b) => b));
    await program.run("gradient", run);
    return { losses: await program.read("losses"), grads_P: await program.read("grads_P") };
  } finally {
    program.free();
  }
}

/**
 * How far two devices in float32 may be apart, each off from the exact numbers: a number of a sweep is a
 * sum of at most n products, which rounds to √n u, once more in each of T bins, and as often backward.
 * The sweeps of these models do not expand. With T 50 and n 256 it is 2e-4, where a wrong term or bound
 * is off by some hundredth.
 */
function bound({ T, N, model: { dims: { E, G } } }: Made): number {
  return 2 * 2 * T * Math.sqrt(Math.max(N, E, G)) * 2 ** -24;
}

async function wanted(made: Made) {
  const wasm = await createWasmExecutor({ threads: 2, reason: "a test" });
  try {
    return await gradient(made, wasm);
  } finally {
    wasm.close();
  }
}

/** @returns whether it ran; if not, the limit was named before anything ran */
async function runsOrIsRefused(given: Large, executor: Executor): Promise<boolean> {
  const made = large(given);
  let got;
  try {
    got = await gradient(made, executor);
  } catch (error) {
    assert(error instanceof InputError, String(error));
    const [, most, found] = /expected at most ([\d.]+) MiB .* found ([\d.]+) MiB/
      .exec(error.message) ?? [];
    assert.match(error.message, /^Cannot load a plan on .*\(maxStorageBufferBindingSize\)/);
    assert.ok(Number(found) > Number(most), error.message);
    return false;
  }
  const want = await wanted(made);
  for (const [i, name] of LOSSES.entries()) {
    const error: number = Math.abs(got.losses[i] - want.losses[i]) /
      Math.max(1, Math.abs(want.losses[i]));
    assert.ok(error <= bound(made), `${name}: ${got.losses[i]}, on wasm ${want.losses[i]}`);
  }
  const error = relativeError(got.grads_P, want.grads_P);
  assert.ok(error <= bound(made), `the gradient is off by ${error}, bound ${bound(made)}`);
  return true;
}

const EACH: Readonly<Record<string, Large>> = {
  "N 1000": { N: 1000 },
  "T 1000": { T: 1000 },
  "G 256": { changed: { generatorUnits: 256 } },
  "B 1024": { changed: { batchSize: 1024 } },
};

for (const [name, given] of Object.entries(EACH)) {
  Deno.test({
    name:
      `the tutorial's shape with ${name} runs as on wasm, or the limit that it exceeds is named`,
    ...withoutAdapter,
    fn: () =>
      withWebgpu(async (executor) => {
        const { plan, run } = large(given);
        const { memory } = traceRecording(plan, "gradient", run, executor.capabilities);
        const ran = await runsOrIsRefused(given, executor);
        // real numbers and whole numbers have a binding each
        if (ran) assert.ok(memory <= 2 * executor.capabilities.storageBinding);
        else assert.ok(memory > executor.capabilities.storageBinding);
      }),
  });
}

Deno.test({
  name: "a thousand bins of a smaller batch run as on wasm",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      assert(await runsOrIsRefused({ T: 1000, changed: { batchSize: 60 } }, executor));
    }),
});

Deno.test({
  name: "N 1000, T 1000, G 256 and B 1024 together are refused at once with the limit named",
  ...withoutAdapter,
  fn: () =>
    withWebgpu(async (executor) => {
      const given = { N: 1000, T: 1000, changed: { generatorUnits: 256, batchSize: 1024 } };
      const { plan, run } = large(given);
      const { memory } = traceRecording(plan, "gradient", run, COMMON_CAPABILITIES);
      // no adapter can bind so much: WebGPU's offsets are 32 bits wide
      assert.ok(memory > 2 ** 32);
      const began = performance.now();
      await assert.rejects(executor.load(plan), InputError);
      assert.ok(performance.now() - began < 2000);
    }),
});

Deno.test({
  name: "sweeps beyond the driver's loop limit are cut and right; uncut they would be wrong",
  ...withoutAdapter,
  async fn() {
    const made = large({
      T: 1000,
      N: 5,
      changed: {
        cell: "vanilla",
        batchSize: 2,
        encoderUnits: 200,
        generatorUnits: 3,
        factors: 3,
      },
    });
    const want = await wanted(made);
    const off = async (executor: Executor) => {
      const got = await gradient(made, executor);
      return {
        losses: relativeError(got.losses, want.losses),
        gradient: relativeError(got.grads_P, want.grads_P),
      };
    };
    const loopIterations = await withWebgpu(async (executor) => {
      for (const [name, error] of Object.entries(await off(executor))) {
        assert.ok(error <= bound(made), `${name} off by ${error}, bound ${bound(made)}`);
      }
      return executor.capabilities.loopIterations;
    });
    // the rest holds where a driver ends loops
    if (loopIterations === Infinity) return;
    const cut = traceRecording(made.plan, "gradient", made.run, { loopIterations });
    assert.ok(cut.stages.some(({ dispatches }) => dispatches > 1));
    const unguarded = await withWebgpu(off, { loopIterations: Infinity });
    for (const [name, error] of Object.entries(unguarded)) {
      assert.ok(!(error <= bound(made)), `the driver ended no loop: ${name} off by ${error} only`);
    }
  },
});

const reals = ({ buffers }: Plan) =>
  buffers.reduce((sum, { element, length }) => element === "real" ? sum + length : sum, 0);

Deno.test("no posterior program keeps more than is counted for its parameters and trials", () => {
  const wide = { inferredInputs: 0, generatorUnits: 30, factors: 7, encoderUnits: 5 };
  const narrow = { inferredInputs: 0, generatorUnits: 1, factors: 50, encoderUnits: 1 };
  const models = [
    ...Object.values(SHAPES).map(({ hyperparameters, T, N }) => ({ h: hyperparameters, T, N })),
    { h: parseHyperparameters({ ...wide, controllerUnits: 9, inferredInputs: 3 }), T: 1, N: 3 },
    { h: parseHyperparameters({ ...wide, cell: "vanilla" }), T: 4, N: 3 },
    { h: parseHyperparameters({ ...narrow, cell: "vanilla" }), T: 1, N: 1 },
  ];
  for (const { h, T, N } of models) {
    const model = architecture(h, T, N), { length } = parameterLayout(model);
    for (const S of [1, 32]) {
      for (const B of [1, 100]) {
        const plan = posteriorPlan(model, stepOptions(h), { B, S, trials: B, counts: "u8" });
        const counted = B * numbersPerTrial(model, S);
        // derived parameters (the factors' weights over their norms) are no more than the parameters
        assert.ok(reals(plan) <= 2 * length + counted, `${reals(plan)} against ${counted}`);
        assert.ok(reals(plan) >= counted / 2, `${reals(plan)} against ${counted}`);
      }
    }
  }
});

Deno.test("a device that cannot keep all trials at once infers them in turns, to the same numbers", async () => {
  const T = 6, N = 4, trials = 11;
  const h = parseHyperparameters({
    encoderUnits: 3,
    generatorUnits: 4,
    factors: 2,
    inferredInputs: 0,
  });
  const model = architecture(h, T, N), params_P = drawParameters(parameterLayout(model), 3, 0);
  const counts_BTN = Uint8Array.from({ length: trials * T * N }, (_, i) => i % 3);
  const fitted: Model = {
    architecture: model,
    hyperparameters: h,
    params_P,
    binWidth: null,
    seed: 0,
    step: 0,
  };
  const device = createReferenceExecutor();
  const samples = 3, data = { counts_BTN, trials, T, N };
  const whole = await infer(device, fitted, data, { samples });

  const mostNumbers = 2 * params_P.length + 4 * numbersPerTrial(model, samples);
  const kept: number[] = [];
  const small: Executor = {
    info: device.info,
    runsAtOnce: 1,
    mostNumbers,
    load: (plan, fits) => {
      kept.push(reals(plan));
      return device.load(plan, fits);
    },
    close: () => {},
  };
  const inTurns = await infer(small, fitted, data, { samples });
  assert.equal(kept.length, 1);
  assert.ok(kept[0] <= mostNumbers, `${kept[0]} of ${mostNumbers}`);
  assert.deepEqual(inTurns, whole);
});
