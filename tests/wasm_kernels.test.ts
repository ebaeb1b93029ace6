/**
 * The element-wise kernels on wasm against their float64 definitions, on the same float32 inputs; the
 * same bits whatever the number of threads.
 *
 * Tolerances follow from float32's unit roundoff u = 2^-24: a sum of k products errs by at most
 * k u Σ|products| (first order), and each function or division adds a few u.
 */
import assert from "node:assert/strict";
import type { Executor, Program } from "../src/compute/executor.ts";
import { scalars } from "../src/compute/executor.ts";
import { LOSSES, type Scalars } from "../src/compute/kernels.ts";
import { type Plan, PlanBuilder } from "../src/compute/recording.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";

const U = 2 ** -24;

/** A plan to run on several devices: inputs to write, outputs to read. */
interface Case {
  readonly plan: Plan;
  readonly inputs: Readonly<Record<string, Float64Array>>;
  readonly outputs: readonly string[];
  readonly scalars: Scalars;
}

type Outputs = Record<string, Float64Array>;

async function runOn(executor: Executor, { plan, inputs, outputs, scalars }: Case) {
  const program: Program = await executor.load(plan);
  for (const [name, values] of Object.entries(inputs)) program.write(name, values);
  await program.run("main", scalars);
  const found: Outputs = {};
  for (const name of outputs) found[name] = await program.read(name);
  program.free();
  return found;
}

const devices = [
  { threads: 1 },
  { threads: 2 },
  { threads: 3 },
  { threads: 2, reproducible: true },
];

/** The outputs of the reference, and of wasm after checking that threads do not change a bit. */
async function outputsOf(test: Case): Promise<{ want: Outputs; got: Outputs[] }> {
  const want = await runOn(createReferenceExecutor(), test);
  const got: Outputs[] = [];
  for (const device of devices) {
    const executor = await createWasmExecutor(device);
    try {
      got.push(await runOn(executor, test));
    } finally {
      executor.close();
    }
  }
  assert.deepEqual(got[1], got[0], "2 threads give the bits of 1");
  assert.deepEqual(got[2], got[0], "3 threads give the bits of 1");
  return { want, got: [got[0], got[3]] };
}

/** Fails where `got` is further from `want` than `bound(i)`. */
function near(
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
function normals(length: number, scale = 1): Float64Array {
  const at = { ...seedWords(7), stream: STREAMS.simulate };
  return fillNormal(at, draws++, new Float64Array(length)).map((x) => Math.fround(scale * x));
}

/** Whole numbers from 0 to `most`. */
function wholes(length: number, most: number): Float64Array {
  const at = { ...seedWords(8), stream: STREAMS.simulate };
  return fillUniform(at, draws++, new Float64Array(length)).map((x) => Math.floor(x * (most + 1)));
}

Deno.test("prepare divides each factor's weights by their norm", async () => {
  for (const [G, F] of [[1, 1], [2, 2], [7, 5], [100, 40]]) {
    const plan = new PlanBuilder();
    const w_GF = plan.buffer("w", G * F), factorsHat_GF = plan.buffer("hat", G * F);
    const norms_F = plan.buffer("norms", F);
    plan.record("main").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G, F });
    const { want, got } = await outputsOf({
      plan,
      inputs: { w: normals(G * F) },
      outputs: ["hat", "norms"],
      scalars: scalars({}),
    });
    for (const found of got) {
      // computed in float64, rounded once
      near("hat", found.hat, want.hat, (i) => U * Math.abs(want.hat[i]));
      near("norms", found.norms, want.norms, (i) => U * want.norms[i]);
    }
  }
});

/** Bounds on log-rates: F products and a sum. */
function logRateBound(F: number, factors: Float64Array, w: Float64Array, b: Float64Array): number {
  const most = (values: Float64Array) => values.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  return (F + 1) * U * (F * most(factors) * most(w) + most(b));
}

for (const wide of [0, 1]) {
  for (const gradient of [0, 1]) {
    for (const [B, S, T, N, F] of [[1, 1, 1, 1, 1], [3, 1, 4, 9, 2], [6, 1, 3, 30, 5]]) {
      const shape = `B ${B}, T ${T}, N ${N}, F ${F}`;
      const what = `${wide ? "u16" : "u8"}, ${gradient ? "gradients" : "log-rates"}`;
      Deno.test(`readout agrees with float64: ${shape}, ${what}`, () =>
        readoutAgrees(B, S, T, N, F, wide, gradient));
    }
  }
}

