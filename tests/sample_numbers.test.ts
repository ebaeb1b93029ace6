/** Draws of the observations that are not counts have the moments that the equations say. */
import assert from "node:assert/strict";
import { expected } from "../src/reference/families.ts";
import { FAMILIES } from "../src/compute/kernels.ts";
import { sampleNumbers } from "../src/study/sample_numbers.ts";

const DRAWS = 20_000;

/** Mean and variance of many draws of one number. */
function moments(
  observation: "gaussian" | "gamma" | "zero-inflated-gamma",
  outputs: readonly number[],
  observationFloor = 0,
) {
  const shape = { trials: DRAWS, T: 1, N: 1 };
  const outputs_BTQ = Float64Array.from(Array.from({ length: DRAWS }, () => outputs).flat());
  const values = sampleNumbers(observation, outputs_BTQ, shape, 3, {
    varMin: 0.01,
    observationFloor,
  });
  const mean = values.reduce((sum, x) => sum + x, 0) / DRAWS;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / DRAWS;
  return { mean, variance, values };
}

/** Five standard errors of the mean: one in two million such tests would fail by chance. */
function near(found: number, wanted: number, variance: number) {
  const bound = 5 * Math.sqrt(variance / DRAWS);
  assert.ok(Math.abs(found - wanted) <= bound, `${found}, wanted ${wanted} within ${bound}`);
}

Deno.test("gaussian draws have the outputs' mean, and the variance with its floor", () => {
  const { mean, variance } = moments("gaussian", [0.7, -1]);
  const wanted = Math.exp(-1) + 0.01;
  near(mean, 0.7, wanted);
  // the variance of a normal's square is 2 σ⁴
  near(variance, wanted, 2 * wanted ** 2);
});

Deno.test("gamma draws have mean α / β and variance α / β², also below α = 1", () => {
  for (const [a, b] of [[1, 0.5], [-1, 0.2], [3, 1]]) {
    const { mean, values } = moments("gamma", [a, b]);
    const alpha = Math.exp(a), beta = Math.exp(b);
    near(mean, alpha / beta, alpha / beta ** 2);
    assert.ok(values.every((x) => x > 0));
    // E x² = α (α + 1) / β²; its variance needs the fourth moment
    const fourth = alpha * (alpha + 1) * (alpha + 2) * (alpha + 3) / beta ** 4;
    const second = alpha * (alpha + 1) / beta ** 2;
    const found = values.reduce((sum, x) => sum + x * x, 0) / DRAWS;
    near(found, second, fourth - second ** 2);
  }
});

Deno.test("zero-inflated draws are 0 or above the floor, and have the expected value", () => {
  const outputs = [0.5, 0.3, -0.4], floor = 0.25;
  const { mean, variance, values } = moments("zero-inflated-gamma", outputs, floor);
  const family = FAMILIES["zero-inflated-gamma"];
  near(mean, expected({ family, floor }, outputs).mean, variance);
  assert.ok(values.every((x) => x === 0 || x > floor));
  const some = 1 / (1 + Math.exp(0.4));
  near(values.filter((x) => x > 0).length / DRAWS, some, some * (1 - some));
});
