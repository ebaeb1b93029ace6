import { InputError } from "../errors.ts";
import type { Numbers, ReportData } from "./data.ts";

/**
 * Throws an `InputError` where an array does not have the length that its letters promise: a
 * misshapen array would draw a plausible and wrong picture.
 */
export function checkShapes(data: ReportData): void {
  const { trial, trajectories: many, rates } = data;
  expectLength("trial.factors_TF", trial.factors_TF, trial.T * trial.F);
  expectLength("trial.gen_TG", trial.gen_TG, trial.T * trial.G);
  if (trial.inputs_TU) expectLength("trial.inputs_TU", trial.inputs_TU, trial.T * trial.U);
  expectLength("trajectories.states_BTG", many.states_BTG, many.B * many.T * many.G);
  expectLength("trajectories.factors_BTF", many.factors_BTF, many.B * many.T * many.F);
  if (many.condition) expectLength("trajectories.condition", many.condition, many.B);
  expectLength("rates.rates_BTN", rates.rates_BTN, rates.B * rates.T * rates.N);
  expectLength("rates.counts_BTN", rates.counts_BTN, rates.B * rates.T * rates.N);
  if (rates.truth_BTN) {
    expectLength("rates.truth_BTN", rates.truth_BTN, rates.B * rates.T * rates.N);
  }
  if (rates.trials) expectLength("rates.trials", rates.trials, rates.B);
  const { inputs, decoding } = data.recording ?? {};
  inputs?.events.forEach(({ bins, mean_KTI, deviation_KTI }, k) => {
    const size = inputs.groups.length * bins * (inputs.U + inputs.X);
    expectLength(`recording.inputs.events[${k}].mean_KTI`, mean_KTI, size);
    expectLength(`recording.inputs.events[${k}].deviation_KTI`, deviation_KTI, size);
  });
  decoding?.behaviours.forEach(({ trials, T, D, truth_BTD, decoders }, k) => {
    const at = `recording.decoding.behaviours[${k}]`, size = trials.length * T * D;
    expectLength(`${at}.truth_BTD`, truth_BTD, size);
    for (const { role, decoded_BTD } of decoders) {
      expectLength(`${at}’s ${role}.decoded_BTD`, decoded_BTD, size);
    }
  });
  data.fixedPoints.forEach((fixed, k) =>
    expectLength(`fixedPoints[${k}].point`, fixed.point, many.G)
  );
}

function expectLength(name: string, values: Numbers, wanted: number): void {
  if (values.length !== wanted) {
    throw new InputError(
      `Cannot render the report: expected ${name} to hold ${wanted} numbers, found ${values.length}.`,
    );
  }
}
