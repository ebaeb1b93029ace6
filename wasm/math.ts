/**
 * exp, log, sigmoid, tanh, sine and cosine on four float32 at a time. A lane's result depends on its
 * input alone, so an element gets the same bits wherever it stands in a row.
 *
 * Constants are loaded from memory: V8 builds a v128 literal anew at every use, which costs more than
 * the load (a factor 2.3 to 2.8 on these functions).
 */

// Where each constant stands in the table below, four times over.
const LOG2E: usize = 0;
const LN2_HI: usize = 16;
const LN2_LO: usize = 32;
const ONE: usize = 48;
const TWO: usize = 64;
const MINUS_TWO: usize = 80;
const SIGN: usize = 96;
const EXP_LOW: usize = 112;
const EXP_HIGH: usize = 128;
const SATURATED: usize = 144;
const E2: usize = 160;
const E3: usize = 176;
const E4: usize = 192;
const E5: usize = 208;
const E6: usize = 224;
const E7: usize = 240;
const L3: usize = 256;
const L5: usize = 272;
const L7: usize = 288;
const L9: usize = 304;
const FOUR: usize = 320;
const S1: usize = 336;
const S3: usize = 352;
const S5: usize = 368;
const S7: usize = 384;
const S9: usize = 400;
const C2: usize = 416;
const C4: usize = 432;
const C6: usize = 448;
const C8: usize = 464;
const C10: usize = 480;
const MINUS_SATURATED: usize = 496;
const WHOLE: usize = 512;

const TABLE: usize = memory.data<f32>([
  1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634,
  // ln 2 in two parts; the first has 15 significant bits, so its product with a small n is exact
  0.693145751953125, 0.693145751953125, 0.693145751953125, 0.693145751953125,
  1.4286068202862268e-06, 1.4286068202862268e-06, 1.4286068202862268e-06, 1.4286068202862268e-06,
  1, 1, 1, 1,
  2, 2, 2, 2,
  -2, -2, -2, -2,
  -0.0, -0.0, -0.0, -0.0,
  // beyond these two exp is 0 and infinity in float32
  -104, -104, -104, -104,
  89, 89, 89, 89,
  // beyond this sigmoid and tanh are 0 or 1 to within 2e-38
  87, 87, 87, 87,
  // e^r by Taylor on |r| <= ln(2)/2: the remainder is below 6e-9
  0.5, 0.5, 0.5, 0.5,
  0.16666666666666666, 0.16666666666666666, 0.16666666666666666, 0.16666666666666666,
  0.041666666666666664, 0.041666666666666664, 0.041666666666666664, 0.041666666666666664,
  0.008333333333333333, 0.008333333333333333, 0.008333333333333333, 0.008333333333333333,
  0.001388888888888889, 0.001388888888888889, 0.001388888888888889, 0.001388888888888889,
  0.0001984126984126984, 0.0001984126984126984, 0.0001984126984126984, 0.0001984126984126984,
  // 2 atanh s by Taylor on |s| <= 0.172: the remainder is below 4e-9 of it
  0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 0.6666666666666666,
  0.4, 0.4, 0.4, 0.4,
  0.2857142857142857, 0.2857142857142857, 0.2857142857142857, 0.2857142857142857,
  0.2222222222222222, 0.2222222222222222, 0.2222222222222222, 0.2222222222222222,
  4, 4, 4, 4,
  // sin and cos of r quarter turns by Taylor on |r| <= 1/2: remainders below 2e-9 and 6e-10
  1.5707963267948966, 1.5707963267948966, 1.5707963267948966, 1.5707963267948966,
  -0.6459640975062462, -0.6459640975062462, -0.6459640975062462, -0.6459640975062462,
  0.07969262624616703, 0.07969262624616703, 0.07969262624616703, 0.07969262624616703,
  -0.004681754135318687, -0.004681754135318687, -0.004681754135318687, -0.004681754135318687,
  0.00016044118478735975, 0.00016044118478735975, 0.00016044118478735975, 0.00016044118478735975,
  -1.2337005501361697, -1.2337005501361697, -1.2337005501361697, -1.2337005501361697,
  0.253669507901048, 0.253669507901048, 0.253669507901048, 0.253669507901048,
  -0.020863480763352957, -0.020863480763352957, -0.020863480763352957, -0.020863480763352957,
  0.0009192602748394263, 0.0009192602748394263, 0.0009192602748394263, 0.0009192602748394263,
  -2.5202042373060596e-05, -2.5202042373060596e-05, -2.5202042373060596e-05, -2.5202042373060596e-05,
  -87, -87, -87, -87,
  // 1.5 · 2^23: added to a number, it leaves no room for a fraction
  12582912, 12582912, 12582912, 12582912,
], 16);

