/** Fixed and slow points of a cell: search, polish, filter, linearise (docs/model.md, section 4). */
import { type DeviceInfo, type Executor, scalars } from "../compute/executor.ts";
import { NONLINEARITY_CODES, type Scalars } from "../compute/kernels.ts";
import { PlanBuilder } from "../compute/recording.ts";
import { InputError } from "../errors.ts";
import { fillNormal, seedWords, STREAMS } from "../random.ts";
import { type Cell, checkCell, checkNumbers, speed } from "./cell.ts";
import { FIXED_POINT_DEFAULTS } from "./fixed_point_defaults.ts";
import { checkBinWidth, type Linearisation, linearise } from "./linearise.ts";
import { polish, type PolishOutcome } from "./polish.ts";

/** How to search; every default is the tutorial's. */
export interface FixedPointOptions {
  /** at most so many Adam iterations: 1000 */
  readonly iterations?: number;
  /** iterations between two looks at the mean speed: 100 */
  readonly batch?: number;
  /** Adam's first step, in units of the state: 0.2 */
  readonly stepSize?: number;
  /** the step's factor from one iteration to the next: 0.9999 */
  readonly decay?: number;
  /** 0.9 */
  readonly b1?: number;
  /** 0.999 */
  readonly b2?: number;
  /** added to the root of Adam's second moment of a point's own gradient: 1e-5 */
  readonly eps?: number;
  /** standard deviation of the Gaussian noise on every candidate, in units of the state: 0 */
  readonly noiseStd?: number;
  /** of that noise: 0 */
  readonly seed?: number;
  /** stop when q, averaged over the candidates, is below: 1e-5 */
  readonly stopTol?: number;
  /** keep points with q below: 1e-5 */
  readonly tol?: number;
  /** points at most this far (Euclidean) from an earlier one repeat it: 0.025 */
  readonly uniqueTol?: number;
  /** drop points whose nearest neighbour is farther (Euclidean): 1; Infinity drops none */
  readonly outlierTol?: number;
  /** the polish moves a point at most this far (Euclidean): 0.5; 0 leaves the polish out */
  readonly polishRadius?: number;
  /** bin width in seconds; without it times are in bins */
  readonly binWidth?: number;
  /** see `classify`: 1e-3 */
  readonly neutralTolerance?: number;
  /** called for every batch of iterations, for several in a row on a device that makes them at once */
  readonly onProgress?: (progress: { iterations: number; meanSpeed: number }) => void;
}

/** One fixed point, or (where `polish` is not "root") slow point. */
export interface FixedPoint {
  readonly point_G: Float64Array;
  /** `1/G Σ (F(h) - h)²` at the point */
  readonly q: number;
  /** q where Adam left it */
  readonly qBeforePolish: number;
  readonly polish: PolishOutcome;
  readonly newtonSteps: number;
  /** Euclidean distance that the polish moved it */
  readonly moved: number;
  /** the candidate that led here, from 0 */
  readonly candidate: number;
  /** candidates that led here, this one and its repeats */
  readonly members: number;
  readonly linearisation: Linearisation;
}

/** A point without neighbours. */
export interface Outlier {
  readonly point_G: Float64Array;
  readonly q: number;
  readonly candidate: number;
  readonly members: number;
  /** Euclidean distance to the nearest other point */
  readonly nearest: number;
}

/** What a search found, and what became of every candidate. */
export interface FixedPointResult {
  /** slowest first: roots, then slow points by q; equals in the order of their candidates */
  readonly points: readonly FixedPoint[];
  /** what the outlier filter dropped, in the same order: a lone attractor may be among them */
  readonly outliers: readonly Outlier[];
  /**
   * Candidates at each filter: `candidates = notFinite + tooFast + repeats + outliers + kept`.
   * `polished` of the ones that passed the speed filter are roots.
   */
  readonly counts: {
    readonly candidates: number;
    readonly notFinite: number;
    readonly tooFast: number;
    readonly polished: number;
    readonly repeats: number;
    readonly outliers: number;
    readonly kept: number;
  };
  /** Adam iterations made */
  readonly iterations: number;
  /** q before the last update, averaged over the candidates */
  readonly meanSpeed: number;
  /** the mean speed fell below `stopTol`, so that iterations were left over */
  readonly stoppedEarly: boolean;
  readonly input_U: Float64Array;
  readonly device: DeviceInfo;
}

