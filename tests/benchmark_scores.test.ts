/** Scores are the Neural Latents Benchmark's; regressions are scikit-learn's. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBehaviour } from "../src/analysis/behaviour.ts";
import { fewShot } from "../src/analysis/few_shot.ts";
import { contiguousFolds, interleavedFolds } from "../src/analysis/folds.ts";
import { bitsPerSpike } from "../src/analysis/metrics.ts";
import { fitPoisson, predictPoisson } from "../src/analysis/poisson_regression.ts";
import { psthRSquared } from "../src/analysis/psth.ts";
import { columnRSquared, meanRSquared } from "../src/analysis/r_squared.ts";
import { fitRidge, predictRidge, searchRidge } from "../src/analysis/ridge.ts";
import { golden } from "./scores_golden.ts";
import { refusal } from "./refusals.ts";

/** The benchmark's scores to 1e-9. */
function assertClose(found: number, expected: number, tolerance = 1e-9) {
  assert.ok(
    Math.abs(found - expected) <= tolerance,
    `expected ${expected} within ${tolerance}, found ${found}`,
  );
}

for (const { name, trainRates, trainBehaviour, rates, behaviour, r2 } of golden.decoding) {
  Deno.test(`behaviour R² is the benchmark's: ${name}`, () => {
    const found = decodeBehaviour(
      { rates_XF: trainRates.data, behaviour_XD: trainBehaviour.data },
      { rates_XF: rates.data, behaviour_XD: behaviour.data },
      rates.shape[2],
      behaviour.shape[2],
    );
    assertClose(found.r2, r2);
  });
}

Deno.test("the golden decoders choose small, large and middling penalties", () => {
  const chosen = golden.decoding.map(({ trainRates, trainBehaviour, rates, behaviour }) =>
    decodeBehaviour(
      { rates_XF: trainRates.data, behaviour_XD: trainBehaviour.data },
      { rates_XF: rates.data, behaviour_XD: behaviour.data },
      rates.shape[2],
      behaviour.shape[2],
    ).penalty
  );
  assert(new Set(chosen).size >= 3, `${chosen}`);
});

for (const { name, psth, rates, trials, jitter, r2 } of golden.psth) {
  Deno.test(`PSTH R² is the benchmark's: ${name}`, () => {
    const [, T, N] = psth.shape;
    assertClose(psthRSquared(psth.data, rates.data, trials, { T, N }, jitter), r2);
  });
}

for (const { name, rates, spikes, bitsPerSpike: bits } of golden.bits) {
  Deno.test(`bits per spike are the benchmark's: ${name}`, () => {
    assertClose(bitsPerSpike(rates.data, spikes.data, spikes.shape[2]), bits);
  });
}

for (const { name, x, y, l2, weights, intercept } of golden.regression) {
  Deno.test(`Poisson regressions are scikit-learn's: ${name}`, () => {
    const found = fitPoisson(x.data, y, x.shape[1], { l2 });
    weights.forEach((weight, f) => assertClose(found.weights_F[f], weight));
    assertClose(found.intercept, intercept);
  });
}

Deno.test("few-shot bits per spike with every trial are scikit-learn's and the benchmark's", () => {
  const { shots, l2, trainFactors, trainSpikes, factors, spikes, bitsPerSpike } = golden.fewShot;
  const [, T, F] = factors.shape;
  const found = fewShot(
    { factors_BTF: trainFactors.data, counts_BTM: trainSpikes.data },
    { factors_BTF: factors.data, counts_BTM: spikes.data },
    { T, F, M: spikes.shape[2] },
    { shots, l2, draws: 2 },
  );
  // every draw has all trials
  for (const bits of found.draws) assertClose(bits, bitsPerSpike);
  assertClose(found.bitsPerSpike, bitsPerSpike);
});

const finite = (least: number, most: number) => fc.double({ min: least, max: most, noNaN: true });
const list = (length: number, least = -2, most = 2) =>
  fc.array(finite(least, most), { minLength: length, maxLength: length });

