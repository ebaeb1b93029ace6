/** The wasm kernels' random numbers against src/random.ts. */
import assert from "node:assert/strict";
import { SCALARS } from "../src/compute/kernels.ts";
import { scalars } from "../src/compute/executor.ts";
import { compileKernels } from "../src/compute/wasm_module.ts";
import {
  type Address,
  fillKeep,
  fillNormal,
  PURPOSES,
  seedWords,
  STREAMS,
  words,
} from "../src/random.ts";

type Exports = Record<string, (...args: number[]) => void>;

const AT = 65536;
const SCALARS_AT = 1 << 19;
const FILL = -123;

const builds = await Promise.all([false, true].map(async (reproducible) => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  const module = await compileKernels(reproducible);
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
  return { memory, wasm };
}));

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

/** Puts the scalars of an address where the kernels look for them. */
function writeScalars(memory: WebAssembly.Memory, at: Required<Address>): void {
  const given = scalars({
    seedLo: at.seedLo,
    seedHi: at.seedHi,
    step: at.step,
    purpose: at.purpose,
  });
  const view = new Int32Array(memory.buffer, SCALARS_AT, SCALARS.length);
  SCALARS.forEach(([name], i) => view[i] = given[name]);
}

Deno.test("words are bit-equal to src/random.ts for every length of row", () => {
  for (const { memory, wasm } of builds) {
    for (const at of addresses) {
      writeScalars(memory, at);
      for (let columns = 1; columns <= 37; columns++) {
        const got = new Uint32Array(memory.buffer, AT, columns + 4).fill(7);
        wasm.words(AT, columns, at.stream, at.row, SCALARS_AT, at.sample);
        const want = Array.from({ length: columns }, (_, i) => words(at, at.row, i >> 2)[i & 3]);
        assert.deepEqual([...got], [...want, 7, 7, 7, 7]);
      }
    }
  }
});

Deno.test("a dropout mask keeps what src/random.ts keeps, divided by the rate as float32", () => {
  for (const { memory, wasm } of builds) {
    for (const at of addresses) {
      writeScalars(memory, at);
      for (const keepRate of [0.95, 0.5, 0.1, 1].map(Math.fround)) {
        const got = new Float32Array(memory.buffer, AT, 1004).fill(FILL);
        wasm.keepRow(AT, 1000, keepRate, at.stream, at.row, SCALARS_AT, at.sample);
        const kept = Math.fround(1 / keepRate);
        const want = fillKeep(at, at.row, keepRate, new Float64Array(1000)).map((x) => x * kept);
        assert.deepEqual([...got], [...want, FILL, FILL, FILL, FILL]);
      }
    }
  }
});

/*
 * Each factor of a normal is rounded a few times at 2^-24: ln (2 ulp, halved by the root), the root and
 * -2 ln u (half an ulp, exact), cos or sin (2 ulp where r² is a few hundredths of an ulp off, so 2.5), the product
 * (half an ulp): below 5 ulp, and an ulp is at most 2^-23 of the value. cos and sin are accurate
 * relative to themselves, so the bound is relative to the radius times them, that is to the value.
 */
const RELATIVE = 5 * 2 ** -23;

Deno.test("normals are src/random.ts's to within float32's rounding", () => {
  for (const { memory, wasm } of builds) {
    for (const at of addresses) {
      writeScalars(memory, at);
      const got = new Float32Array(memory.buffer, AT, 60_002).fill(FILL);
      wasm.normalRow(AT, 59_998, at.stream, at.row, SCALARS_AT, at.sample);
      const want = fillNormal(at, at.row, new Float64Array(59_998));
      want.forEach((x, i) => {
        assert.ok(Math.abs(got[i] - x) <= RELATIVE * Math.abs(x), `column ${i}: ${got[i]}, ${x}`);
      });
      assert.deepEqual([...got.subarray(59_998)], [FILL, FILL, FILL, FILL]);
    }
  }
});

Deno.test("rows drawn together are the rows drawn alone", () => {
  for (const { memory, wasm } of builds) {
    const at = addresses[2];
    writeScalars(memory, at);
    for (const columns of [1, 2, 3, 4, 5, 21]) {
      for (const rows of [1, 2, 3, 4, 6, 9]) {
        const stride = columns + 3, step = 50;
        const block = new Float32Array(memory.buffer, AT, stride * rows);
        const rest = [at.stream, at.row, step, SCALARS_AT, at.sample];
        for (const keepRate of [0, Math.fround(0.6)]) {
          const want = new Float32Array(stride * rows).fill(FILL);
          for (let i = 0; i < rows; i++) {
            const row = at.row + step * i;
            if (keepRate) {
              wasm.keepRow(AT, columns, keepRate, at.stream, row, SCALARS_AT, at.sample);
            } else {
              wasm.normalRow(AT, columns, at.stream, row, SCALARS_AT, at.sample);
            }
            want.set(block.subarray(0, columns), i * stride);
          }
          block.fill(FILL);
          if (keepRate) wasm.keepRows(AT, stride, rows, columns, keepRate, ...rest);
          else wasm.normalRows(AT, stride, rows, columns, ...rest);
          assert.deepEqual(block.slice(), want, `${rows} rows of ${columns}`);
        }
      }
    }
  }
});

Deno.test("rows dropped in place are the rows times their masks, and nothing beside them changes", () => {
  for (const { memory, wasm } of builds) {
    const at = addresses[2], keepRate = Math.fround(0.6), WORK = 1 << 18, IDS = 1 << 17;
    writeScalars(memory, at);
    for (const columns of [1, 3, 4, 10, 37]) {
      for (const rows of [1, 2, 9, 30]) {
        for (const zeros of [0, 0.9, 1]) {
          const stride = columns + 3;
          const ids = new Uint32Array(memory.buffer, IDS, rows).map((_, i) => 7 * i * i + 3);
          new Uint32Array(memory.buffer, IDS, rows).set(ids);
          const mask = new Float32Array(memory.buffer, AT, columns);
          const x = new Float32Array(memory.buffer, AT + 4096, stride * rows).fill(FILL);
          const want = new Float32Array(stride * rows).fill(FILL);
          ids.forEach((row, i) => {
            wasm.keepRow(AT, columns, keepRate, at.stream, row, SCALARS_AT, at.sample);
            for (let n = 0; n < columns; n++) {
              const value = (17 * n + 5 * i) % 100 < 100 * zeros ? 0 : 1 + n % 3;
              x[i * stride + n] = value;
              want[i * stride + n] = value * mask[n];
            }
          });
          wasm.dropRows(
            AT + 4096,
            stride,
            rows,
            columns,
            IDS,
            keepRate,
            at.stream,
            SCALARS_AT,
            at.sample,
            WORK,
          );
          assert.deepEqual(x.slice(), want, `${rows} rows of ${columns}, ${zeros} zeros`);
        }
      }
    }
  }
});
