/**
 * The element-wise kernels on random numbers, to run on a device and on their float64 definitions; and
 * how far apart the two may be.
 *
 * Tolerances follow from float32's unit roundoff u = 2^-24: a sum of k products errs by at most
 * k u Σ|products| (first order), and each function or division adds a few u.
 */
import assert from "node:assert/strict";
import { type Executor, type Program, scalars } from "../src/compute/executor.ts";
import { LOSSES, partialsLength, type Scalars } from "../src/compute/kernels.ts";
import { type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";

export const U = 2 ** -24;

/** How a device rounds, in u. */
export interface Rounding {
  readonly quotient: number;
  readonly root: number;
  /** error of a sum that wasm keeps in float64, whose longest chain of additions is `n` */
  chain(n: number): number;
}

export type Outputs = Readonly<Record<string, Float64Array>>;

/** A plan to run on several devices: inputs to write, outputs to read. */
export interface KernelRun {
  readonly plan: Plan;
  readonly inputs: Outputs;
  readonly outputs: readonly string[];
  readonly scalars: Scalars;
}

/** A run, and what must hold of its outputs. */
export interface KernelCase extends KernelRun {
  readonly name: string;
  check(want: Outputs, got: Outputs, rounding: Rounding): void;
}

/** Runs it on a device; what the kernel leaves alone is read as 0. */
export async function runOn(executor: Executor, run: KernelRun): Promise<Outputs> {
  const program: Program = await executor.load(run.plan);
  try {
    for (const [name, values] of Object.entries(run.inputs)) program.write(name, values);
    await program.run("main", run.scalars);
    return Object.fromEntries(
      await Promise.all(
        run.outputs.map(async (name) => [name, await program.read(name)] as const),
      ),
    );
  } finally {
    program.free();
  }
}

/** What float64 makes of it. */
export async function wanted(run: KernelRun): Promise<Outputs> {
  return await runOn(createReferenceExecutor(), run);
}

/** Fails where `got` is further from `want` than `bound(i)`. */
export function near(
  name: string,
  got: Float64Array,
  want: Float64Array,
  bound: (i: number) => number,
): void {
  assert.equal(got.length, want.length);
  want.forEach((x, i) => {
    const error = Math.abs(got[i] - x);
    assert.ok(error <= bound(i), `${name}[${i}]: ${got[i]}, expected ${x} ± ${bound(i)}`);
  });
}

let draws = 0;

/** Normals that float32 holds exactly. */
export function normals(length: number, scale = 1): Float64Array {
  const at = { ...seedWords(7), stream: STREAMS.simulate };
  return fillNormal(at, draws++, new Float64Array(length)).map((x) => Math.fround(scale * x));
}

/** Whole numbers from 0 to `most`. */
export function wholes(length: number, most: number): Float64Array {
  const at = { ...seedWords(8), stream: STREAMS.simulate };
  return fillUniform(at, draws++, new Float64Array(length)).map((x) => Math.floor(x * (most + 1)));
}

const largest = (values: Float64Array) => values.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
const meanSize = (values: Float64Array) =>
  values.reduce((sum, x) => sum + Math.abs(x), 0) / values.length;

function prepareCase(G: number, F: number): KernelCase {
  const plan = new PlanBuilder();
  const w_GF = plan.buffer("w", G * F), factorsHat_GF = plan.buffer("hat", G * F);
  const norms_F = plan.buffer("norms", F);
  plan.record("main").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G, F });
  return {
    name: `prepare divides each factor's weights by their norm: G ${G}, F ${F}`,
    plan,
    inputs: { w: normals(G * F) },
    outputs: ["hat", "norms"],
    scalars: scalars({}),
    check(want, got, { quotient, root, chain }) {
      // the squares' sum, halved by the root
      const norm = (chain(G + 1) / 2 + root) * U, hat = norm + (chain(1) + quotient - 1) * U;
      near("hat", got.hat, want.hat, (i) => hat * Math.abs(want.hat[i]));
      near("norms", got.norms, want.norms, (i) => norm * want.norms[i]);
    },
  };
}

