/**
 * The reference executor against a second writing of the model's equations: one trial at a time, plain
 * vectors, as they stand in the model's description. And cells and losses at values known by hand.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawParameters } from "../src/check/random_draws.ts";
import { scalars } from "../src/compute/executor.ts";
import { LOSSES } from "../src/compute/kernels.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import type { StepOptions } from "../src/model/choreography.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { type Architecture, parameterLayout } from "../src/model/layout.ts";
import { fillNormal, fillUniform, seedWords, STREAMS } from "../src/random.ts";
import { autoregression, kl } from "../src/reference/gaussian.ts";
import { gru } from "../src/reference/gru.ts";
import { vanilla } from "../src/reference/vanilla.ts";

type Vector = readonly number[];

const sum = (x: Vector) => x.reduce((a, b) => a + b, 0);
const add = (...xs: Vector[]) => xs[0].map((_, i) => sum(xs.map((x) => x[i])));
const times = (x: Vector, y: Vector) => x.map((value, i) => value * y[i]);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** `x W` for `W[in][out]` with `n` outputs */
const through = (x: Vector, W: Vector, n: number) =>
  Array.from({ length: n }, (_, j) => sum(x.map((value, i) => value * W[i * n + j])));

interface GruParameters {
  readonly wGates: Vector;
  readonly wCandidate: Vector;
}

/** `pre`: what the inputs and the bias give r, u and c */
function gruStep(h: Vector, pre: Vector, { wGates, wCandidate }: GruParameters): Vector {
  const n = h.length;
  const gates = through(h, wGates, 2 * n);
  const r = h.map((_, i) => sigmoid(gates[i] + pre[i]));
  const u = h.map((_, i) => sigmoid(gates[n + i] + pre[n + i] + 0.5));
  const fromState = through(times(r, h), wCandidate, n);
  const c = h.map((_, i) => Math.tanh(fromState[i] + pre[2 * n + i]));
  return h.map((_, i) => u[i] * h[i] + (1 - u[i]) * c[i]);
}

/** `KL(N(m, v) ‖ N(m0, v0))`, summed */
function divergence(m: Vector, v: Vector, m0: Vector, v0: Vector): number {
  return sum(
    m.map((_, i) => (Math.log(v0[i] / v[i]) + (v[i] + (m[i] - m0[i]) ** 2) / v0[i] - 1) / 2),
  );
}

interface Noise {
  readonly epsIc: Vector;
  readonly epsInputs: readonly Vector[];
  /** dropout factors: 0, or 1 / keepRate */
  readonly keepSpikes: readonly Vector[];
  readonly keepEnds: Vector;
  readonly keepEnc: readonly Vector[];
  readonly keepGen: readonly Vector[];
}

