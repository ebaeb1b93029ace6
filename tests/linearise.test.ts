import assert from "node:assert/strict";
import fc from "fast-check";
import { type Cell, cellFromReference, checkCell, jacobian, step } from "../src/analysis/cell.ts";
import { classify, type FixedPointClass } from "../src/analysis/classify.ts";
import { type Complex, type ComplexVector, magnitude, times } from "../src/analysis/complex.ts";
import { eigen } from "../src/analysis/eigen.ts";
import { compareWithWeights, linearise } from "../src/analysis/linearise.ts";
import { frequency, timeConstant } from "../src/analysis/oscillation.ts";
import type { CellKind, Nonlinearity } from "../src/dims.ts";
import { InputError } from "../src/errors.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";

const EPS = Number.EPSILON;

// ---- Jacobians

/** A cell with a state and an input, all numbers in [-1, 1]. */
function cells(
  kind: CellKind,
  nonlinearity: Nonlinearity,
): fc.Arbitrary<{ cell: Cell; h: Float64Array; u: Float64Array }> {
  const numbers = (n: number) =>
    fc.float64Array({ min: -1, max: 1, noNaN: true, minLength: n, maxLength: n });
  const gru = kind === "gru";
  return fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 7 })).chain(([G, U]) =>
    fc.record({
      cell: fc.record({
        kind: fc.constant(kind),
        nonlinearity: fc.constant(nonlinearity),
        G: fc.constant(G),
        U: fc.constant(U),
        wInput: numbers(U * G * (gru ? 3 : 1)),
        wRecurrent: numbers(G * G * (gru ? 2 : 1)),
        wCandidate: numbers(gru ? G * G : 0),
        b: numbers(G * (gru ? 3 : 1)),
      }),
      h: numbers(G),
      u: numbers(U),
    })
  );
}

const DELTA = 1e-5;
/**
 * Central differences are off by δ²/6 |F'''| and by the rounding of F over δ. With all numbers in
 * [-1, 1] and at most 7 units a GRU's third derivatives stay below 60 (its candidate's
 * pre-activation has derivatives up to 2.75, 1.2 and 1.2, and |tanh'''| ≤ 2, |tanh''| < 0.77), a
 * vanilla cell's below 2; a sum of 15 products and an exponential round to within 50 ε.
 */
const DIFFERENCES = 10 * DELTA ** 2 + 50 * EPS / DELTA;

function assertDerivative(found: number, plus: number, minus: number) {
  const expected = (plus - minus) / (2 * DELTA);
  assert.ok(Math.abs(found - expected) <= DIFFERENCES, `found ${found}, by difference ${expected}`);
}

