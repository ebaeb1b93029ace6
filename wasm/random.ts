// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The counter-based generator of src/random.ts on four counters at a time: the same integers bit for
 * bit, normals within float32's rounding. A draw depends on its address alone, so functions that fill
 * a row and functions that fill narrow rows four at a time agree.
 */
import { log4, cosTurn4, sinTurn4, storeLanes } from "./math";
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

// What `philox4` leaves: word j of its four counters in `word<j>`. Each thread has its own globals.
let word0: v128 = i32x4.splat(0);
let word1: v128 = i32x4.splat(0);
let word2: v128 = i32x4.splat(0);
let word3: v128 = i32x4.splat(0);

/** Philox4x32-10 on four counters `[blocks, rows, step, last]`. */
@inline
function philox4(blocks: v128, rows: v128, last: u32, s: Scalars): void {
  let c0 = blocks, c1 = rows, c2 = i32x4.splat(s.step), c3 = i32x4.splat(last);
  const m0 = i32x4.splat(M0), m1 = i32x4.splat(M1);
  const w0 = i32x4.splat(W0), w1 = i32x4.splat(W1);
  let k0 = i32x4.splat(s.seedLo), k1 = i32x4.splat(s.seedHi);
  for (let round = 0; round < 10; round++) {
    const low0 = i64x2.extmul_low_i32x4_u(c0, m0), high0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const low1 = i64x2.extmul_low_i32x4_u(c2, m1), high1 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.xor(v128.shuffle<i32>(low1, high1, 1, 3, 5, 7), c1), k0);
    c2 = v128.xor(v128.xor(v128.shuffle<i32>(low0, high0, 1, 3, 5, 7), c3), k1);
    c1 = v128.shuffle<i32>(low1, high1, 0, 2, 4, 6);
    c3 = v128.shuffle<i32>(low0, high0, 0, 2, 4, 6);
    k0 = i32x4.add(k0, w0);
    k1 = i32x4.add(k1, w1);
  }
  word0 = c0;
  word1 = c1;
  word2 = c2;
  word3 = c3;
}

/** Counters for 16 columns of one row from `block`. */
@inline
function alongRow(block: i32, row: u32, last: u32, s: Scalars): void {
  philox4(i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3)), i32x4.splat(row), last, s);
}

/** Counters for the first 4 columns of four rows, `step` apart. */
@inline
function acrossRows(row: u32, step: u32, last: u32, s: Scalars): void {
  const rows = i32x4.add(i32x4.splat(row), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(step)));
  philox4(i32x4.splat(0), rows, last, s);
}

/** The counter's last word. */
@inline
function lastWord(stream: u32, s: Scalars, sample: i32): u32 {
  return stream | (s.purpose << 6) | ((sample as u32) << 8);
}

/** From one vector per word to one vector per counter, written to four rows with `room` columns each. */
@inline
function scatter(
  a0: v128, a1: v128, a2: v128, a3: v128,
  dest: usize, stride: usize, rows: i32,
  room0: i32, room1: i32, room2: i32, room3: i32,
): void {
  const p = v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), q = v128.shuffle<i32>(a2, a3, 0, 4, 1, 5);
  const u = v128.shuffle<i32>(a0, a1, 2, 6, 3, 7), v = v128.shuffle<i32>(a2, a3, 2, 6, 3, 7);
  put(dest, v128.shuffle<i64>(p, q, 0, 2), room0);
  if (rows > 1) put(dest + stride, v128.shuffle<i64>(p, q, 1, 3), room1);
  if (rows > 2) put(dest + 2 * stride, v128.shuffle<i64>(u, v, 0, 2), room2);
  if (rows > 3) put(dest + 3 * stride, v128.shuffle<i64>(u, v, 1, 3), room3);
}

/** Writes what a row still has room for. */
@inline
function put(address: usize, value: v128, room: i32): void {
  if (room >= 4) v128.store(address, value);
  else if (room > 0) storeLanes(address, value, room);
}

/** What becomes of the words. */
type Draw = i32;
const WORDS: Draw = 0;
const KEEP: Draw = 1;
const NORMAL: Draw = 2;

/** Turns the words of four counters into what was asked for, in place. */
@inline
function draw(kind: Draw, threshold: v128, kept: v128): void {
  if (kind == KEEP) {
    word0 = v128.and(i32x4.lt_u(word0, threshold), kept);
    word1 = v128.and(i32x4.lt_u(word1, threshold), kept);
    word2 = v128.and(i32x4.lt_u(word2, threshold), kept);
    word3 = v128.and(i32x4.lt_u(word3, threshold), kept);
  } else if (kind == NORMAL) {
    const radius = radius4(word0), angle = uniform4(word1);
    word0 = f32x4.mul(radius, cosTurn4(angle));
    word1 = f32x4.mul(radius, sinTurn4(angle));
    const radius2 = radius4(word2), angle2 = uniform4(word3);
    word2 = f32x4.mul(radius2, cosTurn4(angle2));
    word3 = f32x4.mul(radius2, sinTurn4(angle2));
  }
}

