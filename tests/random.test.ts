/**
 * The generator against its published vectors, then its statistics. Each statistic is a function that
 * lists what strays beyond a bound; a bound holds with probability at least 1 - ALARM for ideal draws
 * (see src/analysis/statistics.ts), and the seeds are fixed, so the tests are deterministic. About 300
 * bounds are looked at, so an ideal generator would have failed on fewer than 1 in 3000 choices of
 * seeds. Every statistic is also shown a generator with a small defect, and must see it.
 */
import assert from "node:assert/strict";
import { bernsteinBound, chiSquare, chiSquareBound } from "../src/analysis/statistics.ts";
import {
  type Address,
  fillKeep,
  fillNormal,
  fillUniform,
  keepThreshold,
  philox,
  PURPOSES,
  seedWords,
  STREAMS,
  uniform,
  words,
} from "../src/random.ts";

const ALARM = 1e-6;

type Words = typeof words;
type Fill = (at: Address, row: number, out: Float64Array) => Float64Array;

const address: Address = { ...seedWords(20240817), stream: STREAMS.epsIc, step: 5 };

Deno.test("Philox4x32-10 gives Random123's published words", () => {
  const known: [number[], number[], string][] = [
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ],
  ];
  for (const [c, k, expected] of known) {
    const found = philox([c[0], c[1], c[2], c[3]], [k[0], k[1]]);
    assert.equal(found.map((w) => w.toString(16).padStart(8, "0")).join(" "), expected);
  }
});

Deno.test("an address is the counter [block, row, step, stream | purpose << 6 | sample << 8]", () => {
  const at: Address = { seedLo: 7, seedHi: 9, stream: 5, purpose: 2, sample: 3, step: 11 };
  assert.deepEqual(words(at, 13, 17), philox([17, 13, 11, 5 + 2 * 64 + 3 * 256], [7, 9]));
  assert.deepEqual(seedWords(2 ** 32 * 9 + 7), { seedLo: 7, seedHi: 9 });
  const streams = Object.values(STREAMS), purposes = Object.values(PURPOSES);
  assert.equal(new Set(streams).size, streams.length);
  assert.ok(streams.every((s) => s >= 0 && s < 64) && purposes.every((p) => p >= 0 && p < 4));
});