/** One trial, as docs/model.md, section 2 has it: encode, sample, decode, loss. */
function trial(
  model: Architecture,
  params_P: Float64Array,
  spikes: readonly Vector[],
  noise: Noise,
  varMin: number,
) {
  const { T, N, E, C, U, G, F } = model.dims;
  const layout = parameterLayout(model);
  const p = (name: string): Vector => {
    const { offset, length } = layout.slice(name);
    return [...params_P.subarray(offset, offset + length)];
  };
  const variance = (logVar: Vector) => logVar.map((x) => Math.exp(x) + varMin);

  // encode
  const dropped = spikes.map((x, t) => times(x, noise.keepSpikes[t]));
  const pre = dropped.map((x) =>
    add(through(x, p("encoder.wInput_ND3E"), 6 * E), p("encoder.b_D3E"))
  );
  const direction = (d: number, order: number[]): Vector[] => {
    const part = (name: string, n: number) => p(name).slice(d * n, (d + 1) * n);
    const weights = {
      wGates: part("encoder.wGates_DE2E", 2 * E * E),
      wCandidate: part("encoder.wCandidate_DEE", E * E),
    };
    const states: Vector[] = [];
    let h = part("encoder.h0_DE", E);
    for (const t of order) {
      h = [...gruStep(h, pre[t].slice(d * 3 * E, (d + 1) * 3 * E), weights)];
      states[t] = h;
    }
    return states;
  };
  const bins = Array.from({ length: T }, (_, t) => t);
  const forward = direction(0, bins), backward = direction(1, bins.toReversed());
  const enc = bins.map((t) => times([...forward[t], ...backward[t]], noise.keepEnc[t]));
  const ends = times([...backward[0], ...forward[T - 1]], noise.keepEnds);
  const ic = add(through(ends, p("initialCondition.w_2E2I"), 2 * G), p("initialCondition.b_2I"));

  // sample
  const icMean = ic.slice(0, G), icVar = variance(ic.slice(G));
  let g: Vector = icMean.map((m, i) => m + Math.sqrt(icVar[i]) * noise.epsIc[i]);
  const klIc = divergence(icMean, icVar, p("icPrior.mean_I"), variance(p("icPrior.logVar_I")));

  // decode
  const w = p("factors.w_GF");
  const norms = Array.from(
    { length: F },
    (_, f) => Math.hypot(...Array.from({ length: G }, (_, i) => w[i * F + f])),
  );
  const hat = w.map((x, i) => x / norms[i % F]);
  let f: Vector = new Array(F).fill(0), c: Vector = U > 0 ? p("controller.h0_C") : [];
  let u: Vector = [], klInputs = 0, nll = 0;
  const logRates: Vector[] = [], inputs: Vector[] = [];
  for (const t of bins) {
    if (U > 0) {
      const fromOutside = add(
        through(enc[t], p("controller.wEncoding_2E3C"), 3 * C),
        through(f, p("controller.wFactors_F3C"), 3 * C),
        p("controller.b_3C"),
      );
      c = gruStep(c, fromOutside, {
        wGates: p("controller.wGates_C2C"),
        wCandidate: p("controller.wCandidate_CC"),
      });
      const out = add(through(c, p("inputs.w_C2U"), 2 * U), p("inputs.b_2U"));
      const mean = out.slice(0, U), spread = variance(out.slice(U));
      const phi = p("inputPrior.logTau_U").map((x) => Math.exp(-1 / Math.exp(x)));
      const noiseVar = variance(p("inputPrior.logNoiseVar_U"));
      const m = p("inputPrior.mean_U");
      klInputs += t === 0
        ? divergence(mean, spread, m, noiseVar.map((s2, i) => s2 / (1 - phi[i] ** 2)))
        : divergence(mean, spread, add(m, times(phi, u)), noiseVar);
      u = mean.map((x, i) => x + Math.sqrt(spread[i]) * noise.epsInputs[t][i]);
      inputs.push(u);
    }
    const gated = model.cell === "gru";
    const width = gated ? 3 * G : G;
    const fromInput = U > 0
      ? through(u, p(gated ? "generator.wInput_U3G" : "generator.wInput_UG"), width)
      : new Array(width).fill(0);
    const preGen = add(fromInput, p(gated ? "generator.b_3G" : "generator.b_G"));
    const activate = {
      tanh: Math.tanh,
      relu: (x: number) => Math.max(0, x),
      identity: (x: number) => x,
    };
    g = gated
      ? gruStep(g, preGen, {
        wGates: p("generator.wGates_G2G"),
        wCandidate: p("generator.wCandidate_GG"),
      })
      : add(through(g, p("generator.wRecurrent_GG"), G), preGen).map(activate[model.nonlinearity]);
    g = times(g, noise.keepGen[t]);
    f = through(g, hat, F);
    const logRate = add(through(f, p("readout.w_FN"), N), p("readout.b_N"));
    nll -= sum(logRate.map((l, n) => spikes[t][n] * l - Math.exp(l)));
    logRates.push(logRate);
  }
  return { logRates, inputs, nll, klIc, klInputs };
}

const size = fc.integer({ min: 1, max: 5 });

