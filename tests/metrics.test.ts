import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import {
  bitsPerSpike,
  explained,
  nullRates,
  pearson,
  poissonNll,
  repeatRates,
  rSquared,
  rSquaredWhere,
} from "../src/analysis/metrics.ts";
import { lnFactorial, sampleCounts } from "../src/data/poisson.ts";
import { InputError } from "../src/errors.ts";

const golden = new URL("../../shared/golden/bits_per_spike.json", import.meta.url);
const noGolden = !existsSync(golden);
if (noGolden) {
  console.warn("bits_per_spike.json is not there: the benchmark's values go unchecked.");
}

type Nested = (number | null)[][][];
interface GoldenCase {
  readonly name: string;
  readonly rates_BTN?: Nested;
  readonly spikes_BTN: Nested;
  readonly nll: number;
  readonly bits_per_spike: number;
}

function assertClose(found: number, expected: number, relative: number) {
  assert.ok(
    Math.abs(found - expected) <= relative * Math.abs(expected),
    `expected ${expected} within ${relative} of itself, found ${found}`,
  );
}

Deno.test({
  name: "bits per spike and likelihoods are the Neural Latents Benchmark's",
  ignore: noGolden,
  fn: () => {
    const file = JSON.parse(readFileSync(golden, "utf8")) as {
      rates_BTN: Nested;
      cases: GoldenCase[];
    };
    assert.ok(file.cases.length > 0);
    const flat = (array: Nested) => array.flat(2).map((value) => value ?? NaN);
    for (const c of file.cases) {
      const rates_BTN = flat(c.rates_BTN ?? file.rates_BTN), spikes_BTN = flat(c.spikes_BTN);
      const N = c.spikes_BTN[0][0].length;
      assertClose(bitsPerSpike(rates_BTN, spikes_BTN, N), c.bits_per_spike, 1e-12);
      assertClose(poissonNll(rates_BTN, spikes_BTN, { zeroRate: 1e-9 }), c.nll, 1e-12);
    }
  },
});

/** Rates, and counts drawn from them, of 2 to 4 neurons over 5 rows; at least one spike. */
const recording = fc
  .record({
    N: fc.integer({ min: 2, max: 4 }),
    rates: fc.array(fc.double({ min: 0.01, max: 8, noNaN: true }), {
      minLength: 20,
      maxLength: 20,
    }),
    seed: fc.nat(),
  })
  .map(({ N, rates, seed }) => {
    const rates_BTN = Float64Array.from(rates.slice(0, 5 * N));
    const counts_BTN = Array.from(sampleCounts(rates_BTN, { trials: 1, T: 5, N }, seed));
    return { N, rates_BTN, counts_BTN };
  })
  .filter(({ counts_BTN }) => counts_BTN.some((count) => count > 0));

Deno.test("the null model has 0 bits per spike", () => {
  fc.assert(fc.property(recording, ({ N, counts_BTN }) => {
    const null_BTN = repeatRates(nullRates(counts_BTN, N), counts_BTN.length / N);
    assert.equal(bitsPerSpike(null_BTN, counts_BTN, N), 0);
  }));
});

Deno.test("rates scaled by s change bits per spike by log2 s less the surplus they expect", () => {
  fc.assert(fc.property(recording, fc.double({ min: 0.1, max: 4, noNaN: true }), (data, scale) => {
    const { N, rates_BTN, counts_BTN } = data;
    const spikes = counts_BTN.reduce((sum, count) => sum + count, 0);
    const expected = rates_BTN.reduce((sum, rate) => sum + rate, 0);
    const change = bitsPerSpike(rates_BTN.map((r) => r * scale), counts_BTN, N) -
      bitsPerSpike(rates_BTN, counts_BTN, N);
    const exact = Math.log2(scale) - (scale - 1) * expected / spikes / Math.LN2;
    // Sums of 20 terms below 100, divided by at least one spike: rounding stays below 1e-11.
    assert.ok(Math.abs(change - exact) < 1e-11);
  }));
});

