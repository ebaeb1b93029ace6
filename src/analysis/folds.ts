/** Folds of a cross-validation. */
import { InputError } from "../errors.ts";

/** What one fold trains on and what it validates on: indices, ascending. */
export interface Fold {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Folds of neighbours, as scikit-learn's `KFold` without shuffling makes them: the first `n % folds` are
 * longer by one.
 *
 * @throws InputError for fewer samples than folds, or fewer than two folds
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const validations = contiguousFolds(5, 2).map(({ validation }) => [...validation]);
 * assert.deepEqual(validations, [[0, 1, 2], [3, 4]]);
 * ```
 */
export function contiguousFolds(n: number, folds: number): Fold[] {
  requireFolds(n, folds);
  let first = 0;
  return Array.from({ length: folds }, (_, fold) => {
    const from = first;
    first += Math.floor(n / folds) + (fold < n % folds ? 1 : 0);
    return foldOf(n, (i) => i >= from && i < first);
  });
}

/**
 * Folds of every so-many-th: for samples whose neighbours are alike, such as trials sorted by condition.
 *
 * @throws InputError as `contiguousFolds`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const validations = interleavedFolds(5, 2).map(({ validation }) => [...validation]);
 * assert.deepEqual(validations, [[0, 2, 4], [1, 3]]);
 * ```
 */
export function interleavedFolds(n: number, folds: number): Fold[] {
  requireFolds(n, folds);
  return Array.from({ length: folds }, (_, fold) => foldOf(n, (i) => i % folds === fold));
}

function foldOf(n: number, validates: (i: number) => boolean): Fold {
  const all = Uint32Array.from({ length: n }, (_, i) => i);
  return { train: all.filter((i) => !validates(i)), validation: all.filter(validates) };
}

function requireFolds(n: number, folds: number): void {
  if (Number.isSafeInteger(folds) && folds >= 2 && n >= folds) return;
  throw new InputError(
    `Cannot cross-validate: expected at least 2 folds and a sample for each, found ${folds} folds and ` +
      `${n} samples.`,
  );
}