/** A uniform number in (0, 1) from a word's top 23 bits, exact: they need 24 bits with the half. */
@inline
function uniform4(word: v128): v128 {
  const whole = f32x4.convert_i32x4_u(i32x4.shr_u(word, 9));
  return f32x4.mul(f32x4.add(whole, f32x4.splat(0.5)), f32x4.splat(1.0 / 8388608.0));
}

/** √(-2 ln u) */
@inline
function radius4(word: v128): v128 {
  return f32x4.sqrt(f32x4.mul(f32x4.splat(-2), log4(uniform4(word))));
}

@inline
function fillRow(
  kind: Draw, threshold: v128, kept: v128,
  dest: usize, columns: i32, row: u32, last: u32, s: Scalars,
): void {
  for (let i = 0; i < columns; i += 16, dest += 64) {
    const room = columns - i;
    alongRow(i >> 2, row, last, s);
    draw(kind, threshold, kept);
    scatter(word0, word1, word2, word3, dest, 16, 4, room, room - 4, room - 8, room - 12);
  }
}

@inline
function fillRows(
  kind: Draw, threshold: v128, kept: v128,
  dest: usize, stride: i32, rows: i32, columns: i32, row: u32, rowStep: u32, last: u32, s: Scalars,
): void {
  const bytes = (stride as usize) << 2;
  if (columns > 4) {
    for (let i = 0; i < rows; i++, dest += bytes, row += rowStep) {
      fillRow(kind, threshold, kept, dest, columns, row, last, s);
    }
    return;
  }
  for (let i = 0; i < rows; i += 4, dest += 4 * bytes, row += 4 * rowStep) {
    acrossRows(row, rowStep, last, s);
    draw(kind, threshold, kept);
    scatter(word0, word1, word2, word3, dest, bytes, rows - i, columns, columns, columns, columns);
  }
}

/** Words below this keep their value. Rounds like `keepThreshold` of src/random.ts. */
@inline
function keepThreshold(keepRate: f32): v128 {
  return i32x4.splat(min(4294967295.0, nearest((keepRate as f64) * 4294967296.0)) as u32);
}

/** The words of columns 0, 1, … of a row, as uint32. */
export function words(
  dest: usize, columns: i32, stream: u32, row: u32, s: Scalars, sample: i32,
): void {
  const none = i32x4.splat(0);
  fillRow(WORDS, none, none, dest, columns, row, lastWord(stream, s, sample), s);
}

/** A dropout mask, 0 or 1/keepRate, for columns 0, 1, … of a row (trial, or trial · T + t). */
export function keepRow(
  dest: usize, columns: i32, keepRate: f32, stream: u32, row: u32, s: Scalars, sample: i32,
): void {
  const threshold = keepThreshold(keepRate), kept = f32x4.splat(1 / keepRate);
  fillRow(KEEP, threshold, kept, dest, columns, row, lastWord(stream, s, sample), s);
}

/**
 * Dropout masks for rows `row`, `row + rowStep`, … into rows of `dest` that start `stride` floats
 * apart; the same values as `keepRow`, and up to four times faster where rows have 4 columns or fewer.
 */
export function keepRows(
  dest: usize, stride: i32, rows: i32, columns: i32,
  keepRate: f32, stream: u32, row: u32, rowStep: u32, s: Scalars, sample: i32,
): void {
  const threshold = keepThreshold(keepRate), kept = f32x4.splat(1 / keepRate);
  const last = lastWord(stream, s, sample);
  fillRows(KEEP, threshold, kept, dest, stride, rows, columns, row, rowStep, last, s);
}

/** Standard normals for columns 0, 1, … of a row. */
export function normalRow(
  dest: usize, columns: i32, stream: u32, row: u32, s: Scalars, sample: i32,
): void {
  const none = i32x4.splat(0);
  fillRow(NORMAL, none, none, dest, columns, row, lastWord(stream, s, sample), s);
}

/** Standard normals for rows `row`, `row + rowStep`, …: see `keepRows`. */
export function normalRows(
  dest: usize, stride: i32, rows: i32, columns: i32,
  stream: u32, row: u32, rowStep: u32, s: Scalars, sample: i32,
): void {
  const none = i32x4.splat(0), last = lastWord(stream, s, sample);
  fillRows(NORMAL, none, none, dest, stride, rows, columns, row, rowStep, last, s);
}