Deno.test("a Poisson regression is where the gradient is zero", () => {
  const F = 3, rows = 20;
  const cases = fc.record({
    x: list(rows * F),
    y: fc.array(fc.nat(6), { minLength: rows, maxLength: rows }),
    l2: finite(1e-4, 1),
  });
  fc.assert(fc.property(cases, ({ x, y, l2 }) => {
    fc.pre(y.some((count) => count > 0));
    const fit = fitPoisson(x, y, F, { l2 });
    const rates = predictPoisson(x, fit);
    for (let f = -1; f < F; f++) {
      let slope = f < 0 ? 0 : l2 * fit.weights_F[f];
      for (let row = 0; row < rows; row++) {
        slope += (rates[row] - y[row]) * (f < 0 ? 1 : x[row * F + f]) / rows;
      }
      // the last step but one promised less than 1e-12 nats: slopes below 1e-5; the last squares them
      assert.ok(Math.abs(slope) < 1e-9, `${slope}`);
    }
  }));
});

Deno.test("a Poisson regression does not see samples whose count is NaN, nor where it began", () => {
  const x = [0.3, -1, 0.5, 2, -0.7, 0.1], y = [1, 0, 2, 5, 0, 1];
  const fit = fitPoisson(x, y, 1, { l2: 0.01 });
  const more = fitPoisson([...x, 9], [...y, NaN], 1, { l2: 0.01 });
  assert.deepEqual(more, fit);
  const start = { weights_F: Float64Array.of(-3), intercept: 2 };
  const other = fitPoisson(x, y, 1, { l2: 0.01, start });
  assertClose(other.weights_F[0], fit.weights_F[0]);
  assertClose(other.intercept, fit.intercept);
});

Deno.test("a Poisson regression without spikes, with copied features or far-off starts ends", () => {
  const silent = fitPoisson([1, 2, 3], [0, 0, 0], 1, { l2: 0.1 });
  assert.deepEqual([...silent.weights_F, Math.exp(silent.intercept)].map((v) => +v.toFixed(12)), [
    0,
    +(1 / 6).toFixed(12),
  ]);
  const x = [0, 1, 2, 3], twice = x.flatMap((v) => [v, v]), y = [1, 2, 4, 8];
  const copies = predictPoisson(twice, fitPoisson(twice, y, 2, { l2: 0 }));
  const once = predictPoisson(x, fitPoisson(x, y, 1, { l2: 0 }));
  copies.forEach((rate, i) => assertClose(rate, once[i], 1e-6));
  const far = { weights_F: Float64Array.of(40), intercept: 0 };
  assertClose(fitPoisson(x, y, 1, { l2: 0, start: far }).weights_F[0], Math.LN2);
});

Deno.test("a ridge regression is where the gradient is zero, for every penalty", () => {
  const F = 3, D = 2, rows = 7;
  const cases = fc.record({ x: list(rows * F), y: list(rows * D), penalty: finite(0.1, 10) });
  fc.assert(fc.property(cases, ({ x, y, penalty }) => {
    for (const fit of fitRidge({ x_XF: x, F, y_XD: y, D }, [penalty, 3 * penalty])) {
      const found = predictRidge(x, F, fit);
      for (let d = 0; d < D; d++) {
        for (let f = -1; f < F; f++) {
          let slope = f < 0 ? 0 : fit.penalty * fit.weights_FD[f * D + d];
          for (let row = 0; row < rows; row++) {
            slope += (found[row * D + d] - y[row * D + d]) * (f < 0 ? 1 : x[row * F + f]);
          }
          // sums of 7 products below 20, solved with a condition below 7·3·4/0.1 = 840
          assert.ok(Math.abs(slope) < 1e-10, `${slope}`);
        }
      }
    }
  }));
});

Deno.test("where every penalty does the same, the first is chosen", () => {
  const y_XD = [1, 2, 3, 4, 5, 6, 7];
  assert.equal(searchRidge({ x_XF: y_XD.map(() => 0), F: 1, y_XD, D: 1 }).fit.penalty, 1e-4);
});

Deno.test("R² of columns: 1 for the truth, 0 for its means, and what does not vary", () => {
  const truth = [1, 5, 2, 5, 6, 5];
  assert.deepEqual([...columnRSquared(truth, truth, 2)], [1, 1]);
  assert.deepEqual([...columnRSquared([3, 4, 3, 4, 3, 4], truth, 2)], [0, 0]);
  assert.equal(meanRSquared([3, 5, 3, 5, 3, 5], truth, 2), 0.5);
  assert.match(refusal(() => meanRSquared([1, NaN], [1, 2], 1)), /expected finite.*found NaN/);
});