Deno.test("readout agrees with float64: several samples of a trial", () =>
  readoutAgrees(3, 5, 4, 7, 3, 0, 0));

async function readoutAgrees(
  B: number,
  S: number,
  T: number,
  N: number,
  F: number,
  wide: number,
  gradient: number,
) {
  const R = B * S, trials = B + 2;
  const plan = new PlanBuilder();
  const most = wide ? 300 : 255;
  plan.record("main").dispatch("readout", {
    factors_HRF: plan.buffer("factors", (T + 1) * R * F),
    w_FN: plan.buffer("w", F * N),
    b_N: plan.buffer("b", N),
    counts: plan.buffer("counts", trials * T * N, wide ? "u16" : "u8"),
    trials_B: plan.buffer("trials", B, "u32"),
    logRates_TRN: plan.buffer("logRates", T * R * N),
    dFactors_TRF: plan.buffer("dFactors", T * R * F),
    nll_R: plan.buffer("nll", R),
  }, { T, N, F, wide, gradient });
  const inputs = {
    factors: normals((T + 1) * R * F),
    w: normals(F * N, 0.5),
    b: normals(N, 0.5),
    counts: wholes(trials * T * N, most),
    trials: Float64Array.from({ length: B }, (_, b) => trials - 1 - b),
  };
  const { want, got } = await outputsOf({
    plan,
    inputs,
    outputs: ["logRates", "dFactors", "nll"],
    scalars: scalars({ B, S }),
  });
  const dl = logRateBound(F, inputs.factors, inputs.w, inputs.b);
  const plain = await logRatesOf(inputs, R, T, N, F);
  const rate = (i: number) => Math.exp(plain[i]);
  // exp passes its argument's error on, adds 2 ulp (4 u) of its own
  const rateBound = (i: number) => rate(i) * (dl + 4 * U);
  const gradientBound = (i: number) => (rateBound(i) + 2 * U * (rate(i) + most)) / B;
  const largest = inputs.w.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  for (const found of got) {
    near("logRates", found.logRates, want.logRates, (i) => gradient ? gradientBound(i) : dl);
    near("dFactors", found.dFactors, want.dFactors, (i) => {
      if (!gradient) return 0;
      const row = Math.floor(i / F);
      let bound = 0;
      for (let n = 0; n < N; n++) {
        const at = row * N + n;
        bound += largest * (gradientBound(at) + (N + 1) * U * Math.abs(want.logRates[at]));
      }
      return bound;
    });
    near("nll", found.nll, want.nll, (r) => {
      let bound = 0;
      for (let t = 0; t < T; t++) {
        for (let n = 0; n < N; n++) {
          const at = (t * R + r) * N + n;
          const size = rate(at) + most * (Math.abs(plain[at]) + dl);
          bound += rateBound(at) + most * dl + (N + 4) * U * size;
        }
      }
      return bound;
    });
  }
}

Deno.test("the loss and its gradient read log-rates of more than 30 as 30", async () => {
  const N = 6;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("readout", {
    factors_HRF: plan.buffer("factors", 2),
    w_FN: plan.buffer("w", N),
    b_N: plan.buffer("b", N),
    counts: plan.buffer("counts", N, "u8"),
    trials_B: plan.buffer("trials", 1, "u32"),
    logRates_TRN: plan.buffer("logRates", N),
    dFactors_TRF: plan.buffer("dFactors", 1),
    nll_R: plan.buffer("nll", 1),
  }, { T: 1, N, F: 1, wide: 0, gradient: 1 });
  const { want, got } = await outputsOf({
    plan,
    inputs: {
      factors: Float64Array.of(0, 0),
      b: Float64Array.of(30, 31, 100, 1e4, 30.5, 1e30),
      counts: Float64Array.of(0, 1, 2, 3, 0, 0),
    },
    outputs: ["logRates", "nll"],
    scalars: scalars({ B: 1 }),
  });
  for (const found of got) {
    // exp's 2 ulp, then subtractions and sums of six terms
    near("logRates", found.logRates, want.logRates, (i) => 6 * U * want.logRates[i]);
    near("nll", found.nll, want.nll, () => 12 * U * want.nll[0]);
  }
});