/** What a readout works on. */
export interface Readout {
  readonly B: number;
  readonly S: number;
  readonly T: number;
  readonly N: number;
  readonly F: number;
  readonly wide: 0 | 1;
  readonly gradient: 0 | 1;
}

/** Bounds on log-rates: F products and a sum. */
function logRateBound(F: number, { factors, w, b }: Outputs): number {
  return (F + 1) * U * (F * largest(factors) * largest(w) + largest(b));
}

/** Log-rates in float64, `[T][R][N]`. */
function logRatesOf({ factors, w, b }: Outputs, { B, S, T, N, F }: Readout): Float64Array {
  const R = B * S;
  return Float64Array.from({ length: T * R * N }, (_, i) => {
    const row = R + Math.floor(i / N), n = i % N;
    let sum = b[n];
    for (let f = 0; f < F; f++) sum += factors[row * F + f] * w[f * N + n];
    return sum;
  });
}

/** The readout of random factors. */
export function readoutRun({ B, S, T, N, F, wide, gradient }: Readout): KernelRun {
  const R = B * S, trials = B + 2;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("readout", {
    factors_HRF: plan.buffer("factors", (T + 1) * R * F),
    w_FN: plan.buffer("w", F * N),
    b_N: plan.buffer("b", N),
    counts: plan.buffer("counts", trials * T * N, wide ? "u16" : "u8", { shared: true }),
    trials_B: plan.buffer("trials", B, "u32"),
    logRates_TRN: plan.buffer("logRates", T * R * N),
    dFactors_HRF: plan.buffer("dFactors", (T + 1) * R * F),
    nll_R: plan.buffer("nll", R),
  }, { T, N, F, element: wide, gaps: 0, gradient, coordinated: 0, keepRate: 1 });
  // log-rates of a size that does not grow with the number of factors
  const scale = 1 / Math.sqrt(Math.max(4, F));
  return {
    plan,
    inputs: {
      factors: normals((T + 1) * R * F),
      w: normals(F * N, scale),
      b: normals(N, 0.5),
      counts: wholes(trials * T * N, wide ? 300 : 255),
      trials: Float64Array.from({ length: B }, (_, b) => trials - 1 - b),
    },
    outputs: ["logRates", "dFactors", "nll"],
    scalars: scalars({ B, S }),
  };
}

function readoutCase(given: Readout): KernelCase {
  const { B, S, T, N, F, wide, gradient } = given, R = B * S, most = wide ? 300 : 255;
  const run = readoutRun(given);
  const shape = `B ${B}, S ${S}, T ${T}, N ${N}, F ${F}`;
  const what = `${wide ? "u16" : "u8"}, ${gradient ? "gradients" : "log-rates"}`;
  return {
    ...run,
    name: `readout agrees with float64: ${shape}, ${what}`,
    check(want, got, { quotient }) {
      const dl = logRateBound(F, run.inputs);
      const plain = logRatesOf(run.inputs, given);
      const rate = (i: number) => Math.exp(plain[i]);
      // exp passes its argument's error on, adds 2 ulp (4 u) of its own
      const rateBound = (i: number) => rate(i) * (dl + 4 * U);
      const gradientBound = (i: number) =>
        (rateBound(i) + (1 + quotient) * U * (rate(i) + most)) / B;
      const w = largest(run.inputs.w);
      near("logRates", got.logRates, want.logRates, (i) => gradient ? gradientBound(i) : dl);
      near("dFactors", got.dFactors, want.dFactors, (i) => {
        // slot 0, before the first bin, is not the readout's
        const row = Math.floor(i / F) - R;
        if (!gradient || row < 0) return 0;
        let bound = 0;
        for (let n = 0; n < N; n++) {
          const at = row * N + n;
          bound += w * (gradientBound(at) + (N + 1) * U * Math.abs(want.logRates[at]));
        }
        return bound;
      });
      near("nll", got.nll, want.nll, (r) => {
        let bound = 0;
        for (let t = 0; t < T; t++) {
          for (let n = 0; n < N; n++) {
            const at = (t * R + r) * N + n;
            const size = rate(at) + most * (Math.abs(plain[at]) + dl);
            // no device adds more than a bin's terms, or those of 64 bins, one by one
            bound += rateBound(at) + most * dl + (Math.max(N, 64) + 4) * U * size;
          }
        }
        return bound;
      });
    },
  };
}

