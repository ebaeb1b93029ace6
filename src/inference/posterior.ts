/**
 * Inference with a fitted model: single-trial rates and latents, by posterior sample-and-average or
 * from the posterior mean (docs/model.md, section 2).
 */
import type { Executor } from "../compute/executor.ts";
import { elementOf } from "../data/arrange.ts";
import { requireObservation } from "../data/observations.ts";
import { InputError } from "../errors.ts";
import { shapeOf } from "../model/layout.ts";
import type { Model } from "../model/model.ts";
import { type Counts, inModelShape } from "./model_shape.ts";
import {
  loadPosterior,
  numbersPerTrial,
  type PosteriorName,
  takeTrials,
} from "./posterior_program.ts";
import { externalFor, seenBy } from "./seen.ts";

export type { Counts } from "./model_shape.ts";

export interface PosteriorOptions {
  /** posterior samples of each trial; 0 is the posterior mean, one deterministic pass */
  readonly samples: number;
  readonly seed?: number;
  /** which trials, in this order; all by default */
  readonly trials?: ArrayLike<number>;
  /**
   * bound on the numbers that one batched call may keep; more trials are run in several calls. By
   * default what the device says, and 48 million where it says nothing.
   */
  readonly maxNumbers?: number;
}

/** What was inferred, averaged over the samples, trials first. `B` are the trials asked for. */
export interface Posterior {
  readonly B: number;
  /** samples of each trial; 0 for the posterior mean */
  readonly samples: number;
  /** average of exp(logRate): expected spikes per bin */
  readonly rates_BTN: Float64Array;
  /** average of logRate: ln(expected spikes per bin) */
  readonly logRates_BTN: Float64Array;
  readonly factors_BTF: Float64Array;
  /** generator states after each bin */
  readonly gen_BTG: Float64Array;
  /** sampled initial states g0, averaged */
  readonly g0_BG: Float64Array;
  /** posterior of the initial condition: its mean and log-variance (without the floor) */
  readonly icMean_BI: Float64Array;
  readonly icLogVar_BI: Float64Array;
  /** its deviation, with the floor: sqrt(exp(icLogVar) + varMin) */
  readonly icStd_BI: Float64Array;
  /** inferred inputs, and their posterior's mean and log-variance; empty without a controller */
  readonly inputs_BTU: Float64Array;
  readonly inputMean_BTU: Float64Array;
  readonly inputLogVar_BTU: Float64Array;
  /** their deviation, with the floor, at the averaged log-variance */
  readonly inputStd_BTU: Float64Array;
  /** states of the controller after each bin; empty without one */
  readonly con_BTC: Float64Array;
}

const DEFAULT_MAX_NUMBERS = 48e6;

/**
 * Infers rates and latents of every trial. All samples of all trials run in one batched call, unless
 * they would keep more than `maxNumbers`: then in a few, with the same result, because a trial's noise
 * depends on its place among the trials asked for, not on the batch. What was not observed is inferred
 * too: see `inModelShape` for what the data may lack.
 *
 * @throws {InputError} when the counts' bins or neurons are not the model's, or an option is off
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   infer,
 *   parseHyperparameters,
 *   simulateRotation,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { model } = next.value;
 * const { B, rates_BTN } = await infer(device, model, data, { samples: 4, seed: 1 });
 * assert.equal(rates_BTN.length, B * data.T * data.N);
 * ```
 */
export async function infer(
  executor: Executor,
  model: Model,
  given: Counts,
  options: PosteriorOptions,
): Promise<Posterior> {
  const { samples, seed = 0 } = options;
  const { maxNumbers = executor.mostNumbers ?? DEFAULT_MAX_NUMBERS } = options;
  const { T, N, C, U, I, G, F } = shapeOf(model.architecture);
  const data = inModelShape(model, given);
  const { observation = "poisson" } = model.architecture;
  requireObservation(data, observation, model.hyperparameters.observationFloor, "Cannot infer");
  if (!Number.isSafeInteger(samples) || samples < 0 || samples > 65_536) {
    throw new InputError(
      `Cannot infer: expected from 0 (posterior mean) to 65536 samples, found ${samples}.`,
    );
  }
  const which = options.trials ?? Array.from({ length: data.trials }, (_, i) => i);
  const total = which.length;
  const S = Math.max(1, samples);
  const forTrials = maxNumbers - model.params_P.length;
  const most = Math.floor(forTrials / numbersPerTrial(model.architecture, S));
  const B = Math.max(1, Math.min(total, most));
  const { trials } = data;
  const seen = seenBy(model, data);
  const external_BTX = externalFor(model, data);
  const out = {
    rates_BTN: new Float64Array(total * T * N),
    logRates_BTN: new Float64Array(total * T * N),
    factors_BTF: new Float64Array(total * T * F),
    gen_BTG: new Float64Array(total * T * G),
    g0_BG: new Float64Array(total * G),
    icMean_BI: new Float64Array(total * I),
    icLogVar_BI: new Float64Array(total * I),
    icStd_BI: new Float64Array(total * I),
    inputs_BTU: new Float64Array(total * T * U),
    inputMean_BTU: new Float64Array(total * T * U),
    inputLogVar_BTU: new Float64Array(total * T * U),
    inputStd_BTU: new Float64Array(total * T * U),
    con_BTC: new Float64Array(U > 0 ? total * T * C : 0),
  };
  const program = await loadPosterior(executor, model, {
    ...{ B, S, trials, counts: elementOf(seen.data), gaps: seen.gaps },
  });
  const { arrays } = program;
  try {
    program.write(seen.data);
    if (external_BTX) program.writeExternal(external_BTX);
    for (let first = 0; first < total; first += B) {
      const now = Math.min(B, total - first);
      const trials_B = Uint32Array.from({ length: now }, (_, b) => which[first + b]);
      await program.run({ trials_B, samples, seed, firstTrial: first });
      const fetched = await program.fetch(arrays, now);
      for (const array of arrays) {
        takeTrials(fetched, array, now, 0, now, out[FIELDS[array.name]], first);
      }
    }
  } finally {
    program.free();
  }
  return { B: total, samples, ...out };
}

/** Where each array goes. */
const FIELDS = {
  rates: "rates_BTN",
  log_rates: "logRates_BTN",
  factors: "factors_BTF",
  gen_states: "gen_BTG",
  gen_init: "g0_BG",
  ic_mean: "icMean_BI",
  ic_logvar: "icLogVar_BI",
  ic_std: "icStd_BI",
  gen_inputs: "inputs_BTU",
  input_mean: "inputMean_BTU",
  input_logvar: "inputLogVar_BTU",
  input_std: "inputStd_BTU",
  con_states: "con_BTC",
} as const satisfies Record<PosteriorName, keyof Posterior>;
