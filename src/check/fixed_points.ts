/** Replays a golden file of fixed points: speeds, their gradient, Adam's path, Jacobians, roots. */
import { z } from "zod";
import { type Cell, cellFromReference, jacobian, type ReferenceCell } from "../analysis/cell.ts";
import type { Complex } from "../analysis/complex.ts";
import { eigen } from "../analysis/eigen.ts";
import { findFixedPoints } from "../analysis/fixed_points.ts";
import { type Executor, scalars } from "../compute/executor.ts";
import { NONLINEARITY_CODES } from "../compute/kernels.ts";
import { PlanBuilder } from "../compute/recording.ts";
import { InputError } from "../errors.ts";
import { nested, numbers } from "./numbers.ts";
import { type CheckRow, relativeError, Sheet } from "./table.ts";
import { HOST, tolerances } from "./tolerances.ts";

const matrix = z.array(z.array(z.number()));

/** The file's format: docs/model.md, section 5. The nonlinearity of a vanilla cell is tanh unless given. */
export const fixedPointsSchema = z.looseObject({
  params: z.union([
    z.looseObject({ wA: matrix, wB: matrix, wb: z.array(z.number()) }),
    z.looseObject({
      wRUHX: matrix,
      wCHX: matrix,
      bRU: z.array(z.number()),
      bC: z.array(z.number()),
    }),
  ]),
  nonlinearity: z.enum(["tanh", "relu", "identity"]).default("tanh"),
  x_star: z.array(z.number()),
  candidates: matrix.min(1),
  loss_at_candidates: nested,
  grad_of_mean_loss_at_candidates: nested,
  jacobians_at_candidates: nested,
  hps: z.looseObject({
    num_batches: z.int().min(1),
    step_size: z.number(),
    decay_factor: z.number(),
    decay_steps: z.number(),
    adam_b1: z.number(),
    adam_b2: z.number(),
    adam_eps: z.number(),
  }),
  points_after_60_adam_steps: nested,
  loss_after_60_adam_steps: nested,
  true_fixed_points: nested,
  jacobians_at_true: nested,
  eigenvalues_at_true: nested,
});

type FixedPointsGolden = z.infer<typeof fixedPointsSchema>;

/** A file on its way. */
interface Replay {
  readonly golden: FixedPointsGolden;
  readonly cell: Cell;
  readonly K: number;
  readonly candidates_KG: Float64Array;
}

function read(file: string, given: unknown): Replay {
  const golden = fixedPointsSchema.parse(given);
  const cell = cellFromReference(golden.params as ReferenceCell, golden.nonlinearity);
  if (golden.x_star.length !== cell.U) {
    throw new InputError(
      `Cannot check ${file}: expected ${cell.U} inputs in x_star, found ${golden.x_star.length}.`,
    );
  }
  const K = golden.candidates.length;
  return { golden, cell, K, candidates_KG: numbers("candidates", golden.candidates, [K, cell.G]) };
}

/** The rows that no executor takes part in: Jacobians and eigenvalues, in float64. */
export function checkLinearisation(file: string, given: unknown): CheckRow[] {
  const { golden, cell, K, candidates_KG } = read(file, given);
  const { G } = cell;
  const sheet = new Sheet(file, "host");
  const jacobians = (points: Float64Array) =>
    Array.from(
      { length: points.length / G },
      (_, k) => jacobian(cell, points.subarray(k * G, (k + 1) * G), golden.x_star).dFdh_GG,
    );
  const joined = (parts: Float64Array[]) => Float64Array.from(parts.flatMap((p) => [...p]));
  const wanted = numbers("jacobians_at_candidates", golden.jacobians_at_candidates, [K, G, G]);
  sheet.compare("Jacobians at the candidates", joined(jacobians(candidates_KG)), wanted, HOST);

  const M = golden.true_fixed_points.length;
  if (M === 0) return sheet.rows;
  const atTrue = jacobians(numbers("true_fixed_points", golden.true_fixed_points, [M, G]));
  const wantedJ = numbers("jacobians_at_true", golden.jacobians_at_true, [M, G, G]);
  sheet.compare("Jacobians at the true points", joined(atTrue), wantedJ, HOST);
  const values = numbers("eigenvalues_at_true", golden.eigenvalues_at_true, [M, G, 2]);
  let error = 0;
  atTrue.forEach((J, m) => {
    const ours = eigen(J, G).pairs.map((pair) => pair.value);
    error = Math.max(error, spectrumError(ours, complex(values.subarray(m * G * 2))));
  });
  sheet.add("eigenvalues at the true points", error, HOST, "largest distance, for |λ|");
  return sheet.rows;
}

function complex(pairs: Float64Array): Complex[] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => ({
    re: pairs[2 * i],
    im: pairs[2 * i + 1],
  }));
}