function extremeReadout(): KernelCase {
  const N = 6;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("readout", {
    factors_HRF: plan.buffer("factors", 2),
    w_FN: plan.buffer("w", N),
    b_N: plan.buffer("b", N),
    counts: plan.buffer("counts", N, "u8", { shared: true }),
    trials_B: plan.buffer("trials", 1, "u32"),
    logRates_TRN: plan.buffer("logRates", N),
    dFactors_HRF: plan.buffer("dFactors", 2),
    nll_R: plan.buffer("nll", 1),
  }, { T: 1, N, F: 1, element: 0, gaps: 0, gradient: 1, coordinated: 0, keepRate: 1 });
  return {
    name: "the loss and its gradient read log-rates of more than 30 as 30",
    plan,
    inputs: {
      factors: Float64Array.of(0, 0),
      b: Float64Array.of(30, 31, 100, 1e4, 30.5, 1e30),
      counts: Float64Array.of(0, 1, 2, 3, 0, 0),
    },
    outputs: ["logRates", "nll"],
    scalars: scalars({ B: 1 }),
    check(want, got, { quotient }) {
      // exp's 2 ulp, then subtractions and sums of six terms
      near("logRates", got.logRates, want.logRates, (i) => (5 + quotient) * U * want.logRates[i]);
      near("nll", got.nll, want.nll, () => 12 * U * want.nll[0]);
    },
  };
}

/** A loss that is not a number says so, in its own row alone. */
function lostReadout(): KernelCase {
  const B = 3, T = 2, N = 5, F = 1;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("readout", {
    factors_HRF: plan.buffer("factors", (T + 1) * B),
    w_FN: plan.buffer("w", N),
    b_N: plan.buffer("b", N),
    counts: plan.buffer("counts", B * T * N, "u8", { shared: true }),
    trials_B: plan.buffer("trials", B, "u32"),
    logRates_TRN: plan.buffer("logRates", T * B * N),
    dFactors_HRF: plan.buffer("dFactors", (T + 1) * B),
    nll_R: plan.buffer("nll", B),
  }, { T, N, F, element: 0, gaps: 0, gradient: 1, coordinated: 0, keepRate: 1 });
  const factors = new Float64Array((T + 1) * B);
  factors[B + 1] = NaN;
  factors[2 * B + 2] = Infinity;
  return {
    name: "a log-rate that is no number makes the loss of its row none, and its gradients",
    plan,
    inputs: {
      factors,
      w: new Float64Array(N).fill(1),
      b: new Float64Array(N),
      counts: new Float64Array(B * T * N).fill(1),
      trials: Float64Array.of(0, 1, 2),
    },
    outputs: ["logRates", "dFactors", "nll"],
    scalars: scalars({ B }),
    check(want, got) {
      assert.deepEqual([...want.nll].map(Number.isNaN), [false, true, false]);
      assert.equal(want.nll[2], -Infinity);
      assert.equal(got.nll[2], -Infinity);
      for (const name of ["nll", "logRates", "dFactors"]) {
        assert.deepEqual([...got[name]].map(Number.isNaN), [...want[name]].map(Number.isNaN), name);
      }
    },
  };
}

/** The means of random factors' rates. */
export function posteriorRun(B: number, S: number, T: number, N: number, F: number): KernelRun {
  const R = B * S;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("posterior_rates", {
    factors_HRF: plan.buffer("factors", (T + 1) * R * F),
    w_FN: plan.buffer("w", F * N),
    b_N: plan.buffer("b", N),
    rates_TBN: plan.buffer("rates", T * B * N),
    logRates_TBN: plan.buffer("logRates", T * B * N),
  }, { T, N, F });
  const inputs = { factors: normals((T + 1) * R * F), w: normals(F * N), b: normals(N) };
  inputs.b[0] = 40;
  return { plan, inputs, outputs: ["rates", "logRates"], scalars: scalars({ B, S }) };
}

