// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The decoder's sweeps for an autonomous vanilla generator of two units and two factors: four rows at
 * a time (see pairs.ts).
 */
import { activate, slope } from "./cells";
import { DecoderArgs, floats } from "./decoder";
import { DecoderBackwardArgs } from "./decoder_backward";
import { keepBin } from "./dropout";
import { madd4 } from "./math";
import { firsts, laneOffset, putPairs, seconds, twoRows, weight } from "./pairs";
import { KEEP_GEN } from "./random";
import { Scalars } from "./scalars";
import { scratch } from "./scratch";

/** Rows whose dropout is drawn together, bin by bin. */
export const PAIR_ROWS: i32 = 64;

/** Whether the shapes are those of this file, and nothing comes from outside. */
@inline
export function isPair(U: i32, G: i32, F: i32, cell: i32, genInput: usize): bool {
  return U == 0 && G == 2 && F == 2 && cell == 0 && genInput == 0;
}

/** Working memory: dropout factors [T][PAIR_ROWS][2]. */
export function pairKeepScratch(T: i32): usize {
  return scratch(<usize>(T * PAIR_ROWS) << 3);
}

/** All bins of rows `r … r + rows - 1` (at most PAIR_ROWS). */
export function pairDecoder(args: DecoderArgs, s: Scalars, r: i32, rows: i32, keep: usize): void {
  const T = args.T;
  if (args.dropoutGen) {
    for (let t = 0; t < T; t++) {
      const bin = keep + (<usize>(t * rows) << 3);
      keepBin(bin, rows, 2, args.keepRateGen, args.keepGen_RTG, KEEP_GEN, r, t, T, s, s.S);
    }
  }
  if (!args.firstFactors) memory.fill(floats(args.factors_HRF, 2 * r), 0, <usize>rows << 3);
  for (let i = 0; i < rows; i += 4) {
    group(args, s, r + i, min(4, rows - i), keep + (<usize>i << 3), <usize>rows << 3);
  }
}

/** All bins of four rows. `keepStep`: bytes of a bin's dropout factors. */
function group(
  args: DecoderArgs, s: Scalars, r: i32, rows: i32, keep: usize, keepStep: usize,
): void {
  const T = args.T, nonlinearity = args.nonlinearity, dropout = args.dropoutGen;
  const w = args.wGenRecurrent, factors = args.factorsHat_GF;
  const a00 = weight(w, 0), a01 = weight(w, 1), a10 = weight(w, 2), a11 = weight(w, 3);
  const f00 = weight(factors, 0), f01 = weight(factors, 1);
  const f10 = weight(factors, 2), f11 = weight(factors, 3);
  const b0 = weight(args.bGen, 0), b1 = weight(args.bGen, 1);
  const o1 = laneOffset(1, rows, 2), o2 = laneOffset(2, rows, 2), o3 = laneOffset(3, rows, 2);
  const bin = <usize>(s.B * s.S) << 3;
  let gates = floats(args.genGates, 2 * r);
  let state = floats(args.gen_HRG, 2 * r), out = floats(args.factors_HRF, 2 * r);
  let front = twoRows(state, o1), back = twoRows(state + o2, o3 - o2);
  let x = firsts(front, back), y = seconds(front, back);
  if (args.firstFactors) {
    const f0 = madd4(y, f10, f32x4.mul(x, f00)), f1 = madd4(y, f11, f32x4.mul(x, f01));
    putPairs(out, o1, o2, o3, f0, f1);
  }
  for (let t = 0; t < T; t++) {
    state += bin;
    out += bin;
    const preX = madd4(y, a10, madd4(x, a00, b0)), preY = madd4(y, a11, madd4(x, a01, b1));
    x = activate(preX, nonlinearity);
    y = activate(preY, nonlinearity);
    putPairs(gates, o1, o2, o3, x, y);
    if (dropout) {
      front = twoRows(keep, o1);
      back = twoRows(keep + o2, o3 - o2);
      x = f32x4.mul(x, firsts(front, back));
      y = f32x4.mul(y, seconds(front, back));
      keep += keepStep;
    }
    putPairs(state, o1, o2, o3, x, y);
    const f0 = madd4(y, f10, f32x4.mul(x, f00)), f1 = madd4(y, f11, f32x4.mul(x, f01));
    putPairs(out, o1, o2, o3, f0, f1);
    gates += bin;
  }
}

/** Back through all bins of rows `r … r + rows - 1`; the gradient at g0 goes to `dStates` [rows][2]. */
export function pairDecoderBackward(
  args: DecoderBackwardArgs, s: Scalars, r: i32, rows: i32, dStates: usize, keep: usize,
): void {
  const T = args.T;
  if (args.dropoutGen) {
    for (let t = 0; t < T; t++) {
      const bin = keep + (<usize>(t * rows) << 3);
      keepBin(bin, rows, 2, args.keepRateGen, args.keepGen_RTG, KEEP_GEN, r, t, T, s, s.S);
    }
  }
  // without a controller nothing uses the factors before bin 0
  memory.fill(floats(args.dFactors_HRF, 2 * r), 0, <usize>rows << 3);
  for (let i = 0; i < rows; i += 4) {
    const offset = <usize>i << 3;
    groupBackward(
      args, s, r + i, min(4, rows - i), dStates + offset, keep + offset, <usize>rows << 3,
    );
  }
}

/** Back through all bins of four rows. */
function groupBackward(
  args: DecoderBackwardArgs, s: Scalars, r: i32, rows: i32, dStates: usize, keep: usize,
  keepStep: usize,
): void {
  const T = args.T, nonlinearity = args.nonlinearity, dropout = args.dropoutGen;
  const w = args.wGenRecurrent, factors = args.factorsHat_GF;
  const a00 = weight(w, 0), a01 = weight(w, 1), a10 = weight(w, 2), a11 = weight(w, 3);
  const f00 = weight(factors, 0), f01 = weight(factors, 1);
  const f10 = weight(factors, 2), f11 = weight(factors, 3);
  const o1 = laneOffset(1, rows, 2), o2 = laneOffset(2, rows, 2), o3 = laneOffset(3, rows, 2);
  let dx = f32x4.splat(0), dy = dx, front: v128, back: v128;
  for (let t = T - 1; t >= 0; t--) {
    const row = 2 * (t * s.B + r);
    const dFactors = floats(args.dFactors_HRF, row + 2 * s.B), gates = floats(args.genGates, row);
    front = twoRows(dFactors, o1);
    back = twoRows(dFactors + o2, o3 - o2);
    const d0 = firsts(front, back), d1 = seconds(front, back);
    dx = madd4(d1, f01, madd4(d0, f00, dx));
    dy = madd4(d1, f11, madd4(d0, f10, dy));
    if (dropout) {
      const bin = keep + <usize>t * keepStep;
      front = twoRows(bin, o1);
      back = twoRows(bin + o2, o3 - o2);
      dx = f32x4.mul(dx, firsts(front, back));
      dy = f32x4.mul(dy, seconds(front, back));
    }
    front = twoRows(gates, o1);
    back = twoRows(gates + o2, o3 - o2);
    const preX = f32x4.mul(dx, slope(firsts(front, back), nonlinearity));
    const preY = f32x4.mul(dy, slope(seconds(front, back), nonlinearity));
    putPairs(gates, o1, o2, o3, preX, preY);
    dx = madd4(preY, a01, f32x4.mul(preX, a00));
    dy = madd4(preY, a11, f32x4.mul(preX, a10));
  }
  putPairs(dStates, o1, o2, o3, dx, dy);
}
