// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The counter-based generator of src/random.ts on eight counters at a time: the same integers bit for
 * bit, normals within float32's rounding. A draw depends on its address alone, so functions that fill
 * a row and functions that fill narrow rows eight at a time agree.
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

// Multipliers and key steps, four times over; from memory for the reason given in math.ts.
const MULTIPLIER0: usize = 0;
const MULTIPLIER1: usize = 16;
const STEP0: usize = 32;
const STEP1: usize = 48;

const TABLE: usize = memory.data<u32>([
  0xd2511f53, 0xd2511f53, 0xd2511f53, 0xd2511f53,
  0xcd9e8d57, 0xcd9e8d57, 0xcd9e8d57, 0xcd9e8d57,
  0x9e3779b9, 0x9e3779b9, 0x9e3779b9, 0x9e3779b9,
  0xbb67ae85, 0xbb67ae85, 0xbb67ae85, 0xbb67ae85,
], 16);

/** Counters that are drawn at once: two vectors, so that one's latency hides the other's. */
const COUNTERS: i32 = 8;

// What `philox` leaves: word j of counters 0 … 3 in a<j>, of 4 … 7 in b<j>. Each thread has its own.
let a0: v128 = i32x4.splat(0);
let a1: v128 = i32x4.splat(0);
let a2: v128 = i32x4.splat(0);
let a3: v128 = i32x4.splat(0);
let b0: v128 = i32x4.splat(0);
let b1: v128 = i32x4.splat(0);
let b2: v128 = i32x4.splat(0);
let b3: v128 = i32x4.splat(0);

/** The upper halves of four 64-bit products. */
@inline
function upper(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(low, high, 1, 3, 5, 7);
}

/** The lower halves. */
@inline
function lower(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(low, high, 0, 2, 4, 6);
}

/** Philox4x32-10 on eight counters `[block, row, step, last]`. */
@inline
function philox(
  blocksA: v128, rowsA: v128, blocksB: v128, rowsB: v128, last: u32, s: Scalars,
): void {
  let c0 = blocksA, c1 = rowsA, c2 = i32x4.splat(s.step), c3 = i32x4.splat(last);
  let d0 = blocksB, d1 = rowsB, d2 = c2, d3 = c3;
  let k0 = i32x4.splat(s.seedLo), k1 = i32x4.splat(s.seedHi);
  for (let round = 0; round < 10; round++) {
    const m0 = v128.load(TABLE, MULTIPLIER0), m1 = v128.load(TABLE, MULTIPLIER1);
    const cl0 = i64x2.extmul_low_i32x4_u(c0, m0), ch0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const cl1 = i64x2.extmul_low_i32x4_u(c2, m1), ch1 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.xor(upper(cl1, ch1), c1), k0);
    c2 = v128.xor(v128.xor(upper(cl0, ch0), c3), k1);
    c1 = lower(cl1, ch1);
    c3 = lower(cl0, ch0);
    const dl0 = i64x2.extmul_low_i32x4_u(d0, m0), dh0 = i64x2.extmul_high_i32x4_u(d0, m0);
    const dl1 = i64x2.extmul_low_i32x4_u(d2, m1), dh1 = i64x2.extmul_high_i32x4_u(d2, m1);
    d0 = v128.xor(v128.xor(upper(dl1, dh1), d1), k0);
    d2 = v128.xor(v128.xor(upper(dl0, dh0), d3), k1);
    d1 = lower(dl1, dh1);
    d3 = lower(dl0, dh0);
    k0 = i32x4.add(k0, v128.load(TABLE, STEP0));
    k1 = i32x4.add(k1, v128.load(TABLE, STEP1));
  }
  a0 = c0;
  a1 = c1;
  a2 = c2;
  a3 = c3;
  b0 = d0;
  b1 = d1;
  b2 = d2;
  b3 = d3;
}

/** From one vector per word to one vector per counter, in place. */
@inline
function transpose(): void {
  const p = v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), q = v128.shuffle<i32>(a2, a3, 0, 4, 1, 5);
  const u = v128.shuffle<i32>(a0, a1, 2, 6, 3, 7), v = v128.shuffle<i32>(a2, a3, 2, 6, 3, 7);
  a0 = v128.shuffle<i64>(p, q, 0, 2);
  a1 = v128.shuffle<i64>(p, q, 1, 3);
  a2 = v128.shuffle<i64>(u, v, 0, 2);
  a3 = v128.shuffle<i64>(u, v, 1, 3);
  const r = v128.shuffle<i32>(b0, b1, 0, 4, 1, 5), s = v128.shuffle<i32>(b2, b3, 0, 4, 1, 5);
  const x = v128.shuffle<i32>(b0, b1, 2, 6, 3, 7), y = v128.shuffle<i32>(b2, b3, 2, 6, 3, 7);
  b0 = v128.shuffle<i64>(r, s, 0, 2);
  b1 = v128.shuffle<i64>(r, s, 1, 3);
  b2 = v128.shuffle<i64>(x, y, 0, 2);
  b3 = v128.shuffle<i64>(x, y, 1, 3);
}

