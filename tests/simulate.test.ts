/**
 * Statistical bounds hold with a false-alarm probability of at most ALARM each over the choice of seed
 * (see src/analysis/statistics.ts); seeds are fixed, so the tests are deterministic. Fewer than 100
 * bounds are looked at: an exact sampler would have failed on fewer than 1 in 10 000 choices of seed.
 */
import assert from "node:assert/strict";
import { bernsteinBound, chiSquare, chiSquareBound } from "../src/analysis/statistics.ts";
import { lnFactorial, poisson, sampleCounts } from "../src/data/poisson.ts";
import { simulateLorenz, simulateRotation } from "../src/data/simulate.ts";
import { simulateDriven } from "../src/data/simulate_driven.ts";
import { InputError } from "../src/errors.ts";
import { PURPOSES, seedWords, STREAMS } from "../src/random.ts";

const ALARM = 1e-6;
const at = { ...seedWords(99), stream: STREAMS.poisson };

type Sampler = (row: number, column: number, rate: number) => number;
const exact: Sampler = (row, column, rate) => poisson(at, row, column, rate);

Deno.test("ln n! is the logarithm of the product, below and above the table's end", () => {
  assert.equal(lnFactorial(0), 0);
  assert.equal(lnFactorial(1), 0);
  for (const n of [2, 3, 10, 100, 255, 256, 257, 1000, 5000]) {
    // The product in whole numbers; its logarithm from the leading 60 bits.
    let product = 1n;
    for (let k = 2n; k <= BigInt(n); k++) product *= k;
    const shift = Math.max(0, product.toString(2).length - 60);
    const ln = Math.log(Number(product >> BigInt(shift))) + shift * Math.LN2;
    // A handful of roundings of results of this size.
    assert.ok(Math.abs(lnFactorial(n) - ln) <= 8 * Number.EPSILON * ln, `${n}`);
  }
});

/**
 * Chi-square of `n` draws against exact probabilities, less its bound: positive when the sampler is to
 * blame. Cells are counts; those with an expected number below 10 at either end are merged.
 */
function excess(draw: Sampler, rate: number, n: number): number {
  const observed: number[] = [], expected: number[] = [];
  const seen = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    const count = draw(i >> 10, i & 1023, rate);
    assert.ok(Number.isSafeInteger(count) && count >= 0);
    seen.set(count, (seen.get(count) ?? 0) + 1);
  }
  const last = Math.ceil(rate + 20 * Math.sqrt(rate) + 20);
  let open = 0, openSeen = 0, closed = 0, closedSeen = 0;
  for (let count = 0; count <= last; count++) {
    open += n * Math.exp(count * Math.log(rate) - rate - lnFactorial(count));
    openSeen += seen.get(count) ?? 0;
    if (open < 10 || n - closed - open < 10) continue;
    observed.push(openSeen);
    expected.push(open);
    closed += open;
    closedSeen += openSeen;
    open = openSeen = 0;
  }
  observed.push(n - closedSeen);
  expected.push(n - closed);
  return chiSquare(observed, expected) - chiSquareBound(expected.length - 1, ALARM);
}

const RATES = [1e-3, 0.5, 3, 9.9, 10.1, 50, 1000];

Deno.test("counts follow the Poisson distribution at small and large rates", () => {
  for (const rate of RATES) assert.ok(excess(exact, rate, 1 << 17) <= 0, `rate ${rate}`);
});

Deno.test("the same test sees a rounded normal, a missing tail and a rate 2 % too high", () => {
  const normal: Sampler = (row, column, rate) => {
    const sum = [0, 1, 2].reduce((s, k) => s + poisson(at, row + 1000 * k, column, 1000), -3000);
    return Math.max(0, Math.round(rate + Math.sqrt(rate / 3000) * sum));
  };
  assert.ok(excess(normal, 50, 1 << 17) > 0);
  // A sampler that forgets the tail: counts beyond 2.5 deviations fall back on the mean.
  const noTail: Sampler = (row, column, rate) => {
    const count = poisson(at, row, column, rate);
    return count > rate + 2.5 * Math.sqrt(rate) ? Math.round(rate) : count;
  };
  const high: Sampler = (row, column, rate) => poisson(at, row, column, 1.02 * rate);
  for (const rate of [3, 9.9, 10.1, 50, 1000]) {
    assert.ok(excess(noTail, rate, 1 << 17) > 0, `no tail at ${rate}`);
    assert.ok(excess(high, rate, 1 << 17) > 0, `too high at ${rate}`);
  }
});

