/** R² of several columns, averaged as scikit-learn's `r2_score` does. */
import { InputError } from "../errors.ts";
import type { Numbers } from "./metrics.ts";

/**
 * 1 - Σ (estimate - truth)² / Σ (truth - mean)² of each column, `[D]`. A column that does not vary has 1
 * where it is met exactly, else 0.
 *
 * @throws InputError for lengths that do not fit, and numbers that are not finite.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { columnRSquared } from "latentd";
 *
 * assert.deepEqual([...columnRSquared([1, 5, 2, 6, 4, 7], [1, 5, 2, 6, 3, 7], 2)], [0.5, 1]);
 * ```
 */
export function columnRSquared(estimate_XD: Numbers, truth_XD: Numbers, D: number): Float64Array {
  const rows = truth_XD.length / D;
  if (!(Number.isSafeInteger(rows) && rows >= 1) || estimate_XD.length !== truth_XD.length) {
    throw new InputError(
      `Cannot compute R²: expected rows of ${D} estimates and as many true values, found ` +
        `${estimate_XD.length} and ${truth_XD.length}.`,
    );
  }
  const mean_D = new Float64Array(D),
    residual_D = new Float64Array(D),
    total_D = new Float64Array(D);
  // from the first value, so that a column that does not vary has its mean exactly
  for (let i = 0; i < truth_XD.length; i++) mean_D[i % D] += (truth_XD[i] - truth_XD[i % D]) / rows;
  for (let d = 0; d < D; d++) mean_D[d] += truth_XD[d];
  for (let i = 0; i < truth_XD.length; i++) {
    if (!Number.isFinite(estimate_XD[i]) || !Number.isFinite(truth_XD[i])) {
      throw new InputError(
        `Cannot compute R²: expected finite numbers, found ${estimate_XD[i]} for ${
          truth_XD[i]
        } in row ` +
          `${Math.floor(i / D)}.`,
      );
    }
    residual_D[i % D] += (estimate_XD[i] - truth_XD[i]) ** 2;
    total_D[i % D] += (truth_XD[i] - mean_D[i % D]) ** 2;
  }
  return residual_D.map((residual, d) =>
    residual === 0 ? 1 : total_D[d] === 0 ? 0 : 1 - residual / total_D[d]
  );
}

/**
 * The mean of {@link columnRSquared}: every column counts alike, however much it varies.
 *
 * @throws InputError as `columnRSquared`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { meanRSquared } from "latentd";
 *
 * assert.equal(meanRSquared([1, 5, 2, 6, 4, 7], [1, 5, 2, 6, 3, 7], 2), 0.75);
 * ```
 */
export function meanRSquared(estimate_XD: Numbers, truth_XD: Numbers, D: number): number {
  return columnRSquared(estimate_XD, truth_XD, D).reduce((sum, value) => sum + value, 0) / D;
}