/** The largest distance from an eigenvalue of ours to the nearest wanted one not yet taken, by the largest |λ|. */
function spectrumError(ours: readonly Complex[], wanted: readonly Complex[]): number {
  const left = wanted.slice(0, ours.length);
  const scale = Math.max(...left.map(({ re, im }) => Math.hypot(re, im)));
  let worst = 0;
  for (const z of ours) {
    const distances = left.map(({ re, im }) => Math.hypot(re - z.re, im - z.im));
    const nearest = distances.indexOf(Math.min(...distances));
    worst = Math.max(worst, distances[nearest] / scale);
    left.splice(nearest, 1);
  }
  return worst;
}

/** One descent from the candidates, `iterations` long. */
async function descend(
  { golden, cell, K }: Replay,
  start_KG: Float64Array,
  executor: Executor,
  iterations: number,
  eps: number,
  b1: number,
) {
  const { G, U } = cell;
  const h = golden.hps;
  const plan = new PlanBuilder();
  const points_KG = plan.buffer("points_KG", K * G), speeds_K = plan.buffer("speeds_K", K);
  const m_KG = plan.buffer("m_KG", K * G), v_KG = plan.buffer("v_KG", K * G);
  const gru = cell.kind === "gru";
  plan.record("descend").dispatch("fixed_points", {
    wGenInput: U > 0 ? plan.buffer("wGenInput", cell.wInput.length) : null,
    wGenRecurrent: plan.buffer("wGenRecurrent", cell.wRecurrent.length),
    wGenCandidate_GG: gru ? plan.buffer("wGenCandidate_GG", cell.wCandidate.length) : null,
    bGen: plan.buffer("bGen", cell.b.length),
    input_U: U > 0 ? plan.buffer("input_U", U) : null,
    points_KG,
    m_KG,
    v_KG,
    speeds_K,
  }, {
    U,
    G,
    cell: gru ? 1 : 0,
    nonlinearity: NONLINEARITY_CODES[cell.nonlinearity],
    b1,
    b2: h.adam_b2,
    eps,
    stepSize: h.step_size,
    decay: h.decay_factor ** (1 / h.decay_steps),
  });
  const program = await executor.load(plan);
  try {
    if (U > 0) {
      program.write("wGenInput", cell.wInput);
      program.write("input_U", golden.x_star);
    }
    if (gru) program.write("wGenCandidate_GG", cell.wCandidate);
    program.write("wGenRecurrent", cell.wRecurrent);
    program.write("bGen", cell.b);
    program.write("points_KG", start_KG);
    await program.run("descend", scalars({ B: K, count: 1, iterations }));
    return {
      points_KG: await program.read("points_KG"),
      m_KG: await program.read("m_KG"),
      speeds_K: await program.read("speeds_K"),
    };
  } finally {
    program.free();
  }
}

/**
 * A float32 path is compared where a small move of its start is multiplied by at most this much: then
 * the rounding of its steps, some 6e-8 each, adds up to less than 1e-5. Paths beside a ridge of q are
 * steeper, and say nothing about the executor.
 */
const STEEPEST = 30;
/** The move: far below the features of any cell's state space, far above float64's rounding. */
const MOVE = 1e-7;