Deno.test("a rate of zero gives no spikes", () => {
  for (let i = 0; i < 100; i++) assert.equal(poisson(at, i, i, 0), 0);
});

Deno.test("rates that are NaN, negative, infinite or too large are refused", () => {
  for (const rate of [NaN, -1, -1e-300, Infinity, -Infinity, 1.1e8]) {
    assert.throws(
      () => poisson(at, 3, 4, rate),
      (error) =>
        error instanceof InputError && error.message.includes(`found ${rate} in row 3, column 4`),
    );
  }
  assert.ok(Math.abs(poisson(at, 0, 0, 1e8) - 1e8) < 1e5);
});

Deno.test("a count is decided by its address alone", () => {
  const rates = [0.5, 30, 4, 200];
  const forward = rates.map((rate, n) => poisson(at, 8, n, rate));
  const backward = rates.toReversed().map((rate, n) => poisson(at, 8, 3 - n, rate)).toReversed();
  assert.deepEqual(forward, backward);
  const alone = sampleCounts(Float64Array.of(30), { trials: 1, T: 1, N: 1 }, 4)[0];
  assert.equal(
    sampleCounts(Float64Array.of(30, 7, 9e3, 2), { trials: 2, T: 1, N: 2 }, 4)[0],
    alone,
  );
});

Deno.test("counts of neighbouring neurons, bins, seeds and purposes are uncorrelated", () => {
  const rows = 1 << 10, N = 32, rate = 12;
  const draw = (seed: number) =>
    sampleCounts(new Float64Array(rows * N).fill(rate), { trials: 1, T: rows, N }, seed);
  const a = draw(1), other = draw(2);
  const related = (b: ArrayLike<number>, lag: number): boolean => {
    let sum = 0, terms = 0;
    for (let i = 0; i + lag < a.length; i++, terms++) sum += (a[i] - rate) * (b[i + lag] - rate);
    // Products of two independent counts less their means: variance rate². At 3e4 terms the sum is
    // normal to the accuracy needed; 5 deviations have a false-alarm probability of 5.7e-7.
    return Math.abs(sum) > 5 * rate * Math.sqrt(terms);
  };
  assert.ok(!related(a, 1) && !related(a, N) && !related(other, 0));
  const generated = sampleCounts(
    new Float64Array(rows * N).fill(rate),
    { trials: 1, T: rows, N },
    1,
    PURPOSES.posterior,
  );
  assert.ok(!related(generated, 0));
  // One row in 16 of the other seed's taken from this one is seen.
  const leaky = other.map((count, i) => i % (16 * N) < N ? a[i] : count);
  assert.ok(related(leaky, 0));
});

Deno.test("counts take one byte where all fit and two otherwise; more is refused", () => {
  const shape = { trials: 1, T: 1, N: 2 };
  assert.ok(sampleCounts(Float64Array.of(1, 2), shape, 0) instanceof Uint8Array);
  const wide = sampleCounts(Float64Array.of(1, 5000), shape, 0);
  assert.ok(wide instanceof Uint16Array && Math.abs(wide[1] - 5000) < 600);
  assert.throws(() => sampleCounts(Float64Array.of(1, 1e5), shape, 0), /found \d+ at \[0, 0, 1\]/);
  assert.throws(() => sampleCounts(Float64Array.of(1), shape, 0), /1 × 1 × 2 = 2 rates, found 1/);
});

