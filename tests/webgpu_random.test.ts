/** The shaders' random numbers against src/random.ts. */
import assert from "node:assert/strict";
import type { Scalars } from "../src/compute/kernels.ts";
import {
  type Address,
  fillKeep,
  fillNormal,
  fillUniform,
  keepThreshold,
  PURPOSES,
  seedWords,
  STREAMS,
  words,
} from "../src/random.ts";
import { sameBits } from "./step_cases.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";
import { type Bench, withBench } from "./webgpu_shader.ts";

const addresses: (Required<Address> & { row: number })[] = [
  {
    ...seedWords(0),
    step: 0,
    purpose: PURPOSES.train,
    stream: STREAMS.keepSpikes,
    sample: 0,
    row: 0,
  },
  {
    ...seedWords(2 ** 53 - 1),
    step: 2 ** 32 - 1,
    purpose: PURPOSES.posterior,
    stream: STREAMS.epsInputs,
    sample: 2 ** 24 - 1,
    row: 2 ** 32 - 1,
  },
  {
    ...seedWords(20240817),
    step: 77,
    purpose: PURPOSES.evaluate,
    stream: STREAMS.epsIc,
    sample: 3,
    row: 5001,
  },
];

/** The run's scalars, and the stream, sample and row as a shader writes them. */
function of(at: Required<Address> & { row: number }): { run: Partial<Scalars>; draw: string } {
  const { seedLo, seedHi, step, purpose } = at;
  return {
    run: { seedLo, seedHi, step, purpose },
    draw: `${at.stream}u, ${at.sample}u, ${at.row}u`,
  };
}

function test(name: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test({ name, ...withoutAdapter, fn: () => withBench(body) });
}

const COLUMNS = 4096;

test("words on a GPU are bit-equal to src/random.ts", async (bench) => {
  for (const at of addresses) {
    const { run, draw } = of(at);
    const got = await bench.words(`draw(${draw}, i >> 2u)[i & 3u]`, COLUMNS, undefined, run);
    const want = Array.from({ length: COLUMNS }, (_, i) => words(at, at.row, i >> 2)[i & 3]);
    sameBits(got, want, "word");
  }
});

test("uniforms on a GPU are exactly those of src/random.ts", async (bench) => {
  for (const at of addresses) {
    const { run, draw } = of(at);
    const f = `uniform_(draw(${draw}, i >> 2u)[i & 3u])`;
    const got = await bench.floats(f, COLUMNS, undefined, run);
    sameBits(got, fillUniform(at, at.row, new Float64Array(COLUMNS)), "uniform");
  }
  // the ends: 2^-24 and 1 - 2^-24
  const ends = await bench.floats("uniform_(select(0u, 0xffffffffu, i == 1u))", 2);
  assert.deepEqual([...ends], [2 ** -24, 1 - 2 ** -24]);
});

test("a dropout mask on a GPU keeps what src/random.ts keeps", async (bench) => {
  for (const at of addresses) {
    const { run, draw } = of(at);
    // the last rate's threshold is a half word that is drawn: it is not below itself
    const drawn = (words(at, at.row, 1)[2] & 0xffff) / 65_536;
    for (const keepRate of [0.95, 0.5, 0.1, 1, 1e-9, drawn].map(Math.fround)) {
      const f = `keep_at(${draw}, i, keep_threshold(x(0u)))`;
      const got = await bench.floats(f, COLUMNS, Float32Array.of(keepRate), run);
      sameBits(got, fillKeep(at, at.row, keepRate, new Float64Array(COLUMNS)), "mask");
    }
  }
});

test("thresholds of dropout on a GPU are exactly those of src/random.ts", async (bench) => {
  // float32 numbers all over (0, 1], and ties with their neighbours
  const bits = Array.from({ length: 4000 }, (_, i) => 0x3f800000 - 7919 * i);
  const rates = [...new Float32Array(Uint32Array.from(bits).buffer)];
  for (let half = 0; half < 400; half++) {
    const tie = new Float32Array([(half + 0.5) / 65_536, (65_535.5 - half) / 65_536]);
    const near = new Int32Array(tie.buffer);
    for (const d of [-1, 0, 1]) {
      rates.push(...new Float32Array(near.map((at) => at + d).buffer));
    }
  }
  const x = Float32Array.from(rates);
  const got = await bench.words("keep_threshold(x(i))", x.length, x);
  sameBits(got, rates.map(keepThreshold), "threshold");
});

/*
 * Each factor of a normal is rounded a few times: ln (4 ulp), halved by the root; the root itself (4.5
 * ulp by WGSL, half an ulp where a device rounds properly) and -2 ln u (exact); cos or sin (2 ulp where r² is
 * a few hundredths of an ulp off, so 2.5); the product (half an ulp): below 10 ulp, and an ulp is at most
 * 2^-23 of the value. cos and sin are accurate relative to themselves, so the bound is relative to the
 * radius times them, that is to the value.
 */
const RELATIVE = 10 * 2 ** -23;

test("normals on a GPU are src/random.ts's to within float32's rounding", async (bench) => {
  for (const at of addresses) {
    const { run, draw } = of(at);
    const n = 59_998;
    const got = await bench.floats(`normal_at(${draw}, i)`, n, undefined, run);
    const want = fillNormal(at, at.row, new Float64Array(n));
    want.forEach((x, i) => {
      assert.ok(Math.abs(got[i] - x) <= RELATIVE * Math.abs(x), `column ${i}: ${got[i]}, ${x}`);
    });
  }
});
