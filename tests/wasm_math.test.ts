/** exp, sigmoid, tanh, ln Γ and ψ of the wasm kernels against float64, in both builds. */
import assert from "node:assert/strict";
import { digamma, lnGamma } from "../src/reference/gamma.ts";
import { compileKernels } from "../src/compute/wasm_module.ts";

type Rows = (address: number, rows: number, stride: number, n: number) => void;
type Row = (address: number, n: number) => void;

const AT = 65536;

/** The functions of one build, and a page of memory for them. */
async function load(reproducible: boolean) {
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 65536, shared: true });
  const module = await compileKernels(reproducible);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { expRows, sigmoidRows, tanhRows } = exports as unknown as Record<string, Rows>;
  const { lnGammaRow, digammaRow } = exports as unknown as Record<string, Row>;
  const apply = (rows: Rows, values: Float32Array): Float32Array => {
    const view = new Float32Array(memory.buffer, AT, values.length);
    view.set(values);
    rows(AT, 1, values.length, values.length);
    return view.slice();
  };
  const along = (row: Row, values: Float32Array) => apply((at, _, __, n) => row(at, n), values);
  const gamma = { lnGamma: (x: Float32Array) => along(lnGammaRow, x) };
  const psi = { digamma: (x: Float32Array) => along(digammaRow, x) };
  return { memory, apply, expRows, sigmoidRows, tanhRows, ...gamma, ...psi };
}

const builds = await Promise.all([false, true].map(load));

/** The distance between float32 neighbours at x. */
function ulp(x: number): number {
  return 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(x)))) - 23);
}

/** `count` points from `low` to `high`. */
function points(low: number, high: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1));
}