Deno.test("the reference computes the model's equations, trial by trial", async () => {
  const shapes = fc.record({
    seed: fc.integer({ min: 0, max: 2 ** 31 }),
    B: size,
    T: size,
    N: size,
    E: size,
    C: size,
    U: fc.integer({ min: 0, max: 3 }),
    G: size,
    F: size,
    cell: fc.constantFrom("gru", "vanilla"),
    nonlinearity: fc.constantFrom("tanh", "relu", "identity"),
    keepRate: fc.constantFrom(1, 0.75),
    generatorKeepRate: fc.constantFrom(1, 0.9),
    klScale: fc.constantFrom(0.3, 1),
  });
  const executor = createReferenceExecutor("a test");
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const { seed, B, T, N, E, U, G, F, cell, nonlinearity } = shape;
      const model: Architecture = {
        dims: { T, N, E, C: U > 0 ? shape.C : 0, U, G, F },
        cell: cell as Architecture["cell"],
        nonlinearity: nonlinearity as Architecture["nonlinearity"],
      };
      const { keepRate, generatorKeepRate, klScale } = shape;
      const options: StepOptions = {
        keepRate,
        generatorKeepRate,
        varMin: 1e-3,
        coordinatedDropout: 0,
        observationFloor: 0,
        weightDecay: 0,
        adamB1: 0.9,
        adamB2: 0.999,
        adamEps: 1e-4,
        maxGradNorm: 10,
      };
      const params_P = drawParameters(parameterLayout(model), seed, 0);
      let row = 0;
      const at = { ...seedWords(seed), stream: STREAMS.simulate };
      const normals = (n: number) => fillNormal(at, row++, new Float64Array(n));
      const mask = (n: number) =>
        fillUniform(at, row++, new Float64Array(n)).map((x) => x < 0.7 ? 1 : 0);
      const given: Record<string, Float64Array> = {
        counts: fillUniform(at, row++, new Float64Array(B * T * N)).map((x) => Math.floor(4 * x)),
        epsIc_RI: normals(B * G),
        keepSpikes_BTN: mask(B * T * N),
        keepEnds_B2E: mask(B * 2 * E),
        keepGen_RTG: mask(B * T * G),
        ...(U > 0 && { keepEnc_BT2E: mask(B * T * 2 * E), epsInputs_TRU: normals(T * B * U) }),
      };
      const program = await executor.load(
        trainingPlan(model, options, { B, S: 1, trials: B, counts: "u8", explicitNoise: true }),
      );
      program.write("params_P", params_P);
      program.write("l2_P", new Float64Array(params_P.length).fill(0.01));
      program.write("trials_B", Array.from({ length: B }, (_, b) => b));
      for (const [buffer, values] of Object.entries(given)) program.write(buffer, values);
      await program.run("forward", scalars({ B, klIcScale: klScale, klInputsScale: klScale }));
      const losses = await program.read("losses");
      const logRates_TRN = await program.read("logRates_TRN");
      const inputs_TRU = U > 0 ? await program.read("inputs_TRU") : new Float64Array(0);

      /** rows b·T … of `[B][T][n]` */
      const bins = (values: Float64Array, b: number, n: number, keep?: number) =>
        Array.from(
          { length: T },
          (_, t) =>
            [...values.subarray((b * T + t) * n, (b * T + t + 1) * n)]
              .map((x) => keep === undefined ? x : keep < 1 ? x / keep : 1),
        );
      const totals = { nll: 0, klIc: 0, klInputs: 0 };
      let size = 0;
      for (let b = 0; b < B; b++) {
        const found = trial(
          model,
          params_P,
          bins(given.counts, b, N),
          {
            epsIc: [...given.epsIc_RI.subarray(b * G, (b + 1) * G)],
            epsInputs: Array.from(
              { length: T },
              (_, t) =>
                U > 0
                  ? [...given.epsInputs_TRU.subarray((t * B + b) * U, (t * B + b + 1) * U)]
                  : [],
            ),
            keepSpikes: bins(given.keepSpikes_BTN, b, N, keepRate),
            keepEnds: [...given.keepEnds_B2E.subarray(b * 2 * E, (b + 1) * 2 * E)]
              .map((x) => keepRate < 1 ? x / keepRate : 1),
            keepEnc: U > 0
              ? bins(given.keepEnc_BT2E, b, 2 * E, keepRate)
              : bins(new Float64Array(B * T * 2 * E).fill(1), b, 2 * E),
            keepGen: bins(given.keepGen_RTG, b, G, generatorKeepRate),
          },
          options.varMin,
        );
        totals.nll += found.nll / B;
        totals.klIc += found.klIc / B;
        totals.klInputs += found.klInputs / B;
        for (let t = 0; t < T; t++) {
          // chains of at most T (2E + C + U + G + F + N) < 200 roundings, of values below 100
          for (let n = 0; n < N; n++) {
            const ours = logRates_TRN[(t * B + b) * N + n], wanted = found.logRates[t][n];
            assert.ok(Math.abs(ours - wanted) <= 1e-11 * (1 + Math.abs(wanted)), "log-rates");
            size += Math.exp(wanted) + 4 * Math.abs(wanted);
          }
          for (let i = 0; i < U; i++) {
            const ours = inputs_TRU[(t * B + b) * U + i], wanted = found.inputs[t][i];
            assert.ok(Math.abs(ours - wanted) <= 1e-11 * (1 + Math.abs(wanted)), "inputs");
          }
        }
      }
      program.free();
      const l2 = 0.01 * sum([...params_P].map((x) => x * x));
      const total = totals.nll + klScale * (totals.klIc + totals.klInputs) + l2;
      for (const [name, wanted] of Object.entries({ ...totals, l2, total })) {
        const ours = losses[LOSSES.indexOf(name as typeof LOSSES[number])];
        assert.ok(
          Math.abs(ours - wanted) <= 1e-11 * (1 + Math.abs(wanted) + size),
          `${name}: ${ours}, by the equations ${wanted}`,
        );
      }
    }),
    { numRuns: 60 },
  );
});