// ---------------------------------------------------------------------------------------------------

Deno.test("the rotation's latents stay on the circle and turn by asin(w) in each bin", () => {
  for (const w of [0.2, -0.5, 1]) {
    const { truth, T, trials } = simulateRotation({ trials: 5, T: 40, N: 3, w, seed: 6 });
    assert.ok(truth);
    const { latents_BTL } = truth;
    for (let row = 0; row < trials * T; row++) {
      const [x, y] = latents_BTL.subarray(2 * row, 2 * row + 2);
      // 40 products of a matrix whose entries are off by half a unit in the last place.
      assert.ok(Math.abs(Math.hypot(x, y) - 1) < 1e-13);
      if (row % T === 0) continue;
      const [px, py] = latents_BTL.subarray(2 * row - 2, 2 * row);
      // From (sin a, cos a) to (sin(a + asin w), cos(a + asin w)).
      assert.ok(Math.abs(x * py - y * px - w) < 1e-13);
    }
    assert.deepEqual(truth.A?.[0][1], w);
  }
});

Deno.test("the rotation's first bin is one turn past its start, whose octant is the condition", () => {
  const w = 0.2, data = simulateRotation({ trials: 4000, T: 1, N: 1, seed: 1 });
  const { truth, condition } = data;
  assert.ok(truth && condition);
  const octants = new Float64Array(8);
  condition.forEach((octant, b) => {
    const [x, y] = truth.latents_BTL.subarray(2 * b, 2 * b + 2);
    const start = Math.atan2(x, y) - Math.asin(w);
    const turn = (start / (2 * Math.PI) + 0.5 + 1) % 1;
    assert.ok(Math.abs(8 * turn - octant - 0.5) < 0.5 + 1e-9, `trial ${b}`);
    octants[octant]++;
  });
  // Angles are uniform, so octants fill evenly.
  assert.ok(chiSquare(octants, new Float64Array(8).fill(500)) < chiSquareBound(7, ALARM));
});

Deno.test("the rotation's log-rates are linear in its latents, the same readout for every trial", () => {
  const { truth, trials, T, N } = simulateRotation({ trials: 3, T: 30, N: 5, seed: 2 });
  assert.ok(truth);
  const { rates_BTN, latents_BTL } = truth;
  for (let n = 0; n < N; n++) {
    // Two rows fix the readout; every other row must agree.
    const [x0, y0] = latents_BTL.subarray(0, 2), [x1, y1] = latents_BTL.subarray(10, 12);
    const [l0, l1] = [Math.log(rates_BTN[n]), Math.log(rates_BTN[5 * N + n])];
    const area = x0 * y1 - x1 * y0;
    const wx = (l0 * y1 - l1 * y0) / area, wy = (x0 * l1 - x1 * l0) / area;
    for (let row = 0; row < trials * T; row++) {
      const logRate = wx * latents_BTL[2 * row] + wy * latents_BTL[2 * row + 1];
      // exp and ln lose a unit in the last place, the 2 × 2 solve 1 / area = 1.2 times as much.
      assert.ok(Math.abs(Math.log(rates_BTN[row * N + n]) - logRate) < 1e-13);
    }
  }
});

Deno.test("the rotation's readout is standard normal: squared log-rates average to 1 over neurons", () => {
  const N = 4000, { truth } = simulateRotation({ trials: 1, T: 1, N, seed: 3 });
  assert.ok(truth);
  let square = 0;
  for (const rate of truth.rates_BTN) square += Math.log(rate) ** 2;
  // |h| = 1, so each log-rate is N(0, 1) and its square has variance 2.
  assert.ok(Math.abs(square / N - 1) < 5 * Math.sqrt(2 / N));
});

