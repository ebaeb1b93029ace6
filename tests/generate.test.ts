import assert from "node:assert/strict";
import { InputError } from "../src/errors.ts";
import { architecture, parseHyperparameters } from "../src/model/hyperparameters.ts";
import { initialise } from "../src/model/initialise.ts";
import { type Model, parameter } from "../src/model/model.ts";
import { generate, generateTrials } from "../src/study/generate.ts";

const T = 4, N = 3, G = 2, F = 2, U = 1;

/** A linear generator with an inferred input; everything that generation reads is set by hand. */
function linear(): Model {
  const hyperparameters = parseHyperparameters({
    cell: "vanilla",
    nonlinearity: "identity",
    encoderUnits: 2,
    controllerUnits: 2,
    inferredInputs: U,
    generatorUnits: G,
    factors: F,
    varMin: 0.01,
  });
  const model: Model = {
    architecture: architecture(hyperparameters, T, N),
    hyperparameters,
    params_P: initialise(
      architecture(hyperparameters, T, N),
      hyperparameters,
      0,
      new Float64Array(N).fill(1),
    ),
    binWidth: 0.02,
    seed: 0,
    step: 0,
  };
  parameter(model, "generator.wRecurrent_GG").set([0.9, 0.2, -0.2, 0.8]);
  parameter(model, "generator.wInput_UG").set([0.5, -0.3]);
  parameter(model, "generator.b_G").set([0.1, 0]);
  parameter(model, "factors.w_GF").set([3, 1, 4, -1]);
  parameter(model, "readout.w_FN").set([1, -0.5, 0.2, 0.3, 0.4, -1]);
  parameter(model, "readout.b_N").set([0, -1, 0.5]);
  parameter(model, "icPrior.mean_I").set([0.5, -1]);
  parameter(model, "icPrior.logVar_I").set([Math.log(0.2), Math.log(0.04)]);
  parameter(model, "inputPrior.mean_U").set([0.3]);
  parameter(model, "inputPrior.logTau_U").set([Math.log(2)]);
  parameter(model, "inputPrior.logNoiseVar_U").set([Math.log(0.05)]);
  return model;
}

/** Mean and variance of `values`, with how far each may be from the truth of Gaussian draws. */
function moments(values: number[], variance: number) {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const found = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
  // five standard errors: by chance one run in a million, and the seed is fixed
  const meanError = 5 * Math.sqrt(variance / values.length);
  const varianceError = 5 * variance * Math.sqrt(2 / values.length);
  return { mean, variance: found, meanError, varianceError };
}

function assertNear(found: number, wanted: number, most: number): void {
  assert.ok(Math.abs(found - wanted) <= most, `${found} is not within ${most} of ${wanted}`);
}

Deno.test("initial states have the mean and variance of their prior, the floor included", () => {
  const { B, g0_BG } = generateTrials(linear(), { trials: 20_000, seed: 3 });
  [{ mean: 0.5, variance: 0.21 }, { mean: -1, variance: 0.05 }].forEach((prior, g) => {
    const found = moments(Array.from({ length: B }, (_, b) => g0_BG[b * G + g]), prior.variance);
    assertNear(found.mean, prior.mean, found.meanError);
    assertNear(found.variance, prior.variance, found.varianceError);
  });
});

Deno.test("inputs follow their autoregressive prior: mean, variance and correlation at every bin", () => {
  const { B, inputs_BTU } = generateTrials(linear(), { trials: 20_000, seed: 5 });
  const phi = Math.exp(-1 / 2), noise = 0.06, stationary = noise / (1 - phi * phi);
  let mean = 0.3;
  for (let t = 0; t < T; t++) {
    const at = (t: number) => Array.from({ length: B }, (_, b) => inputs_BTU[b * T + t]);
    const found = moments(at(t), stationary);
    assertNear(found.mean, mean, found.meanError);
    assertNear(found.variance, stationary, found.varianceError);
    if (t > 0) {
      const before = at(t - 1);
      const steps = moments(at(t).map((u, b) => u - phi * before[b]), noise);
      assertNear(steps.mean, 0.3, steps.meanError);
      assertNear(steps.variance, noise, steps.varianceError);
    }
    mean = 0.3 + phi * mean;
  }
});