/** One GRU step of one unit without recurrent weights. */
function lone(h: number, preR: number, preU: number, preC: number, wCandidate = 0): number {
  const next = new Float64Array(1);
  gru(
    { n: 1, wGates_n2n: new Float64Array(2), wCandidate_nn: Float64Array.of(wCandidate) },
    [Float64Array.of(h), 0],
    [Float64Array.of(preR, preU, preC), 0],
    [new Float64Array(1), 0],
    [next, 0],
  );
  return next[0];
}

Deno.test("a GRU without weights keeps sigmoid(0.5) of its state; open gates keep all or none", () => {
  assert.equal(lone(3, 0, 0, 0), 3 * (1 / (1 + Math.exp(-0.5))));
  assert.equal(lone(3, 0, 1e3, 7), 3, "an update gate at 1 keeps the old state");
  assert.equal(lone(3, 0, -1e3, 7), Math.tanh(7), "at 0 it takes the candidate");
  assert.equal(
    lone(3, -1e3, -1e3, 0.25, 9),
    Math.tanh(0.25),
    "a closed reset gate hides the state",
  );
  assert.equal(lone(3, 1e3, -1e3, 0.25, 2), Math.tanh(6.25), "an open one shows it");
});

Deno.test("a vanilla step applies its nonlinearity to A h + b", () => {
  const next = (nonlinearity: number) => {
    const gates = Float64Array.of(1, -5);
    // [in][out]: A = [[2, 0], [3, 1]]
    vanilla(2, nonlinearity, Float64Array.of(2, 3, 0, 1), [Float64Array.of(0.5, 1), 0], [gates, 0]);
    return [...gates];
  };
  assert.deepEqual(next(0), [Math.tanh(2), Math.tanh(-2.5)]);
  assert.deepEqual(next(1), [2, 0]);
  assert.deepEqual(next(2), [2, -2.5]);
});

Deno.test("the divergence of Gaussians: 0 of equals, known values, never negative", () => {
  assert.equal(kl(0.3, 2, 0.3, 2), 0);
  assert.equal(kl(1, 1, 0, 1), 0.5);
  assert.equal(kl(0, Math.E, 0, 1), (Math.E - 2) / 2);
  const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  const any = fc.double({ min: -1e3, max: 1e3, noNaN: true });
  fc.assert(fc.property(any, positive, any, positive, (m, v, m0, v0) => {
    // ln v0 - ln v + v / v0 - 1 cancels to rounding of terms of up to 7 where v = v0
    assert.ok(kl(m, v, m0, v0) >= -1e-14);
  }));
});

Deno.test("the inferred inputs' prior is a stationary autoregression of variance s² / (1 - φ²)", () => {
  const { tau, phi, noiseVar } = autoregression(Math.log(2), Math.log(0.1), 0.001);
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 4 * Number.EPSILON * b);
  near(tau, 2);
  near(phi, Math.exp(-0.5));
  near(noiseVar, 0.101);
  const variance = noiseVar / (1 - phi * phi);
  near(phi * phi * variance + noiseVar, variance);
});