Deno.test("spikes of a simulation add up to its true rates", () => {
  for (
    const data of [
      simulateRotation({ trials: 20, seed: 5 }),
      simulateLorenz({ trials: 80, conditions: 8, seed: 5 }),
    ]
  ) {
    assert.ok(data.truth);
    const rates = data.truth.rates_BTN;
    const size = data.trials * data.T * data.N;
    assert.equal(rates.length, size);
    assert.equal(data.counts_BTN.length, size);
    let spikes = 0, expected = 0;
    rates.forEach((rate, i) => {
      expected += rate;
      spikes += data.counts_BTN[i];
    });
    // A sum of Poisson counts is one; beyond 1e4 spikes it is normal to the accuracy needed.
    assert.ok(expected > 1e4 && Math.abs(spikes - expected) < 5 * Math.sqrt(expected), data.name);
  }
});

Deno.test("a simulation is the same from the same seed and another from another", () => {
  for (
    const make of [
      (seed: number) => simulateRotation({ trials: 4, T: 6, N: 5, seed }),
      (seed: number) => simulateLorenz({ trials: 4, conditions: 2, T: 6, N: 5, seed }),
    ]
  ) {
    assert.deepEqual(make(7), make(7));
    assert.notDeepEqual(make(7).truth, make(8).truth);
    assert.notDeepEqual(make(7).truth, make(7 + 2 ** 32).truth);
  }
});

Deno.test("more trials leave the first trials of a rotation as they were", () => {
  const few = simulateRotation({ trials: 3, T: 5, N: 4, seed: 1 });
  const many = simulateRotation({ trials: 6, T: 5, N: 4, seed: 1 });
  assert.deepEqual(many.counts_BTN.slice(0, few.counts_BTN.length), few.counts_BTN);
});

// ---------------------------------------------------------------------------------------------------

Deno.test("Lorenz trials of a condition share latents and rates, and differ in their spikes", () => {
  const data = simulateLorenz({ trials: 7, conditions: 3, T: 20, N: 10, seed: 4 });
  const { truth, condition, T, N } = data;
  assert.ok(truth && condition);
  assert.deepEqual([...condition], [0, 1, 2, 0, 1, 2, 0]);
  const trial = (array: ArrayLike<number>, b: number, width: number) =>
    Array.from(array).slice(b * T * width, (b + 1) * T * width);
  assert.deepEqual(trial(truth.latents_BTL, 0, 3), trial(truth.latents_BTL, 3, 3));
  assert.deepEqual(trial(truth.rates_BTN, 1, N), trial(truth.rates_BTN, 4, N));
  assert.notDeepEqual(trial(truth.latents_BTL, 0, 3), trial(truth.latents_BTL, 1, 3));
  assert.notDeepEqual(trial(data.counts_BTN, 0, N), trial(data.counts_BTN, 3, N));
});

Deno.test("Lorenz latents are standardised and follow the system's equations", () => {
  // One Euler step per bin, so that neighbouring bins can be checked against the equations.
  const conditions = 20, T = 400, dt = 0.006;
  const { truth } = simulateLorenz({
    trials: conditions,
    conditions,
    T,
    N: 1,
    binWidth: 0.001,
    dt,
    seed: 8,
  });
  assert.ok(truth);
  const h = truth.latents_BTL, rows = conditions * T;
  for (let l = 0; l < 3; l++) {
    let mean = 0, square = 0;
    for (let i = l; i < h.length; i += 3) mean += h[i] / rows, square += h[i] ** 2 / rows;
    // Sums of 8000 terms of order 1, divided by 8000.
    assert.ok(Math.abs(mean) < 1e-12 && Math.abs(square - 1) < 1e-12);
  }
  // dx / dt = 10 (y - x) in standardised variables is linear in (x, y, 1): three bins fix it, all
  // others agree. The same three numbers for every condition: the scaling is shared.
  const equation = (i: number) => [h[3 * i], h[3 * i + 1], 1, h[3 * i + 3] - h[3 * i]];
  const [a, b, c] = solve3([equation(0), equation(150), equation(300)]);
  assert.ok(Math.abs(a + 10 * dt) < 1e-9, `x decays at sigma: ${a}`);
  for (let i = 0; i < rows - 1; i++) {
    if ((i + 1) % T === 0) continue;
    const [x, y, one, change] = equation(i);
    assert.ok(Math.abs(a * x + b * y + c * one - change) < 1e-9, `row ${i}`);
  }
});