/** Log-rates in float64. */
async function logRatesOf(
  inputs: Record<string, Float64Array>,
  R: number,
  T: number,
  N: number,
  F: number,
): Promise<Float64Array> {
  const plan = new PlanBuilder();
  plan.record("main").dispatch("posterior_rates", {
    factors_HRF: plan.buffer("factors", (T + 1) * R * F),
    w_FN: plan.buffer("w", F * N),
    b_N: plan.buffer("b", N),
    rates_TBN: plan.buffer("rates", T * R * N),
    logRates_TBN: plan.buffer("logRates", T * R * N),
  }, { T, N, F });
  const { factors, w, b } = inputs;
  const test = {
    plan,
    inputs: { factors, w, b },
    outputs: ["logRates"],
    scalars: scalars({ B: R }),
  };
  return (await runOn(createReferenceExecutor(), test)).logRates;
}

Deno.test("posterior_rates averages rates and log-rates over the samples", async () => {
  for (
    const [B, S, T, N, F] of [[1, 1, 1, 1, 1], [3, 1, 4, 9, 2], [2, 5, 3, 13, 4], [5, 8, 3, 30, 5]]
  ) {
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
    const { want, got } = await outputsOf({
      plan,
      inputs,
      outputs: ["rates", "logRates"],
      scalars: scalars({ B, S }),
    });
    const dl = logRateBound(F, inputs.factors, inputs.w, inputs.b);
    const most = F * 6 * 6 + 40;
    for (const found of got) {
      near("rates", found.rates, want.rates, (i) => want.rates[i] * (dl + (S + 5) * U));
      near("logRates", found.logRates, want.logRates, () => dl + (S + 1) * U * most);
    }
  }
});

Deno.test("a log-rate far below 0 has a rate of next to nothing, and NaN stays NaN", async () => {
  const N = 5;
  const plan = new PlanBuilder();
  plan.record("main").dispatch("posterior_rates", {
    factors_HRF: plan.buffer("factors", 2),
    w_FN: plan.buffer("w", N),
    b_N: plan.buffer("b", N),
    rates_TBN: plan.buffer("rates", N),
    logRates_TBN: plan.buffer("logRates", N),
  }, { T: 1, N, F: 1 });
  const { got } = await outputsOf({
    plan,
    inputs: { factors: Float64Array.of(0, 0), b: Float64Array.of(-87, -1000, -1e30, NaN, 0) },
    outputs: ["rates"],
    scalars: scalars({ B: 1 }),
  });
  for (const { rates } of got) {
    for (const rate of rates.subarray(0, 3)) assert.ok(rate >= 0 && rate < 2e-38, `${rate}`);
    assert.deepEqual([...rates.subarray(3)], [NaN, 1]);
  }
});

Deno.test("average_samples is the mean over each trial's samples", async () => {
  for (const [B, S, T, n] of [[1, 1, 1, 1], [3, 4, 2, 5], [2, 7, 5, 8]]) {
    const plan = new PlanBuilder();
    plan.record("main").dispatch("average_samples", {
      source: plan.buffer("source", T * B * S * n),
      mean: plan.buffer("mean", T * B * n),
    }, { T, n });
    const source = normals(T * B * S * n);
    const { want, got } = await outputsOf({
      plan,
      inputs: { source },
      outputs: ["mean"],
      scalars: scalars({ B, S }),
    });
    for (const { mean } of got) near("mean", mean, want.mean, () => (S + 1) * U * 6);
  }
});

