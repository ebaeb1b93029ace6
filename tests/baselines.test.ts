import assert from "node:assert/strict";
import { averageRates } from "../src/analysis/baselines/averages.ts";
import { pcaPoissonRates } from "../src/analysis/baselines/pca_poisson.ts";
import { bitsPerSpike } from "../src/analysis/metrics.ts";
import { principalComponents, project } from "../src/analysis/principal_components.ts";
import { smoothTrials } from "../src/analysis/smoothing.ts";
import { takeColumns, takeTrials } from "../src/analysis/take.ts";
import { simulateRotation } from "../src/data/simulate.ts";
import fc from "fast-check";
import { refusal } from "./refusals.ts";
import { golden } from "./scores_golden.ts";

const { spikes, train, evaluation, condition, heldOut } = golden.baselines;
const [, T, N] = spikes.shape;
const task = { counts_BTN: spikes.data, T, N, train, evaluation };

function assertRates(found: Float64Array, expected: Float64Array, tolerance: number) {
  assert.equal(found.length, expected.length);
  expected.forEach((rate, i) =>
    assert.ok(Math.abs(found[i] - rate) <= tolerance * rate, `${i}: ${found[i]}, not ${rate}`)
  );
}

Deno.test("averages, and what is chosen for them, are numpy's", () => {
  for (
    const [given, expected] of [
      [task, golden.baselines.average],
      [{ ...task, condition }, golden.baselines.perCondition],
    ] as const
  ) {
    const { rates_BTN, choice } = averageRates(given);
    assert.deepEqual(choice, { sigma: expected.sigma, shrink: expected.shrink });
    assertRates(rates_BTN, expected.rates, 1e-12);
  }
});

Deno.test("smoothed PCA and Poisson regression, and what is chosen, are numpy's and scikit-learn's", () => {
  const { rates, sigma, components, l2 } = golden.baselines.pcaPoisson;
  const { rates_BTM, choice } = pcaPoissonRates(task, heldOut);
  assert.deepEqual(choice, { sigma, components, l2 });
  // scikit-learn's own steps end at gradients of 1e-13
  assertRates(rates_BTM, rates, 1e-9);
});

Deno.test("the evaluation trials decide nothing but themselves", () => {
  const other = Float64Array.from(spikes.data);
  const [first, ...rest] = evaluation;
  for (const trial of rest) other.fill(7, trial * T * N, (trial + 1) * T * N);
  // nor do the held-out neurons of the first
  for (let t = 0; t < T; t++) for (const n of heldOut) other[(first * T + t) * N + n] = 7;
  const size = T * heldOut.length;
  const before = pcaPoissonRates(task, heldOut),
    after = pcaPoissonRates({ ...task, counts_BTN: other }, heldOut);
  assert.deepEqual(after.choice, before.choice);
  assert.deepEqual(after.rates_BTM.subarray(0, size), before.rates_BTM.subarray(0, size));
  const average = averageRates(task).rates_BTN;
  assert.deepEqual(averageRates({ ...task, counts_BTN: other }).rates_BTN, average);
});

Deno.test("baselines take missing counts, and a neuron that was silent has a small rate", () => {
  const counts_BTN = Float64Array.from(spikes.data);
  for (const trial of train) for (let t = 0; t < T; t++) counts_BTN[(trial * T + t) * N + 1] = 0;
  counts_BTN.fill(NaN, 3 * T * N, 3 * T * N + 2 * N); // two bins of a training trial
  counts_BTN[evaluation[0] * T * N + 2] = NaN; // one count of an evaluation trial
  const gaps = { ...task, counts_BTN };
  const { rates_BTM } = pcaPoissonRates(gaps, heldOut);
  assert(rates_BTM.every((rate) => rate > 0 && Number.isFinite(rate)));
  const silent = takeColumns(rates_BTM, heldOut.length, [0]);
  assert(silent.every((rate) => rate < 0.01), `${silent}`);
  const { rates_BTN } = averageRates(gaps);
  assert(rates_BTN.every((rate) => rate > 0 && Number.isFinite(rate)));
});

Deno.test("on a simulated rotation the regression beats the average, and neither beats the truth", () => {
  const data = simulateRotation({ trials: 40, T: 25, N: 20, seed: 3 });
  const trials = Array.from({ length: 40 }, (_, b) => b);
  const one = {
    counts_BTN: data.counts_BTN,
    T: 25,
    N: 20,
    train: trials.slice(8),
    evaluation: trials.slice(0, 8),
  };
  const held = [2, 7, 11, 16];
  const of = (values: ArrayLike<number>) =>
    takeColumns(takeTrials(values, one.evaluation, 25 * 20), 20, held);
  const counts = of(data.counts_BTN);
  const bits = (rates: Float64Array) => bitsPerSpike(rates, counts, held.length);
  const regression = bits(pcaPoissonRates(one, held).rates_BTM);
  const average = bits(takeColumns(averageRates(one).rates_BTN, 20, held));
  const truth = bits(of(data.truth!.rates_BTN));
  assert(average < regression && regression < truth, `${average} ${regression} ${truth}`);
});

Deno.test("smoothing keeps what is constant, within each trial, and weighs what was observed", () => {
  const cases = fc.record({
    level: fc.double({ min: -5, max: 5, noNaN: true }),
    sigma: fc.double({ min: 0.1, max: 20, noNaN: true }),
    gap: fc.nat(9),
  });
  fc.assert(fc.property(cases, ({ level, sigma, gap }) => {
    const trials = [...new Array(10).fill(level), ...new Array(10).fill(level + 1)];
    trials[gap] = NaN;
    const smooth = smoothTrials(trials, { T: 10, N: 1 }, sigma);
    smooth.forEach((value, i) => {
      if (i === gap && sigma < 0.26) return; // the next bins may be out of reach
      assert.ok(Math.abs(value - (i < 10 ? level : level + 1)) < 1e-12, `${i}: ${value}`);
    });
  }));
  assert.deepEqual([...smoothTrials([1, 2, NaN], { T: 3, N: 1 }, 0)], [1, 2, NaN]);
});

Deno.test("principal components are orthonormal, and their variances those of the projections", () => {
  const cases = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), {
    minLength: 40,
    maxLength: 40,
  });
  fc.assert(fc.property(cases, (x) => {
    const pca = principalComponents(x, 4, 4);
    const scores = project(x, pca);
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b < 4; b++) {
        let dot = 0, covariance = 0;
        for (let n = 0; n < 4; n++) {
          dot += pca.components_KN[a * 4 + n] * pca.components_KN[b * 4 + n];
        }
        for (let row = 0; row < 10; row++) {
          covariance += scores[row * 4 + a] * scores[row * 4 + b] / 10;
        }
        assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < 1e-10);
        assert.ok(Math.abs(covariance - (a === b ? pca.variances_K[a] : 0)) < 1e-10);
      }
      if (a > 0) assert(pca.variances_K[a] <= pca.variances_K[a - 1]);
    }
  }));
});

Deno.test("baselines need training trials to choose with, and neurons on both sides", () => {
  const few = { ...task, train: [0, 1, 2] };
  assert.match(refusal(() => averageRates(few)), /at least 4 training trials, found 3/);
  assert.match(refusal(() => pcaPoissonRates(few, heldOut)), /at least 4 training trials, found 3/);
  assert.match(refusal(() => pcaPoissonRates(task, [])), /found 9 and 0/);
});
