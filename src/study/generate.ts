/** A fitted model run forward: trials that it has not seen, from its own prior (docs/model.md, section 2). */
import { step } from "../analysis/cell.ts";
import { type Dataset, datasetFromArrays } from "../data/dataset.ts";
import { sampleNumbers } from "./sample_numbers.ts";
import { sampleCounts } from "../data/poisson.ts";
import { InputError } from "../errors.ts";
import { FAMILIES } from "../compute/kernels.ts";
import { readoutNames, shapeOf } from "../model/layout.ts";
import { type Model, parameter } from "../model/model.ts";
import { type Address, fillNormal, PURPOSES, seedWords, STREAMS } from "../random.ts";
import { expected } from "../reference/families.ts";
import { autoregression } from "../reference/gaussian.ts";
import { prepare } from "../reference/prepare.ts";
import { generatorCell } from "./dynamics.ts";

export interface GenerateOptions {
  /** at least 1; default 100 */
  readonly trials?: number;
  /** bins of a trial, at least 1; the model's by default */
  readonly T?: number;
  /** of the initial conditions, inferred inputs and spikes; default 0 */
  readonly seed?: number;
  /** external inputs of each trial `[trials][T][X]`; zeros by default */
  readonly external_BTX?: Float64Array;
}

/** What a model generates, trials first, in float64. */
export interface Generated {
  readonly B: number;
  readonly T: number;
  /** initial states, from the prior of the initial condition */
  readonly g0_BG: Float64Array;
  /** inputs, from their autoregressive prior; empty without a controller */
  readonly inputs_BTU: Float64Array;
  /** generator states after each bin */
  readonly gen_BTG: Float64Array;
  readonly factors_BTF: Float64Array;
  /** expected spikes per bin, or expected values */
  readonly rates_BTN: Float64Array;
  /** what the readout says of each bin: log-rates, or several numbers for each neuron */
  readonly outputs_BTQ: Float64Array;
}

/** The two parts that draw, told apart by the address's `sample`. */
const PARTS = { initialCondition: 0, inputs: 1 } as const;

/** Stream `simulate` under `posterior`: neither a fit, an inference nor a simulator draws there. */
function address(seed: number, part: number): Address {
  return {
    ...seedWords(seed),
    stream: STREAMS.simulate,
    purpose: PURPOSES.posterior,
    sample: part,
  };
}

/**
 * Runs a model's generator forward from its priors, without noise on the state:
 *
 *     z ~ N(m0, exp(logVar) + varMin)      g0 = z, or W z + b
 *     u_0 ~ N(m, s²/(1-φ²)),   u_t ~ N(m + φ u_{t-1}, s²)
 *     g = cell([u ; ext], g)     f = Ŵ g     rate = exp(W_NF f + b), or the observation's mean
 *
 * @throws {InputError} for options out of range
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, generateTrials, initialise, parseHyperparameters } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * const { gen_BTG } = generateTrials(model, { trials: 10, seed: 1 });
 * assert.equal(gen_BTG.length, 10 * 5 * 2);
 * ```
 */
export function generateTrials(model: Model, options: GenerateOptions = {}): Generated {
  const { observation = "poisson" } = model.architecture;
  const { N, U, X, G, F, K, Q, ...shape } = shapeOf(model.architecture);
  const { trials: B = 100, T = shape.T, seed = 0 } = options;
  requireWhole("trials", B, 1);
  requireWhole("T", T, 1);
  requireWhole("seed", seed, 0);
  const cell = generatorCell(model);
  const { external_BTX = new Float64Array(B * T * X) } = options;
  if (external_BTX.length !== B * T * X) {
    throw new InputError(
      `Cannot generate from a model: expected external inputs of shape [${B}, ${T}, ${X}], found ` +
        `${external_BTX.length} numbers.`,
    );
  }
  const names = readoutNames(model.architecture);
  const w_FQ = parameter(model, names.w), b_Q = parameter(model, names.b);
  const family = FAMILIES[observation], floor = model.hyperparameters.observationFloor;
  const hat_GF = normalisedFactors(model);
  const g0_BG = initialStates(model, B, seed);
  const inputs_BTU = inputPaths(model, B, T, seed);
  const gen_BTG = new Float64Array(B * T * G);
  const factors_BTF = new Float64Array(B * T * F);
  const rates_BTN = new Float64Array(B * T * N), outputs_BTQ = new Float64Array(B * T * Q);
  for (let b = 0; b < B; b++) {
    let g_G: Float64Array = g0_BG.slice(b * G, (b + 1) * G);
    for (let t = 0; t < T; t++) {
      const row = b * T + t;
      g_G = step(cell, g_G, [
        ...inputs_BTU.subarray(row * U, (row + 1) * U),
        ...external_BTX.subarray(row * X, (row + 1) * X),
      ]);
      gen_BTG.set(g_G, row * G);
      const f_F = factors_BTF.subarray(row * F, (row + 1) * F);
      times(g_G, hat_GF, f_F);
      const o_Q = outputs_BTQ.subarray(row * Q, (row + 1) * Q);
      o_Q.set(b_Q);
      times(f_F, w_FQ, o_Q);
      for (let n = 0; n < N; n++) {
        const outputs = Array.from({ length: K }, (_, k) => o_Q[k * N + n]);
        rates_BTN[row * N + n] = observation === "poisson"
          ? Math.exp(outputs[0])
          : expected({ family, floor }, outputs).mean;
      }
    }
  }
  return { B, T, g0_BG, inputs_BTU, gen_BTG, factors_BTF, rates_BTN, outputs_BTQ };
}

