// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The counter-based generator of src/random.ts on four counters at a time: the same integers bit for
 * bit, normals within float32's rounding.
 */
import { storeLanes } from "./math";
import { Scalars } from "./scalars";

/** What a draw is for: `STREAMS` of src/random.ts. */
export const KEEP_SPIKES: u32 = 2;
export const KEEP_ENDS: u32 = 3;
export const KEEP_ENC: u32 = 4;
export const KEEP_GEN: u32 = 5;
export const EPS_IC: u32 = 6;
export const EPS_INPUTS: u32 = 7;

const M0: u32 = 0xd2511f53;
const M1: u32 = 0xcd9e8d57;
const W0: u32 = 0x9e3779b9;
const W1: u32 = 0xbb67ae85;

// Four counters' words after `philox4`; globals of this thread's instance.
let x0: v128 = i32x4.splat(0);
let x1: v128 = i32x4.splat(0);
let x2: v128 = i32x4.splat(0);
let x3: v128 = i32x4.splat(0);

/** Philox4x32-10 on the counters `[block + 0…3, row, step, last]`. */
@inline
function philox4(block: u32, row: u32, last: u32, s: Scalars): void {
  let c0 = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
  let c1 = i32x4.splat(row), c2 = i32x4.splat(s.step), c3 = i32x4.splat(last);
  const m0 = i32x4.splat(M0), m1 = i32x4.splat(M1);
  let k0 = s.seedLo, k1 = s.seedHi;
  for (let round = 0; round < 10; round++) {
    const low0 = i64x2.extmul_low_i32x4_u(c0, m0), high0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const low1 = i64x2.extmul_low_i32x4_u(c2, m1), high1 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(
      v128.xor(v128.shuffle<i32>(low1, high1, 1, 3, 5, 7), c1),
      i32x4.splat(k0),
    );
    c2 = v128.xor(
      v128.xor(v128.shuffle<i32>(low0, high0, 1, 3, 5, 7), c3),
      i32x4.splat(k1),
    );
    c1 = v128.shuffle<i32>(low1, high1, 0, 2, 4, 6);
    c3 = v128.shuffle<i32>(low0, high0, 0, 2, 4, 6);
    k0 += W0;
    k1 += W1;
  }
  // from one vector per word to one vector per counter
  const a = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5), b = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5);
  const c = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7), d = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7);
  x0 = v128.shuffle<i64>(a, b, 0, 2);
  x1 = v128.shuffle<i64>(a, b, 1, 3);
  x2 = v128.shuffle<i64>(c, d, 0, 2);
  x3 = v128.shuffle<i64>(c, d, 1, 3);
}

/** The counter's last word. */
@inline
function lastWord(stream: u32, s: Scalars, sample: i32): u32 {
  return stream | (s.purpose << 6) | (<u32>sample << 8);
}

/** The words of columns 0, 1, … of a row, as uint32. */
export function words(
  dest: usize,
  columns: i32,
  stream: u32,
  row: u32,
  s: Scalars,
  sample: i32,
): void {
  const last = lastWord(stream, s, sample);
  for (let i = 0; i < columns; i += 16, dest += 64) {
    philox4(<u32>i >> 2, row, last, s);
    put(dest, x0, columns - i);
    put(dest + 16, x1, columns - i - 4);
    put(dest + 32, x2, columns - i - 8);
    put(dest + 48, x3, columns - i - 12);
  }
}

/** Writes what a row still has room for. */
@inline
function put(address: usize, value: v128, room: i32): void {
  if (room >= 4) v128.store(address, value);
  else if (room > 0) storeLanes(address, value, room);
}

/** A dropout mask: 0, or 1/keepRate, for columns 0, 1, … of a row (trial, or trial · T + t). */
export function keepRow(
  dest: usize,
  columns: i32,
  keepRate: f32,
  stream: u32,
  row: u32,
  s: Scalars,
  sample: i32,
): void {
  // rounds like keepThreshold of src/random.ts; f32 · 2^32 is exact
  const threshold = i32x4.splat(<u32>min(4294967295.0, nearest(<f64>keepRate * 4294967296.0)));
  const kept = f32x4.splat(1 / keepRate);
  const last = lastWord(stream, s, sample);
  for (let i = 0; i < columns; i += 16, dest += 64) {
    philox4(<u32>i >> 2, row, last, s);
    put(dest, v128.and(i32x4.lt_u(x0, threshold), kept), columns - i);
    put(dest + 16, v128.and(i32x4.lt_u(x1, threshold), kept), columns - i - 4);
    put(dest + 32, v128.and(i32x4.lt_u(x2, threshold), kept), columns - i - 8);
    put(dest + 48, v128.and(i32x4.lt_u(x3, threshold), kept), columns - i - 12);
  }
}
