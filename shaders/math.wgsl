// exp, log, sigmoid, tanh, sine and cosine to about 2 ulp, the same on every adapter: WGSL allows its
// own ones an error that grows with the argument. The polynomials are those of wasm/math.ts.

const LN2_HI = 0.693145751953125;
const LN2_LO = 1.4286068202862268e-06;

// e^r - 1 for |r| <= ln(2)/2, by Taylor: the remainder is below 6e-9.
fn expm1_core(r: f32) -> f32 {
  var p = fma(0.0001984126984126984, r, 0.001388888888888889);
  p = fma(p, r, 0.008333333333333333);
  p = fma(p, r, 0.041666666666666664);
  p = fma(p, r, 0.16666666666666666);
  p = fma(p, r, 0.5);
  return fma(p * r, r, r);
}

// Whether x is no number, by its bits: compilers may fold `x != x`, and min, max and clamp lose it.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// x / ln 2 rounded to a whole number.
fn wholes(x: f32) -> f32 {
  return round(x * 1.4426950408889634);
}

fn reduced(x: f32, n: f32) -> f32 {
  return fma(-n, LN2_LO, fma(-n, LN2_HI, x));
}

// 2^n for n in -126 … 127.
fn power2(n: i32) -> f32 {
  return bitcast<f32>((n + 127) << 23u);
}

// e^x for x in -87 … 88.
fn exp_within(x: f32) -> f32 {
  let n = wholes(x);
  let scale = power2(i32(n));
  return fma(expm1_core(reduced(x, n)), scale, scale);
}

// e^x: infinity above what float32 holds, e^-87 (2e-38, still a normal number) below -87, NaN for NaN.
fn exp_(x: f32) -> f32 {
  let y = clamp(x, -87.0, 89.0);
  let n = wholes(y);
  // 2^128 is no number: its last factor of two comes last
  let scale = power2(min(i32(n), 127));
  let value = fma(expm1_core(reduced(y, n)), scale, scale) * select(1.0, 2.0, n > 127.0);
  return select(value, x, is_nan(x));
}

fn sigmoid(x: f32) -> f32 {
  return select(1.0 / (1.0 + exp_within(clamp(-x, -87.0, 87.0))), x, is_nan(x));
}

// tanh x = -q / (2 + q) with q = e^(-2|x|) - 1: accurate relative to tanh x near 0 too.
fn tanh_(x: f32) -> f32 {
  let y = max(-2.0 * abs(x), -87.0);
  let n = wholes(y);
  let scale = power2(i32(n));
  let q = fma(expm1_core(reduced(y, n)), scale, scale - 1.0);
  let magnitude = bitcast<u32>(q / (2.0 + q)) & 0x7fffffffu;
  return select(bitcast<f32>(magnitude | (bitcast<u32>(x) & 0x80000000u)), x, is_nan(x));
}

// 2 atanh q = 2 q + q³ p(q²) for |q| < 0.172: p.
fn atanh_series(z: f32) -> f32 {
  var p = fma(0.2222222222222222, z, 0.2857142857142857);
  p = fma(p, z, 0.4);
  return fma(p, z, 0.6666666666666666);
}

// ln(1 + x) for x in 0 … 1, accurate relative to itself where x is small.
fn log1p_within(x: f32) -> f32 {
  let q = x / (x + 2.0);
  let z = q * q;
  let small = fma(atanh_series(z) * z, q, q + q);
  return select(log_(1.0 + x), small, x < 0.41);
}

// ln x for positive normal x, near 1 too: x = 2^n m with m in √½ … √2, and ln m = 2 atanh s. Infinity
// and NaN stay what they are.
fn log_(x: f32) -> f32 {
  let bits = bitcast<i32>(x);
  let whole = (bits - 0x3f3504f3) >> 23u;
  let f = bitcast<f32>(bits - (whole << 23u)) - 1.0;
  let n = f32(whole);
  let q = f / (f + 2.0);
  let z = q * q;
  let tail = fma(atanh_series(z) * z, q, n * LN2_LO);
  return select(fma(n, LN2_HI, (q + q) + tail), x, bitcast<u32>(x) >= 0x7f800000u);
}

// 1 - b^n for n >= 1, without the cancellation of a power near 1.
fn correction(b: f32, n: u32) -> f32 {
  let x = f32(n) * log_(b);
  // -expm1(x): by its series where x is small
  return select(1.0 - exp_(x), -expm1_core(x), x > -0.3);
}

// sin of (r + place) quarter turns, |r| <= 1/2.
fn quarter_turn(r: f32, place: i32) -> f32 {
  let z = r * r;
  var sine = fma(0.00016044118478735975, z, -0.004681754135318687);
  sine = fma(sine, z, 0.07969262624616703);
  sine = fma(sine, z, -0.6459640975062462);
  sine = r * fma(sine, z, 1.5707963267948966);
  var cosine = fma(-2.5202042373060596e-05, z, 0.0009192602748394263);
  cosine = fma(cosine, z, -0.020863480763352957);
  cosine = fma(cosine, z, 0.253669507901048);
  cosine = fma(cosine, z, -1.2337005501361697);
  cosine = fma(cosine, z, 1.0);
  let value = select(sine, cosine, (place & 1) == 1);
  return select(value, -value, (place & 2) == 2);
}

// cos 2πv and sin 2πv for v in 0 … 1.
fn cos_turn(v: f32) -> f32 {
  let quarter = round(4.0 * v);
  return quarter_turn(4.0 * v - quarter, i32(quarter) + 1);
}

fn sin_turn(v: f32) -> f32 {
  let quarter = round(4.0 * v);
  return quarter_turn(4.0 * v - quarter, i32(quarter));
}
