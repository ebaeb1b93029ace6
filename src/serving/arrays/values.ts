/** The data of a request, from the arrays that came with it. */
import { externalInputs, lengthsOf, missingBins, separateMissing } from "../../data/parts.ts";
import { type ShapedArray, validateValues } from "../../data/validate.ts";
import type { InferRequest } from "../service.ts";

const ACTION = "Cannot infer";

/** What may come beside the spikes, under the names of a dataset's file. */
export interface Beside {
  readonly missing?: ShapedArray;
  readonly trial_lengths?: ShapedArray;
  readonly external?: ShapedArray;
}

/**
 * Counts or real numbers, what is missing of them, and external inputs.
 *
 * @throws {InputError} naming the array, what was wanted and what was found
 */
export function valuesOf(
  given: ShapedArray,
  { missing, trial_lengths: lengths, external }: Beside,
): Omit<InferRequest, "samples"> {
  const { spikes, missing: gaps } = separateMissing(given);
  const values = validateValues(spikes, ACTION, 1);
  const mask = missing && gaps && missing.data.length === gaps.data.length
    ? { ...gaps, data: gaps.data.map((one, i) => one || missing.data[i]) }
    : missing ?? gaps;
  return {
    ...values,
    ...(mask ? missingBins(mask, values, ACTION) : {}),
    ...(lengths ? lengthsOf(lengths, values, ACTION) : {}),
    ...(external ? { external_BTX: externalInputs(external, values, ACTION) } : {}),
  };
}
