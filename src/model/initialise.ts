/** Parameters before training (docs/model.md, sections 1 and 2), drawn from the counter-based generator. */
import { type Address, fillNormal, seedWords, STREAMS } from "../random.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { type Architecture, parameterLayout } from "./layout.ts";

/** What the neurons of several sessions have in common: `D` components, at most the factors. */
export interface SessionWeights {
  readonly D: number;
  readonly readin_ND: Float64Array;
  readonly readout_DN: Float64Array;
}

/** Input weights that read the components alone: `readin · A`, `A ~ N(0, 1/D)`. */
function throughComponents(
  { D, readin_ND }: SessionWeights,
  N: number,
  values: Float64Array,
  at: Address,
  row: number,
): void {
  const width = values.length / N;
  const A = fillNormal({ ...at, sample: 1 }, row, new Float64Array(D * width));
  values.fill(0);
  for (let n = 0; n < N; n++) {
    for (let d = 0; d < D; d++) {
      const weight = readin_ND[n * D + d] / Math.sqrt(D);
      for (let j = 0; j < width; j++) values[n * width + j] += weight * A[d * width + j];
    }
  }
}

/**
 * The start of a fit: weights N(0, 1/inputs), biases and first states 0, priors as given, the
 * generator and the readout's bias as `generatorStart` and `readoutStart` say.
 *
 * @param readout_Q each neuron's mean count per bin in the training trials; for real numbers, the
 * readout's biases
 * @param sessions of several sessions: what their neurons have in common
 * @returns `params_P`, the flat buffer of `parameterLayout`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, initialise, parameterLayout, parseHyperparameters } from "latentd";
 *
 * const h = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(h, 50, 3);
 * const params_P = initialise(shape, h, 0, Float64Array.of(1, 1, Math.E)); // counts per bin
 * const { offset, length } = parameterLayout(shape).slice("readout.b_N");
 * assert.deepEqual(params_P.slice(offset, offset + length), Float64Array.of(0, 0, 1)); // log-rates
 * ```
 */
export function initialise(
  model: Architecture,
  h: Hyperparameters,
  seed: number,
  readout_Q: Float64Array,
  sessions: SessionWeights | null = null,
): Float64Array {
  const { G, T } = model.dims;
  const layout = parameterLayout(model);
  const params_P = new Float64Array(layout.length);
  const words = { ...seedWords(seed), stream: STREAMS.initialise };
  layout.slices.forEach((slice, row) => {
    const values = params_P.subarray(slice.offset, slice.offset + slice.length);
    const isWeight = /\.w/.test(slice.name);
    if (isWeight) {
      // In a slice with a direction in front or inside, the inputs are the axis before the outputs.
      const inputs = slice.name.includes("_ND") ? slice.shape[0] : slice.shape.at(-2)!;
      fillNormal(words, row, values);
      for (let i = 0; i < values.length; i++) values[i] /= Math.sqrt(inputs);
    }
    switch (slice.name) {
      case "encoder.wInput_ND3E":
      case "controllerEncoder.wInput_ND3E":
        if (sessions) throughComponents(sessions, slice.shape[0], values, words, row);
        break;
      case "readout.w_FN":
        // the first factors are the components
        for (let i = 0; i < values.length; i++) values[i] *= h.startReadout;
        if (sessions) values.set(sessions.readout_DN);
        break;
      case "generator.wRecurrent_GG":
        if (h.generatorStart === "near-identity") {
          for (let i = 0; i < values.length; i++) values[i] *= h.startNoise;
          for (let g = 0; g < G; g++) values[g * G + g] += h.startIdentity;
        }
        break;
      case "generator.wGates_G2G":
      case "generator.wCandidate_GG":
        if (h.generatorStart === "near-identity") {
          for (let i = 0; i < values.length; i++) values[i] *= h.startNoise;
        }
        break;
      case "icPrior.logVar_I":
        values.fill(Math.log(h.icPriorVar));
        break;
      case "inputPrior.logTau_U":
        values.fill(Math.log(h.inputPriorTau));
        break;
      case "inputPrior.logNoiseVar_U":
        values.fill(Math.log(h.inputPriorNoiseVar));
        break;
      case "readout.b_Q":
        if (h.readoutStart === "mean-log-rate") values.set(readout_Q);
        break;
      case "readout.b_N":
        if (h.readoutStart === "mean-log-rate") {
          // A silent neuron starts as if it had fired half a spike in one trial.
          for (let n = 0; n < values.length; n++) {
            values[n] = Math.log(Math.max(readout_Q[n], 0.5 / T));
          }
        }
        break;
    }
  });
  return params_P;
}
