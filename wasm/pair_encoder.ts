// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The encoder's sweeps for two units in each direction, four trials at a time (see pairs.ts). All
 * groups of four make a step before any makes the next: memory is read in order, and one group's
 * arithmetic hides another's latency.
 */
import { mixed, UPDATE_BIAS } from "./cells";
import { EncoderArgs, EncoderBackwardArgs } from "./encoder";
import { madd4, sigmoid4, tanh4 } from "./math";
import { firsts, laneOffset, putPairs, seconds, twoRows, weight } from "./pairs";
import { scratch } from "./scratch";

/** All bins of trials `b0 … b1 - 1` in one direction. */
export function pairEncoder(args: EncoderArgs, B: i32, direction: i32, b0: i32, b1: i32): void {
  const T = args.T;
  const wGates = args.wGates_DE2E + (<usize>(direction * 8) << 2);
  const wCandidate = args.wCandidate_DEE + (<usize>(direction * 4) << 2);
  const r00 = weight(wGates, 0), r01 = weight(wGates, 1), u00 = weight(wGates, 2);
  const u01 = weight(wGates, 3), r10 = weight(wGates, 4), r11 = weight(wGates, 5);
  const u10 = weight(wGates, 6), u11 = weight(wGates, 7);
  const c00 = weight(wCandidate, 0), c01 = weight(wCandidate, 1);
  const c10 = weight(wCandidate, 2), c11 = weight(wCandidate, 3);
  const bias = f32x4.splat(UPDATE_BIAS);
  const h0 = args.h0_DE + (<usize>direction << 3);
  const carried = scratch(<usize>(b1 - b0 + 3) << 3);
  const states = direction ? args.backward_HBE : args.forward_HBE;
  for (let b = b0; b < b1; b++) {
    store<u64>(states + (<usize>((direction ? T : 0) * B + b) << 3), load<u64>(h0));
  }
  for (let b = b0, group = carried; b < b1; b += 4, group += 32) {
    v128.store(group, weight(h0, 0));
    v128.store(group, weight(h0, 1), 16);
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? T - 1 - i : i;
    const after = direction ? t : t + 1;
    for (let b = b0, group = carried; b < b1; b += 4, group += 32) {
      // rows of the gates are 12 floats apart, of the states 2, of the reset states 4
      const rows = b1 - b;
      const g1 = laneOffset(1, rows, 12), g2 = laneOffset(2, rows, 12);
      const g3 = laneOffset(3, rows, 12);
      const s1 = laneOffset(1, rows, 2), s2 = laneOffset(2, rows, 2), s3 = laneOffset(3, rows, 2);
      const row = <usize>((t * B + b) * 2 + direction);
      const gates = args.gates_TBD3E + row * 24, reset = args.reset_TBDE + row * 8;
      const x = v128.load(group), y = v128.load(group, 16);
      let front = twoRows(gates, g1), back = twoRows(gates + g2, g3 - g2);
      const rx = sigmoid4(madd4(y, r10, madd4(x, r00, firsts(front, back))));
      const ry = sigmoid4(madd4(y, r11, madd4(x, r01, seconds(front, back))));
      putPairs(gates, g1, g2, g3, rx, ry);
      const rhx = f32x4.mul(rx, x), rhy = f32x4.mul(ry, y);
      putPairs(reset, 2 * s1, 2 * s2, 2 * s3, rhx, rhy);
      front = twoRows(gates + 8, g1);
      back = twoRows(gates + 8 + g2, g3 - g2);
      const ux = sigmoid4(f32x4.add(bias, madd4(y, u10, madd4(x, u00, firsts(front, back)))));
      const uy = sigmoid4(f32x4.add(bias, madd4(y, u11, madd4(x, u01, seconds(front, back)))));
      putPairs(gates + 8, g1, g2, g3, ux, uy);
      front = twoRows(gates + 16, g1);
      back = twoRows(gates + 16 + g2, g3 - g2);
      const cx = tanh4(madd4(rhy, c10, madd4(rhx, c00, firsts(front, back))));
      const cy = tanh4(madd4(rhy, c11, madd4(rhx, c01, seconds(front, back))));
      putPairs(gates + 16, g1, g2, g3, cx, cy);
      const nextX = mixed(ux, x, cx), nextY = mixed(uy, y, cy);
      v128.store(group, nextX);
      v128.store(group, nextY, 16);
      putPairs(states + (<usize>(after * B + b) << 3), s1, s2, s3, nextX, nextY);
    }
  }
}