Deno.test("bits per spike do not change when the recording is repeated or its neurons change places", () => {
  fc.assert(fc.property(recording, ({ N, rates_BTN, counts_BTN }) => {
    const once = bitsPerSpike(rates_BTN, counts_BTN, N);
    const twice = bitsPerSpike([...rates_BTN, ...rates_BTN], [...counts_BTN, ...counts_BTN], N);
    assert.ok(Math.abs(once - twice) < 1e-11);
    const mirrored = bitsPerSpike(rates_BTN.toReversed(), counts_BTN.toReversed(), N);
    assert.ok(Math.abs(once - mirrored) < 1e-11);
  }));
});

Deno.test("a bin marked NaN counts for nothing, whatever its rate", () => {
  const rates = [0.5, 1, 2, 0.7, 1.5, 0.2], spikes = [1, 0, 3, 1, 1, 0];
  const marked = (rate: number) => bitsPerSpike([...rates, rate, 1], [...spikes, NaN, 2], 2);
  assert.equal(marked(3), marked(NaN));
  assert.equal(
    poissonNll([...rates, 5], [...spikes, NaN]),
    poissonNll(rates, spikes),
  );
  assert.deepEqual([...nullRates([2, NaN, 4, 1], 2)], [3, 1]);
  assert.deepEqual([...nullRates([2, NaN, 4, NaN], 2)], [3, NaN]);
});

Deno.test("the normalised likelihoods of all counts add up to 1", () => {
  for (const rate of [0.001, 0.7, 4, 300]) {
    let sum = 0;
    for (let count = 0; count < 700; count++) sum += Math.exp(-poissonNll([rate], [count]));
    // Each term's exponent, a sum of terms below 700 ln 700 = 4600, is off by some 1e-12.
    assert.ok(Math.abs(sum - 1) < 1e-11);
  }
});

Deno.test("the likelihood without its constant is less by ln x! and is averaged over trials", () => {
  const rates = [0.5, 2, 3, 1], counts = [0, 5, 300, 2];
  const constant = counts.reduce((sum, count) => sum + lnFactorial(count), 0);
  const full = poissonNll(rates, counts);
  assertClose(full - poissonNll(rates, counts, { normalise: false }), constant, 1e-14);
  assert.equal(poissonNll(rates, counts, { trials: 4 }), full / 4);
});

Deno.test("a spike at rate zero is impossible, unless a zero counts as more", () => {
  assert.equal(poissonNll([0], [0]), 0);
  assert.equal(poissonNll([0], [1]), Infinity);
  assertClose(poissonNll([0], [1], { zeroRate: 1e-9 }), 1e-9 + 9 * Math.LN10, 1e-15);
});

Deno.test("the oracle beats the null model, and explains all of the way from it", () => {
  const trials = 40, T = 25, N = 4;
  const rates = Float64Array.from(
    { length: trials * T * N },
    (_, i) => 1 + 0.8 * Math.sin(i * 0.37) * Math.cos(i * 0.0041),
  );
  const train = sampleCounts(rates, { trials, T, N }, 1);
  const test = sampleCounts(rates, { trials, T, N }, 2);
  const nll = (of: Float64Array) => poissonNll(of, test, { trials });
  const oracle = nll(rates), none = nll(repeatRates(nullRates(train, N), trials * T));
  // The gain has mean Σ r ln(r / r̄) and variance about Σ r ln²(r / r̄): here some 15 deviations.
  assert.ok(oracle < none);
  assert.equal(explained({ null: none, oracle, model: oracle }), 1);
  assert.equal(explained({ null: none, oracle, model: none }), 0);
  assertClose(explained({ null: none, oracle, model: (none + oracle) / 2 }), 0.5, 1e-12);
  assert.ok(bitsPerSpike(rates, test, N) > 0);
});

Deno.test("explained has no unit: it is the same per trial, in sum and in bits", () => {
  const parts = { null: 130, oracle: 100, model: 110 };
  const scaled = { null: 130 / 7, oracle: 100 / 7, model: 110 / 7 };
  assertClose(explained(scaled), explained(parts), 1e-14);
});

