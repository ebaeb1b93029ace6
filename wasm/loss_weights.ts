// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** What each element of a bin counts in the loss: missing elements, and coordinated dropout. */
import { elementAt, missing4, readElements } from "./data";
import { keepFactors } from "./dropout";
import { firstLanes } from "./math";
import { KEEP_SPIKES } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** What is read, and working memory for one row of it: whole vectors. */
@unmanaged
export class Weighing {
  data: usize;
  /** what the encoder reads, or 0 where that does not matter */
  encoded: usize;
  trials_B: usize;
  keepSpikes_BTN: usize;
  T: i32;
  N: i32;
  element: i32;
  gaps: i32;
  coordinated: i32;
  keepRate: f32;
  /** a row of the data */
  x: usize;
  /** what each of it counts; 0 beyond the row */
  weights: usize;
  /** the same row of what the encoder reads */
  seen: usize;
}

export function weighing(N: i32): Weighing {
  const w = changetype<Weighing>(scratch(offsetof<Weighing>()));
  const bytes = <usize> (N + 3) << 2;
  w.N = N;
  w.x = scratch(bytes);
  w.weights = scratch(bytes);
  w.seen = scratch(bytes);
  return w;
}

/**
 * Reads bin t of the batch's trial b, and weighs it: 0 for what is missing; with coordinated dropout 0
 * for what the encoder saw, 1 / (1 - keepRate) for what was dropped, 1 for what it never sees.
 */
export function weigh(w: Weighing, s: Scalars, b: i32, t: i32): void {
  const T = w.T, N = w.N, element = w.element;
  const trial = load<u32>(w.trials_B + (<usize> b << 2));
  const row = <usize> (trial * T + t) * N;
  readElements(w.x, elementAt(w.data, row, element), N, element);
  if (w.coordinated) {
    const masks = w.keepSpikes_BTN, at = <usize> ((b * T + t) * N) << 2;
    const draw = <u32> ((s.firstTrial + b) * T + t);
    keepFactors(w.weights, N, w.keepRate, masks ? masks + at : 0, KEEP_SPIKES, draw, s, 0);
    if (w.encoded) readElements(w.seen, elementAt(w.encoded, row, element), N, element);
  }
  const one = f32x4.splat(1), dropped = f32x4.splat(1 / (1 - w.keepRate));
  for (let n = 0; n < N; n += 4) {
    const at = <usize> n << 2;
    let weight = one;
    if (w.coordinated) {
      weight = v128.andnot(dropped, f32x4.gt(v128.load(w.weights + at), f32x4.splat(0)));
      if (w.encoded) {
        weight = v128.bitselect(one, weight, missing4(v128.load(w.seen + at), element));
      }
    }
    if (w.gaps) weight = v128.andnot(weight, missing4(v128.load(w.x + at), element));
    v128.store(w.weights + at, v128.and(weight, firstLanes(N - n)));
  }
}
