import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { type Cell, cellFromReference, jacobian, speed, step } from "../src/analysis/cell.ts";
import { findFixedPoints, type FixedPointOptions } from "../src/analysis/fixed_points.ts";
import { linearise } from "../src/analysis/linearise.ts";
import { polish } from "../src/analysis/polish.ts";
import { scalars } from "../src/compute/executor.ts";
import type { Args } from "../src/compute/kernels.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { InputError } from "../src/errors.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { fixed_points } from "../src/reference/fixed_points.ts";

const executor = createReferenceExecutor();

// ---- the reference's own numbers

interface Golden {
  readonly params: Parameters<typeof cellFromReference>[0];
  readonly x_star: number[];
  readonly candidates: number[][];
  readonly loss_at_candidates: number[];
  readonly grad_of_mean_loss_at_candidates: number[][];
  readonly jacobians_at_candidates: number[][][];
  readonly points_after_60_adam_steps: number[][];
  readonly loss_after_60_adam_steps: number[];
  readonly true_fixed_points: number[][];
  readonly jacobians_at_true: number[][][];
  readonly eigenvalues_at_true: [re: number, im: number][][];
}

const GOLDEN = ["vanilla_rotation", "vanilla_bistable_input", "gru"] as const;
const golden = (name: string) =>
  new URL(`../../shared/golden/fixed_points_${name}.json`, import.meta.url);
const noGolden = GOLDEN.some((name) => !existsSync(golden(name)));
if (noGolden) {
  console.warn("fixed_points_*.json are not there: the reference's values go unchecked.");
}

/** One test for each golden file. */
function goldenTest(claim: string, test: (known: Golden, cell: Cell) => void | Promise<void>) {
  for (const name of GOLDEN) {
    Deno.test({
      name: `${claim} (${name})`,
      ignore: noGolden,
      fn: () => {
        const known: Golden = JSON.parse(readFileSync(golden(name), "utf8"));
        return test(known, cellFromReference(known.params));
      },
    });
  }
}

/** Both sides are float64 and at most 60 iterations of it: 1e-10 is rounding with a wide margin. */
function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-10) {
  assert.equal(found.length, expected.length);
  const size = Math.max(...Array.from(expected, Math.abs));
  for (let i = 0; i < found.length; i++) {
    const error = Math.abs(found[i] - expected[i]);
    assert.ok(error <= relative * size, `at ${i}: expected ${expected[i]}, found ${found[i]}`);
  }
}

/** The kernel's arguments on copies of the candidates; Adam as the tutorial sets it. */
function kernelArgs(
  cell: Cell,
  candidates: readonly number[][],
  input_U: readonly number[],
  adam: { b1?: number; eps?: number } = {},
): Args<"fixed_points"> {
  const points_KG = Float64Array.from(candidates.flat());
  return {
    wGenInput: cell.wInput,
    wGenRecurrent: cell.wRecurrent,
    wGenCandidate_GG: cell.wCandidate,
    bGen: cell.b,
    input_U: Float64Array.from(input_U),
    points_KG,
    m_KG: new Float64Array(points_KG.length),
    v_KG: new Float64Array(points_KG.length),
    speeds_K: new Float64Array(candidates.length),
    U: cell.U,
    G: cell.G,
    cell: cell.kind === "gru" ? 1 : 0,
    nonlinearity: { tanh: 0, relu: 1, identity: 2 }[cell.nonlinearity],
    b1: 0.9,
    b2: 0.999,
    eps: 1e-5,
    stepSize: 0.2,
    decay: 0.9999,
    ...adam,
  };
}

goldenTest("q at the candidates is the reference's", (known, cell) => {
  assertClose(known.candidates.map((h) => speed(cell, h, known.x_star)), known.loss_at_candidates);
});

goldenTest("the kernel's speeds are q before the last update", (known, cell) => {
  const K = known.candidates.length;
  const args = kernelArgs(cell, known.candidates, known.x_star);
  fixed_points(args, scalars({ B: K, iterations: 1, count: 1 }));
  assertClose(args.speeds_K, known.loss_at_candidates);
});