Deno.test("R² is 1 for the truth, 0 for each neuron's mean, and the same in any unit", () => {
  const truth = [1, 10, 2, 30, 6, 20], means = repeatRates(nullRates(truth, 2), 3);
  assert.equal(rSquared(truth, truth, 2), 1);
  assert.equal(rSquared(means, truth, 2), 0);
  // Between-neuron differences explain a plain list, and nothing once neurons are told apart.
  assert.ok(rSquared(means, truth) > 0.5);
  const off = [1, 11, 3, 29, 5, 20];
  assertClose(
    rSquared(off.map((x) => 50 * x), truth.map((x) => 50 * x), 2),
    rSquared(off, truth, 2),
    1e-14,
  );
  assert.equal(rSquared([1, 2, 4], [1, 2, 3]), 0.5);
});

Deno.test("a correlation is unchanged by shift and scale, turned by sign, and NaN without variation", () => {
  const x = [1, 4, 2, 8, 5], y = [2, 3, 1, 9, 9];
  const r = pearson(x, y);
  // By hand: means 4 and 4.8; Σ dx dy = 37, Σ dx² = 30, Σ dy² = 60.8.
  assertClose(r, 37 / Math.sqrt(30 * 60.8), 1e-14);
  assertClose(pearson(x.map((v) => 3 * v - 7), y), r, 1e-14);
  assertClose(pearson(x.map((v) => -v), y), -r, 1e-14);
  assert.equal(pearson([0.1, 0.1, 0.1], [1, 2, 4]), NaN);
  assert.equal(rSquared([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]), NaN);
});

Deno.test("R² of the numbers that count is that of a list without the others", () => {
  const truth = [1, 5, NaN, 2, 3, 4, 4, NaN], estimate = [1, 4, 9, NaN, 2, 5, 3, 9];
  const known = (i: number) => !Number.isNaN(truth[i]) && !Number.isNaN(estimate[i]);
  // of the first column 1, 3, 4 count, of the second 5, 4: means 8/3 and 4.5
  const residual = 0 + 1 + 1 + 1 + 1, total = 14 / 3 + 0.5;
  const found = rSquaredWhere(known, estimate, truth, 2);
  assert(Math.abs(found - (1 - residual / total)) < 1e-15, `${found}`);
  // what does not vary has its mean exactly, and so no R²
  const same = [0.1, NaN, 0.1, 0.1];
  assert.equal(rSquaredWhere((i) => i !== 1, same, same, 1), NaN);
});

Deno.test("metrics refuse what they cannot measure, and say what they found", () => {
  const refused: [() => unknown, RegExp][] = [
    [() => poissonNll([1, 2], [1]), /as many rates as counts, found 2 and 1/],
    [() => poissonNll([-1], [1]), /rates of at least 0, found -1 at 0/],
    [() => poissonNll([NaN], [1]), /found NaN/],
    [() => poissonNll([Infinity], [1]), /found Infinity/],
    [() => poissonNll([1], [-1]), /counts of at least 0, found -1/],
    [() => poissonNll([1], [0.5]), /found 0\.5/],
    [() => poissonNll([1], [1], { trials: 0 }), /at least 1 trial, found 0/],
    [() => poissonNll([1], [1], { zeroRate: NaN }), /zeroRate/],
    [() => bitsPerSpike([1, 1], [0, 0], 1), /at least 1 spike, found none/],
    [() => bitsPerSpike([1, 1, 1], [0, 1, 0], 2), /whole row of N values, found 3/],
    [() => bitsPerSpike([1, 1], [0, 1], 2, [1]), /2 null rates, found 1/],
    [() => nullRates([], 1), /at least one whole row/],
    [() => explained({ null: 1, oracle: 2, model: 1 }), /oracle that beats/],
    [() => explained({ null: 1, oracle: 1, model: 1 }), /oracle that beats/],
    [() => explained({ null: Infinity, oracle: 1, model: 1 }), /found negative log-likelihoods/],
    [() => rSquared([1], [1, 2]), /found 1 and 2/],
    [() => pearson([], []), /at least one/],
  ];
  for (const [call, message] of refused) {
    assert.throws(call, (error) => error instanceof InputError && message.test(error.message));
  }
});