function posteriorCase(B: number, S: number, T: number, N: number, F: number): KernelCase {
  const run = posteriorRun(B, S, T, N, F);
  return {
    ...run,
    name: `posterior_rates averages rates and log-rates: B ${B}, S ${S}, T ${T}, N ${N}, F ${F}`,
    check(want, got, { quotient }) {
      const dl = logRateBound(F, run.inputs);
      const most = F * largest(run.inputs.factors) * largest(run.inputs.w) + largest(run.inputs.b);
      near("rates", got.rates, want.rates, (i) => want.rates[i] * (dl + (S + 4 + quotient) * U));
      near("logRates", got.logRates, want.logRates, () => dl + (S + quotient) * U * most);
    },
  };
}

function extremeRates(): KernelCase {
  const N = 5;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("posterior_rates", {
    factors_HRF: plan.buffer("factors", 2),
    w_FN: plan.buffer("w", N),
    b_N: plan.buffer("b", N),
    rates_TBN: plan.buffer("rates", N),
    logRates_TBN: plan.buffer("logRates", N),
  }, { T: 1, N, F: 1 });
  return {
    name: "a log-rate far below 0 has a rate of next to nothing, and NaN stays NaN",
    plan,
    inputs: { factors: Float64Array.of(0, 0), b: Float64Array.of(-87, -1000, -1e30, NaN, 0) },
    outputs: ["rates"],
    scalars: scalars({ B: 1 }),
    check(_, { rates }) {
      for (const rate of rates.subarray(0, 3)) assert.ok(rate >= 0 && rate < 2e-38, `${rate}`);
      assert.deepEqual([...rates.subarray(3)], [NaN, 1]);
    },
  };
}

/** The means of random numbers. */
export function averageRun(B: number, S: number, T: number, n: number): KernelRun {
  const plan = new PlanBuilder();
  plan.record("main").dispatch("average_samples", {
    source: plan.buffer("source", T * B * S * n),
    mean: plan.buffer("mean", T * B * n),
  }, { T, n });
  return {
    plan,
    inputs: { source: normals(T * B * S * n) },
    outputs: ["mean"],
    scalars: scalars({ B, S }),
  };
}

function averageCase(B: number, S: number, T: number, n: number): KernelCase {
  const run = averageRun(B, S, T, n);
  return {
    ...run,
    name: `average_samples is the mean over each trial's samples: B ${B}, S ${S}, T ${T}, n ${n}`,
    check(want, got, { quotient }) {
      const most = largest(run.inputs.source);
      near("mean", got.mean, want.mean, () => (S + quotient) * U * most);
    },
  };
}