goldenTest("the gradient is the reference's, each point for itself", (known, cell) => {
  const K = known.candidates.length;
  const args = kernelArgs(cell, known.candidates, known.x_star, { b1: 0 }); // m is then the gradient
  fixed_points(args, scalars({ B: K, iterations: 1, count: 1 }));
  assertClose(args.m_KG.map((x) => x / K), known.grad_of_mean_loss_at_candidates.flat());
});

goldenTest("60 Adam steps end where the reference's end, with K times its eps", (known, cell) => {
  const K = known.candidates.length;
  const args = kernelArgs(cell, known.candidates, known.x_star, { eps: K * 1e-5 });
  fixed_points(args, scalars({ B: K, iterations: 60, count: 1 }));
  assertClose(args.points_KG, known.points_after_60_adam_steps.flat());
  const q_K = known.candidates.map((_, k) =>
    speed(cell, args.points_KG.subarray(k * cell.G, (k + 1) * cell.G), known.x_star)
  );
  assertClose(q_K, known.loss_after_60_adam_steps);
});

goldenTest("Jacobians are the reference's", (known, cell) => {
  const at = (points: number[][]) =>
    points.flatMap((h) => Array.from(jacobian(cell, h, known.x_star).dFdh_GG));
  assertClose(at(known.candidates), known.jacobians_at_candidates.flat(2));
  assertClose(at(known.true_fixed_points), known.jacobians_at_true.flat(2));
});

goldenTest(
  "all true fixed points are found, with their eigenvalues, and no others",
  async (known, cell) => {
    const { points } = await findFixedPoints(
      executor,
      cell,
      Float64Array.from(known.candidates.flat()),
      known.x_star,
      { outlierTol: 10 },
    );
    const order = (a: ArrayLike<number>, b: ArrayLike<number>) => a[0] - b[0];
    const found = points.toSorted((a, b) => order(a.point_G, b.point_G));
    const expected = known.true_fixed_points
      .map((h, i) => ({ h, values: known.eigenvalues_at_true[i] }))
      .toSorted((a, b) => order(a.h, b.h));
    assert.deepEqual(points.map((p) => p.polish), expected.map(() => "root"));
    assert.equal(found.length, expected.length);
    for (const [i, { h, values }] of expected.entries()) {
      assertClose(found[i].point_G, h);
      // the file orders by magnitude too, but not within a pair
      const pairs = found[i].linearisation.modes.map(({ value }) => [value.re, Math.abs(value.im)]);
      assertClose(pairs.flat(), values.flatMap(([re, im]) => [re, Math.abs(im)]));
    }
  },
);

// ---- the search

/** `h' = tanh(A h)` with three fixed points on the first axis, at 0 and ± the root of tanh 2x = x. */
const bistable = cellFromReference({ wA: [[2, 0], [0, 0.5]], wB: [[], []], wb: [0, 0] });
const ROOT = 0.9575040240772687;
const grid = Float64Array.from(
  [-1, -0.6, -0.1, 0.15, 0.7, 1.1].flatMap((x) => [-0.4, 0.3].flatMap((y) => [x, y])),
);

Deno.test("a batch of 1 equals a slice of a batch", async () => {
  const loose: FixedPointOptions = {
    iterations: 30,
    tol: Infinity,
    uniqueTol: 0,
    outlierTol: Infinity,
    polishRadius: 0,
  };
  const all = await findFixedPoints(executor, bistable, grid, [], loose);
  for (const { candidate, point_G } of all.points) {
    const alone = grid.slice(candidate * 2, candidate * 2 + 2);
    const { points } = await findFixedPoints(executor, bistable, alone, [], loose);
    assert.deepEqual(points[0].point_G, point_G);
  }
  assert.equal(all.points.length, grid.length / 2);
});

Deno.test("iterations in batches of 7 equal the same iterations at once", async () => {
  const options = { iterations: 50, stopTol: 0, tol: Infinity, polishRadius: 0 };
  const once = await findFixedPoints(executor, bistable, grid, [], { ...options, batch: 50 });
  const often = await findFixedPoints(executor, bistable, grid, [], { ...options, batch: 7 });
  assert.equal(often.iterations, 50);
  assert.deepEqual(often, once);
});