/** Solves three equations p x + q y + r z = s by Cramer's rule. */
function solve3(rows: number[][]): number[] {
  const determinant = (columns: number[]) => {
    const [p, q, r] = columns;
    const m = rows;
    return m[0][p] * (m[1][q] * m[2][r] - m[1][r] * m[2][q]) -
      m[0][q] * (m[1][p] * m[2][r] - m[1][r] * m[2][p]) +
      m[0][r] * (m[1][p] * m[2][q] - m[1][q] * m[2][p]);
  };
  const all = determinant([0, 1, 2]);
  return [determinant([3, 1, 2]) / all, determinant([0, 3, 2]) / all, determinant([0, 1, 3]) / all];
}

Deno.test("Lorenz states correlate as on the attractor", () => {
  const { truth, trials, T } = simulateLorenz({ trials: 65, N: 1, seed: 0 });
  assert.ok(truth);
  const h = truth.latents_BTL;
  // On the attractor d/dt x² averages to 0, so E xy = E x² and the correlation of x and y is the ratio of
  // their deviations, 7.92 / 9.01; x and z are uncorrelated by the symmetry (x, y) → (-x, -y).
  for (const [l, expected] of [[1, 7.92 / 9.01], [2, 0]]) {
    const path = Float64Array.from({ length: trials }, (_, b) => {
      let sum = 0;
      for (let t = 0; t < T; t++) sum += h[(b * T + t) * 3] * h[(b * T + t) * 3 + l];
      return sum / T;
    });
    const mean = path.reduce((sum, value) => sum + value, 0) / trials;
    const square = path.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (trials - 1);
    // Paths are independent: 5 standard errors, estimated from their spread.
    assert.ok(Math.abs(mean - expected) < 5 * Math.sqrt(square / trials), `${l}: ${mean}`);
  }
});

Deno.test("Lorenz rates are the base rate at the mean state, whatever the bins", () => {
  const options = { trials: 2, conditions: 2, T: 10, N: 6, seed: 1, gain: 0 };
  for (const binWidth of [0.002, 0.01, 0.05]) {
    const { truth } = simulateLorenz({ ...options, binWidth });
    assert.ok(truth);
    for (const rate of truth.rates_BTN) {
      assert.ok(Math.abs(rate / (5 * binWidth) - 1) < 1e-14);
    }
  }
  const { truth, binWidth, counts_BTN } = simulateLorenz();
  assert.ok(truth && binWidth);
  const mean = truth.rates_BTN.reduce((sum, rate) => sum + rate, 0) / truth.rates_BTN.length;
  // Log-rates average to ln 5, so rates average to more (Jensen). Their variance is at most 1.9, the
  // largest eigenvalue of the states' correlations, and normal ones would average to 5 e^0.95 = 13;
  // the attractor's states have lighter tails.
  assert.ok(mean / binWidth > 5 && mean / binWidth < 13, `${mean / binWidth}`);
  // Bernstein's inequality holds for Poisson counts with a reach of 1, as limits of sums of 0s and 1s.
  const deviation = bernsteinBound(mean * counts_BTN.length, 1, ALARM);
  const spikes = Array.from(counts_BTN).reduce((sum, count) => sum + count, 0);
  assert.ok(Math.abs(spikes - mean * counts_BTN.length) < deviation);
});

