/** How likely held-out real numbers are, under a model and under the moments of the training trials. */
import { takeTrials } from "../../analysis/take.ts";
import { FAMILIES } from "../../compute/kernels.ts";
import { arrange } from "../../data/arrange.ts";
import type { Dataset } from "../../data/dataset.ts";
import { observedValues } from "../../data/observed.ts";
import { readoutNames, shapeOf } from "../../model/layout.ts";
import { type Model, parameter } from "../../model/model.ts";
import { negativeLogLikelihood } from "../../reference/families.ts";
import { momentsOf, readoutStart } from "../../train/moments.ts";
import type { Cut } from "./scored.ts";

/** Negative log-likelihoods of one number, in nats; NaN where none was observed. */
export interface RealLikelihood {
  readonly null: number;
  readonly model: number;
}

/**
 * The likelihoods of the numbers of a cut of the evaluation trials. The model's is at the readout's
 * outputs for the factors given; the null model's outputs are the training trials' moments.
 *
 * @param factors_BTF of the trials `split.evaluation`, in that order
 */
export function realLikelihood(
  data: Dataset,
  split: { readonly train: Uint32Array; readonly evaluation: Uint32Array },
  model: Model,
  factors_BTF: Float64Array,
): (cut: Cut) => RealLikelihood {
  const { T, N } = data;
  const { F, Q } = shapeOf(model.architecture);
  const { observation = "gaussian" } = model.architecture;
  const { varMin, observationFloor } = model.hyperparameters;
  const family = { family: FAMILIES[observation], varMin, floor: observationFloor };
  const values_BTN = takeTrials(observedValues(data), split.evaluation, T * N);
  const { targets } = arrange(
    { ...data, counts_BTN: Float32Array.from(data.counts_BTN) },
    { heldOut: [], encodedBins: T, hidden_BTN: null },
  );
  const null_Q = readoutStart(momentsOf(targets, data, split.train), observation, observationFloor);
  const names = readoutNames(model.architecture);
  const w_FQ = parameter(model, names.w), b_Q = parameter(model, names.b);
  return ({ from, to, neurons }) => {
    const outputs_Q = new Float64Array(Q);
    const sums = { null: 0, model: 0 };
    let samples = 0;
    for (let row = 0; row < values_BTN.length / N; row++) {
      if (row % T < from || row % T >= to) continue;
      for (let q = 0; q < Q; q++) {
        outputs_Q[q] = b_Q[q];
        for (let f = 0; f < F; f++) outputs_Q[q] += factors_BTF[row * F + f] * w_FQ[f * Q + q];
      }
      for (const n of neurons) {
        const x = values_BTN[row * N + n];
        if (Number.isNaN(x)) continue;
        samples++;
        sums.null += negativeLogLikelihood(family, x, null_Q, n, N, () => {});
        sums.model += negativeLogLikelihood(family, x, outputs_Q, n, N, () => {});
      }
    }
    return { null: sums.null / samples, model: sums.model / samples };
  };
}