/** The counter's last word. */
@inline
function lastWord(stream: u32, s: Scalars, sample: i32): u32 {
  return stream | (s.purpose << 6) | ((sample as u32) << 8);
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

/** A vector of dropout factors: `kept` where the word is below the threshold, else 0. */
@inline
function keep4(word: v128, threshold: v128, kept: v128): v128 {
  return v128.and(i32x4.lt_u(word, threshold), kept);
}

/** Turns the words into what was asked for, and leaves one vector per counter. */
@inline
function draw(kind: Draw, threshold: v128, kept: v128): void {
  if (kind == NORMAL) {
    const ra = radius4(a0), va = uniform4(a1), sa = radius4(a2), wa = uniform4(a3);
    a0 = f32x4.mul(ra, cosTurn4(va));
    a1 = f32x4.mul(ra, sinTurn4(va));
    a2 = f32x4.mul(sa, cosTurn4(wa));
    a3 = f32x4.mul(sa, sinTurn4(wa));
    const rb = radius4(b0), vb = uniform4(b1), sb = radius4(b2), wb = uniform4(b3);
    b0 = f32x4.mul(rb, cosTurn4(vb));
    b1 = f32x4.mul(rb, sinTurn4(vb));
    b2 = f32x4.mul(sb, cosTurn4(wb));
    b3 = f32x4.mul(sb, sinTurn4(wb));
  }
  transpose();
  if (kind == KEEP) {
    a0 = keep4(a0, threshold, kept);
    a1 = keep4(a1, threshold, kept);
    a2 = keep4(a2, threshold, kept);
    a3 = keep4(a3, threshold, kept);
    b0 = keep4(b0, threshold, kept);
    b1 = keep4(b1, threshold, kept);
    b2 = keep4(b2, threshold, kept);
    b3 = keep4(b3, threshold, kept);
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

/** Columns of one row, from block `from` up to (not with) column `end`, eight blocks at a time. */
@inline
function fillRow(
  kind: Draw, threshold: v128, kept: v128,
  dest: usize, from: i32, end: i32, row: u32, last: u32, s: Scalars,
): void {
  const rows = i32x4.splat(row);
  let blocks = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3));
  dest += (from as usize) << 4;
  for (let room = end - 4 * from; room > 0; room -= 4 * COUNTERS, dest += 16 * COUNTERS) {
    philox(blocks, rows, i32x4.add(blocks, i32x4.splat(4)), rows, last, s);
    blocks = i32x4.add(blocks, i32x4.splat(COUNTERS));
    draw(kind, threshold, kept);
    put(dest, a0, room);
    put(dest + 16, a1, room - 4);
    put(dest + 32, a2, room - 8);
    put(dest + 48, a3, room - 12);
    put(dest + 64, b0, room - 16);
    put(dest + 80, b1, room - 20);
    put(dest + 96, b2, room - 24);
    put(dest + 112, b3, room - 28);
  }
}

/** Whole eights of blocks row by row, then the blocks that are left, eight rows at a time. */
@inline
function fillRows(
  kind: Draw, threshold: v128, kept: v128,
  dest: usize, stride: i32, rows: i32, columns: i32, row: u32, rowStep: u32, last: u32, s: Scalars,
): void {
  const bytes = (stride as usize) << 2;
  const blocks = (columns + 3) >> 2;
  let whole = blocks / COUNTERS * COUNTERS;
  // across rows a block costs a draw for every eight rows, along a row the rest costs one for each row
  if ((blocks - whole) * ((rows + COUNTERS - 1) / COUNTERS) >= rows) whole = blocks;
  if (whole > 0) {
    let at = dest, id = row;
    for (let i = 0; i < rows; i++, at += bytes, id += rowStep) {
      fillRow(kind, threshold, kept, at, 0, min(4 * whole, columns), id, last, s);
    }
  }
  for (let block = whole; block < blocks; block++) {
    const start = dest + ((block as usize) << 4);
    const room = columns - 4 * block;
    fillBlock(kind, threshold, kept, start, bytes, rows, room, block, row, rowStep, last, s);
  }
}

/** One block of many rows, which has `columns` columns (more than four count as four). */
@inline
function fillBlock(
  kind: Draw, threshold: v128, kept: v128, dest: usize, bytes: usize, rows: i32, columns: i32,
  block: i32, row: u32, rowStep: u32, last: u32, s: Scalars,
): void {
  const blocks = i32x4.splat(block), step = i32x4.splat(rowStep);
  let ids = i32x4.add(i32x4.splat(row), i32x4.mul(i32x4(0, 1, 2, 3), step));
  for (let left = rows; left > 0; left -= COUNTERS) {
    const next = i32x4.add(ids, i32x4.mul(step, i32x4.splat(4)));
    philox(blocks, ids, blocks, next, last, s);
    ids = i32x4.add(next, i32x4.mul(step, i32x4.splat(4)));
    draw(kind, threshold, kept);
    put(dest, a0, columns);
    dest += bytes;
    if (left > 1) put(dest, a1, columns);
    dest += bytes;
    if (left > 2) put(dest, a2, columns);
    dest += bytes;
    if (left > 3) put(dest, a3, columns);
    dest += bytes;
    if (left > 4) put(dest, b0, columns);
    dest += bytes;
    if (left > 5) put(dest, b1, columns);
    dest += bytes;
    if (left > 6) put(dest, b2, columns);
    dest += bytes;
    if (left > 7) put(dest, b3, columns);
    dest += bytes;
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
  fillRow(WORDS, none, none, dest, 0, columns, row, lastWord(stream, s, sample), s);
}

/** A dropout mask, 0 or 1/keepRate, for columns 0, 1, … of a row (trial, or trial · T + t). */
export function keepRow(
  dest: usize, columns: i32, keepRate: f32, stream: u32, row: u32, s: Scalars, sample: i32,
): void {
  const threshold = keepThreshold(keepRate), kept = f32x4.splat(1 / keepRate);
  fillRow(KEEP, threshold, kept, dest, 0, columns, row, lastWord(stream, s, sample), s);
}

/**
 * Dropout masks for rows `row`, `row + rowStep`, … into rows of `dest` that start `stride` floats
 * apart; the same values as `keepRow`, and several times faster for many narrow rows.
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
  fillRow(NORMAL, none, none, dest, 0, columns, row, lastWord(stream, s, sample), s);
}

/** Standard normals for rows `row`, `row + rowStep`, …: see `keepRows`. */
export function normalRows(
  dest: usize, stride: i32, rows: i32, columns: i32,
  stream: u32, row: u32, rowStep: u32, s: Scalars, sample: i32,
): void {
  const none = i32x4.splat(0), last = lastWord(stream, s, sample);
  fillRows(NORMAL, none, none, dest, stride, rows, columns, row, rowStep, last, s);
}

/** Bytes that `dropRows` needs to work in. */
export function dropRowsBytes(rows: i32, columns: i32): usize {
  return 3 * listBytes(rows, columns);
}

@inline
function listBytes(rows: i32, columns: i32): usize {
  return ((rows * ((columns + 3) >> 2) + COUNTERS + 3) as usize) << 2;
}

/**
 * Dropout in place on rows of float32 that start `stride` floats apart: each element times the factor
 * of `keepRow`, with the row numbers in `rowIds` (uint32). Only what stands beside something other than
 * zero is drawn, which makes spikes cheap. `work` has `dropRowsBytes(rows, columns)`.
 */
export function dropRows(
  x: usize, stride: i32, rows: i32, columns: i32, rowIds: usize,
  keepRate: f32, stream: u32, s: Scalars, sample: i32, work: usize,
): void {
  const room = listBytes(rows, columns), bytes = (stride as usize) << 2;
  const blockList = work, rowList = work + room, placeList = rowList + room;
  let end: usize = 0;
  for (let i = 0; i < rows; i++, x += bytes) {
    const row = load<u32>(rowIds + ((i as usize) << 2));
    for (let n = 0; n < columns; n += 4) {
      const at = x + ((n as usize) << 2);
      store<i32>(blockList + end, n >> 2);
      store<u32>(rowList + end, row);
      store<usize>(placeList + end, at);
      // without a branch, which would be guessed wrong too often
      end += (v128.any_true(v128.load(at)) as usize) << 2;
    }
  }
  const threshold = keepThreshold(keepRate), kept = f32x4.splat(1 / keepRate);
  const last = lastWord(stream, s, sample);
  for (let i: usize = 0; i < end; i += 4 * COUNTERS) {
    philox(
      v128.load(blockList + i), v128.load(rowList + i),
      v128.load(blockList + i, 16), v128.load(rowList + i, 16), last, s,
    );
    draw(KEEP, threshold, kept);
    const left = (end - i) as i32 >> 2, blocks = blockList + i, places = placeList + i;
    multiply(a0, blocks, places, columns);
    if (left > 1) multiply(a1, blocks + 4, places + 4, columns);
    if (left > 2) multiply(a2, blocks + 8, places + 8, columns);
    if (left > 3) multiply(a3, blocks + 12, places + 12, columns);
    if (left > 4) multiply(b0, blocks + 16, places + 16, columns);
    if (left > 5) multiply(b1, blocks + 20, places + 20, columns);
    if (left > 6) multiply(b2, blocks + 24, places + 24, columns);
    if (left > 7) multiply(b3, blocks + 28, places + 28, columns);
  }
}

/** Multiplies one listed block by its factors. */
@inline
function multiply(factors: v128, block: usize, place: usize, columns: i32): void {
  const at = load<usize>(place);
  put(at, f32x4.mul(v128.load(at), factors), columns - (load<i32>(block) << 2));
}