for (const [P, G, F, R] of [[5, 1, 1, 1], [3000, 20, 7, 9], [5001, 30, 4, 200]]) {
  for (const gradient of [0, 1]) {
    Deno.test(`reduce agrees with float64: ${P} parameters, gradient ${gradient}`, async () => {
      const plan = new PlanBuilder();
      const params_P = plan.buffer("params", P), grads_P = plan.buffer("grads", P);
      const place = { offset: P - G * F - 1, length: G * F };
      plan.record("main").dispatch("reduce", {
        params_P,
        grads_P,
        w_GF: { buffer: "params", ...place },
        dw_GF: { buffer: "grads", ...place },
        norms_F: plan.buffer("norms", F),
        nll_R: plan.buffer("nll", R),
        klIc_R: plan.buffer("klIc", R),
        klInputs_R: gradient ? plan.buffer("klInputs", R) : null,
        partials: plan.buffer("partials", (Math.ceil(P / 1024) + 1) * 2),
        losses: plan.buffer("losses", LOSSES.length),
      }, { P, G, F, gradient, l2: Math.fround(1e-3) });
      const params = normals(P), grads = normals(P);
      const norms = Float64Array.from({ length: F }, (_, f) => {
        let sum = 0;
        for (let g = 0; g < G; g++) sum += params[place.offset + g * F + f] ** 2;
        return Math.fround(Math.sqrt(sum));
      });
      const { want, got } = await outputsOf({
        plan,
        inputs: {
          params,
          grads,
          norms,
          nll: normals(R, 100),
          klIc: normals(R),
          ...(gradient ? { klInputs: normals(R) } : {}),
        },
        outputs: ["grads", "losses"],
        scalars: scalars({ B: R, klScale: 0.25 }),
      });
      // sums of losses run in float64; squares in blocks of 1024, 256 to a lane
      const squares = (256 + 4) * U;
      for (const found of got) {
        near("grads", found.grads, want.grads, (i) => 3 * U * (Math.abs(want.grads[i]) + 6e-3));
        const [total, nll, klIc, klInputs, l2, gradNorm] = want.losses;
        const own = [
          2 * U * (Math.abs(nll) + Math.abs(klIc) + Math.abs(klInputs) + Math.abs(total)) +
          squares * l2,
          U * Math.abs(nll),
          U * Math.abs(klIc),
          U * Math.abs(klInputs),
          squares * l2,
          // the root halves a relative error; the gradients' own 3 u join it
          (squares / 2 + 4 * U) * gradNorm,
        ];
        near("losses", found.losses, want.losses, (i) => own[i]);
      }
    });
  }
}

Deno.test("adam clips by the global norm and moves like float64, over several steps' counts", async () => {
  for (const P of [1, 6, 1027]) {
    for (const [count, maxNorm] of [[1, 10], [2, 0.5], [5000, 10]]) {
      const plan = new PlanBuilder();
      plan.record("main").dispatch("adam", {
        params_P: plan.buffer("params", P),
        grads_P: plan.buffer("grads", P),
        m_P: plan.buffer("m", P),
        v_P: plan.buffer("v", P),
        losses: plan.buffer("losses", LOSSES.length),
      }, {
        P,
        // float32's neighbours, so that both devices decay alike
        b1: Math.fround(0.9),
        b2: Math.fround(0.999),
        eps: Math.fround(1e-4),
        maxNorm,
      });
      const inputs = {
        params: normals(P),
        grads: normals(P),
        m: normals(P, 0.1),
        v: normals(P, 0.1).map((x) => Math.fround(x * x)),
        losses: Float64Array.of(0, 0, 0, 0, 0, 2),
      };
      const { want, got } = await outputsOf({
        plan,
        inputs,
        outputs: ["params", "m", "v", "grads"],
        scalars: scalars({ count, learningRate: Math.fround(0.01) }),
      });
      for (const found of got) {
        // two products and a sum of opposite signs at worst; clipping rounds the gradient once
        const term = (i: number) => Math.abs(inputs.m[i]) + Math.abs(inputs.grads[i]);
        near("m", found.m, want.m, (i) => 4 * U * term(i));
        near("v", found.v, want.v, (i) => 6 * U * want.v[i]);
        // m's error and some roundings, times the step per unit of m
        const unbias1 = 1 - Math.fround(0.9) ** count, unbias2 = 1 - Math.fround(0.999) ** count;
        near("params", found.params, want.params, (i) => {
          const slope = 0.01 / unbias1 / (Math.sqrt(want.v[i] / unbias2) + 1e-4);
          return slope * (4 * U * term(i) + 8 * U * Math.abs(want.m[i])) +
            U * (Math.abs(want.params[i]) + 1e-3);
        });
        assert.deepEqual(found.grads, inputs.grads);
      }
    }
  }
});
