/**
 * Checks every kernel of a training step against its float64 definition, on random models. Each
 * dispatch starts from the reference's numbers as float32, so that an error is its own kernel's.
 *
 * The tolerance. The reference also runs with its buffers in float32: each number that it stores is
 * then off by up to u = 2^-24 of itself, and what comes of that, `stored`, shows how far the kernel
 * carries such errors on. Between two stores a device rounds a chain of at most k products, so its numbers
 * are off by up to (k + 16) u: 16 for the cell's functions and products. To first order errors are
 * carried on linearly: (k + 16) (stored + u · scale), where `scale` is a buffer's largest number (for
 * a divergence, what it is the difference of: 1 and more).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Executor, type Program, scalars } from "../src/compute/executor.ts";
import { type KernelName, MISSING, type Scalars } from "../src/compute/kernels.ts";
import type { Dispatch, Plan } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import type { DataElement, PlanSizes, StepOptions } from "../src/model/choreography.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout, shapeOf } from "../src/model/layout.ts";
import { type Address, fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";

const U = 2 ** -24;

export type Numbers = Map<string, Float64Array>;

/** A model and a batch, and everything that a step needs besides. */
export interface Case {
  readonly model: Architecture;
  readonly B: number;
  readonly counts: DataElement;
  readonly density: number;
  readonly explicitNoise: boolean;
  readonly keepRate: number;
  readonly seed: number;
  /** what a plain case leaves out */
  readonly sizes?: Partial<PlanSizes>;
  readonly options?: Partial<StepOptions>;
}

const size = (most: number) => fc.integer({ min: 1, max: most });

/** Small models of every kind; two units in each place take paths of their own. */
export const cases: fc.Arbitrary<Case> = fc.record({
  T: size(5),
  N: size(60),
  E: fc.oneof(size(20), fc.constant(2)),
  controller: fc.option(fc.record({ C: size(11), U: size(6) }), { nil: null }),
  G: fc.oneof(size(14), fc.constant(2)),
  F: fc.oneof(size(14), fc.constant(2)),
  cell: fc.constantFrom("vanilla" as const, "gru" as const),
  nonlinearity: fc.constantFrom("tanh" as const, "relu" as const, "identity" as const),
  B: fc.oneof({ weight: 4, arbitrary: size(20) }, { weight: 1, arbitrary: fc.constant(150) }),
  counts: fc.constantFrom("u8" as const, "u16" as const),
  density: fc.constantFrom(0.1, 0.8),
  explicitNoise: fc.boolean(),
  keepRate: fc.constantFrom(0.75, 1),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
}).map(({ T, N, E, controller, G, F, cell, nonlinearity, ...rest }) => {
  const dims = { T, N, E, G, F, C: controller?.C ?? 0, U: controller?.U ?? 0 };
  return { model: { dims, cell, nonlinearity }, ...rest };
});

const maybe = <X>(arbitrary: fc.Arbitrary<X>) => fc.option(arbitrary, { nil: undefined });

/** The same models with some of what a plain one does not have. */
export const optionCases: fc.Arbitrary<Case> = fc.record({
  plain: cases,
  V: maybe(fc.oneof(size(12), fc.constant(2))),
  X: maybe(size(9)),
  I: maybe(fc.oneof(size(9), fc.constant(2))),
  firstFactors: fc.constantFrom("zero" as const, "generator" as const),
  controllerLag: fc.integer({ min: 0, max: 3 }),
  encodedBins: fc.nat(),
  initialConditionBins: fc.nat(),
  observation: fc.constantFrom(
    "poisson" as const,
    "gaussian" as const,
    "gamma" as const,
    "zero-inflated-gamma" as const,
  ),
  real: fc.boolean(),
  gaps: fc.boolean(),
  encoded: fc.boolean(),
  inputScale: fc.constantFrom(1, 1.25),
  coordinatedDropout: fc.constantFrom(0, 0.25),
  weightDecay: fc.constantFrom(0, 0.25),
}).map(({ plain, V, X, I, firstFactors, controllerLag, observation, real, ...more }) => {
  const { T, U } = plain.model.dims;
  const encodedBins = 1 + more.encodedBins % T;
  const own = U > 0 && V !== undefined;
  const dims = {
    ...plain.model.dims,
    ...(own && { V }),
    ...(X !== undefined && { X }),
    ...(I !== undefined && { I }),
  };
  const bins = own ? { initialConditionBins: 1 + more.initialConditionBins % encodedBins } : {};
  const model: Architecture = {
    ...{ ...plain.model, dims, observation, firstFactors, controllerLag, encodedBins },
    ...bins,
  };
  const { gaps, encoded, inputScale, coordinatedDropout, weightDecay } = more;
  return {
    ...plain,
    model,
    counts: observation !== "poisson" || real ? "real" : plain.counts,
    sizes: { gaps: gaps || encoded, encoded, inputScale, accumulate: true },
    options: { coordinatedDropout, weightDecay, observationFloor: 0.25 },
  };
});

