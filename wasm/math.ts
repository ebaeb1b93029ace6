// deno-fmt-ignore-file: the formatter would drop AssemblyScript's decorators on functions
/**
 * exp, sigmoid and tanh on four float32 at a time. A lane's result depends on its input alone, so an
 * element gets the same bits wherever it stands in a row.
 *
 * Constants are loaded from memory: V8 builds a v128 literal anew at every use, which costs more than
 * the load (a factor 2.3 to 2.8 on these functions).
 */

/** Constants of the table below, each four times over. */
const LOG2E: usize = 0;
const LN2_HI: usize = 16;
const LN2_LO: usize = 32;
const ONE: usize = 48;
const EXP_LOW: usize = 80;
const EXP_HIGH: usize = 96;
const SATURATED: usize = 112;
const MINUS_TWO: usize = 128;
const P2: usize = 144;
const P3: usize = 160;
const P4: usize = 176;
const P5: usize = 192;
const P6: usize = 208;
const SIGN: usize = 224;
const TWO: usize = 240;
const P7: usize = 256;

// deno-fmt-ignore
const TABLE: usize = memory.data<f32>([
  1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634,
  // ln 2 in two parts; the first has 15 significant bits, so its product with a small n is exact
  0.693145751953125, 0.693145751953125, 0.693145751953125, 0.693145751953125,
  1.428606765330187e-6, 1.428606765330187e-6, 1.428606765330187e-6, 1.428606765330187e-6,
  1, 1, 1, 1,
  0.5, 0.5, 0.5, 0.5,
  // beyond these exp is 0 and infinity in float32
  -104, -104, -104, -104,
  89, 89, 89, 89,
  // beyond this sigmoid and tanh are 0 or ±1 to within 2e-38
  87, 87, 87, 87,
  -2, -2, -2, -2,
  // (e^r - 1 - r) / r² on |r| <= ln(2)/2: Taylor's coefficients, remainder below 4e-9
  0.5, 0.5, 0.5, 0.5,
  0.16666666666666666, 0.16666666666666666, 0.16666666666666666, 0.16666666666666666,
  0.041666666666666664, 0.041666666666666664, 0.041666666666666664, 0.041666666666666664,
  0.008333333333333333, 0.008333333333333333, 0.008333333333333333, 0.008333333333333333,
  0.001388888888888889, 0.001388888888888889, 0.001388888888888889, 0.001388888888888889,
  -0.0, -0.0, -0.0, -0.0,
  2, 2, 2, 2,
  0.0001984126984126984, 0.0001984126984126984, 0.0001984126984126984, 0.0001984126984126984,
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
  let p = madd4(constant(P7), r, constant(P6));
  p = madd4(p, r, constant(P5));
  p = madd4(p, r, constant(P4));
  p = madd4(p, r, constant(P3));
  p = madd4(p, r, constant(P2));
  return madd4(f32x4.mul(p, r), r, r);
}

/** x - n ln 2 */
@inline
function reduced(x: v128, n: v128): v128 {
  return f32x4.sub(f32x4.sub(x, f32x4.mul(n, constant(LN2_HI))), f32x4.mul(n, constant(LN2_LO)));
}

/** 2^n for whole numbers n in -126 … 127, as int32. */
@inline
function power2(n: v128): v128 {
  return i32x4.add(i32x4.shl(n, 23), constant(ONE));
}

/** e^x to 2 ulp: 0 below, infinity above what float32 holds, NaN only for NaN. */
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, constant(EXP_LOW)), constant(EXP_HIGH));
  const n = f32x4.nearest(f32x4.mul(x, constant(LOG2E)));
  const p = f32x4.add(expm1Core(reduced(x, n)), constant(ONE));
  // 2^n in two factors: n runs from -150 to 128, which one exponent field cannot hold
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, power2(half)), power2(i32x4.sub(whole, half)));
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(f32x4.neg(x), constant(SATURATED)), f32x4.neg(constant(SATURATED)));
  const n = f32x4.nearest(f32x4.mul(x, constant(LOG2E)));
  const scale = power2(i32x4.trunc_sat_f32x4_s(n));
  const e = madd4(expm1Core(reduced(x, n)), scale, scale);
  return f32x4.div(constant(ONE), f32x4.add(constant(ONE), e));
}

/** tanh x = -q / (2 + q) with q = e^(-2|x|) - 1: accurate relative to tanh x near 0 too. */
@inline
export function tanh4(x: v128): v128 {
  const sign = v128.and(x, constant(SIGN));
  let y = f32x4.mul(f32x4.abs(x), constant(MINUS_TWO));
  y = f32x4.pmax(y, f32x4.neg(constant(SATURATED)));
  const n = f32x4.nearest(f32x4.mul(y, constant(LOG2E)));
  const scale = power2(i32x4.trunc_sat_f32x4_s(n));
  const q = madd4(expm1Core(reduced(y, n)), scale, f32x4.sub(scale, constant(ONE)));
  const magnitude = f32x4.div(f32x4.neg(q), f32x4.add(constant(TWO), q));
  return v128.or(magnitude, sign);
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

/** Which function `applyRows` applies. */
type Activation = i32;
const SIGMOID: Activation = 0;
const TANH: Activation = 1;

@inline
function apply(activation: Activation, x: v128): v128 {
  return activation == SIGMOID ? sigmoid4(x) : tanh4(x);
}

@inline
function applyRow(activation: Activation, address: usize, n: i32): void {
  const whole = address + (<usize>(n & ~3) << 2);
  for (; address < whole; address += 16) {
    v128.store(address, apply(activation, v128.load(address)));
  }
  if (n & 3) storeLanes(address, apply(activation, v128.load(address)), n & 3);
}

/** In place on `[rows][n]` with a row stride; narrow rows share a vector. */
@inline
function applyRows(activation: Activation, address: usize, rows: i32, stride: i32, n: i32): void {
  const step = <usize>stride << 2;
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