/** Largest error in ulp of the exact result, and where. */
function worst(
  x: Float32Array,
  got: Float32Array,
  exact: (x: number) => number,
): { ulps: number; at: number } {
  let found = { ulps: 0, at: NaN };
  x.forEach((value, i) => {
    const want = exact(value);
    const ulps = Math.abs(got[i] - want) / ulp(want);
    if (!(ulps <= found.ulps)) found = { ulps, at: value };
  });
  return found;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

Deno.test("exp is within 2 ulp over the whole float32 range", () => {
  for (const { apply, expRows } of builds) {
    for (const [low, high] of [[-103, 88.72], [-1, 1], [-87.5, -87], [88.3, 88.722]]) {
      const x = points(low, high, 60_001);
      const { ulps, at } = worst(x, apply(expRows, x), Math.exp);
      assert.ok(ulps <= 2, `${ulps} ulp at ${at}`);
    }
  }
});

Deno.test("exp overflows to infinity, underflows to 0, and keeps NaN", () => {
  for (const { apply, expRows } of builds) {
    const got = apply(expRows, new Float32Array([88.73, 1e30, Infinity, -104, -1e30, -Infinity]));
    assert.deepEqual([...got], [Infinity, Infinity, Infinity, 0, 0, 0]);
    assert.deepEqual([...apply(expRows, new Float32Array([0, NaN]))], [1, NaN]);
  }
});

/*
 * sigmoid: exp errs by at most 2 ulp, the sum and the quotient round by half an ulp each. Where the
 * result is just above a power of two an ulp of the result is half an ulp of what went in, which
 * doubles what comes from exp: 2 * 2 + 0.5 * 2 + 0.5 < 6.
 * tanh = -q / (2 + q): q carries the polynomial's error of at most 2 ulp, and once more half an ulp where
 * it is put together; d(tanh)/tanh = 2/(2 + q) dq/q with q in (-1, 0], so up to twice that, and two roundings.
 */
Deno.test("sigmoid and tanh are within 6 ulp, tanh relative to itself near 0 too", () => {
  for (const { apply, sigmoidRows, tanhRows } of builds) {
    for (const span of [87, 10, 1, 1e-3, 1e-20]) {
      const x = points(-span, span, 40_001);
      const s = worst(x, apply(sigmoidRows, x), sigmoid);
      assert.ok(s.ulps <= 6, `sigmoid: ${s.ulps} ulp at ${s.at}`);
      const t = worst(x, apply(tanhRows, x), Math.tanh);
      assert.ok(t.ulps <= 6, `tanh: ${t.ulps} ulp at ${t.at}`);
    }
  }
});

Deno.test("sigmoid and tanh saturate, and keep NaN and the sign of zero", () => {
  for (const { apply, sigmoidRows, tanhRows } of builds) {
    const x = new Float32Array([Infinity, 1e10, 200, NaN, 0, -0, -200, -Infinity]);
    assert.deepEqual([...apply(tanhRows, x)], [1, 1, 1, NaN, 0, -0, -1, -1]);
    const got = apply(sigmoidRows, x);
    assert.deepEqual([...got.subarray(0, 6)], [1, 1, 1, NaN, 0.5, 0.5]);
    for (const low of got.subarray(6)) assert.ok(low >= 0 && low < 2e-38, `${low}`);
  }
});

Deno.test("an element's bits do not depend on its place, and nothing beside the block is written", () => {
  const values = points(-9, 9, 64);
  for (const { memory, apply, expRows, sigmoidRows, tanhRows } of builds) {
    for (const rows of [expRows, sigmoidRows, tanhRows]) {
      const alone = apply(rows, values);
      for (let n = 1; n <= 9; n++) {
        for (const stride of [n, n + 1, n + 6]) {
          for (const count of [1, 2, 3, 4, 5, 7]) {
            const block = new Float32Array(memory.buffer, AT, stride * count + 8);
            block.fill(-123);
            const want = block.slice();
            for (let i = 0; i < count * n; i++) {
              const at = Math.floor(i / n) * stride + i % n;
              block[at] = values[i];
              want[at] = alone[i];
            }
            rows(AT, count, stride, n);
            assert.deepEqual(block.slice(), want, `n ${n}, stride ${stride}, ${count} rows`);
          }
        }
      }
    }
  }
});

/** Where the wasm kernels take ln Γ and ψ: from e^-87 to e^30, and closer where they change their form. */
const SHAPES = [
  points(-87, 30, 40_001).map(Math.exp),
  points(0.01, 9, 40_001),
  points(3.999, 4.001, 4_001),
];

/** What the sums of wasm/gamma.ts are made of. */
function shifted(alpha: number) {
  const four = [0, 1, 2, 3].map((i) => alpha + i), small = alpha < 4;
  return {
    y: small ? alpha + 4 : alpha,
    logProduct: small ? four.reduce((sum, x) => sum + Math.log(x), 0) : 0,
    quotients: small ? four.reduce((sum, x) => sum + 1 / x, 0) : 0,
  };
}

Deno.test("ln Γ and its derivative are within the bounds that wasm/gamma.ts derives", () => {
  const u = 2 ** -24;
  for (const build of builds) {
    for (const x of SHAPES) {
      const logs = build.lnGamma(x), slopes = build.digamma(x);
      x.forEach((alpha, i) => {
        const { y, logProduct, quotients } = shifted(alpha);
        const bound = u * (14 * y * Math.log(y) + 3 * y + 5 * Math.abs(logProduct) + 10) + 4e-9;
        const error = Math.abs(logs[i] - lnGamma(alpha));
        assert.ok(error <= bound, `ln Γ(${alpha}) is off by ${error}, bound ${bound}`);
        const slope = u * (8 * Math.log(y) + 16 * quotients + 2) + 8e-9;
        const slopeError = Math.abs(slopes[i] - digamma(alpha));
        assert.ok(slopeError <= slope, `ψ(${alpha}) is off by ${slopeError}, bound ${slope}`);
      });
    }
  }
});

Deno.test("ln Γ at whole numbers is the logarithm of a factorial", () => {
  for (const build of builds) {
    let factorial = 1;
    for (let n = 1; n <= 20; factorial *= n++) {
      const [got] = build.lnGamma(Float32Array.of(n)), want = Math.log(factorial);
      assert.ok(Math.abs(got - want) <= 1e-5 + 1e-6 * want, `ln Γ(${n}): ${got}, expected ${want}`);
    }
  }
});