Deno.test("uniforms lie inside (0, 1) and are exact in float32", () => {
  for (const word of [0, 1, 511, 512, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const u = uniform(word);
    assert.ok(u > 0 && u < 1);
    assert.equal(Math.fround(u), u);
  }
  assert.equal(uniform(0) + uniform(0xffffffff), 1);
});

Deno.test("a draw is the same however many columns are filled with it", () => {
  for (const fill of [fillUniform, fillNormal] as Fill[]) {
    const long = fill(address, 3, new Float64Array(11));
    for (let n = 1; n < 11; n++) {
      assert.deepEqual(fill(address, 3, new Float64Array(n)), long.slice(0, n));
    }
  }
});

// ---------------------------------------------------------------------------------------------------

/** Bits of each place, of 2^17 words, that are not half ones and half zeros. */
function biasedBits(draw: Words): string[] {
  const blocks = 1 << 15, ones = new Float64Array(128);
  for (let block = 0; block < blocks; block++) {
    const w = draw(address, block >> 10, block & 1023);
    for (let place = 0; place < 128; place++) ones[place] += w[place >> 5] >>> (place & 31) & 1;
  }
  const bound = bernsteinBound(blocks / 4, 0.5, ALARM);
  return Array.from(ones.keys())
    .filter((place) => Math.abs(ones[place] - blocks / 2) > bound)
    .map((place) => `bit ${place & 31} of word ${place >> 5}`);
}

Deno.test("every bit is one half of the time", () => {
  assert.deepEqual(biasedBits(words), []);
  // One draw of 16 sets the bit: 1/32 too many ones, 1024 of 32768, against a bound of about 490.
  const stuck: Words = (at, row, block) => {
    const w = words(at, row, block);
    return [w[0], block % 16 === 0 ? (w[1] | 1 << 9) >>> 0 : w[1], w[2], w[3]];
  };
  assert.deepEqual(biasedBits(stuck), ["bit 9 of word 1"]);
});

/** Cells of 256 equal ones, and of 16 × 16 pairs of neighbouring columns, that are not filled evenly. */
function unevenBins(fill: Fill): string[] {
  const n = 1 << 18, out = new Float64Array(1 << 10);
  const single = new Float64Array(256), pairs = new Float64Array(256);
  for (let row = 0; row < n / out.length; row++) {
    fill(address, row, out);
    for (let i = 0; i < out.length; i++) {
      single[Math.floor(256 * out[i])]++;
      if (i & 1) pairs[16 * Math.floor(16 * out[i - 1]) + Math.floor(16 * out[i])]++;
    }
  }
  const bound = chiSquareBound(255, ALARM);
  const strays: string[] = [];
  const even = (total: number) => new Float64Array(256).fill(total / 256);
  if (chiSquare(single, even(n)) > bound) strays.push("single");
  if (chiSquare(pairs, even(n / 2)) > bound) strays.push("pairs");
  return strays;
}

Deno.test("uniforms, and pairs of them, fill equal cells evenly", () => {
  assert.deepEqual(unevenBins(fillUniform), []);
  // The density 1 + ε(1 + ln u) adds n ε² ∫(1 + ln u)² = 655 to the statistic; the bound is 145 above
  // its mean.
  const bent: Fill = (at, row, out) => fillUniform(at, row, out).map((u, i) => out[i] = u ** 1.05);
  assert.deepEqual(unevenBins(bent), ["single", "pairs"]);
  const serial: Fill = (at, row, out) => {
    fillUniform(at, row, out);
    for (let i = 1; i < out.length; i += 2) if (i % 64 === 1) out[i] = out[i - 1];
    return out;
  };
  assert.deepEqual(unevenBins(serial), ["pairs"]);
});

/** P(|z| > 2, 3, 4) of a standard normal. */
const TAILS = [0.04550026389635842, 0.002699796063260207, 6.334248366623996e-5];

/**
 * Moments and tail counts of 2^20 draws that stray from a standard normal's. The mean of z^k has
 * variance (m(2k) - m(k)²) / n, with m(2, 4, 6, 8) = 1, 3, 15, 105, and is normal to the accuracy needed
 * at this n; 5 standard deviations have a false-alarm probability of 5.7e-7.
 */
function strayMoments(fill: Fill): string[] {
  const n = 1 << 20, out = new Float64Array(1 << 10);
  const sums = new Float64Array(5), tails = new Float64Array(3);
  let cross = 0;
  for (let row = 0; row < n / out.length; row++) {
    fill(address, row, out);
    for (let i = 0; i < out.length; i++) {
      let power = 1;
      for (let k = 1; k <= 4; k++) sums[k] += power *= out[i];
      const size = Math.abs(out[i]);
      for (let k = 0; k < 3; k++) if (size > k + 2) tails[k]++;
      if (i & 1) cross += out[i - 1] ** 2 * out[i] ** 2;
    }
  }
  const strays: string[] = [];
  const mean = [1, 0, 1, 0, 3], variance = [0, 1, 2, 15, 96];
  for (let k = 1; k <= 4; k++) {
    if (Math.abs(sums[k] / n - mean[k]) > 5 * Math.sqrt(variance[k] / n)) {
      strays.push(`moment ${k}`);
    }
  }
  // The two of a Box and Muller pair share a radius and must still be independent: E z² z'² = 1,
  // with variance 3 · 3 - 1.
  if (Math.abs(cross / (n / 2) - 1) > 5 * Math.sqrt(8 / (n / 2))) strays.push("pair");
  TAILS.forEach((p, k) => {
    if (Math.abs(tails[k] - n * p) > bernsteinBound(n * p * (1 - p), 1, ALARM)) {
      strays.push(`tail ${k + 2}`);
    }
  });
  return strays;
}

Deno.test("normals have a normal's four moments, tails and independent pairs", () => {
  assert.deepEqual(strayMoments(fillNormal), []);
  const sumOfTwelve: Fill = (at, row, out) => {
    const twelve = fillUniform(at, row, new Float64Array(12 * out.length));
    for (let i = 0; i < out.length; i++) {
      out[i] = twelve.subarray(12 * i, 12 * i + 12).reduce((sum, u) => sum + u, -6);
    }
    return out;
  };
  const seen = strayMoments(sumOfTwelve);
  assert.ok(seen.includes("moment 4") && seen.includes("tail 3"));
  const clipped: Fill = (at, row, out) => {
    fillNormal(at, row, out);
    for (let i = 0; i < out.length; i++) out[i] = Math.max(-4, Math.min(4, out[i]));
    return out;
  };
  assert.deepEqual(strayMoments(clipped), ["tail 4"]);
  const wide: Fill = (at, row, out) => {
    fillNormal(at, row, out);
    for (let i = 0; i < out.length; i++) out[i] *= 1.005;
    return out;
  };
  assert.ok(strayMoments(wide).includes("moment 2"));
  const sameRadius: Fill = (at, row, out) => {
    fillNormal(at, row, out);
    for (let i = 1; i < out.length; i += 2) out[i] *= Math.abs(out[i - 1]) ** 0.1;
    return out;
  };
  assert.ok(strayMoments(sameRadius).includes("pair"));
});

// ---------------------------------------------------------------------------------------------------

interface Place {
  readonly at: Address;
  readonly row: number;
  readonly block: number;
}

const home: Place = { at: { ...address, purpose: 0, sample: 0 }, row: 21, block: 0 };

/** Neighbours of `home` that differ in one part of the address. */
function neighbours(): [string, Place][] {
  const at = (change: Partial<Address>): Place => ({ ...home, at: { ...home.at, ...change } });
  const list: [string, Place][] = [
    ["row + 1", { ...home, row: home.row + 1 }],
    ["row + 2^31", { ...home, row: home.row + 2 ** 31 }],
    ["step + 1", at({ step: 6 })],
    ["step + 2^20", at({ step: 5 + 2 ** 20 })],
    ["seed + 1", at({ seedLo: home.at.seedLo + 1 })],
    ["seed + 2^32", at({ seedHi: home.at.seedHi + 1 })],
    ["seed words swapped", at({ seedLo: home.at.seedHi, seedHi: home.at.seedLo })],
    ["purpose evaluate", at({ purpose: PURPOSES.evaluate })],
    ["purpose posterior", at({ purpose: PURPOSES.posterior })],
    ["sample + 1", at({ sample: 1 })],
    ["sample + 64", at({ sample: 64 })],
  ];
  for (const [name, stream] of Object.entries(STREAMS)) {
    if (stream !== home.at.stream) list.push([`stream ${name}`, at({ stream })]);
  }
  return list;
}

/**
 * Neighbours whose draws are related to home's over 2^14 columns each: by the correlation of the
 * uniforms (terms (u - ½)(v - ½): variance 1/144, within ¼ of their mean 0), or by the number of equal
 * bits (a sum of tosses).
 */
function related(draw: Words, from: Place, list: readonly [string, Place][]): string[] {
  const blocks = 1 << 12, n = 4 * blocks;
  const correlationBound = bernsteinBound(n / 144, 1 / 4, ALARM);
  const bitBound = bernsteinBound(32 * n / 4, 1 / 2, ALARM);
  const strays: string[] = [];
  for (const [name, to] of list) {
    let products = 0, equalBits = 0;
    for (let i = 0; i < blocks; i++) {
      const a = draw(from.at, from.row, from.block + i), b = draw(to.at, to.row, to.block + i);
      for (let j = 0; j < 4; j++) {
        products += (uniform(a[j]) - 0.5) * (uniform(b[j]) - 0.5);
        equalBits += 32 - ones(a[j] ^ b[j]);
      }
    }
    const correlated = Math.abs(products) > correlationBound;
    if (correlated || Math.abs(equalBits - 16 * n) > bitBound) strays.push(name);
  }
  return strays;
}

/** How many of a word's 32 bits are 1. */
function ones(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

Deno.test("draws of different rows, steps, seeds, purposes, samples and streams are unrelated", () => {
  const all = neighbours();
  assert.deepEqual(related(words, home, all), []);
  // Columns: home's own, shifted by less than a block never happens, so shift by whole blocks.
  const shifts: [string, Place][] = [1, 2, 64, 4096].map((by) => [
    `column + ${4 * by}`,
    { ...home, block: home.block + by },
  ]);
  assert.deepEqual(related(words, home, shifts), []);
});

Deno.test("draws that forget a part of their address in one of 10 blocks are seen as related", () => {
  const forget = (change: Partial<Address>, row = false): Words => (at, r, block) =>
    block % 10 === 0 ? words({ ...at, ...change }, row ? home.row : r, block) : words(at, r, block);
  const names = neighbours().map(([name]) => name);
  const starting = (prefix: string) => names.filter((name) => name.startsWith(prefix));
  const cases: [Words, string[]][] = [
    [forget({}, true), starting("row")],
    [forget({ step: home.at.step }), starting("step")],
    [forget({ purpose: 0 }), starting("purpose")],
    [forget({ sample: 0 }), starting("sample")],
    [forget({ stream: home.at.stream }), starting("stream")],
    [forget({ seedLo: home.at.seedLo }), ["seed + 1"]],
    [forget({ seedHi: home.at.seedHi }), ["seed + 2^32"]],
  ];
  for (const [draw, expected] of cases) {
    assert.ok(expected.length > 0);
    assert.deepEqual(related(draw, home, neighbours()), expected);
  }
});

Deno.test("one changed bit of the address changes half of the word's bits", () => {
  const bits = (rounds: (c: Parameters<typeof philox>[0]) => readonly number[]): number => {
    let changed = 0, total = 0;
    for (let trial = 0; trial < 32; trial++) {
      const counter = philox([trial, 0, 0, 0], [1, 2]);
      const base = rounds(counter);
      for (let place = 0; place < 128; place++) {
        const flipped: [number, number, number, number] = [...counter];
        flipped[place >> 5] = (flipped[place >> 5] ^ (1 << (place & 31))) >>> 0;
        rounds(flipped).forEach((w, j) => changed += ones(w ^ base[j]));
        total += 128;
      }
    }
    return Math.abs(changed - total / 2) - bernsteinBound(total / 4, 1 / 2, ALARM);
  };
  assert.ok(bits((counter) => philox(counter, [3, 4])) <= 0);
  // A mixer that is linear in its counter changes too few bits.
  assert.ok(bits((c) => c.map((w) => Math.imul(w, 0xd2511f53) >>> 0)) > 0);
});

// ---------------------------------------------------------------------------------------------------

/** How far beyond the bound the share of kept units is; negative when within it. */
function keepExcess(mask: Fill, keepRate: number): number {
  const n = 1 << 18, out = new Float64Array(1 << 10);
  let kept = 0;
  for (let row = 0; row < n / out.length; row++) {
    for (const keep of mask(address, row, out)) {
      assert.ok(keep === 0 || keep === 1);
      kept += keep;
    }
  }
  const bound = bernsteinBound(n * keepRate * (1 - keepRate), 1, ALARM);
  return Math.abs(kept - n * keepRate) - bound;
}

Deno.test("dropout keeps the share of units asked for", () => {
  const masks = (keepRate: number): Fill => (at, row, out) => fillKeep(at, row, keepRate, out);
  for (const keepRate of [0.05, 0.5, 0.8, 0.95, 0.999]) {
    assert.ok(keepExcess(masks(keepRate), keepRate) <= 0);
  }
  assert.ok(keepExcess(masks(0.945), 0.95) > 0);
  assert.equal(keepThreshold(0.5), 32_768);
  assert.equal(keepThreshold(1), 65_536);
});

Deno.test("units kept by neighbouring masks are kept independently", () => {
  const n = 1 << 18, out = new Float64Array(1 << 10), next = new Float64Array(1 << 10);
  const strays = (shared: boolean): boolean => {
    let both = 0;
    for (let row = 0; row < n / out.length; row++) {
      fillKeep(address, row, 0.8, out);
      fillKeep(shared && row % 16 === 0 ? address : { ...address, step: 6 }, row, 0.8, next);
      for (let i = 0; i < out.length; i++) both += out[i] * next[i];
    }
    return Math.abs(both - n * 0.64) > bernsteinBound(n * 0.64 * 0.36, 1, ALARM);
  };
  assert.equal(strays(false), false);
  assert.equal(strays(true), true);
});