/** Back through all bins of trials `b … b + rows - 1` (at most 4) in one direction. */
export function pairEncoderBackward(
  args: EncoderBackwardArgs, B: i32, direction: i32, b: i32, rows: i32,
): void {
  const T = args.T;
  const wGates = args.wGates_DE2E + (<usize>(direction * 8) << 2);
  const wCandidate = args.wCandidate_DEE + (<usize>(direction * 4) << 2);
  const r00 = weight(wGates, 0), r01 = weight(wGates, 1), u00 = weight(wGates, 2);
  const u01 = weight(wGates, 3), r10 = weight(wGates, 4), r11 = weight(wGates, 5);
  const u10 = weight(wGates, 6), u11 = weight(wGates, 7);
  const c00 = weight(wCandidate, 0), c01 = weight(wCandidate, 1);
  const c10 = weight(wCandidate, 2), c11 = weight(wCandidate, 3);
  const one = f32x4.splat(1);
  const g1 = laneOffset(1, rows, 12), g2 = laneOffset(2, rows, 12), g3 = laneOffset(3, rows, 12);
  const s1 = laneOffset(1, rows, 2), s2 = laneOffset(2, rows, 2), s3 = laneOffset(3, rows, 2);
  const states = (direction ? args.backward_HBE : args.forward_HBE) + (<usize>b << 3);
  const slot = <usize>B << 3;
  // ends = [backward at t = 0 ; forward at t = T-1]
  let dx = f32x4.splat(0), dy = dx, front = dx, back = dx;
  if (args.dEnds_B2E) {
    const ends = args.dEnds_B2E + <usize>(b * 2 + 1 - direction) * 8;
    front = twoRows(ends, 2 * s1);
    back = twoRows(ends + 2 * s2, 2 * (s3 - s2));
    dx = firsts(front, back);
    dy = seconds(front, back);
  }
  for (let i = 0; i < T; i++) {
    const t = direction ? i : T - 1 - i;
    const before = states + <usize>(direction ? t + 1 : t) * slot;
    const row = <usize>((t * B + b) * 2 + direction);
    const gates = args.gates_TBD3E + row * 24;
    if (args.dEnc_TB2E) {
      const dEnc = args.dEnc_TB2E + row * 8;
      front = twoRows(dEnc, 2 * s1);
      back = twoRows(dEnc + 2 * s2, 2 * (s3 - s2));
      dx = f32x4.add(dx, firsts(front, back));
      dy = f32x4.add(dy, seconds(front, back));
    }
    front = twoRows(before, s1);
    back = twoRows(before + s2, s3 - s2);
    const hx = firsts(front, back), hy = seconds(front, back);
    front = twoRows(gates + 8, g1);
    back = twoRows(gates + 8 + g2, g3 - g2);
    const ux = firsts(front, back), uy = seconds(front, back);
    front = twoRows(gates + 16, g1);
    back = twoRows(gates + 16 + g2, g3 - g2);
    const cx = firsts(front, back), cy = seconds(front, back);
    const closedX = f32x4.mul(dx, f32x4.sub(one, ux)), closedY = f32x4.mul(dy, f32x4.sub(one, uy));
    const dux = f32x4.mul(f32x4.mul(closedX, f32x4.sub(hx, cx)), ux);
    const duy = f32x4.mul(f32x4.mul(closedY, f32x4.sub(hy, cy)), uy);
    const dcx = f32x4.mul(closedX, f32x4.sub(one, f32x4.mul(cx, cx)));
    const dcy = f32x4.mul(closedY, f32x4.sub(one, f32x4.mul(cy, cy)));
    putPairs(gates + 8, g1, g2, g3, dux, duy);
    putPairs(gates + 16, g1, g2, g3, dcx, dcy);
    const dResetX = madd4(dcy, c01, f32x4.mul(dcx, c00));
    const dResetY = madd4(dcy, c11, f32x4.mul(dcx, c10));
    front = twoRows(gates, g1);
    back = twoRows(gates + g2, g3 - g2);
    const rx = firsts(front, back), ry = seconds(front, back);
    const drx = f32x4.mul(f32x4.mul(dResetX, hx), f32x4.mul(rx, f32x4.sub(one, rx)));
    const dry = f32x4.mul(f32x4.mul(dResetY, hy), f32x4.mul(ry, f32x4.sub(one, ry)));
    putPairs(gates, g1, g2, g3, drx, dry);
    dx = madd4(dResetX, rx, f32x4.mul(dx, ux));
    dy = madd4(dResetY, ry, f32x4.mul(dy, uy));
    dx = madd4(duy, u01, madd4(dux, u00, madd4(dry, r01, madd4(drx, r00, dx))));
    dy = madd4(duy, u11, madd4(dux, u10, madd4(dry, r11, madd4(drx, r10, dy))));
  }
  const start = args.dStart_BDE + <usize>(b * 2 + direction) * 8;
  putPairs(start, 2 * s1, 2 * s2, 2 * s3, dx, dy);
}
