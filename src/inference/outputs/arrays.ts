/** What was inferred, as the arrays that files hold. */
import type { Dataset } from "../../data/dataset.ts";
import { type NpyArray, npyArray } from "../../data/npy.ts";
import { shapeOf } from "../../model/layout.ts";
import type { Model } from "../../model/model.ts";
import type { Posterior } from "../posterior.ts";

/** How arrays are written. */
export interface ArrayOptions {
  /** seconds per bin, for `rates_hz`; null where it is not known */
  readonly binWidth: number | null;
  /** as float64, as the reference computes; else float32 */
  readonly wide?: boolean;
}

/**
 * Every array of a posterior by its name, trials first: what `infer --out` and the server answer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   infer,
 *   initialise,
 *   outputArrays,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 *
 * const data = { counts_BTN: new Uint8Array(2 * 5 * 3), trials: 2, T: 5, N: 3 };
 * const posterior = await infer(createReferenceExecutor(), model, data, { samples: 0 });
 * const { rates, rates_hz } = outputArrays(posterior, model, { binWidth: 0.01 });
 * assert.deepEqual(rates.shape, [2, 5, 3]); // spikes per bin
 * assert.ok(Math.abs(rates_hz.data[0] / rates.data[0] - 100) < 1e-4); // spikes per second
 * ```
 */
export function outputArrays(
  posterior: Posterior,
  { architecture }: Pick<Model, "architecture">,
  { binWidth, wide = false }: ArrayOptions,
): Record<string, NpyArray> {
  const { B } = posterior;
  const { T, N, C, U, I, G, F } = shapeOf(architecture);
  const counts = (architecture.observation ?? "poisson") === "poisson";
  const array = (shape: number[], values: Float64Array) =>
    npyArray(shape, wide ? values : Float32Array.from(values));
  return {
    rates: array([B, T, N], posterior.rates_BTN),
    // of counts; other data are what they are, per bin
    ...(binWidth === null || !counts
      ? {}
      : { rates_hz: array([B, T, N], posterior.rates_BTN.map((rate) => rate / binWidth)) }),
    log_rates: array([B, T, N], posterior.logRates_BTN),
    factors: array([B, T, F], posterior.factors_BTF),
    gen_states: array([B, T, G], posterior.gen_BTG),
    gen_init: array([B, G], posterior.g0_BG),
    ic_mean: array([B, I], posterior.icMean_BI),
    ic_logvar: array([B, I], posterior.icLogVar_BI),
    ic_std: array([B, I], posterior.icStd_BI),
    ...(U === 0 ? {} : {
      gen_inputs: array([B, T, U], posterior.inputs_BTU),
      input_mean: array([B, T, U], posterior.inputMean_BTU),
      input_logvar: array([B, T, U], posterior.inputLogVar_BTU),
      input_std: array([B, T, U], posterior.inputStd_BTU),
      con_states: array([B, T, C], posterior.con_BTC),
    }),
  };
}

/**
 * Which of the rates are predictions, where some are: `trial_lengths`, in bins, where trials end early,
 * and `missing`, 1 where a bin was not observed.
 */
export function predictedArrays(
  { trials, T, N, missing_BTN, lengths_B }: Pick<
    Dataset,
    "trials" | "T" | "N" | "missing_BTN" | "lengths_B"
  >,
): Record<string, NpyArray> {
  return {
    ...(lengths_B ? { trial_lengths: npyArray([trials], lengths_B) } : {}),
    ...(missing_BTN ? { missing: npyArray([trials, T, N], missing_BTN) } : {}),
  };
}