type Settings = typeof FIXED_POINT_DEFAULTS & Pick<FixedPointOptions, "binWidth" | "onProgress">;

/**
 * Finds states `h` with `F(h, input) = h`, or nearly so, of a cell under a constant input (Sussillo
 * and Barak 2013). From every candidate Adam lowers `q(h) = 1/G Σ (F(h) - h)²` on the executor; what
 * gets below `tol` is polished by Newton's method in float64 ({@link polish}), loses its repeats (the
 * slowest stays) and its outliers, and is linearised.
 *
 * @param candidates_KG states that the model visits, K rows of G
 * @param input_U the input, held still
 * @throws InputError when a width does not fit, a number is not finite or an option has no meaning
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, createReferenceExecutor, findFixedPoints } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.9, -0.2], [0.2, 0.9]], wB: [[], []], wb: [0.1, 0] });
 * const candidates_KG = Float64Array.of(0.3, 0.1, 0, 0);
 * const { points } = await findFixedPoints(createReferenceExecutor(), cell, candidates_KG, []);
 * assert.equal(points.length, 1);
 * assert.equal(points[0].members, 2); // both candidates led there
 * assert.equal(points[0].linearisation.classification.name, "stable focus");
 * ```
 */
export async function findFixedPoints(
  executor: Executor,
  cell: Cell,
  candidates_KG: Float64Array,
  input_U: ArrayLike<number>,
  options: FixedPointOptions = {},
): Promise<FixedPointResult> {
  const settings = check(cell, candidates_KG, input_U, options);
  const input = Float64Array.from(input_U);
  const start_KG = withNoise(candidates_KG, cell.G, settings);
  const search = await descend(executor, cell, start_KG, input, settings);
  return {
    ...sift(cell, search.points_KG, input, settings),
    iterations: search.iterations,
    meanSpeed: search.meanSpeed,
    stoppedEarly: search.iterations < settings.iterations,
    input_U: input,
    device: executor.info,
  };
}

function check(
  cell: Cell,
  candidates_KG: Float64Array,
  input_U: ArrayLike<number>,
  options: FixedPointOptions,
): Settings {
  const action = "Cannot find fixed points";
  checkCell(cell);
  const K = Math.max(1, Math.ceil(candidates_KG.length / cell.G));
  checkNumbers(action, `the candidates (rows of G = ${cell.G})`, candidates_KG, K * cell.G);
  checkNumbers(action, "the input", input_U, cell.U);

  const given = Object.fromEntries(Object.entries(options).filter(([, x]) => x !== undefined));
  const settings: Settings = { ...FIXED_POINT_DEFAULTS, ...given };
  checkBinWidth(settings.binWidth);
  const wanted: [keyof typeof FIXED_POINT_DEFAULTS, string, (x: number) => boolean][] = [
    ["iterations", "a whole number of at least 1", (x) => Number.isSafeInteger(x) && x >= 1],
    ["batch", "a whole number of at least 1", (x) => Number.isSafeInteger(x) && x >= 1],
    ["stepSize", "a finite number above 0", (x) => x > 0 && x < Infinity],
    ["decay", "a number above 0 and at most 1", (x) => x > 0 && x <= 1],
    ["b1", "a number of at least 0 and below 1", (x) => x >= 0 && x < 1],
    ["b2", "a number of at least 0 and below 1", (x) => x >= 0 && x < 1],
    ["eps", "a finite number above 0", (x) => x > 0 && x < Infinity],
    ["noiseStd", "a finite number of at least 0", (x) => x >= 0 && x < Infinity],
    ["seed", "a whole number of at least 0", (x) => Number.isSafeInteger(x) && x >= 0],
    ["stopTol", "a number of at least 0", (x) => x >= 0],
    ["tol", "a number above 0", (x) => x > 0],
    ["uniqueTol", "a number of at least 0", (x) => x >= 0],
    ["outlierTol", "a number above 0", (x) => x > 0],
    ["polishRadius", "a number of at least 0", (x) => x >= 0],
    ["neutralTolerance", "a number of at least 0 and below 1", (x) => x >= 0 && x < 1],
  ];
  for (const [name, want, fits] of wanted) {
    if (!fits(settings[name])) {
      throw new InputError(`${action}: expected ${want} in ${name}, found ${settings[name]}.`);
    }
  }
  return settings;
}

