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

/** Columns that one counter serves: a dropout mask takes half a word for each. */
@inline
function columnsOf(kind: Draw): i32 {
  return kind == KEEP ? 8 : 4;
}

/**
 * Writes what a counter gives, as far as the row has room: its four words (or normals), or the factors
 * of its eight half words, `kept` where one is at most `most`, else 0.
 */
@inline
function emit(
  kind: Draw, address: usize, counter: v128, most: v128, kept: v128, room: i32,
): void {
  if (kind != KEEP) {
    put(address, counter, room);
    return;
  }
  const keep = i16x8.le_u(counter, most);
  put(address, v128.and(i32x4.extend_low_i16x8_s(keep), kept), room);
  put(address + 16, v128.and(i32x4.extend_high_i16x8_s(keep), kept), room - 4);
}

/** What becomes of the words. */
type Draw = i32;
const WORDS: Draw = 0;
const KEEP: Draw = 1;
const NORMAL: Draw = 2;

/** Turns the words into what was asked for, and leaves one vector per counter. */
@inline
function draw(kind: Draw): void {
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
  kind: Draw, most: v128, kept: v128,
  dest: usize, from: i32, end: i32, row: u32, last: u32, s: Scalars,
): void {
  const rows = i32x4.splat(row), width = columnsOf(kind), bytes = (width as usize) << 2;
  let blocks = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3));
  dest += (from as usize) * bytes;
  let room = end - width * from;
  for (; room > 0; room -= width * COUNTERS, dest += bytes * COUNTERS) {
    philox(blocks, rows, i32x4.add(blocks, i32x4.splat(4)), rows, last, s);
    blocks = i32x4.add(blocks, i32x4.splat(COUNTERS));
    draw(kind);
    emit(kind, dest, a0, most, kept, room);
    emit(kind, dest + bytes, a1, most, kept, room - width);
    emit(kind, dest + 2 * bytes, a2, most, kept, room - 2 * width);
    emit(kind, dest + 3 * bytes, a3, most, kept, room - 3 * width);
    emit(kind, dest + 4 * bytes, b0, most, kept, room - 4 * width);
    emit(kind, dest + 5 * bytes, b1, most, kept, room - 5 * width);
    emit(kind, dest + 6 * bytes, b2, most, kept, room - 6 * width);
    emit(kind, dest + 7 * bytes, b3, most, kept, room - 7 * width);
  }
}

/** Whole eights of blocks row by row, then the blocks that are left, eight rows at a time. */
@inline
function fillRows(
  kind: Draw, most: v128, kept: v128,
  dest: usize, stride: i32, rows: i32, columns: i32, row: u32, rowStep: u32, last: u32, s: Scalars,
): void {
  const bytes = (stride as usize) << 2;
  const width = columnsOf(kind), blocks = (columns + width - 1) / width;
  let whole = blocks / COUNTERS * COUNTERS;
  // across rows a block costs a draw for every eight rows, along a row the rest costs one for each row
  if ((blocks - whole) * ((rows + COUNTERS - 1) / COUNTERS) >= rows) whole = blocks;
  if (whole > 0) {
    let at = dest, id = row;
    for (let i = 0; i < rows; i++, at += bytes, id += rowStep) {
      fillRow(kind, most, kept, at, 0, min(width * whole, columns), id, last, s);
    }
  }
  for (let block = whole; block < blocks; block++) {
    const start = dest + (((block * width) as usize) << 2);
    const room = columns - width * block;
    fillBlock(kind, most, kept, start, bytes, rows, room, block, row, rowStep, last, s);
  }
}

/** One block of many rows, which has `columns` columns (more than a counter serves do not count). */
@inline
function fillBlock(
  kind: Draw, most: v128, kept: v128, dest: usize, bytes: usize, rows: i32, columns: i32,
  block: i32, row: u32, rowStep: u32, last: u32, s: Scalars,
): void {
  const blocks = i32x4.splat(block), step = i32x4.splat(rowStep);
  let ids = i32x4.add(i32x4.splat(row), i32x4.mul(i32x4(0, 1, 2, 3), step));
  for (let left = rows; left > 0; left -= COUNTERS) {
    const next = i32x4.add(ids, i32x4.mul(step, i32x4.splat(4)));
    philox(blocks, ids, blocks, next, last, s);
    ids = i32x4.add(next, i32x4.mul(step, i32x4.splat(4)));
    draw(kind);
    emit(kind, dest, a0, most, kept, columns);
    dest += bytes;
    if (left > 1) emit(kind, dest, a1, most, kept, columns);
    dest += bytes;
    if (left > 2) emit(kind, dest, a2, most, kept, columns);
    dest += bytes;
    if (left > 3) emit(kind, dest, a3, most, kept, columns);
    dest += bytes;
    if (left > 4) emit(kind, dest, b0, most, kept, columns);
    dest += bytes;
    if (left > 5) emit(kind, dest, b1, most, kept, columns);
    dest += bytes;
    if (left > 6) emit(kind, dest, b2, most, kept, columns);
    dest += bytes;
    if (left > 7) emit(kind, dest, b3, most, kept, columns);
    dest += bytes;
  }
}