/** What one executor takes part in: speeds and gradients at the candidates, Adam's path, the search. */
export async function checkFixedPoints(
  file: string,
  given: unknown,
  executor: Executor,
  label: string,
  reference: Executor,
): Promise<CheckRow[]> {
  const replay = read(file, given);
  const { golden, cell, K, candidates_KG } = replay;
  const { G } = cell;
  const tolerance = tolerances(executor.info);
  const sheet = new Sheet(file, label);
  const roots = (values: Float64Array) => values.map(Math.sqrt);

  // With b1 = 0 the first moment is the gradient itself. The file's is that of the mean over K.
  const first = await descend(replay, candidates_KG, executor, 1, golden.hps.adam_eps, 0);
  const q_K = numbers("loss_at_candidates", golden.loss_at_candidates, [K]);
  sheet.compare("q at the candidates", first.speeds_K, q_K, tolerance.forward);
  const dq = numbers("grad_of_mean_loss_at_candidates", golden.grad_of_mean_loss_at_candidates, [
    K,
    G,
  ]);
  sheet.compare("gradient of q", first.m_KG.map((x) => x / K), dq, tolerance.gradient);

  // eps counts K times, as the file's path follows the mean over K points (see the kernel).
  const { num_batches: steps, adam_b1, adam_eps } = golden.hps;
  const run = (start_KG: Float64Array, on: Executor) =>
    descend(replay, start_KG, on, steps, K * adam_eps, adam_b1);
  const path = await run(candidates_KG, executor);
  const counted = await steadyPaths(replay, run, reference);
  const share = `${counted.length} of ${K} paths`;
  if (2 * counted.length < K) {
    sheet.add(`points after ${steps} steps`, NaN, tolerance.gradient, `only ${share} are steady`);
  } else {
    const rows = (values: Float64Array, n: number) =>
      Float64Array.from(counted.flatMap((k) => [...values.subarray(k * n, (k + 1) * n)]));
    const points = numbers("points_after_60_adam_steps", golden.points_after_60_adam_steps, [K, G]);
    sheet.compare(
      `points after ${steps} steps`,
      rows(path.points_KG, G),
      rows(points, G),
      tolerance.gradient,
      `${share}, those that multiply a move of the start by at most ${STEEPEST}`,
    );
    // q itself is a difference squared: near a root float32 leaves it no relative accuracy, but √q
    // (how far a step moves, per unit) errs by the rounding of a state.
    const after = await descend(replay, path.points_KG, executor, 1, adam_eps, 0);
    const wanted = numbers("loss_after_60_adam_steps", golden.loss_after_60_adam_steps, [K]);
    const difference = rows(roots(after.speeds_K), 1).map((x, i) =>
      Math.abs(x - Math.sqrt(wanted[counted[i]]))
    );
    const size = Math.max(1, ...points.map(Math.abs));
    const error = Math.max(...difference) / size;
    sheet.add(`√q after ${steps} steps`, error, tolerance.forward, "largest, for the states' size");
  }
  await checkSearch(replay, executor, sheet);
  return sheet.rows;
}

/** The candidates whose path does not multiply a small move of the start, on the float64 reference. */
async function steadyPaths(
  { cell: { G }, K, candidates_KG }: Replay,
  run: (start_KG: Float64Array, on: Executor) => Promise<{ points_KG: Float64Array }>,
  reference: Executor,
): Promise<number[]> {
  const moved_KG = candidates_KG.map((x, i) => x + (i % 3 === 1 ? -MOVE : MOVE));
  const { points_KG: ends } = await run(candidates_KG, reference);
  const { points_KG: movedEnds } = await run(moved_KG, reference);
  const growth = (k: number) => {
    let worst = 0;
    for (let i = k * G; i < (k + 1) * G; i++) {
      worst = Math.max(worst, Math.abs(ends[i] - movedEnds[i]) / MOVE);
    }
    return worst;
  };
  return Array.from({ length: K }, (_, k) => k).filter((k) => growth(k) <= STEEPEST);
}

/** The search from the file's candidates finds every true point and no other root. */
async function checkSearch(replay: Replay, executor: Executor, sheet: Sheet): Promise<void> {
  const { golden, cell, candidates_KG } = replay;
  const { G } = cell;
  const M = golden.true_fixed_points.length;
  if (M === 0) return;
  const tolerance = tolerances(executor.info).gradient;
  const points = numbers("true_fixed_points", golden.true_fixed_points, [M, G]);
  const jacobians = numbers("jacobians_at_true", golden.jacobians_at_true, [M, G, G]);
  const values = numbers("eigenvalues_at_true", golden.eigenvalues_at_true, [M, G, 2]);
  const result = await findFixedPoints(executor, cell, candidates_KG, golden.x_star, {
    outlierTol: Infinity,
  });
  const found = result.points.filter(({ polish }) => polish === "root");
  const errors = { point: 0, jacobian: 0, eigenvalues: 0 };
  const worst = (name: keyof typeof errors, error: number) => {
    errors[name] = Math.max(errors[name], error); // NaN stays NaN
  };
  for (let m = 0; m < M; m++) {
    const wanted = points.subarray(m * G, (m + 1) * G);
    const byDistance = found
      .map((p) => ({ p, error: relativeError(p.point_G, wanted) }))
      .sort((a, b) => a.error - b.error);
    if (byDistance.length === 0) {
      worst("point", Infinity);
      continue;
    }
    const [{ p: { linearisation }, error }] = byDistance;
    worst("point", error);
    const wantedJ = jacobians.subarray(m * G * G, (m + 1) * G * G);
    worst("jacobian", relativeError(linearisation.dFdh_GG, wantedJ));
    const wantedValues = complex(values.subarray(m * G * 2, (m + 1) * G * 2));
    worst("eigenvalues", spectrumError(linearisation.modes.map((z) => z.value), wantedValues));
  }
  const note = `${found.length} roots found, ${M} wanted; the search ends in float64`;
  sheet.add("search: the true points", errors.point, tolerance, note);
  sheet.add("search: their Jacobians", errors.jacobian, tolerance);
  sheet.add("search: their eigenvalues", errors.eigenvalues, tolerance);
  sheet.add("search: roots that are not there", Math.max(0, found.length - M), 0, note);
}