for (
  const [kind, nonlinearity] of [
    ["vanilla", "tanh"],
    ["vanilla", "relu"],
    ["vanilla", "identity"],
    ["gru", "tanh"],
  ] as const
) {
  Deno.test(`Jacobians are the limits of differences (${kind}, ${nonlinearity})`, () => {
    fc.assert(
      fc.property(cells(kind, nonlinearity), ({ cell, h, u }) => {
        const { G, U } = cell;
        if (nonlinearity === "relu") {
          // not at the kink: a pre-activation moves by at most δ
          fc.pre(
            step({ ...cell, nonlinearity: "identity" }, h, u).every((x) => Math.abs(x) > 1e-4),
          );
        }
        const { dFdh_GG, dFdu_GU } = jacobian(cell, h, u);
        const shifted = (x: Float64Array, j: number, by: number) =>
          x.map((value, i) => i === j ? value + by : value);
        for (let j = 0; j < G; j++) {
          const plus = step(cell, shifted(h, j, DELTA), u);
          const minus = step(cell, shifted(h, j, -DELTA), u);
          for (let i = 0; i < G; i++) assertDerivative(dFdh_GG[i * G + j], plus[i], minus[i]);
        }
        for (let x = 0; x < U; x++) {
          const plus = step(cell, h, shifted(u, x, DELTA));
          const minus = step(cell, h, shifted(u, x, -DELTA));
          for (let i = 0; i < G; i++) assertDerivative(dFdu_GU[i * U + x], plus[i], minus[i]);
        }
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("an identity cell's Jacobian is its weights", () => {
  const wA = [[1, 2], [3, 4]], wB = [[5], [6]];
  const cell = cellFromReference({ wA, wB, wb: [7, 8] }, "identity");
  assert.deepEqual(jacobian(cell, [0.5, -1], [2]), {
    dFdh_GG: Float64Array.from(wA.flat()),
    dFdu_GU: Float64Array.from(wB.flat()),
  });
  // A h + B u + b
  assert.deepEqual(step(cell, [0.5, -1], [2]), Float64Array.of(0.5 - 2 + 10 + 7, 1.5 - 4 + 12 + 8));
});

Deno.test("a GRU with zero weights keeps sigmoid(0.5) of its state", () => {
  const cell = cellFromReference({ wRUHX: [[0], [0]], wCHX: [[0]], bRU: [0, 0], bC: [0] });
  const keep = 1 / (1 + Math.exp(-0.5));
  assert.equal(step(cell, [2], [])[0], 2 * keep);
  assert.equal(jacobian(cell, [2], []).dFdh_GG[0], keep);
});

Deno.test("a cell whose arrays do not fit is refused by name", () => {
  const cell = cellFromReference({ wA: [[1]], wB: [[]], wb: [0] });
  const says = (broken: Partial<Cell>, message: RegExp) =>
    assert.throws(() => checkCell({ ...cell, ...broken }), (error) => {
      return error instanceof InputError && message.test(error.message);
    });
  says({ wRecurrent: new Float64Array(2) }, /1 numbers in wRecurrent, found 2/);
  says({ kind: "gru" }, /gru.* 2 numbers in wRecurrent, found 1/);
  says({ b: Float64Array.of(NaN) }, /finite numbers in b, found NaN at 0/);
  says({ U: 1 }, /1 numbers in wInput, found 0/);
  says({ G: 0 }, /found G = 0/);
  assert.throws(
    () => cellFromReference({ wA: [[1, 0], [0]], wB: [[], []], wb: [0, 0] }),
    /wA: expected 2 rows of at least 2 columns, found 2 rows of 1/,
  );
});

// ---- eigenvalues

const matrixOf = (entry: fc.Arbitrary<number>) =>
  fc.integer({ min: 1, max: 7 }).chain((n) =>
    fc.record({
      n: fc.constant(n),
      J: fc.array(entry, { minLength: n * n, maxLength: n * n }).map((x) => Float64Array.from(x)),
    })
  );
/**
 * Small whole numbers make singular, repeated and defective matrices often; powers of ten with zeros
 * between make graded ones, such as saturated units give, on which EISPACK's iteration need not end.
 */
const matrices = fc.oneof(
  matrixOf(fc.double({ min: -2, max: 2, noNaN: true })),
  matrixOf(fc.integer({ min: -1, max: 1 })),
  matrixOf(fc.oneof(fc.constant(0), fc.integer({ min: -30, max: 0 }).map((x) => 10 ** x))),
);

function dot(a: ComplexVector, b: ComplexVector): Complex {
  let re = 0, im = 0;
  for (let i = 0; i < a.re.length; i++) {
    re += a.re[i] * b.re[i] - a.im[i] * b.im[i];
    im += a.re[i] * b.im[i] + a.im[i] * b.re[i];
  }
  return { re, im };
}

const frobenius = (x: Float64Array) => Math.hypot(...x);

Deno.test("eigenvalues come by falling magnitude, conjugates side by side, positive imaginary first", () => {
  fc.assert(
    fc.property(matrices, ({ n, J }) => {
      const { pairs } = eigen(J, n);
      assert.equal(pairs.length, n);
      for (let i = 0; i < n; i++) {
        const { re, im } = pairs[i].value;
        if (i > 0) assert.ok(magnitude(pairs[i - 1].value) >= magnitude(pairs[i].value));
        if (im === 0) continue;
        assert.ok(im > 0);
        assert.deepEqual(pairs[++i].value, { re, im: -im });
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("the equations of the right vectors hold to rounding, for defective matrices too", () => {
  fc.assert(
    fc.property(matrices, ({ n, J }) => {
      const { pairs, residual } = eigen(J, n);
      // Householder and QR are backward stable: n² ε relative to ‖J‖, times a modest constant
      assert.ok(residual <= 20 * n * n * EPS, `residual ${residual}`);
      for (const { right } of pairs) {
        const length = Math.hypot(frobenius(right.re), frobenius(right.im));
        assert.ok(Math.abs(length - 1) <= 2 * n * EPS);
      }
      const trace = pairs.reduce((sum, { value }) => sum + value.re, 0);
      const expected = Array.from({ length: n }, (_, i) => J[i * n + i]).reduce((a, b) => a + b);
      // denormal eigenvalues round to multiples of the smallest number
      const bound = 20 * n * n * EPS * frobenius(J) + n * Number.MIN_VALUE;
      assert.ok(Math.abs(trace - expected) <= bound);
    }),
    { numRuns: 300 },
  );
});

Deno.test("left and right vectors are each other's inverse, as far as the condition number lets them", () => {
  let complete = 0;
  fc.assert(
    fc.property(matrices, ({ n, J }) => {
      const { pairs, condition } = eigen(J, n);
      if (pairs.some(({ left }) => left === null)) return; // the next tests
      complete++;
      const bound = 20 * n * n * EPS * condition;
      for (const [i, a] of pairs.entries()) {
        assert.ok(a.left);
        for (const [j, b] of pairs.entries()) {
          const product = dot(a.left, b.right);
          assert.ok(Math.hypot(product.re - (i === j ? 1 : 0), product.im) <= bound);
        }
        // left J = value left, where J's own error counts ‖left‖ times and the inverse's ‖V⁻¹‖
        for (let j = 0; j < n; j++) {
          const column = { re: J.filter((_, k) => k % n === j), im: new Float64Array(n) };
          const found = dot(a.left, column);
          const expected = times(a.value, { re: a.left.re[j], im: a.left.im[j] });
          const error = Math.hypot(found.re - expected.re, found.im - expected.im);
          // products of denormals round to multiples of the smallest number, and so does the value,
          // which ‖left‖ (at most the condition number) multiplies
          const denormal = 4 * n * (1 + condition) * Number.MIN_VALUE;
          const most = bound * condition * frobenius(J) + denormal;
          assert.ok(error <= most, `${error} > ${most}`);
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(complete > 150, `only ${complete} matrices had all left vectors`);
});

Deno.test("a defective matrix has no left vectors, and a condition number that says why", () => {
  const jordan = eigen(Float64Array.of(0.5, 1, 0, 0.5), 2);
  assert.ok(jordan.condition > 1e15);
  for (const { value, left } of jordan.pairs) {
    assert.equal(left, null);
    // a double eigenvalue of a matrix of size ‖J‖ = 1.2 moves by √ε
    assert.ok(Math.hypot(value.re - 0.5, value.im) <= 4 * Math.sqrt(EPS));
  }
});

Deno.test("a long Jordan block does not overflow", () => {
  // each vector of an n-fold eigenvalue is 1/ε longer than the one before: 1e470 for the last of 31
  const n = 31;
  const J = new Float64Array(n * n);
  for (let i = 0; i + 1 < n; i++) J[i * n + i + 1] = 1;
  const { pairs, residual } = eigen(J, n);
  assert.ok(residual <= 20 * n * n * EPS);
  for (const { left, right } of pairs) {
    assert.equal(left, null);
    assert.ok(Math.abs(frobenius(right.re) - 1) <= 2 * n * EPS);
  }
});

Deno.test("equal magnitudes come by falling real part", () => {
  const { pairs } = eigen(Float64Array.of(-1, 0, 0, 0, 1, 0, 0, 0, -2), 3);
  assert.deepEqual(pairs.map(({ value }) => value.re), [-2, 1, -1]);
});

Deno.test("of a matrix that is defective in part the healthy modes keep their left vectors", () => {
  const J = Float64Array.of(0.5, 1, 0, 0, 0.5, 0, 0, 0, 0.9);
  const { pairs } = eigen(J, 3);
  assert.deepEqual(pairs.map(({ left }) => left !== null), [true, false, false]);
  assert.deepEqual(pairs[0].left, { re: Float64Array.of(0, 0, 1), im: new Float64Array(3) });
});

Deno.test("near a defective matrix the condition is 1/(2 √δ)", () => {
  // [[1, 1], [δ, 1]] has values 1 ± √δ and vectors [1, ±√δ]: condition (1 + δ) / (2 √δ)
  for (const delta of [1e-2, 1e-6, 1e-10]) {
    for (const { condition } of eigen(Float64Array.of(1, 1, delta, 1), 2).pairs) {
      const expected = (1 + delta) / (2 * Math.sqrt(delta));
      // itself known to about its own size times ε, twice: values and vectors
      assert.ok(Math.abs(condition / expected - 1) <= 20 * EPS * expected ** 2);
    }
  }
});

Deno.test("a symmetric matrix has perfectly conditioned eigenvalues", () => {
  const { pairs, condition } = eigen(Float64Array.of(2, 1, 0, 1, 3, 1, 0, 1, 1), 3);
  for (const pair of pairs) assert.ok(Math.abs(pair.condition - 1) <= 20 * EPS);
  assert.ok(Math.abs(condition - 3) <= 60 * EPS);
});

Deno.test("a cyclic permutation has the roots of unity", () => {
  for (let n = 2; n <= 9; n++) {
    const J = new Float64Array(n * n);
    for (let i = 0; i < n; i++) J[i * n + (i + 1) % n] = 1;
    const turns = eigen(J, n).pairs.map(({ value }) => {
      assert.ok(Math.abs(magnitude(value) - 1) <= 20 * n * EPS);
      return n * frequency(value);
    }).sort((a, b) => a - b);
    // k/n turns for k from -⌈n/2⌉ + 1 to ⌊n/2⌋
    for (const [i, turn] of turns.entries()) {
      assert.ok(Math.abs(turn - (i + 1 - Math.ceil(n / 2))) <= 20 * n * n * EPS);
    }
  }
});

Deno.test("the values and vectors of 100 units are found to rounding, in conjugate pairs", () => {
  const n = 100;
  const J = fillNormal({ ...seedWords(3), stream: STREAMS.initialise }, 0, new Float64Array(n * n));
  const { pairs, residual } = eigen(J, n);
  assert.ok(residual <= n * EPS, `${residual}`); // roundings add up like their square root
  // Σ λ² is the trace of J²
  let expected = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) expected += J[i * n + j] * J[j * n + i];
  const found = pairs.reduce((sum, { value }) => sum + value.re ** 2 - value.im ** 2, 0);
  // each of n values is off by its condition, here below 100, times n ε ‖J‖, and ‖J‖ = n
  assert.ok(pairs.every(({ condition }) => condition < 100));
  assert.ok(Math.abs(found - expected) <= n * 100 * n * EPS * n);
});

Deno.test("a matrix times a power of two has its eigenvalues times that, exactly, near overflow too", () => {
  const J = Float64Array.of(0.5, 1.25, -0.75, 0.125);
  const values = eigen(J, 2).pairs.map(({ value }) => value);
  for (const factor of [2 ** -1000, 2 ** -3, 2 ** 1000]) {
    assert.deepEqual(
      eigen(J.map((x) => x * factor), 2).pairs.map(({ value }) => value),
      values.map(({ re, im }) => ({ re: re * factor, im: im * factor })),
    );
  }
});

Deno.test("a matrix with NaN is refused", () => {
  assert.throws(() => eigen(Float64Array.of(NaN), 1), InputError);
  assert.throws(() => eigen(Float64Array.of(1, 2), 2), InputError);
});

// ---- modes

Deno.test("a rotation by 2π·3 Hz that loses 1/e in 0.5 s has that frequency and time constant", () => {
  const dt = 0.02, angle = 2 * Math.PI * 3 * dt, decay = Math.exp(-dt / 0.5);
  const [c, s] = [decay * Math.cos(angle), decay * Math.sin(angle)];
  const cell = cellFromReference(
    { wA: [[c, -s], [s, c]], wB: [[], []], wb: [0, 0] },
    "identity",
  );
  const { modes, unit, classification } = linearise(cell, [0, 0], [], { binWidth: dt });
  assert.equal(unit, "s");
  assert.equal(classification.name, "stable focus");
  for (const [i, mode] of modes.entries()) {
    // λ rounds to a few ε; the time constant magnifies that by 1 / (1 - |λ|) = 25
    assert.ok(Math.abs(mode.timeConstant / 0.5 - 1) <= 200 * EPS);
    assert.ok(Math.abs(mode.frequency / (i === 0 ? 3 : -3) - 1) <= 20 * EPS);
  }
});

Deno.test("the time constant is infinite at 1, 0 at 0, negative beyond 1, and counts bins without a width", () => {
  assert.equal(timeConstant({ re: 1, im: 0 }), Infinity);
  assert.equal(timeConstant({ re: -1, im: 0 }, 0.01), Infinity);
  assert.equal(timeConstant({ re: 0, im: 1 }, 0.01), Infinity);
  assert.equal(timeConstant({ re: 0, im: 0 }), 0);
  // ln magnifies λ's rounding, ε / 2, by 1 / 0.25
  assert.ok(Math.abs(timeConstant({ re: Math.exp(-0.25), im: 0 }) / 4 - 1) <= 4 * EPS);
  assert.ok(Math.abs(timeConstant({ re: Math.exp(0.25), im: 0 }, 2) / -8 - 1) <= 4 * EPS);
});

Deno.test("the frequency is half a turn per bin for a flip, 0 for a real decay, signed for a pair", () => {
  assert.equal(frequency({ re: -0.5, im: 0 }), 0.5);
  assert.equal(frequency({ re: 0.5, im: 0 }), 0);
  assert.equal(frequency({ re: 0, im: 0.5 }), 0.25);
  assert.equal(frequency({ re: 0, im: -0.5 }, 0.25), -1);
});

Deno.test("a state's amount of a mode is multiplied by its eigenvalue in every bin", () => {
  const cell = cellFromReference(
    { wA: [[0.9, -0.3, 0.1], [0.2, 0.8, 0.4], [0, 0.1, -0.5]], wB: [[], [], []], wb: [0, 0, 0] },
    "identity",
  );
  const h = Float64Array.of(0.3, -0.7, 0.2);
  const zero = new Float64Array(3);
  for (const { left, value } of linearise(cell, h, []).modes) {
    assert.ok(left);
    const before = dot(left, { re: h, im: zero });
    const after = dot(left, { re: step(cell, h, []), im: zero });
    const expected = times(value, before);
    assert.ok(Math.hypot(after.re - expected.re, after.im - expected.im) <= 100 * EPS);
  }
});

// ---- J beside A

Deno.test("with tanh at the origin the Jacobian is A", () => {
  const wA = [[0.98, -0.2], [0.2, 0.98]];
  const cell = cellFromReference({ wA, wB: [[], []], wb: [0, 0] });
  const comparison = compareWithWeights(cell, [0, 0], []);
  assert.deepEqual(comparison.A_GG, Float64Array.from(wA.flat()));
  assert.deepEqual(comparison.J_GG, comparison.A_GG);
  assert.deepEqual(comparison.gains_G, Float64Array.of(1, 1));
  assert.deepEqual(comparison.eigenvaluesJ, comparison.eigenvaluesA);
  assert.equal(comparison.difference, 0);
  assert.match(comparison.words, /equals A.* 0\.980 ± 0\.200i/);
});

Deno.test("away from the origin row i of the Jacobian is row i of A times the slope of unit i", () => {
  fc.assert(
    fc.property(cells("vanilla", "tanh"), ({ cell, h, u }) => {
      const { G } = cell;
      const { A_GG, J_GG, gains_G, difference, relative } = compareWithWeights(cell, h, u);
      let sum = 0;
      for (let i = 0; i < G; i++) {
        for (let j = 0; j < G; j++) {
          assert.equal(A_GG[i * G + j], cell.wRecurrent[j * G + i]);
          assert.equal(J_GG[i * G + j], gains_G[i] * A_GG[i * G + j]);
          sum += (J_GG[i * G + j] - A_GG[i * G + j]) ** 2;
        }
      }
      assert.ok(Math.abs(difference - Math.sqrt(sum)) <= G * G * EPS * difference);
      assert.ok(Number.isNaN(relative) || relative <= 1); // slopes of tanh are at most 1
    }),
  );
});

Deno.test("a GRU's Jacobian is not compared with a weight matrix", () => {
  const cell = cellFromReference({ wRUHX: [[0], [0]], wCHX: [[0]], bRU: [0, 0], bC: [0] });
  assert.throws(() => compareWithWeights(cell, [0], []), /expected a vanilla cell, found a gru/);
});

// ---- names

const real = (...values: number[]): Complex[] => values.map((re) => ({ re, im: 0 }));
/** A conjugate pair of this magnitude, a tenth of a turn. */
const pair = (size: number): Complex[] => {
  const [re, im] = [size * Math.cos(Math.PI / 5), size * Math.sin(Math.PI / 5)];
  return [{ re, im }, { re, im: -im }];
};

for (
  const [name, eigenvalues] of [
    ["stable node", real(0.9, 0.5)],
    ["stable node", real(-0.9)],
    ["stable node", [...real(0.9), ...pair(0.5)]],
    ["stable focus", pair(0.9)],
    ["stable focus", [...pair(0.9), ...real(0.5)]],
    ["unstable node", real(1.5, 1.1)],
    ["unstable node", real(1.5, 1)],
    ["unstable focus", pair(1.1)],
    ["unstable focus", [...real(1.1), ...pair(1.5)]],
    ["saddle", real(1.5, 0.5)],
    ["saddle", real(-1.5, 1, 0.5)],
    ["saddle", [...real(1.5, 0.9), ...pair(0.5)]],
    ["saddle-focus", [...real(1.5), ...pair(0.5)]],
    ["saddle-focus", [...pair(1.5), ...real(0.5)]],
    ["centre", pair(1)],
    ["centre", [...pair(1), ...real(0.5)]],
    ["centre", [...real(1), ...pair(1)]],
    ["centre", [{ re: 0.98, im: 0.2 }, { re: 0.98, im: -0.2 }]],
    ["marginal", real(1, 0.5)],
    ["marginal", real(-1)],
    ["marginal", [...real(1), ...pair(0.9)]],
  ] as [FixedPointClass, Complex[]][]
) {
  const values = eigenvalues.map(({ re, im }) => im === 0 ? `${re}` : `${re} + ${im}i`).join(", ");
  Deno.test(`a point with eigenvalues ${values} is a ${name}, in any order`, () => {
    assert.equal(classify(eigenvalues).name, name);
    assert.equal(classify(eigenvalues.toReversed()).name, name);
  });
}

Deno.test("a magnitude at the tolerance is neutral, one beyond it is not", () => {
  const tolerance = 2 ** -10; // 1 ± tolerance and its neighbours are then exact
  const names = (size: number) => [
    classify(real(size), tolerance).name,
    classify([{ re: 0, im: size }, { re: 0, im: -size }], tolerance).name,
  ];
  assert.deepEqual(names(1 + tolerance), ["marginal", "centre"]);
  assert.deepEqual(names(1 + tolerance + EPS), ["unstable node", "unstable focus"]);
  assert.deepEqual(names(1 - tolerance), ["marginal", "centre"]);
  assert.deepEqual(names(1 - tolerance - EPS), ["stable node", "stable focus"]);
});

Deno.test("growing, neutral and decaying modes are counted", () => {
  const { growing, neutral, decaying, tolerance } = classify([...real(1.2, 1, 0), ...pair(0.5)]);
  assert.deepEqual({ growing, neutral, decaying }, { growing: 1, neutral: 1, decaying: 3 });
  assert.equal(tolerance, 1e-3);
});

Deno.test("no eigenvalues or no tolerance have no name", () => {
  assert.throws(() => classify([]), InputError);
  assert.throws(() => classify(real(1), NaN), InputError);
  assert.throws(() => classify(real(1), 1), InputError);
});
