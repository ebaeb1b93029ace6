/** Data as scores read them. */
import { missingOf } from "./arrange.ts";
import type { Dataset } from "./dataset.ts";

/**
 * The numbers of a dataset, NaN where one was not observed: in a bin that is missing, or after the end of
 * a trial. The array itself where all were.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFromArrays, observedValues } from "latentd";
 *
 * const spikes = { shape: [2, 2, 1], data: Float64Array.of(1, NaN, 0, 2) };
 * const data = datasetFromArrays({ name: "small", spikes });
 * assert.deepEqual(Array.from(observedValues(data)), [1, NaN, 0, 2]);
 * ```
 */
export function observedValues(
  data: Pick<Dataset, "counts_BTN" | "trials" | "T" | "N" | "missing_BTN" | "lengths_B">,
): Dataset["counts_BTN"] | Float64Array {
  const missing_BTN = missingOf(data);
  if (missing_BTN === null) return data.counts_BTN;
  return Float64Array.from(data.counts_BTN, (value, i) => missing_BTN[i] === 1 ? NaN : value);
}