export function stepOptionsOf({ keepRate, options }: Case): StepOptions {
  return {
    keepRate,
    generatorKeepRate: keepRate,
    // large enough that leaving it out shows
    varMin: 0.1,
    coordinatedDropout: 0,
    observationFloor: 0,
    weightDecay: 0,
    adamB1: 0.9,
    adamB2: 0.999,
    adamEps: 1e-4,
    maxGradNorm: 10,
    ...options,
  };
}

export function planOf(given: Case) {
  const { model, B, counts, density, explicitNoise } = given;
  const sizes = { B, S: 1, trials: B + 1, counts, density, explicitNoise, ...given.sizes };
  return trainingPlan(model, stepOptionsOf(given), sizes);
}

/** The kernels of a recording, each a recording of its own. */
function kernelByKernel(
  plan: Plan,
  recording: string,
): { plan: Plan; steps: readonly Dispatch[] } {
  const steps = plan.recordings[recording];
  const recordings = Object.fromEntries(steps.map((dispatch, i) => [`${i}`, [dispatch]]));
  return {
    plan: { buffers: plan.buffers, recordings: { ...plan.recordings, ...recordings } },
    steps,
  };
}

/** 0 where no weight stands: a device may leave that as it is, or clear it. */
function withoutPadding(model: Architecture, values: Float64Array): Float64Array {
  const kept = new Float64Array(values.length);
  for (const { offset, length } of parameterLayout(model).slices) {
    kept.set(values.subarray(offset, offset + length), offset);
  }
  return kept;
}

/** Data of the model's kind; counts from 1 to 3, or 0. */
function dataOf({ model, density }: Case, uniform: Float64Array, normal: Float64Array) {
  const some = (i: number) => uniform[i] < density;
  switch (model.observation) {
    case "gaussian":
      return normal.map(Math.fround);
    case "gamma":
      return normal.map((x) => Math.fround(Math.exp(x)));
    case "zero-inflated-gamma":
      return normal.map((x, i) => some(i) ? Math.fround(0.25 + Math.exp(x)) : 0);
    default:
      return uniform.map((u, i) => some(i) ? 1 + Math.floor(u / density * 3) : 0);
  }
}

/** Numbers for every buffer, exact in float32. What a step must overwrite holds rubbish. */
export function start(plan: Plan, given: Case): Numbers {
  const { model, B, keepRate, seed, sizes, counts } = given;
  const at = (sample: number): Address => ({
    ...seedWords(seed),
    stream: STREAMS.initialise,
    sample,
  });
  // what is missing of the counts is missing of what the encoder reads, and more
  const data = (name: string, length: number) => {
    const i = plan.buffers.findIndex(({ name }) => name === "counts");
    const draw = (row: number) => fillUniform(at(i), row, new Float64Array(length));
    const all = dataOf(given, draw(0), fillNormal(at(i), 1, new Float64Array(length)));
    const hidden = draw(2), share = name === "encoded" ? 0.4 : 0.2;
    if (!sizes?.gaps) return all;
    return all.map((x, n) => hidden[n] < share ? Math.fround(MISSING[counts]) : x);
  };
  return new Map(plan.buffers.map(({ name, length }, i) => {
    const uniform = fillUniform(at(i), 0, new Float64Array(length));
    const normal = fillNormal(at(i), 1, new Float64Array(length));
    if (name === "counts" || name === "encoded") return [name, data(name, length)];
    if (name === "l2_P") return [name, uniform.map((u) => Math.fround(2e-3 * u))];
    if (name === "trials_B") return [name, uniform.map((_, b) => B - b)];
    if (name === "m_P" || name === "v_P") return [name, uniform.fill(0)];
    if (name === "grads_P") return [name, withoutPadding(model, normal.map(Math.fround))];
    if (name.startsWith("keep")) return [name, uniform.map((u) => u < keepRate ? 1 : 0)];
    return [name, normal.map((x) => Math.fround(name === "params_P" ? 0.4 * x : x))];
  }));
}

export function scalarsOf({ B, seed }: Case): Scalars {
  return scalars({
    B,
    ...seedWords(seed),
    step: 3,
    firstTrial: 2,
    klIcScale: 0.7,
    klInputsScale: 0.6,
    share: 0.75,
    learningRate: 0.01,
  });
}

export function write(program: Program, numbers: Numbers): void {
  for (const [name, values] of numbers) program.write(name, values);
}

export async function readAll(program: Program, plan: Plan): Promise<Numbers> {
  // working memory, which each device uses as it likes
  const names = plan.buffers.map(({ name }) => name).filter((name) => name !== "partials");
  return new Map(
    await Promise.all(names.map(async (name) => [name, await program.read(name)] as const)),
  );
}

/** The reference with float32 buffers: `write` rounds, and so does every store of a kernel. */
async function runStored(plan: Plan, recording: string, numbers: Numbers, s: Scalars) {
  const real = globalThis.Float64Array;
  try {
    (globalThis as { Float64Array: unknown }).Float64Array = Float32Array;
    const program = await createReferenceExecutor().load(plan);
    write(program, numbers);
    await program.run(recording, s);
    return await readAll(program, plan);
  } finally {
    globalThis.Float64Array = real;
  }
}