/** Each candidate's noise has its own address: candidate k gets the same in every set. */
function withNoise(candidates_KG: Float64Array, G: number, settings: Settings): Float64Array {
  const start_KG = candidates_KG.slice();
  if (settings.noiseStd === 0) return start_KG;
  const at = { ...seedWords(settings.seed), stream: STREAMS.candidates };
  const noise_G = new Float64Array(G);
  for (let k = 0; k * G < start_KG.length; k++) {
    fillNormal(at, k, noise_G);
    for (let g = 0; g < G; g++) start_KG[k * G + g] += settings.noiseStd * noise_G[g];
  }
  return start_KG;
}

/** Batches of iterations between two waits, where a wait for a result costs more than a batch. */
const LOOKS_AT_ONCE = 10;

/** The next few batches after `done` iterations. */
function batches(K: number, done: number, most: number, { batch, iterations }: Settings) {
  const runs: { scalars: Scalars }[] = [];
  for (let from = done; from < iterations && runs.length < most; from += batch) {
    const now = Math.min(batch, iterations - from);
    runs.push({ scalars: scalars({ B: K, count: from + 1, iterations: now }) });
  }
  return runs;
}

/** Adam on all candidates, in batches of iterations. */
async function descend(
  executor: Executor,
  cell: Cell,
  start_KG: Float64Array,
  input_U: Float64Array,
  settings: Settings,
): Promise<{ points_KG: Float64Array; iterations: number; meanSpeed: number }> {
  const { G, U } = cell;
  const K = start_KG.length / G;
  const { b1, b2, eps, stepSize, decay } = settings;

  const plan = new PlanBuilder();
  const contents = new Map<string, Float64Array>();
  const buffer = (name: string, values: Float64Array) => {
    contents.set(name, values);
    return plan.buffer(name, values.length);
  };
  plan.record("descend").dispatch("fixed_points", {
    wGenInput: U > 0 ? buffer("wGenInput", cell.wInput) : null,
    wGenRecurrent: buffer("wGenRecurrent", cell.wRecurrent),
    wGenCandidate_GG: cell.kind === "gru" ? buffer("wGenCandidate_GG", cell.wCandidate) : null,
    bGen: buffer("bGen", cell.b),
    input_U: U > 0 ? buffer("input_U", input_U) : null,
    points_KG: buffer("points_KG", start_KG),
    m_KG: plan.buffer("m_KG", K * G),
    v_KG: plan.buffer("v_KG", K * G),
    speeds_K: plan.buffer("speeds_K", K, "real", { perRun: true }),
  }, {
    U,
    G,
    cell: cell.kind === "gru" ? 1 : 0,
    nonlinearity: NONLINEARITY_CODES[cell.nonlinearity],
    b1,
    b2,
    eps,
    stepSize,
    decay,
  });

  const program = await executor.load(plan);
  try {
    for (const [name, values] of contents) program.write(name, values);
    let done = 0, meanSpeed = Infinity;
    while (done < settings.iterations && !(meanSpeed < settings.stopTol)) {
      const runs = batches(K, done, Math.min(executor.runsAtOnce, LOOKS_AT_ONCE), settings);
      const looks = await program.sequence("descend", runs, "speeds_K");
      let used = 0;
      while (used < runs.length && !(meanSpeed < settings.stopTol)) {
        done += runs[used].scalars.iterations;
        const [speeds_K] = looks[used++];
        meanSpeed = speeds_K.reduce((sum, q) => sum + q, 0) / K;
        settings.onProgress?.({ iterations: done, meanSpeed });
      }
      if (used < runs.length) {
        // the points went on while nobody looked: from the start they get to where to stop again
        program.write("points_KG", start_KG);
        for (const moments of ["m_KG", "v_KG"]) program.write(moments, new Float64Array(K * G));
        await program.run("descend", scalars({ B: K, count: 1, iterations: done }));
      }
    }
    return { points_KG: await program.read("points_KG"), iterations: done, meanSpeed };
  } finally {
    program.free();
  }
}

