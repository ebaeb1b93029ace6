/** The executor in a browser page: the same file and shaders, on another implementation of WebGPU. */
import assert from "node:assert/strict";
import { drawParameters } from "../src/check/random_draws.ts";
import { relativeError } from "../src/check/table.ts";
import { scalars } from "../src/compute/executor.ts";
import type { Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { architecture, type Hyperparameters, stepOptions } from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import { seedWords } from "../src/random.ts";
import { SHAPES } from "../src/study/shapes.ts";
import { inChromium, withoutChromium } from "./browser/chromium.ts";

/** As of golden files: see src/check/tolerances.ts. */
const TOLERANCE = 1e-5;

/** Compares a gradient's losses and whole gradient with the float64 reference. */
async function compare(hyperparameters: Hyperparameters, T: number, N: number): Promise<void> {
  const B = hyperparameters.batchSize, model = architecture(hyperparameters, T, N);
  const data = simulateRotation({ trials: B, T, N, seed: 3 });
  const sizes = { B, S: 1, trials: B, counts: "u8", density: 0.5 } as const;
  const all = trainingPlan(model, stepOptions(hyperparameters), sizes);
  const plan: Plan = {
    buffers: all.buffers,
    recordings: { gradient: all.recordings.gradient },
  };
  const write = {
    params_P: [...drawParameters(parameterLayout(model), 5, 0)],
    counts: [...data.counts_BTN],
    trials_B: Array.from({ length: B }, (_, b) => B - 1 - b),
  };
  const run = scalars({ B, ...seedWords(11), step: 4, klIcScale: 0.5, klInputsScale: 0.25 });
  const read = ["losses", "grads_P"];
  const done = await inChromium("run", { plan, recording: "gradient", run, write, read });
  assert.match(done.adapter, /swiftshader/i);

  const program = await createReferenceExecutor().load(plan);
  for (const [name, values] of Object.entries(write)) program.write(name, values);
  await program.run("gradient", run);
  for (const name of read) {
    const error = relativeError(done.buffers[name], await program.read(name));
    assert.ok(error <= TOLERANCE, `${name} is off by ${error}`);
  }
}

Deno.test({
  name: "in Chromium a GRU with a controller has the reference's gradient",
  ...withoutChromium,
  fn: () =>
    compare(
      {
        ...SHAPES.L.hyperparameters,
        batchSize: 7,
        encoderUnits: 9,
        controllerUnits: 6,
        inferredInputs: 3,
        generatorUnits: 18,
        factors: 5,
      },
      8,
      13,
    ),
});

Deno.test({
  name: "in Chromium the tutorial's shape with dropout has the reference's gradient",
  ...withoutChromium,
  fn: () => compare(SHAPES.S.hyperparameters, SHAPES.S.T, SHAPES.S.N),
});