Deno.test("a search stops at the end of the batch in which the mean speed falls below stopTol", async () => {
  const seen: { iterations: number; meanSpeed: number }[] = [];
  const result = await findFixedPoints(executor, bistable, grid, [], {
    batch: 10,
    stopTol: 1e-6,
    onProgress: (progress) => seen.push(progress),
  });
  assert.ok(result.stoppedEarly);
  assert.deepEqual(seen.at(-1), { iterations: result.iterations, meanSpeed: result.meanSpeed });
  assert.ok(seen.slice(0, -1).every(({ meanSpeed }) => meanSpeed >= 1e-6));
  assert.ok(result.meanSpeed < 1e-6);
  assert.deepEqual(seen.map(({ iterations }) => iterations), seen.map((_, i) => 10 * (i + 1)));
});

Deno.test("a bistable cell has two stable points and the saddle between them", async () => {
  const { points, counts } = await findFixedPoints(executor, bistable, grid, []);
  const found = points.toSorted((a, b) => a.point_G[0] - b.point_G[0]);
  assert.deepEqual(found.map((p) => p.linearisation.classification.name), [
    "stable node",
    "saddle",
    "stable node",
  ]);
  for (const [i, x] of [-ROOT, 0, ROOT].entries()) {
    // a root is within ‖(J - I)⁻¹‖ = 2 times its remaining speed, at most 1e-12 √2
    assert.ok(Math.hypot(found[i].point_G[0] - x, found[i].point_G[1]) <= 3e-12);
  }
  assert.equal(counts.polished, counts.kept + counts.repeats);
});

Deno.test("of every candidate it is known what became of it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.float64Array({ min: -2, max: 2, noNaN: true, minLength: 4, maxLength: 4 }),
      fc.float64Array({ min: -1, max: 1, noNaN: true, minLength: 12, maxLength: 12 }),
      fc.double({ min: 1e-9, max: 1e-2, noNaN: true }),
      fc.double({ min: 1e-3, max: 1, noNaN: true }),
      async (w, candidates_KG, tol, outlierTol) => {
        const wA = [[w[0], w[1]], [w[2], w[3]]];
        const cell = cellFromReference({ wA, wB: [[], []], wb: [0.1, -0.2] });
        const options = { iterations: 20, tol, outlierTol, uniqueTol: 0.1 };
        const { points, outliers, counts } = await findFixedPoints(
          executor,
          cell,
          candidates_KG,
          [],
          options,
        );
        const { notFinite, tooFast, repeats } = counts;
        assert.equal(counts.candidates, 6);
        assert.equal(notFinite + tooFast + repeats + counts.outliers + counts.kept, 6);
        assert.deepEqual([points.length, outliers.length], [counts.kept, counts.outliers]);
        const members = [...points, ...outliers].reduce((sum, p) => sum + p.members, 0);
        assert.equal(members, counts.kept + counts.outliers + repeats);
        for (const [i, a] of points.entries()) {
          assert.ok(a.qBeforePolish < tol && a.q <= a.qBeforePolish);
          for (const b of points.slice(i + 1)) {
            assert.ok(Math.hypot(...a.point_G.map((x, g) => x - b.point_G[g])) > 0.1);
            assert.ok(a.polish === "root" || a.q <= b.q, "slowest first");
          }
        }
        assert.ok(outliers.every(({ nearest }) => nearest > outlierTol));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a lone attractor beyond outlierTol is dropped, and reported with its distance", async () => {
  const options = { outlierTol: 0.9 };
  const { points, outliers } = await findFixedPoints(executor, bistable, grid, [], options);
  assert.deepEqual(points, []); // neighbours are 0.9575 apart
  assert.equal(outliers.length, 3);
  for (const { nearest } of outliers) assert.ok(Math.abs(nearest - ROOT) <= 1e-11);
});

Deno.test("a single point is no outlier", async () => {
  const candidate = Float64Array.of(1, 0.1);
  const { points } = await findFixedPoints(executor, bistable, candidate, [], { outlierTol: 1e-9 });
  assert.equal(points.length, 1);
});