function reduceCase(P: number, G: number, F: number, R: number, gradient: 0 | 1): KernelCase {
  const plan = new PlanBuilder();
  const params_P = plan.buffer("params", P), grads_P = plan.buffer("grads", P);
  const place = { offset: P - G * F - 1, length: G * F };
  plan.record("main").dispatch("reduce", {
    params_P,
    l2_P: plan.buffer("l2", P),
    grads_P,
    w_GF: { buffer: "params", ...place },
    dw_GF: { buffer: "grads", ...place },
    norms_F: plan.buffer("norms", F),
    nll_R: plan.buffer("nll", R),
    klIc_R: plan.buffer("klIc", R),
    klInputs_R: gradient ? plan.buffer("klInputs", R) : null,
    partials: plan.buffer("partials", partialsLength(P)),
    losses: plan.buffer("losses", LOSSES.length),
  }, { P, G, F, gradient });
  const params = normals(P), grads = normals(P);
  const norms = Float64Array.from({ length: F }, (_, f) => {
    let sum = 0;
    for (let g = 0; g < G; g++) sum += params[place.offset + g * F + f] ** 2;
    return Math.fround(Math.sqrt(sum));
  });
  const rows: Record<string, Float64Array> = {
    nll: normals(R, 100),
    klIc: normals(R),
    ...(gradient ? { klInputs: normals(R) } : {}),
  };
  /** What the gradient through a norm is the difference of, at parameter p; 0 elsewhere. */
  const terms = (p: number) => {
    const i = p - place.offset;
    if (!gradient || i < 0 || i >= G * F) return 0;
    const f = i % F;
    let along = 0;
    for (let at = f; at < G * F; at += F) {
      along += Math.abs(grads[place.offset + at] * params[place.offset + at]) / norms[f];
    }
    return (Math.abs(grads[p]) + Math.abs(params[p]) / norms[f] * along) / norms[f];
  };
  return {
    name: `reduce agrees with float64: ${P} parameters, gradient ${gradient}`,
    plan,
    inputs: { params, l2: new Float64Array(P).fill(Math.fround(1e-3)), grads, norms, ...rows },
    outputs: ["grads", "losses"],
    scalars: scalars({ B: R, klIcScale: 0.25, klInputsScale: 0.125 }),
    check(want, got, { quotient, root, chain }) {
      // G products with two quotients, a product, a difference and a quotient
      const through = chain(G + 3 * quotient + 2) - chain(1);
      near(
        "grads",
        got.grads,
        want.grads,
        (i) => 3 * U * (Math.abs(want.grads[i]) + 6e-3) + through * U * terms(i),
      );
      // a device's sum over rows has at most a few times 8 additions in a chain: a tree of 256
      const [total, , , , l2, gradNorm] = want.losses;
      const mean = (name: string) =>
        rows[name]
          ? U * ((chain(16 + quotient) - 1) * meanSize(rows[name]) + Math.abs(
            want.losses[
              LOSSES.indexOf(name as "nll")
            ],
          ))
          : 0;
      const means = ["nll", "klIc", "klInputs"].map(mean);
      // squares in blocks of 1024, at most 256 to a lane
      const squares = (256 + 4) * U;
      const own = [
        2 * means.reduce((a, b) => a + b) + 2 * U * Math.abs(total) + squares * l2,
        ...means,
        squares * l2,
        // the root halves a relative error; the gradients' own 3 u join it, and what comes through norms
        (squares / 2 + (3 + root) * U) * gradNorm +
        U * through * Math.hypot(...want.grads.map((_, p) => terms(p))),
      ];
      near("losses", got.losses, want.losses, (i) => own[i]);
    },
  };
}

function adamCase(P: number, count: number, maxNorm: number): KernelCase {
  const plan = new PlanBuilder();
  // float32's neighbours, so that both devices decay alike
  const b1 = Math.fround(0.9), b2 = Math.fround(0.999), eps = Math.fround(1e-4);
  plan.record("main").dispatch("adam", {
    params_P: plan.buffer("params", P),
    grads_P: plan.buffer("grads", P),
    m_P: plan.buffer("m", P),
    v_P: plan.buffer("v", P),
    losses: plan.buffer("losses", LOSSES.length),
  }, { P, b1, b2, eps, maxNorm, weightDecay: 0 });
  const inputs = {
    params: normals(P),
    grads: normals(P),
    m: normals(P, 0.1),
    v: normals(P, 0.1).map((x) => Math.fround(x * x)),
    losses: Float64Array.of(0, 0, 0, 0, 0, 2),
  };
  return {
    name: `adam clips by the global norm and moves like float64: ${P} parameters, step ${count}`,
    plan,
    inputs,
    outputs: ["params", "m", "v", "grads"],
    scalars: scalars({ count, learningRate: Math.fround(0.01) }),
    check(want, got, { quotient, root, chain }) {
      // two products and a sum of opposite signs at worst; clipping rounds the gradient once
      const term = (i: number) => Math.abs(inputs.m[i]) + Math.abs(inputs.grads[i]);
      const clip = quotient - 1;
      near("m", got.m, want.m, (i) => (4 + clip) * U * term(i));
      near("v", got.v, want.v, (i) => (6 + 2 * clip) * U * want.v[i]);
      // 1 - b^count where that is not made in float64: x = count · ln b errs by 2 ulp and a product
      // (6 u), exp by 2 ulp more; relative to 1 - e^x that is below 6 u + 4 u · e^x / (1 - e^x), at
      // most 18 u for x < -0.3; nearer 0 the series adds its own 2 ulp. Its root halves it.
      const unbias = 1.5 * (chain(19) - chain(1));
      const roundings = 8 + clip + unbias + 2 * (quotient - 1) + root - 1;
      // m's error and some roundings, times the step per unit of m
      const unbias1 = 1 - b1 ** count, unbias2 = 1 - b2 ** count;
      near("params", got.params, want.params, (i) => {
        const slope = 0.01 / unbias1 / (Math.sqrt(want.v[i] / unbias2) + 1e-4);
        return slope * ((4 + clip) * U * term(i) + roundings * U * Math.abs(want.m[i])) +
          U * (Math.abs(want.params[i]) + 1e-3);
      });
      assert.deepEqual(got.grads, inputs.grads);
    },
  };
}