/** Half words up to this keep their value: one less than `keepThreshold` of src/random.ts. */
@inline
function mostKept(keepRate: f32): v128 {
  const threshold = nearest((keepRate as f64) * 65536.0) as i32;
  return i16x8.splat((max(1, min(65536, threshold)) - 1) as i16);
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
  const most = mostKept(keepRate), kept = f32x4.splat(1 / keepRate);
  fillRow(KEEP, most, kept, dest, 0, columns, row, lastWord(stream, s, sample), s);
}

/**
 * Dropout masks for rows `row`, `row + rowStep`, … into rows of `dest` that start `stride` floats
 * apart; the same values as `keepRow`, and several times faster for many narrow rows.
 */
export function keepRows(
  dest: usize, stride: i32, rows: i32, columns: i32,
  keepRate: f32, stream: u32, row: u32, rowStep: u32, s: Scalars, sample: i32,
): void {
  const most = mostKept(keepRate), kept = f32x4.splat(1 / keepRate);
  const last = lastWord(stream, s, sample);
  fillRows(KEEP, most, kept, dest, stride, rows, columns, row, rowStep, last, s);
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
  return ((rows * ((columns + 7) >> 3) + COUNTERS + 3) as usize) << 2;
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
  if (!TRAINING) unreachable();
  const room = listBytes(rows, columns), bytes = (stride as usize) << 2;
  const blockList = work, rowList = work + room, placeList = rowList + room;
  let end: usize = 0;
  for (let i = 0; i < rows; i++, x += bytes) {
    const row = load<u32>(rowIds + ((i as usize) << 2));
    for (let n = 0; n < columns; n += 8) {
      const at = x + ((n as usize) << 2);
      let values = v128.load(at);
      if (n + 4 < columns) values = v128.or(values, v128.load(at, 16));
      store<i32>(blockList + end, n >> 3);
      store<u32>(rowList + end, row);
      store<usize>(placeList + end, at);
      // without a branch, which would be guessed wrong too often
      end += (v128.any_true(values) as usize) << 2;
    }
  }
  const most = mostKept(keepRate), kept = f32x4.splat(1 / keepRate);
  const last = lastWord(stream, s, sample);
  for (let i: usize = 0; i < end; i += 4 * COUNTERS) {
    philox(
      v128.load(blockList + i), v128.load(rowList + i),
      v128.load(blockList + i, 16), v128.load(rowList + i, 16), last, s,
    );
    draw(KEEP);
    const left = (end - i) as i32 >> 2, blocks = blockList + i, places = placeList + i;
    multiply(a0, most, kept, blocks, places, columns);
    if (left > 1) multiply(a1, most, kept, blocks + 4, places + 4, columns);
    if (left > 2) multiply(a2, most, kept, blocks + 8, places + 8, columns);
    if (left > 3) multiply(a3, most, kept, blocks + 12, places + 12, columns);
    if (left > 4) multiply(b0, most, kept, blocks + 16, places + 16, columns);
    if (left > 5) multiply(b1, most, kept, blocks + 20, places + 20, columns);
    if (left > 6) multiply(b2, most, kept, blocks + 24, places + 24, columns);
    if (left > 7) multiply(b3, most, kept, blocks + 28, places + 28, columns);
  }
}

/** Multiplies one listed block by its factors. */
@inline
function multiply(
  counter: v128, most: v128, kept: v128, block: usize, place: usize, columns: i32,
): void {
  const at = load<usize>(place), room = columns - (load<i32>(block) << 3);
  const keep = i16x8.le_u(counter, most);
  const low = v128.and(i32x4.extend_low_i16x8_s(keep), kept);
  put(at, f32x4.mul(v128.load(at), low), room);
  const high = v128.and(i32x4.extend_high_i16x8_s(keep), kept);
  put(at + 16, f32x4.mul(v128.load(at, 16), high), room - 4);
}