const largest = (values: ArrayLike<number>) => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
};

/** The largest difference; infinite where one is not a number. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i] - b[i]);
    most = Number.isNaN(d) ? Infinity : Math.max(most, d);
  }
  return most;
}

/** The longest chain of products between two stores. */
export function chain({ model, B }: Pick<Case, "model" | "B">): number {
  const { T, N, E, V, C, U, X, I, G, F } = shapeOf(model), H = T + 1;
  const rows = Math.max(T * B, model.firstFactors ? H * B : 0);
  return Math.max(
    N + 1,
    3 * C + 2 * Math.max(E, V),
    3 * G + 2 * U + F,
    3 * Math.max(E, V),
    X + 1,
    2 * E + 2 * I,
    Math.min(rows, 128) + rows / 128,
  );
}

/** The element-wise kernels have tests of their own, with bounds of their own. */
const ELEMENTWISE: readonly KernelName[] = [
  "prepare",
  "readout",
  "observation",
  "reduce",
  "adam",
  "average_samples",
  "posterior_rates",
  "posterior_observations",
];

/** Two devices with one plan, of which the second is checked against the first. */
export interface Pair {
  readonly plan: Plan;
  readonly reference: Program;
  readonly program: Program;
}

/**
 * Checks one recording from the same numbers on both devices.
 *
 * @param products in the longest chain between two stores
 * @returns what the reference then holds
 */
export async function checkRecording(
  { plan, reference, program }: Pair,
  recording: string,
  label: string,
  numbers: Numbers,
  s: Scalars,
  products: number,
): Promise<Numbers> {
  write(reference, numbers);
  await reference.run(recording, s);
  const want = await readAll(reference, plan);
  write(program, numbers);
  await program.run(recording, s);
  const got = await readAll(program, plan);
  const stored = await runStored(plan, recording, numbers, s);
  for (const [name, values] of want) {
    const scale = largest(values) + (name.startsWith("kl") ? 1 : 0);
    const carried = difference(stored.get(name)!, values);
    const error = difference(got.get(name)!, values);
    const bound = (products + 16) * (carried + U * scale);
    assert.ok(error <= bound, `${label}: ${name} is off by ${error}, bound ${bound}`);
  }
  return want;
}

/** Checks a step's kernels, or only some of them, one by one. */
export async function checkKernels(
  given: Case,
  executor: Executor,
  only: (kernel: KernelName) => boolean = () => true,
): Promise<void> {
  await checkDispatches(given, planOf(given), "step", executor, scalarsOf(given), only);
}

/** Posterior samples of each trial in `checkPosterior`. */
const SAMPLES = 3;

/** Checks the kernels that infer, with several samples of each trial. */
export async function checkPosterior(given: Case, executor: Executor): Promise<void> {
  const { model, B, counts, density, explicitNoise } = given;
  const sizes = { B, S: SAMPLES, trials: B + 1, counts, density, explicitNoise, ...given.sizes };
  const plan = posteriorPlan(model, stepOptionsOf(given), sizes);
  await checkDispatches(given, plan, "sample", executor, { ...scalarsOf(given), S: SAMPLES });
}

async function checkDispatches(
  given: Case,
  all: Plan,
  recording: string,
  executor: Executor,
  s: Scalars,
  only: (kernel: KernelName) => boolean = () => true,
): Promise<void> {
  const { plan, steps } = kernelByKernel(all, recording);
  const isMine = (kernel: KernelName) => !ELEMENTWISE.includes(kernel) && only(kernel);
  const mine = Object.entries(steps).filter(([, { kernel }]) => isMine(kernel));
  const recordings = Object.fromEntries(mine.map(([i, dispatch]) => [i, [dispatch]]));
  const reference = await createReferenceExecutor().load(plan);
  const program = await executor.load({ buffers: plan.buffers, recordings });
  const pair = { plan, reference, program };
  let numbers = start(plan, given);
  try {
    for (const [i, { kernel }] of steps.entries()) {
      let want: Numbers;
      if (isMine(kernel)) {
        want = await checkRecording(pair, `${i}`, kernel, numbers, s, chain(given));
      } else {
        write(reference, numbers);
        await reference.run(`${i}`, s);
        want = await readAll(reference, plan);
      }
      numbers = new Map([...want].map(([name, values]) => [name, values.map(Math.fround)]));
    }
  } finally {
    program.free();
    reference.free();
  }
}

/** Not deepEqual: where arrays differ, its report would take minutes. */
export function sameBits(got: ArrayLike<number>, want: ArrayLike<number>, name: string): void {
  assert.equal(got.length, want.length, name);
  for (let i = 0; i < want.length; i++) {
    if (!Object.is(got[i], want[i])) assert.equal(got[i], want[i], `${name}[${i}]`);
  }
}

export async function runStep(
  given: Case,
  executor: Executor,
  recording = "step",
): Promise<Numbers> {
  const plan = planOf(given);
  const program = await executor.load(plan);
  try {
    write(program, start(plan, given));
    await program.run(recording, scalarsOf(given));
    return await readAll(program, plan);
  } finally {
    program.free();
  }
}