/** A readout in every mode. */
const inEveryMode = (B: number, S: number, T: number, N: number, F: number): KernelCase[] =>
  ([0, 1] as const).flatMap((wide) =>
    ([0, 1] as const).map((gradient) => readoutCase({ B, S, T, N, F, wide, gradient }))
  );

/** Small sizes of every kind, and sizes just beyond what a workgroup of a GPU or a block of wasm holds. */
export const kernelCases: readonly KernelCase[] = [
  ...[[1, 1], [2, 2], [7, 5], [100, 40], [3, 300]].map(([G, F]) => prepareCase(G, F)),
  ...inEveryMode(1, 1, 1, 1, 1),
  ...inEveryMode(3, 1, 4, 9, 2),
  ...inEveryMode(6, 1, 3, 30, 5),
  readoutCase({ B: 3, S: 5, T: 4, N: 7, F: 3, wide: 0, gradient: 0 }),
  // several tiles of bins, of neurons, of factors; each number of parts
  readoutCase({ B: 2, S: 1, T: 70, N: 133, F: 40, wide: 0, gradient: 1 }),
  readoutCase({ B: 2, S: 1, T: 33, N: 65, F: 4, wide: 1, gradient: 1 }),
  readoutCase({ B: 1, S: 1, T: 32, N: 64, F: 8, wide: 0, gradient: 1 }),
  readoutCase({ B: 1, S: 1, T: 34, N: 70, F: 16, wide: 0, gradient: 1 }),
  readoutCase({ B: 1, S: 1, T: 31, N: 63, F: 33, wide: 0, gradient: 1 }),
  readoutCase({ B: 2, S: 3, T: 65, N: 129, F: 67, wide: 1, gradient: 0 }),
  extremeReadout(),
  lostReadout(),
  posteriorCase(1, 1, 1, 1, 1),
  posteriorCase(3, 1, 4, 9, 2),
  posteriorCase(2, 5, 3, 13, 4),
  posteriorCase(5, 8, 3, 30, 5),
  posteriorCase(7, 1, 11, 70, 3),
  posteriorCase(2, 32, 2, 65, 33),
  posteriorCase(2, 33, 2, 5, 2),
  posteriorCase(1, 300, 2, 66, 2),
  posteriorCase(1, 512, 1, 3, 1),
  posteriorCase(1, 600, 1, 3, 1),
  extremeRates(),
  averageCase(1, 1, 1, 1),
  averageCase(3, 4, 2, 5),
  averageCase(2, 7, 5, 8),
  averageCase(2, 70, 3, 3),
  averageCase(3, 16, 2, 17),
  averageCase(2, 600, 2, 70),
  averageCase(1, 512, 1, 40),
  averageCase(100, 1, 9, 4),
  ...[[5, 1, 1, 1], [3000, 20, 7, 9], [5001, 30, 4, 200], [2000, 2, 300, 700]].flatMap((
    [P, G, F, R],
  ) => ([0, 1] as const).map((gradient) => reduceCase(P, G, F, R, gradient))),
  ...[1, 6, 1027].flatMap((P) =>
    [[1, 10], [2, 0.5], [20, 10], [300, 10], [5000, 10]].map(([count, maxNorm]) =>
      adamCase(P, count, maxNorm)
    )
  ),
];