Deno.test("of repeats the first candidate that became a root is kept, and counts the others", async () => {
  const { points } = await findFixedPoints(
    executor,
    bistable,
    Float64Array.of(1, 0.3, -1, 0.2, 0.9, 0, 1.1, 0.1),
    [],
    { outlierTol: Infinity },
  );
  assert.deepEqual(points.map(({ candidate, members }) => [candidate, members]), [[0, 3], [1, 1]]);
});

Deno.test("a candidate whose speed overflows is counted, and spoils no other", async () => {
  const cell = cellFromReference({ wA: [[0.5]], wB: [[]], wb: [0.25] }, "identity");
  const { points, counts } = await findFixedPoints(executor, cell, Float64Array.of(1e200, 0), []);
  assert.equal(counts.notFinite, 1);
  assert.deepEqual(points.map((p) => p.candidate), [1]);
  assert.ok(Math.abs(points[0].point_G[0] - 0.5) <= 1e-11);
});

Deno.test("noise is the seed's, candidate by candidate", async () => {
  const candidates_KG = Float64Array.of(0.1, 0.2, 0.3, 0.4);
  const options = {
    noiseStd: 0.1,
    seed: 5,
    iterations: 1,
    stepSize: 1e-300, // too small to move a point
    tol: Infinity,
    uniqueTol: 0,
    outlierTol: Infinity,
    polishRadius: 0,
  };
  const { points } = await findFixedPoints(executor, bistable, candidates_KG, [], options);
  assert.equal(points.length, 2);
  for (const { candidate, point_G, polish } of points) {
    const at = { ...seedWords(5), stream: STREAMS.candidates };
    const noise_G = fillNormal(at, candidate, new Float64Array(2));
    const expected = noise_G.map((x, g) => candidates_KG[candidate * 2 + g] + 0.1 * x);
    assert.deepEqual(point_G, expected);
    assert.equal(polish, "off");
  }
});

Deno.test("an input shifts the fixed points of a linear cell by (I - A)⁻¹ B u", async () => {
  // A = [[1/2, 0], [1/4, 1/2]], B = [[1], [0]], u = 3: h = [6, 3]
  const wA = [[0.5, 0], [0.25, 0.5]];
  const cell = cellFromReference({ wA, wB: [[1], [0]], wb: [0, 0] }, "identity");
  const { points } = await findFixedPoints(executor, cell, Float64Array.of(5, 2), [3]);
  assert.equal(points.length, 1);
  // ‖(I - A)⁻¹‖ < 4 times a speed of at most 1e-12 · 6 · √2
  assert.ok(Math.hypot(points[0].point_G[0] - 6, points[0].point_G[1] - 3) <= 4e-11);
});

Deno.test("what cannot be searched is said in words", async () => {
  const search = (h: number[], u: number[], options: FixedPointOptions = {}, cell = bistable) =>
    findFixedPoints(executor, cell, Float64Array.from(h), u, options);
  const says = (promise: Promise<unknown>, message: RegExp) =>
    assert.rejects(promise, (error) => error instanceof InputError && message.test(error.message));
  await says(search([0.1, NaN], []), /candidates.* found NaN at 1/);
  await says(search([0.1, 0.2, 0.3], []), /expected 4 numbers in the candidates .*found 3/);
  await says(search([], []), /expected 2 numbers in the candidates .*found 0/);
  await says(search([0.1, 0.2], [1]), /expected 0 numbers in the input, found 1/);
  await says(search([0, 0], [], { tol: 0 }), /expected a number above 0 in tol, found 0/);
  await says(search([0, 0], [], { iterations: 1.5 }), /whole number .* in iterations, found 1.5/);
  await says(search([0, 0], [], { b2: 1 }), /in b2, found 1/);
  await says(search([0, 0], [], { stepSize: NaN }), /in stepSize, found NaN/);
  await says(search([0, 0], [], { binWidth: 0 }), /bin width above 0 seconds, found 0/);
  await says(search([0, 0], [], {}, { ...bistable, b: new Float64Array(3) }), /2 numbers in b,/);
});

// ---- the polish

