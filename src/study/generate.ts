/** A fitted model run forward: trials that it has not seen, from its own prior (docs/model.md, section 2). */
import { step } from "../analysis/cell.ts";
import { type Dataset, datasetFromArrays } from "../data/dataset.ts";
import { sampleCounts } from "../data/poisson.ts";
import { InputError } from "../errors.ts";
import { type Model, parameter } from "../model/model.ts";
import { type Address, fillNormal, PURPOSES, seedWords, STREAMS } from "../random.ts";
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
  /** expected spikes per bin */
  readonly rates_BTN: Float64Array;
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
 *     g0 ~ N(m0, exp(logVar) + varMin)     u_0 ~ N(m, s²/(1-φ²)),   u_t ~ N(m + φ u_{t-1}, s²)
 *     g = cell(u, g)     f = Ŵ g     rate = exp(W_NF f + b)
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
  const { dims } = model.architecture;
  const { N, U, G, F } = dims;
  const { trials: B = 100, T = dims.T, seed = 0 } = options;
  requireWhole("trials", B, 1);
  requireWhole("T", T, 1);
  requireWhole("seed", seed, 0);
  const cell = generatorCell(model);
  const w_FN = parameter(model, "readout.w_FN"), b_N = parameter(model, "readout.b_N");
  const hat_GF = normalisedFactors(model);
  const g0_BG = initialConditions(model, B, seed);
  const inputs_BTU = inputPaths(model, B, T, seed);
  const gen_BTG = new Float64Array(B * T * G);
  const factors_BTF = new Float64Array(B * T * F);
  const rates_BTN = new Float64Array(B * T * N);
  for (let b = 0; b < B; b++) {
    let g_G: Float64Array = g0_BG.slice(b * G, (b + 1) * G);
    for (let t = 0; t < T; t++) {
      const row = b * T + t;
      g_G = step(cell, g_G, inputs_BTU.subarray(row * U, (row + 1) * U));
      gen_BTG.set(g_G, row * G);
      const f_F = factors_BTF.subarray(row * F, (row + 1) * F);
      times(g_G, hat_GF, f_F);
      const rates_N = rates_BTN.subarray(row * N, (row + 1) * N);
      rates_N.set(b_N);
      times(f_F, w_FN, rates_N);
      for (let n = 0; n < N; n++) rates_N[n] = Math.exp(rates_N[n]);
    }
  }
  return { B, T, g0_BG, inputs_BTU, gen_BTG, factors_BTF, rates_BTN };
}

/**
 * A dataset that a model generates: Poisson counts, with the true rates and, as latents, the generator's
 * states.
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
  const { B, T, gen_BTG, rates_BTN } = generateTrials(model, options);
  const shape = { trials: B, T, N };
  const counts_BTN = sampleCounts(rates_BTN, shape, options.seed ?? 0, PURPOSES.posterior);
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

function initialConditions(model: Model, B: number, seed: number): Float64Array {
  const { G } = model.architecture.dims;
  const { varMin } = model.hyperparameters;
  const mean_G = parameter(model, "icPrior.mean_I");
  const logVar_G = parameter(model, "icPrior.logVar_I");
  const g0_BG = new Float64Array(B * G);
  for (let b = 0; b < B; b++) {
    const g0_G = g0_BG.subarray(b * G, (b + 1) * G);
    fillNormal(address(seed, PARTS.initialCondition), b, g0_G);
    for (let g = 0; g < G; g++) {
      g0_G[g] = mean_G[g] + Math.sqrt(Math.exp(logVar_G[g]) + varMin) * g0_G[g];
    }
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
