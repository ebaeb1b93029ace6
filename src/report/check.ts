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