Deno.test("Newton finds the root of a linear cell, exactly but for rounding", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }).chain((G) =>
        fc.record({
          A: fc.array(fc.array(fc.integer({ min: -8, max: 8 }), { minLength: G, maxLength: G }), {
            minLength: G,
            maxLength: G,
          }),
          root: fc.array(fc.integer({ min: -4, max: 4 }), { minLength: G, maxLength: G }),
        })
      ),
      ({ A, root }) => {
        const G = root.length;
        // rows of A sum to at most 1/2 in magnitude, and all numbers here are exact in binary
        const wA = A.map((row) => row.map((x) => x / 128));
        const wb = root.map((x, i) => x - wA[i].reduce((sum, a, j) => sum + a * root[j], 0));
        const cell = cellFromReference({ wA, wB: root.map(() => []), wb }, "identity");
        const start = new Float64Array(G).fill(0.5);
        const { point_G, polish: outcome } = polish(cell, start, [], Infinity);
        assert.equal(outcome, "root");
        // ‖(I - A)⁻¹‖ ≤ 2 in the maximum norm, times the rounding of F - h: (G + 2) ε max|h|
        const bound = 2 * (G + 2) * Number.EPSILON * 5;
        for (let g = 0; g < G; g++) assert.ok(Math.abs(point_G[g] - root[g]) <= bound);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("the polish goes no farther than its radius, and gives the point back if that is too near", () => {
  const cell = cellFromReference({ wA: [[0.5]], wB: [[]], wb: [0] }, "identity");
  const start = Float64Array.of(0.8);
  const near = polish(cell, start, [], 0.5);
  assert.deepEqual([near.polish, near.point_G, near.moved], ["bounded", start, 0]);
  const far = polish(cell, start, [], 1);
  assert.equal(far.polish, "root");
  assert.ok(Math.abs(far.moved - 0.8) <= 1e-11);
});

Deno.test("a slow point without a root is kept where it was, and says so", async () => {
  // tanh(2h + b) touches h at h = √½ for b = atanh √½ - √2; with less b the pair is gone, and what
  // is left is a ghost with speed of about 1e-3
  const b = Math.atanh(Math.SQRT1_2) - Math.SQRT2 - 1e-3 / (1 - 0.5);
  const cell = cellFromReference({ wA: [[2]], wB: [[]], wb: [b] });
  const { points } = await findFixedPoints(executor, cell, Float64Array.of(0.75), []);
  assert.equal(points.length, 1);
  const [ghost] = points;
  assert.notEqual(ghost.polish, "root");
  assert.equal(ghost.moved, 0);
  assert.equal(ghost.q, ghost.qBeforePolish);
  assert.ok(ghost.q > 0.9e-6 && ghost.q < 1.1e-6, `q is ${ghost.q}`);
  assert.ok(Math.abs(ghost.point_G[0] - Math.SQRT1_2) < 0.02);
});

Deno.test("the polish does not drift along a line attractor", () => {
  const cell = cellFromReference(
    { wA: [[1, 0], [0, 0.5]], wB: [[], []], wb: [0, 0] },
    "identity",
  );
  const { point_G, polish: outcome } = polish(cell, Float64Array.of(0.3, 0.001), [], 0.5);
  assert.equal(outcome, "root");
  // the speed along the second axis is half of it
  assert.ok(point_G[0] === 0.3 && Math.abs(point_G[1]) <= 3e-12);
  assert.equal(linearise(cell, point_G, []).classification.name, "marginal");
});

Deno.test("a polished GRU point is a root of its own step", async () => {
  const cell = cellFromReference({
    wRUHX: [[0.4, -0.3, 0.2], [0.1, 0.8, -0.5], [-0.6, 0.3, 0.1], [0.2, 0.2, 0.9]],
    wCHX: [[0.7, -1.1, 0.4], [0.9, 0.6, -0.2]],
    bRU: [0.1, -0.2, 0.3, 0],
    bC: [0.05, -0.1],
  });
  const { points } = await findFixedPoints(executor, cell, Float64Array.of(0.5, -0.5, 0, 0), [0.7]);
  assert.ok(points.length > 0);
  for (const { point_G, polish: outcome } of points) {
    assert.equal(outcome, "root");
    const next_G = step(cell, point_G, [0.7]);
    // √(2 q), and √q is at most 1e-12 for a root of size up to 1
    assert.ok(Math.hypot(next_G[0] - point_G[0], next_G[1] - point_G[1]) <= 1.5e-12);
  }
});