Deno.test("folds put every sample once to validate, and never where it trains", () => {
  const cases = fc.record({
    n: fc.integer({ min: 5, max: 60 }),
    count: fc.integer({ min: 2, max: 5 }),
  });
  fc.assert(fc.property(cases, ({ n, count }) => {
    for (const folds of [contiguousFolds(n, count), interleavedFolds(n, count)]) {
      const validations = folds.flatMap(({ validation }) => [...validation]);
      assert.deepEqual(validations.sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
      for (const { train, validation } of folds) {
        const all = new Set([...train, ...validation]);
        assert.equal(all.size, n);
        assert.equal(train.length + validation.length, n);
      }
    }
  }));
});

Deno.test("few-shot draws are distinct trials, and the seed decides them", () => {
  const { l2, trainFactors, trainSpikes, factors, spikes } = golden.fewShot;
  const [, T, F] = factors.shape;
  const score = (seed: number) =>
    fewShot(
      { factors_BTF: trainFactors.data, counts_BTM: trainSpikes.data },
      { factors_BTF: factors.data, counts_BTM: spikes.data },
      { T, F, M: spikes.shape[2] },
      { shots: 2, l2, draws: 4, seed },
    ).draws;
  assert.deepEqual(score(1), score(1));
  assert.notDeepEqual(score(1), score(2));
  assert(new Set(score(1)).size > 1);
});

Deno.test("few-shot regressions choose a penalty for which the factors' unit does not matter", () => {
  const { trainFactors, trainSpikes, factors, spikes } = golden.fewShot;
  const [, T, F] = factors.shape, M = spikes.shape[2];
  const score = (unit: number, options: { l2?: number } = {}) =>
    fewShot(
      { factors_BTF: trainFactors.data.map((x) => x * unit), counts_BTM: trainSpikes.data },
      { factors_BTF: factors.data.map((x) => x * unit), counts_BTM: spikes.data },
      { T, F, M },
      { shots: 5, draws: 3, ...options },
    ).draws;
  // penalties are powers of 10, and a unit of 1/10 makes each 100 times smaller
  const plain = score(1), tenth = score(0.1);
  const spread = Math.max(...plain.map((bits, i) => Math.abs(bits - tenth[i])));
  const fixed = score(1, { l2: 0.1 }), other = score(0.1, { l2: 0.1 });
  const without = Math.max(...fixed.map((bits, i) => Math.abs(bits - other[i])));
  assert(spread < without, `${spread} ${without}`);
  // and it is one of them
  const each = [10, 1, 0.1, 0.01, 1e-3, 1e-4].map((l2) => score(1, { l2 }));
  plain.forEach((bits, i) => assert(each.some((draws) => draws[i] === bits)));
});

Deno.test("scores refuse what they cannot use", () => {
  const one = { rates_XF: [1, 2, 3, 4, 5], behaviour_XD: [1, 2, 3, 4, 5] };
  const gap = { rates_XF: [1, NaN, 3, 4, 5], behaviour_XD: [1, 2, 3, 4, 5] };
  assert.match(
    refusal(() => decodeBehaviour(gap, one, 1, 1)),
    /finite features, found NaN in sample 1/,
  );
  const unknown = { ...one, behaviour_XD: [NaN, NaN, NaN, NaN, NaN] };
  assert.match(refusal(() => decodeBehaviour(one, unknown, 1, 1)), /known, found none of 5/);
  assert.match(
    refusal(() => decodeBehaviour(one, one, 2, 1)),
    /expected 2 rates for each of 5 bins/,
  );
  assert.match(refusal(() => fitPoisson([1, 2], [1, -1], 1, { l2: 0 })), /found -1 at 1/);
  assert.match(refusal(() => fitPoisson([1, 2], [1, 1], 1, { l2: -1 })), /l2 to be at least 0/);
  assert.match(refusal(() => fitPoisson([1], [NaN], 1, { l2: 0 })), /at least 1 sample/);
  assert.match(refusal(() => psthRSquared([1], [1], [[]], { T: 1, N: 1 })), /found none/);
  const trials = { factors_BTF: [1], counts_BTM: [1] };
  const sizes = { T: 1, F: 1, M: 1 };
  assert.match(
    refusal(() => fewShot(trials, trials, sizes, { shots: 2 })),
    /1 to 1 trials.*found 2/,
  );
});
