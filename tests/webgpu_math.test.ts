/** exp, log, sigmoid, tanh, sine and cosine of the shaders against float64. */
import assert from "node:assert/strict";
import { digamma, lnGamma } from "../src/reference/gamma.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";
import { type Bench, withBench } from "./webgpu_shader.ts";

/** The distance between float32 neighbours at x. */
function ulp(x: number): number {
  return 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(x)))) - 23);
}

/** `count` points from `low` to `high`. */
function points(low: number, high: number, count = 60_001): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1));
}

/** Fails where `f` of a point is off by more than `bound` times `unit` of the exact result. */
async function within(
  bench: Bench,
  f: string,
  x: Float32Array,
  exact: (x: number) => number,
  bound: number,
  unit: (want: number) => number = ulp,
): Promise<void> {
  const got = await bench.floats(f, x.length, x);
  x.forEach((value, i) => {
    const want = exact(value), error = Math.abs(got[i] - want) / unit(want);
    assert.ok(error <= bound, `${f} is off by ${error} at ${value}: ${got[i]}, expected ${want}`);
  });
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function test(name: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test({ name, ...withoutAdapter, fn: () => withBench(body) });
}

test("exp on a GPU is within 2 ulp from -87 to where float32 ends", async (bench) => {
  for (const [low, high] of [[-87, 88.72], [-1, 1], [88.3, 88.722], [-87, -86]]) {
    await within(bench, "exp_(x(i))", points(low, high), Math.exp, 2);
  }
});

test("exp on a GPU overflows to infinity, ends in next to nothing, and keeps NaN", async (bench) => {
  const x = new Float32Array([88.73, 1e30, Infinity, -87.5, -1e30, -Infinity, 0, -0, NaN]);
  const got = [...await bench.floats("exp_(x(i))", x.length, x)];
  assert.deepEqual(got.slice(0, 3), [Infinity, Infinity, Infinity]);
  for (const low of got.slice(3, 6)) assert.ok(low >= 0 && low < 2e-38, `${low}`);
  assert.deepEqual(got.slice(6), [1, 1, NaN]);
});

/*
 * ln: n ln 2 in two parts, the first exact, plus 2 s + tail. Near 1 the tail is a hundredth of the
 * rest: s = f / (f + 2), a quotient of 2.5 ulp, is doubled, and the sum rounds once: 3 ulp, of an s that
 * may stand just below a power of two while 2 s + tail stands above it: an ulp of s is then an ulp of half
 * the result, which lowers its share. Away from 1 what is rounded is smaller than the result.
 */
test("log on a GPU is within 4 ulp of normal numbers, near 1 too", async (bench) => {
  for (
    const [low, high] of [[1.2e-38, 1e-37], [0.5, 1], [0.99, 1.01], [1, 2], [1, 1e4], [1, 3e38]]
  ) {
    await within(bench, "log_(x(i))", points(low, high), Math.log, 4);
  }
  const x = new Float32Array([Infinity, NaN, 1]);
  assert.deepEqual([...await bench.floats("log_(x(i))", 3, x)], [Infinity, NaN, 0]);
});

/*
 * sigmoid: exp errs by at most 2 ulp, the sum by half an ulp and the quotient by the 2.5 ulp that WGSL
 * grants. Where the result is just above a power of two an ulp of the result is half an ulp of what
 * went in, which doubles what comes from exp and the sum: 2 * 2.5 + 2.5 < 8.
 * tanh = -q / (2 + q): q carries the polynomial's error of at most 2 ulp, and once more half an ulp where
 * it is put together; d(tanh)/tanh = 2/(2 + q) dq/q with q in (-1, 0], so up to twice that, the sum's half
 * ulp and the quotient: 5 + 0.5 + 2.5 = 8.
 */
test("sigmoid and tanh on a GPU are within 8 ulp, tanh relative to itself near 0 too", async (bench) => {
  for (const span of [87, 10, 1, 1e-3, 1e-20]) {
    const x = points(-span, span, 40_001);
    await within(bench, "sigmoid(x(i))", x, sigmoid, 8);
    await within(bench, "tanh_(x(i))", x, Math.tanh, 8);
  }
});

test("sigmoid and tanh on a GPU saturate, and keep NaN and the sign of zero", async (bench) => {
  const x = new Float32Array([Infinity, 1e10, 200, NaN, 0, -0, -200, -Infinity]);
  const tanh = await bench.floats("tanh_(x(i))", x.length, x);
  assert.deepEqual([...tanh], [1, 1, 1, NaN, 0, -0, -1, -1]);
  const got = [...await bench.floats("sigmoid(x(i))", x.length, x)];
  assert.deepEqual(got.slice(0, 6), [1, 1, 1, NaN, 0.5, 0.5]);
  for (const low of got.slice(6)) assert.ok(low >= 0 && low < 2e-38, `${low}`);
});

/*
 * Relative to 1, as a normal's radius multiplies them: the reduction is exact, so there remain the
 * polynomial's remainder (2e-9), its last product and sum (an ulp of at most 1, 2^-23) and the
 * roundings of the terms before, each a fraction of that. Near a zero the sine is a product, and its
 * error relative to itself: 2.5 ulp and the cases where v itself says no more.
 */
test("sine and cosine of turns on a GPU are within 2^-22 of 1, and of themselves near 0", async (bench) => {
  const turn = 2 * Math.PI;
  const v = points(0, 1);
  await within(bench, "sin_turn(x(i))", v, (v) => Math.sin(turn * v), 1, () => 2 ** -22);
  await within(bench, "cos_turn(x(i))", v, (v) => Math.cos(turn * v), 1, () => 2 ** -22);
  await within(bench, "sin_turn(x(i))", points(0, 1 / 8), (v) => Math.sin(turn * v), 4);
  // cos 2πv = sin 2π(v - 1/4) with the signs turned; the difference is exact
  const near = points(1 / 4, 3 / 8);
  await within(bench, "cos_turn(x(i))", near, (v) => -Math.sin(turn * (v - 1 / 4)), 4);
});

// u = 2^-24, half an ulp of 1; ln is within 8 u here and within 4 where the bounds come from (wasm/gamma.ts)
test("ln Γ and its derivative on a GPU are within their bounds", async (bench) => {
  const u = 2 ** -24;
  for (const [low, high] of [[1e-37, 1e-36], [1e-3, 0.1], [0.1, 4], [4, 5], [5, 100], [1e3, 1e7]]) {
    const x = points(low, high, 2001);
    const logs = await bench.floats("ln_gamma(x(i))", x.length, x);
    const slopes = await bench.floats("digamma(x(i))", x.length, x);
    x.forEach((value, i) => {
      const small = value < 4, y = small ? value + 4 : value;
      const four = small ? [0, 1, 2, 3].map((k) => value + k) : [];
      const product = Math.abs(Math.log(four.reduce((p, x) => p * x, 1)));
      const sum = four.reduce((s, x) => s + 1 / x, 0);
      const logBound = u * (18 * y * Math.log(y) + 3 * y + 9 * product + 10) + 4e-9;
      const log = Math.abs(logs[i] - lnGamma(value));
      assert.ok(log <= logBound, `ln Γ(${value}) is off by ${log}, bound ${logBound}`);
      const slopeBound = u * (12 * Math.log(y) + 16 * sum + 2) + 8e-9;
      const slope = Math.abs(slopes[i] - digamma(value));
      assert.ok(slope <= slopeBound, `ψ(${value}) is off by ${slope}, bound ${slopeBound}`);
    });
  }
});

// x / (x + 2), two roundings more, and what a series of it rounds; or 1 + x, rounded, and its logarithm
test("ln(1 + x) on a GPU is within 6 ulp from 0 to 1", async (bench) => {
  for (const [low, high] of [[1e-30, 1e-20], [0, 0.01], [0, 0.41], [0.4, 0.42], [0.41, 1]]) {
    await within(bench, "log1p_within(x(i))", points(low, high), Math.log1p, 6);
  }
});

test("NaN is seen by its bits, whatever its sign and payload", async (bench) => {
  const bits = Uint32Array.of(
    ...[0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345, 0x7f800000, 0xff800000, 0, 0x80000000, 1],
  );
  const x = new Float32Array(bits.buffer);
  const got = await bench.words("select(0u, 1u, is_nan(x(i)))", x.length, x);
  assert.deepEqual([...got], [1, 1, 1, 1, 0, 0, 0, 0, 0]);
});