/** A point on its way through the filters. */
type Slow = Pick<FixedPoint, "point_G" | "q" | "candidate"> & { members: number };
type Found = Omit<FixedPoint, "linearisation" | "members"> & { members: number };

/** The first of the points within `tol` of each other; its members count the others'. */
function distinctOf<P extends Slow>(points: readonly P[], tol: number): P[] {
  const distinct: P[] = [];
  for (const point of points) {
    const first = distinct.find((p) => distance(p.point_G, point.point_G) <= tol);
    if (first) first.members += point.members;
    else distinct.push(point);
  }
  return distinct;
}

/** Keeps the slow, polishes them, drops repeats and outliers, linearises the rest. */
function sift(
  cell: Cell,
  points_KG: Float64Array,
  input_U: Float64Array,
  settings: Settings,
): Pick<FixedPointResult, "points" | "outliers" | "counts"> {
  const { G } = cell;
  const K = points_KG.length / G;
  let notFinite = 0;
  const slow: Slow[] = [];
  for (let candidate = 0; candidate < K; candidate++) {
    const point_G = points_KG.slice(candidate * G, (candidate + 1) * G);
    const q = speed(cell, point_G, input_U);
    if (!Number.isFinite(q)) notFinite++;
    if (q < settings.tol) slow.push({ point_G, q, candidate, members: 1 });
  }
  // One polish serves all candidates that ended beside each other.
  const found = distinctOf(slow, settings.uniqueTol).map((point): Found => ({
    ...polish(cell, point.point_G, input_U, settings.polishRadius),
    qBeforePolish: point.q,
    candidate: point.candidate,
    members: point.members,
  }));
  // Roots are equally slow: what is left of their q is rounding, and differs between devices.
  const rank = (p: Found) => p.polish === "root" ? 0 : p.q;
  found.sort((a, b) => rank(a) - rank(b) || a.candidate - b.candidate);
  const polished = found.reduce((sum, p) => sum + (p.polish === "root" ? p.members : 0), 0);
  const distinct = distinctOf(found, settings.uniqueTol);

  const points: FixedPoint[] = [], outliers: Outlier[] = [];
  for (const found of distinct) {
    const { point_G, q, candidate, members } = found;
    const others = distinct.filter((p) => p !== found);
    const nearest = Math.min(...others.map((p) => distance(p.point_G, point_G)));
    if (others.length > 0 && nearest > settings.outlierTol) {
      outliers.push({ point_G, q, candidate, members, nearest });
    } else {
      points.push({ ...found, linearisation: linearise(cell, point_G, input_U, settings) });
    }
  }
  const counts = {
    candidates: K,
    notFinite,
    tooFast: K - notFinite - slow.length,
    polished,
    repeats: slow.length - distinct.length,
    outliers: outliers.length,
    kept: points.length,
  };
  return { points, outliers, counts };
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let g = 0; g < a.length; g++) sum += (a[g] - b[g]) ** 2;
  return Math.sqrt(sum);
}
