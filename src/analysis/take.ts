/** Rows, columns and trials of arrays. */
import type { Numbers } from "./metrics.ts";

/** Some of the trials, in the order asked for: `size` numbers each. */
export function takeTrials(values: Numbers, trials: ArrayLike<number>, size: number): Float64Array {
  const out = new Float64Array(trials.length * size);
  for (let b = 0; b < trials.length; b++) {
    for (let i = 0; i < size; i++) out[b * size + i] = values[trials[b] * size + i];
  }
  return out;
}

/** Some of the columns, in the order asked for: `[rows, columns.length]`. */
export function takeColumns(
  values_XN: Numbers,
  N: number,
  columns: ArrayLike<number>,
): Float64Array {
  const M = columns.length, rows = values_XN.length / N;
  const out = new Float64Array(rows * M);
  for (let row = 0; row < rows; row++) {
    for (let m = 0; m < M; m++) out[row * M + m] = values_XN[row * N + columns[m]];
  }
  return out;
}

/** The columns 0 … N - 1 that are not among `columns`. */
export function otherColumns(N: number, columns: ArrayLike<number>): number[] {
  const taken = new Set(Array.from(columns));
  return Array.from({ length: N }, (_, n) => n).filter((n) => !taken.has(n));
}