/**
 * A dataset that a model generates: counts or numbers of its observation, with the true rates and, as
 * latents, the generator's states.
 *
 * @throws {InputError} for options out of range, and where the generator runs away to rates that no
 * count can be drawn for
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, generate, initialise, parseHyperparameters } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * const data = generate(model, { trials: 10, T: 20, seed: 1 });
 * assert.deepEqual([data.trials, data.T, data.N, data.truth?.L], [10, 20, 3, 2]);
 * ```
 */
export function generate(model: Model, options: GenerateOptions = {}): Dataset {
  const { N, G } = model.architecture.dims;
  const { B, T, gen_BTG, rates_BTN, outputs_BTQ } = generateTrials(model, options);
  const shape = { trials: B, T, N }, seed = options.seed ?? 0;
  const { observation = "poisson" } = model.architecture;
  const counts_BTN = observation === "poisson"
    ? sampleCounts(rates_BTN, shape, seed, PURPOSES.posterior)
    : sampleNumbers(observation, outputs_BTQ, shape, seed, model.hyperparameters);
  return datasetFromArrays({
    name: "generated",
    spikes: { shape: [B, T, N], data: counts_BTN },
    binWidth: model.binWidth,
    rates: { shape: [B, T, N], data: rates_BTN },
    latents: { shape: [B, T, G], data: gen_BTG },
  }, { minTrials: 1, action: "Cannot use what the model generated" });
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new InputError(
    `Cannot generate from a model: expected ${name} to be a whole number of at least ${least}, ` +
      `found ${value}.`,
  );
}

/** `out += x w`, `w` being `[in][out]`. */
function times(x: Float64Array, w: Float64Array, out: Float64Array): void {
  const n = out.length;
  for (let i = 0; i < x.length; i++) for (let j = 0; j < n; j++) out[j] += x[i] * w[i * n + j];
}

/** Ŵ: each factor's weights divided by their L2 norm. */
function normalisedFactors(model: Model): Float64Array {
  const { G, F } = model.architecture.dims;
  const factorsHat_GF = new Float64Array(G * F);
  const norms_F = new Float64Array(F);
  prepare({ G, F, w_GF: parameter(model, "factors.w_GF"), factorsHat_GF, norms_F });
  return factorsHat_GF;
}

/** Samples of the initial condition's prior, as first states of the generator. */
function initialStates(model: Model, B: number, seed: number): Float64Array {
  const { I, G, directStart } = shapeOf(model.architecture);
  const { varMin } = model.hyperparameters;
  const mean_I = parameter(model, "icPrior.mean_I");
  const logVar_I = parameter(model, "icPrior.logVar_I");
  const z_BI = new Float64Array(B * I);
  for (let b = 0; b < B; b++) {
    const z_I = z_BI.subarray(b * I, (b + 1) * I);
    fillNormal(address(seed, PARTS.initialCondition), b, z_I);
    for (let i = 0; i < I; i++) {
      z_I[i] = mean_I[i] + Math.sqrt(Math.exp(logVar_I[i]) + varMin) * z_I[i];
    }
  }
  if (directStart) return z_BI;
  const w_IG = parameter(model, "initialState.w_IG"), b_G = parameter(model, "initialState.b_G");
  const g0_BG = new Float64Array(B * G);
  for (let b = 0; b < B; b++) {
    const g0_G = g0_BG.subarray(b * G, (b + 1) * G);
    g0_G.set(b_G);
    times(z_BI.subarray(b * I, (b + 1) * I), w_IG, g0_G);
  }
  return g0_BG;
}

function inputPaths(model: Model, B: number, T: number, seed: number): Float64Array {
  const { U } = model.architecture.dims;
  const inputs_BTU = new Float64Array(B * T * U);
  if (U === 0) return inputs_BTU;
  const mean_U = parameter(model, "inputPrior.mean_U");
  const logTau_U = parameter(model, "inputPrior.logTau_U");
  const logNoiseVar_U = parameter(model, "inputPrior.logNoiseVar_U");
  for (let row = 0; row < B * T; row++) {
    const u_U = inputs_BTU.subarray(row * U, (row + 1) * U);
    fillNormal(address(seed, PARTS.inputs), row, u_U);
    for (let u = 0; u < U; u++) {
      const { phi, noiseVar } = autoregression(
        logTau_U[u],
        logNoiseVar_U[u],
        model.hyperparameters.varMin,
      );
      u_U[u] = row % T === 0
        ? mean_U[u] + Math.sqrt(noiseVar / (1 - phi * phi)) * u_U[u]
        : mean_U[u] + phi * inputs_BTU[(row - 1) * U + u] + Math.sqrt(noiseVar) * u_U[u];
    }
  }
  return inputs_BTU;
}