Deno.test("states, factors and rates follow the model's equations from the drawn g0 and inputs", () => {
  const { B, g0_BG, inputs_BTU, gen_BTG, factors_BTF, rates_BTN } = generateTrials(linear(), {
    trials: 3,
  });
  const near = (found: number, wanted: number) =>
    // a dozen roundings of numbers around 1
    assertNear(found, wanted, 1e-14 * Math.max(1, Math.abs(wanted)));
  for (let b = 0; b < B; b++) {
    let [x, y] = g0_BG.subarray(b * G);
    for (let t = 0; t < T; t++) {
      const row = b * T + t;
      const u = inputs_BTU[row];
      [x, y] = [0.9 * x - 0.2 * y + 0.5 * u + 0.1, 0.2 * x + 0.8 * y - 0.3 * u];
      near(gen_BTG[row * G], x);
      near(gen_BTG[row * G + 1], y);
      // rows of norm 5 and √2
      const f = [(3 * x + 4 * y) / 5, (x - y) / Math.SQRT2];
      f.forEach((value, i) => near(factors_BTF[row * F + i], value));
      near(rates_BTN[row * N], Math.exp(f[0] + 0.3 * f[1]));
      near(rates_BTN[row * N + 1], Math.exp(-0.5 * f[0] + 0.4 * f[1] - 1));
      near(rates_BTN[row * N + 2], Math.exp(0.2 * f[0] - f[1] + 0.5));
    }
  }
});

Deno.test("a trial does not depend on how many are generated, and another seed gives others", () => {
  const few = generateTrials(linear(), { trials: 2, seed: 1 });
  const many = generateTrials(linear(), { trials: 5, seed: 1 });
  assert.deepEqual(many.gen_BTG.subarray(0, few.gen_BTG.length), few.gen_BTG);
  const other = generateTrials(linear(), { trials: 2, seed: 2 });
  assert.ok(other.g0_BG.every((x, i) => x !== few.g0_BG[i]));
});

Deno.test("a generated dataset has the model's bin width, true rates and states, and counts of those rates", () => {
  const trials = 4000;
  const data = generate(linear(), { trials, seed: 7 });
  const { gen_BTG, rates_BTN } = generateTrials(linear(), { trials, seed: 7 });
  assert.deepEqual([data.trials, data.T, data.N, data.binWidth], [trials, T, N, 0.02]);
  assert.deepEqual(data.truth, { rates_BTN, latents_BTL: gen_BTG, L: G });
  const total = rates_BTN.reduce((sum, rate) => sum + rate, 0);
  const spikes = Array.from(data.counts_BTN).reduce((sum, count) => sum + count, 0);
  // given the rates, the sum is Poisson: five standard deviations
  assertNear(spikes, total, 5 * Math.sqrt(total));
});

Deno.test("a number of bins other than the model's may be generated", () => {
  const data = generate(linear(), { trials: 2, T: 9 });
  assert.deepEqual([data.trials, data.T, data.N], [2, 9, N]);
});

Deno.test("numbers of trials and bins that cannot be, and a generator that runs away, are refused", () => {
  assert.throws(() => generate(linear(), { trials: 0 }), /trials .*at least 1, found 0/);
  assert.throws(() => generate(linear(), { T: 1.5 }), /expected T .*found 1.5/);
  assert.throws(() => generate(linear(), { seed: -1 }), InputError);
  const wild = linear();
  parameter(wild, "generator.wRecurrent_GG").set([50, 0, 0, 50]);
  assert.throws(() => generate(wild), (error) => {
    assert.ok(error instanceof InputError);
    assert.match(error.message, /expected a rate between 0 and/);
    return true;
  });
});
