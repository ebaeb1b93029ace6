import assert from "node:assert/strict";
import fc from "fast-check";
import { InputError } from "../src/errors.ts";
import {
  readSafetensors,
  type Tensor,
  tensor,
  type TensorDtype,
  writeSafetensors,
} from "../src/data/safetensors.ts";

/** Written by the reference implementation (safetensors for Python). */
const reference = () =>
  Deno.readFileSync(new URL("./fixtures/reference.safetensors", import.meta.url));

const fromBits = (bits: number, toBits: (bits: number) => number) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, toBits(bits));
  return view.getFloat32(0);
};
const half = (bits: number) => {
  const view = new DataView(new ArrayBuffer(2));
  view.setUint16(0, bits);
  return view.getFloat16(0);
};
const whole = (min: number, max: number) => fc.integer({ min, max });

/** Every dtype with the values that fit it exactly. */
const VALUES: Record<TensorDtype, fc.Arbitrary<number>> = {
  F64: fc.double(),
  F32: fc.float(),
  F16: whole(0, 65_535).map(half),
  BF16: whole(0, 65_535).map((bits) => fromBits(bits, (b) => b << 16)),
  I64: fc.maxSafeInteger(),
  I32: whole(-(2 ** 31), 2 ** 31 - 1),
  I16: whole(-32_768, 32_767),
  I8: whole(-128, 127),
  U64: fc.maxSafeNat(),
  U32: whole(0, 2 ** 32 - 1),
  U16: whole(0, 65_535),
  U8: whole(0, 255),
  BOOL: whole(0, 1),
};
const DTYPES = Object.keys(VALUES) as TensorDtype[];

const tensors: fc.Arbitrary<Tensor> = fc.record({
  dtype: fc.constantFrom(...DTYPES),
  shape: fc.array(whole(0, 3), { maxLength: 4 }),
}).chain(({ dtype, shape }) => {
  const count = shape.reduce((product, n) => product * n, 1);
  return fc.array(VALUES[dtype], { minLength: count, maxLength: count }).map((numbers) => ({
    dtype,
    shape,
    // integers have no -0
    data: Float64Array.from(dtype.includes("F") ? numbers : numbers.map((v) => v + 0)),
  }));
});

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert(error instanceof InputError, `expected an InputError, found ${error}`);
    assert(!error.message.includes("\n"), "one paragraph");
    return error.message;
  }
  assert.fail("expected a refusal");
}

/** A file with any header text. */
function file(header: unknown, payload = 0): Uint8Array {
  const text = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + text.length + payload);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

Deno.test("what the reference implementation wrote is read in every dtype", () => {
  const { tensors, metadata } = readSafetensors(reference());
  assert.deepEqual({ ...metadata }, { "made by": "safetensors", "β": "générateur" });
  for (const dtype of DTYPES.filter((d) => d !== "BF16")) {
    const { data, shape } = tensors[dtype];
    assert.equal(tensors[dtype].dtype, dtype);
    assert.deepEqual(shape, [2, 3]);
    const start = /^[IF]/.test(dtype) ? -2 : 0;
    const wanted = [0, 1, 2, 3, 4, 5].map((n) => dtype === "BOOL" ? n % 2 : n + start);
    assert.deepEqual(Array.from(data), wanted, dtype);
  }
  assert.deepEqual([tensors.scalar.shape, Array.from(tensors.scalar.data)], [[], [0.25]]);
  assert.deepEqual([tensors.empty.shape, tensors.empty.data.length], [[0, 3], 0]);
});

Deno.test("what the reference implementation wrote survives writing again", () => {
  const read = readSafetensors(reference());
  assert.deepEqual(readSafetensors(writeSafetensors(read.tensors, read.metadata)), read);
});

