// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * Dropout factors of one row: 0 for a dropped unit, 1 / keepRate for a kept one. Inference drops nothing,
 * so a build without TRAINING traps here, and has none of it.
 */
import { storeLanes } from "./math";
import { keepRow, keepRows } from "./random";
import { Scalars } from "./scalars";

/**
 * @param dest `columns` factors
 * @param explicit the row's masks of 0 and 1, or 0 to draw them
 * @param row the row that addresses the draw
 */
export function keepFactors(
  dest: usize,
  columns: i32,
  keepRate: f32,
  explicit: usize,
  stream: u32,
  row: u32,
  s: Scalars,
  sample: i32,
): void {
  if (!TRAINING) unreachable();
  if (explicit == 0) {
    keepRow(dest, columns, keepRate, stream, row, s, sample);
    return;
  }
  const kept = f32x4.splat(1 / keepRate);
  for (let i = 0; i < columns; i += 4, dest += 16, explicit += 16) {
    const factors = f32x4.mul(v128.load(explicit), kept);
    if (columns - i >= 4) v128.store(dest, factors);
    else storeLanes(dest, factors, columns - i);
  }
}

/** target[i] = source[i] * factors[i]; `target` may be `source`. */
export function multiplyRow(target: usize, source: usize, factors: usize, columns: i32): void {
  for (let i = 0; i < columns; i += 4, target += 16, source += 16, factors += 16) {
    const product = f32x4.mul(v128.load(source), v128.load(factors));
    if (columns - i >= 4) v128.store(target, product);
    else storeLanes(target, product, columns - i);
  }
}

/**
 * Factors for rows `r … r + rows - 1` in bin t, into `dest` [rows][n].
 *
 * @param masks explicit masks [R][T][n], or 0 to draw them
 * @param samples rows of each trial: S for decoder rows, 1 for trials
 */
export function keepBin(
  dest: usize,
  rows: i32,
  n: i32,
  keepRate: f32,
  masks: usize,
  stream: u32,
  r: i32,
  t: i32,
  T: i32,
  s: Scalars,
  samples: i32,
): void {
  if (!TRAINING) unreachable();
  const bytes = <usize> n << 2;
  if (masks == 0 && samples == 1) {
    const row = <u32> ((s.firstTrial + r) * T + t);
    keepRows(dest, n, rows, n, keepRate, stream, row, <u32> T, s, 0);
    return;
  }
  for (let i = 0; i < rows; i++, dest += bytes) {
    const explicit = masks ? masks + <usize> ((r + i) * T + t) * bytes : 0;
    const row = <u32> ((s.firstTrial + (r + i) / samples) * T + t);
    keepFactors(dest, n, keepRate, explicit, stream, row, s, (r + i) % samples);
  }
}