Deno.test("simulators refuse what they cannot use, and name the option", () => {
  const refused: [() => unknown, RegExp][] = [
    [() => simulateRotation({ trials: 0 }), /expected trials to be .*, found 0/],
    [() => simulateRotation({ T: 1.5 }), /expected T to be .*, found 1\.5/],
    [() => simulateRotation({ N: -1 }), /expected N /],
    [() => simulateRotation({ w: 1.01 }), /expected w /],
    [() => simulateRotation({ w: NaN }), /expected w /],
    [() => simulateRotation({ seed: -1 }), /expected seed /],
    [() => simulateRotation({ seed: 2 ** 53 }), /expected seed /],
    [() => simulateRotation({ binWidth: 0 }), /expected binWidth /],
    [() => simulateLorenz({ conditions: 0 }), /expected conditions /],
    [() => simulateLorenz({ trials: 64 }), /expected trials to be a whole number of at least 65/],
    [() => simulateLorenz({ T: 1 }), /expected T /],
    [() => simulateLorenz({ N: 0 }), /expected N /],
    [() => simulateLorenz({ binWidth: -1 }), /expected binWidth /],
    [() => simulateLorenz({ dt: 0 }), /expected dt /],
    [() => simulateLorenz({ speed: Infinity }), /expected speed /],
    [() => simulateLorenz({ baseRate: 0 }), /expected baseRate /],
    [() => simulateLorenz({ gain: -1 }), /expected gain /],
    [() => simulateLorenz({ burnIn: -1 }), /expected burnIn /],
    [() => simulateLorenz({ seed: 0.5 }), /expected seed /],
    [() => simulateLorenz({ binWidth: 0.0105 }), /binWidth \* speed \/ dt to be a whole number/],
    [() => simulateLorenz({ dt: 0.06, trials: 65 }), /expected a dt at which Euler's method/],
  ];
  for (const [call, message] of refused) {
    assert.throws(call, (error) => error instanceof InputError && message.test(error.message));
  }
});

Deno.test("a driven system's latents follow its equation, pushed by the inputs that it keeps", () => {
  const options = {
    trials: 6,
    T: 16,
    N: 4,
    pulses: 3,
    pulse: 2,
    damping: 0.9,
    angle: 0.3,
    seed: 5,
  };
  const data = simulateDriven(options);
  const { latents_BTL, rates_BTN, A } = data.truth!;
  const { shape, data: inputs } = data.behaviour_BTD!.inputs;
  assert.deepEqual(shape, [6, 16, 1]);
  // R(0.3) shrunk to 0.9: its determinant and trace say so
  const [[a, b], [c, d]] = A!;
  assert.ok(
    Math.abs(a * d - b * c - 0.81) < 1e-12 && Math.abs(a + d - 1.8 * Math.cos(0.3)) < 1e-12,
  );
  for (let trial = 0; trial < 6; trial++) {
    let pulses = 0;
    for (let t = 0; t < 16; t++) {
      const at = trial * 16 + t, u = inputs[at];
      pulses += u / 2;
      if (u !== 0) assert.ok(t >= 2 && t < 14 && Number.isInteger(u / 2), `bin ${t}: ${u}`);
      if (t === 0) continue;
      const [x, y] = latents_BTL.subarray(2 * at - 2, 2 * at);
      const wanted = [a * x + b * y + u, c * x + d * y];
      assert.deepEqual([...latents_BTL.subarray(2 * at, 2 * at + 2)], wanted);
    }
    // three of either sign
    assert.ok([-3, -1, 1, 3].includes(pulses), `${pulses}`);
  }
  // where the latents are 0 the rate is 10 per second; log-rates are linear in them, |row| = gain = 1
  for (let i = 0; i < rates_BTN.length; i++) {
    const [x, y] = latents_BTL.subarray(2 * Math.floor(i / 4));
    assert.ok(Math.abs(Math.log(rates_BTN[i] / 0.1)) <= Math.hypot(x, y) * (1 + 1e-12));
  }
  assert.deepEqual(simulateDriven(options), data);
  assert.notDeepEqual(simulateDriven({ ...options, seed: 6 }).counts_BTN, data.counts_BTN);
  for (
    const wrong of [{ damping: 0 }, { damping: 1.1 }, { pulses: 0.5 }, { pulse: NaN }, { T: 1 }]
  ) {
    assert.throws(() => simulateDriven({ ...options, ...wrong }), InputError);
  }
});