@inline
function constant(offset: usize): v128 {
  return v128.load(TABLE + offset);
}

/** a · b + c; fused where the relaxed build's machine has it, two roundings in the strict build. */
@inline
export function madd4(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/** e^r - 1 for |r| <= ln(2)/2. */
@inline
function expm1Core(r: v128): v128 {
  let p = madd4(constant(E7), r, constant(E6));
  p = madd4(p, r, constant(E5));
  p = madd4(p, r, constant(E4));
  p = madd4(p, r, constant(E3));
  p = madd4(p, r, constant(E2));
  return madd4(f32x4.mul(p, r), r, r);
}

/**
 * x / ln 2 rounded to a whole number n, plus 1.5 · 2^23: a float32 whose lowest bits are those of n as
 * an int32. (Rounding and converting by instructions of their own takes V8 four times as many.)
 */
@inline
function wholes(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, constant(LOG2E)), constant(WHOLE));
}

/** x - n ln 2 */
@inline
function reduced(x: v128, wholes: v128): v128 {
  const minus = f32x4.sub(constant(WHOLE), wholes);
  return madd4(minus, constant(LN2_LO), madd4(minus, constant(LN2_HI), x));
}

/** 2^n for n in -126 … 127, from the lowest bits of `n`. */
@inline
function power2(n: v128): v128 {
  return i32x4.add(i32x4.shl(n, 23), constant(ONE));
}

/** e^x to 2 ulp: 0 below, infinity above what float32 holds, NaN only for NaN. */
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, constant(EXP_LOW)), constant(EXP_HIGH));
  const n = wholes(x);
  const p = f32x4.add(expm1Core(reduced(x, n)), constant(ONE));
  // 2^n in two factors: n runs from -150 to 128, which one exponent field cannot hold
  const whole = i32x4.sub(n, constant(WHOLE));
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, power2(half)), power2(i32x4.sub(whole, half)));
}

/**
 * e^x for what is read as a log-rate: like `exp4` from -87 to 88, and e^-87 (2e-38, still a normal
 * number) below, which saves the second factor.
 */
@inline
export function expRate4(x: v128): v128 {
  x = f32x4.pmax(x, constant(MINUS_SATURATED));
  const n = wholes(x);
  const scale = power2(n);
  return madd4(expm1Core(reduced(x, n)), scale, scale);
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(f32x4.neg(x), constant(SATURATED)), constant(MINUS_SATURATED));
  const n = wholes(x);
  const scale = power2(n);
  const e = madd4(expm1Core(reduced(x, n)), scale, scale);
  return f32x4.div(constant(ONE), f32x4.add(constant(ONE), e));
}

/** tanh x = -q / (2 + q) with q = e^(-2|x|) - 1: accurate relative to tanh x near 0 too. */
@inline
export function tanh4(x: v128): v128 {
  const sign = v128.and(x, constant(SIGN));
  let y = f32x4.mul(f32x4.abs(x), constant(MINUS_TWO));
  y = f32x4.pmax(y, constant(MINUS_SATURATED));
  const n = wholes(y);
  const scale = power2(n);
  const q = madd4(expm1Core(reduced(y, n)), scale, f32x4.sub(scale, constant(ONE)));
  const magnitude = f32x4.abs(f32x4.div(q, f32x4.add(constant(TWO), q)));
  return v128.or(magnitude, sign);
}

/** ln x for positive normal x, to 2 ulp, near 1 too. */
@inline
export function log4(x: v128): v128 {
  // x = 2^n m with m in √½ … √2, and ln m = 2 atanh s
  const shifted = i32x4.sub(x, f32x4.splat(0.70710678));
  const whole = i32x4.shr_s(shifted, 23);
  const f = f32x4.sub(i32x4.sub(x, i32x4.shl(whole, 23)), constant(ONE));
  const n = f32x4.convert_i32x4_s(whole);
  const s = f32x4.div(f, f32x4.add(f, constant(TWO)));
  const z = f32x4.mul(s, s);
  let p = madd4(constant(L9), z, constant(L7));
  p = madd4(p, z, constant(L5));
  p = madd4(p, z, constant(L3));
  const tail = madd4(f32x4.mul(p, z), s, f32x4.mul(n, constant(LN2_LO)));
  return madd4(n, constant(LN2_HI), f32x4.add(f32x4.add(s, s), tail));
}

/** cos 2πv for v in 0 … 1. */
@inline
export function cosTurn4(v: v128): v128 {
  const turns = f32x4.mul(v, constant(FOUR)), quarter = f32x4.nearest(turns);
  return quarterTurn(f32x4.sub(turns, quarter), i32x4.trunc_sat_f32x4_s(quarter), 1);
}