Deno.test("tensors and metadata survive in every dtype, aligned to their elements", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string().filter((name) => name !== "__metadata__"), tensors),
      fc.dictionary(fc.string(), fc.string()),
      (record, metadata) => {
        const bytes = writeSafetensors(record, metadata);
        assert.equal((8 + new DataView(bytes.buffer).getUint32(0, true)) % 8, 0);
        const read = readSafetensors(bytes);
        assert.deepEqual({ ...read.metadata }, { ...metadata });
        assert.deepEqual(Object.keys(read.tensors).sort(), Object.keys(record).sort());
        for (const name of Object.keys(record)) {
          const { shape, dtype, data } = read.tensors[name];
          assert.deepEqual([shape, dtype], [record[name].shape, record[name].dtype]);
          assert.deepEqual(Array.from(data), Array.from(record[name].data));
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("the order of the record does not change the bytes", () => {
  const a = tensor([1], Float32Array.of(1)), b = tensor([1], Float64Array.of(2));
  assert.deepEqual(writeSafetensors({ a, b }), writeSafetensors({ b, a }));
});

Deno.test("BF16 rounds to the nearest, ties to even", () => {
  // bfloat16 has 8 bits of precision: between 1 and 2 its neighbours are 2^-7 apart
  const ulp = 2 ** -7;
  const cases = [[1 + ulp / 2, 1], [1 + 1.5 * ulp, 1 + 2 * ulp], [1 + 0.51 * ulp, 1 + ulp]];
  for (const [value, wanted] of cases) {
    const bytes = writeSafetensors({
      x: { shape: [1], dtype: "BF16", data: Float32Array.of(value) },
    });
    assert.equal(readSafetensors(bytes).tensors.x.data[0], wanted);
  }
});

Deno.test("a tensor that contradicts itself is not written", () => {
  const write = (t: Tensor, name = "x") => refusal(() => writeSafetensors({ [name]: t }));
  const data = Float64Array.of(300);
  assert.match(write({ shape: [1], dtype: "U8", data }), /u8 can hold, found 300 at element 0/);
  assert.match(write({ shape: [1], dtype: "BF16", data: Float64Array.of(3.4e38) }), /bf16/);
  assert.match(write({ shape: [2], dtype: "F64", data }), /2 elements for shape \[2\], found 1/);
  assert.match(write({ shape: [1], dtype: "F64", data }, "__metadata__"), /another name/);
});

Deno.test("headers that depart from the format are refused", () => {
  const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  readSafetensors(file({ a: f32(0, 4), b: f32(4, 8) }, 8));
  const refused: [string, Uint8Array, RegExp][] = [
    ["gap", file({ a: f32(0, 4), b: f32(8, 12) }, 12), /"b" to start at 4/],
    ["overlap", file({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" to start at 8/],
    ["same place", file({ a: f32(0, 4), b: f32(0, 4) }, 4), /without gap or overlap/],
    ["beyond the end", file({ a: f32(0, 8) }, 4), /8 bytes of tensors, found 4/],
    ["bytes left over", file({ a: f32(0, 4) }, 8), /4 bytes of tensors, found 8/],
    ["late start", file({ a: f32(4, 8) }, 8), /start at 0/],
    ["wrong size", file({ a: f32(0, 4, [2]) }, 4), /8 bytes for "a", F32 \[2\]/],
    ["backwards", file({ a: f32(4, 0, [1]) }, 4), /offsets 4 to 0/],
    ["negative", file({ a: f32(-4, 0, [1]) }, 4), /two data_offsets/],
    ["fraction", file({ a: f32(0, 4, [0.5, 2]) }, 4), /lengths as shape/],
    ["no shape", file({ a: { dtype: "F32", data_offsets: [0, 4] } }, 4), /lengths as shape/],
    ["dtype", file({ a: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4), /"F8_E4M3"/],
    ["inherited dtype", file({ a: { ...f32(0, 4), dtype: "toString" } }, 4), /"toString"/],
    ["no dtype", file({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /undefined/],
    ["more fields", file({ a: { ...f32(0, 4), device: "cpu" } }, 4), /"device"/],
    ["no tensor", file({ a: 1 }), /describe a tensor/],
    ["metadata", file({ __metadata__: { step: 7 } }), /strings, found number at "step"/],
    ["metadata list", file({ __metadata__: [] }), /to be an object/],
    ["list", file([]), /starts with \{/],
    ["not JSON", file("{'a': 1}"), /UTF-8 JSON/],
    ["spaces first", file(" {}"), /starts with \{/],
    ["empty header", file(""), /starts with \{/],
    ["two values", file("{}{}"), /UTF-8 JSON/],
    ["repeated key", file('{"__metadata__":{"a":"1","\\u0061":"2"}}'), /every name once/],
  ];
  for (const [name, bytes, pattern] of refused) {
    assert.match(refusal(() => readSafetensors(bytes)), pattern, name);
  }
  const long = file("{}");
  new DataView(long.buffer).setUint32(4, 1, true);
  assert.match(
    refusal(() => readSafetensors(long)),
    /at most 100000000 bytes, found one of 4294967298/,
  );
});

Deno.test("the same key in different objects is no repetition, and braces in strings are text", () => {
  const { tensors, metadata } = readSafetensors(
    writeSafetensors(
      { '{"a"': tensor([0], new Uint8Array(0)), b: tensor([0], new Uint8Array(0)) },
      {
        'a\\"{': "}",
        dtype: '"b":',
        b: "",
      },
    ),
  );
  assert.deepEqual(Object.keys(tensors).sort(), ["b", '{"a"']);
  assert.equal(metadata['a\\"{'], "}");
});

Deno.test("a deeply nested header is refused, not followed", () => {
  const depth = 200_000;
  const header = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  refusal(() => readSafetensors(file(header)));
});

Deno.test("64-bit integers beyond 2^53 are refused", () => {
  const bytes = writeSafetensors({ a: { shape: [1], dtype: "U64", data: Float64Array.of(1) } });
  bytes[bytes.length - 1] = 0xff;
  assert.match(refusal(() => readSafetensors(bytes)), /"a".*2\^53/);
});

Deno.test("a truncated file is an InputError, wherever it is cut, and so is a longer one", () => {
  const bytes = reference();
  for (let length = 0; length < bytes.length; length++) {
    refusal(() => readSafetensors(bytes.subarray(0, length)));
  }
  refusal(() => readSafetensors(Uint8Array.from([...bytes, 0])));
});

Deno.test("damage anywhere gives tensors or an InputError, never another failure", () => {
  const original = reference();
  fc.assert(
    fc.property(fc.nat(original.length - 1), whole(0, 255), (at, value) => {
      const bytes = original.slice();
      bytes[at] = value;
      try {
        readSafetensors(bytes);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