/** sin 2πv for v in 0 … 1. */
@inline
export function sinTurn4(v: v128): v128 {
  const turns = f32x4.mul(v, constant(FOUR)), quarter = f32x4.nearest(turns);
  return quarterTurn(f32x4.sub(turns, quarter), i32x4.trunc_sat_f32x4_s(quarter), 0);
}

/** sin of (r + quarter + lead) quarter turns, |r| <= 1/2. */
@inline
function quarterTurn(r: v128, quarter: v128, lead: i32): v128 {
  const place = i32x4.add(quarter, i32x4.splat(lead));
  const z = f32x4.mul(r, r);
  let sin = madd4(constant(S9), z, constant(S7));
  sin = madd4(sin, z, constant(S5));
  sin = madd4(sin, z, constant(S3));
  sin = f32x4.mul(r, madd4(sin, z, constant(S1)));
  let cos = madd4(constant(C10), z, constant(C8));
  cos = madd4(cos, z, constant(C6));
  cos = madd4(cos, z, constant(C4));
  cos = madd4(cos, z, constant(C2));
  cos = madd4(cos, z, constant(ONE));
  // odd places swap sine and cosine; places 2 and 3 are half a turn on
  const odd = i32x4.neg(v128.and(place, i32x4.splat(1)));
  const sign = i32x4.shl(v128.and(place, i32x4.splat(2)), 30);
  return v128.xor(v128.bitselect(cos, sin, odd), sign);
}

/** Writes the first `count` (1 … 3) lanes. */
@inline
export function storeLanes(address: usize, value: v128, count: i32): void {
  if (count & 2) {
    v128.store64_lane(address, value, 0);
    if (count & 1) v128.store32_lane(address + 8, value, 2);
  } else {
    v128.store32_lane(address, value, 0);
  }
}

/** All bits of the first 1, 2 or 3 lanes. */
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}

/** The four lanes' sum, in float64. */
@inline
export function laneSum(x: v128): f64 {
  return ((f32x4.extract_lane(x, 0) as f64) + (f32x4.extract_lane(x, 1) as f64)) +
    ((f32x4.extract_lane(x, 2) as f64) + (f32x4.extract_lane(x, 3) as f64));
}

/** Which function `applyRows` applies. */
type Activation = i32;
const SIGMOID: Activation = 0;
const TANH: Activation = 1;
const EXP: Activation = 2;

@inline
function apply(activation: Activation, x: v128): v128 {
  return activation == SIGMOID ? sigmoid4(x) : activation == TANH ? tanh4(x) : exp4(x);
}

@inline
function applyRow(activation: Activation, address: usize, n: i32): void {
  const whole = address + (((n & ~3) as usize) << 2);
  for (; address < whole; address += 16) {
    v128.store(address, apply(activation, v128.load(address)));
  }
  if (n & 3) storeLanes(address, apply(activation, v128.load(address)), n & 3);
}

/** In place on `[rows][n]` with a row stride; narrow rows share a vector. */
@inline
function applyRows(activation: Activation, address: usize, rows: i32, stride: i32, n: i32): void {
  const step = (stride as usize) << 2;
  if (stride == n) {
    applyRow(activation, address, rows * n);
    return;
  }
  if (n == 2) {
    for (; rows >= 2; rows -= 2, address += 2 * step) {
      const x = v128.load64_lane(address + step, v128.load64_zero(address), 1);
      const y = apply(activation, x);
      v128.store64_lane(address, y, 0);
      v128.store64_lane(address + step, y, 1);
    }
  } else if (n == 1) {
    for (; rows >= 4; rows -= 4, address += 4 * step) {
      let x = v128.load32_zero(address);
      x = v128.load32_lane(address + step, x, 1);
      x = v128.load32_lane(address + 2 * step, x, 2);
      x = v128.load32_lane(address + 3 * step, x, 3);
      const y = apply(activation, x);
      v128.store32_lane(address, y, 0);
      v128.store32_lane(address + step, y, 1);
      v128.store32_lane(address + 2 * step, y, 2);
      v128.store32_lane(address + 3 * step, y, 3);
    }
  }
  for (; rows > 0; rows--, address += step) applyRow(activation, address, n);
}

/** sigmoid in place on a block `[rows][n]` of float32 whose rows start `stride` floats apart. */
export function sigmoidRows(address: usize, rows: i32, stride: i32, n: i32): void {
  applyRows(SIGMOID, address, rows, stride, n);
}

/** tanh in place on a block `[rows][n]` of float32 whose rows start `stride` floats apart. */
export function tanhRows(address: usize, rows: i32, stride: i32, n: i32): void {
  applyRows(TANH, address, rows, stride, n);
}

/** exp in place on a block `[rows][n]` of float32 whose rows start `stride` floats apart. */
export function expRows(address: usize, rows: i32, stride: i32, n: i32): void {
  applyRows(EXP, address, rows, stride, n);
}
