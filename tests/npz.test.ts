import assert from "node:assert/strict";
import fc from "fast-check";
import { InputError } from "../src/errors.ts";
import {
  isText,
  type NpyArray,
  npyArray,
  parseNpy,
  parseNpyAny,
  parseNpyHeader,
  writeNpy,
} from "../src/data/npy.ts";
import { openNpz, readNpz, writeNpz } from "../src/data/npz.ts";
import { crc32 } from "../src/data/zip.ts";

/** Files made by NumPy 2.4. */
const fixture = (name: string) => Deno.readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

/** Every dtype that is read as numbers, with the values that fit it. */
const whole = (min: number, max: number) => fc.integer({ min, max });
const DTYPES: Record<string, fc.Arbitrary<number>> = {
  b1: whole(0, 1),
  u1: whole(0, 255),
  i1: whole(-128, 127),
  u2: whole(0, 65_535),
  i2: whole(-32_768, 32_767),
  u4: whole(0, 2 ** 32 - 1),
  i4: whole(-(2 ** 31), 2 ** 31 - 1),
  u8: fc.maxSafeNat(),
  i8: fc.maxSafeInteger(),
  f2: fc.integer({ min: 0, max: 65_535 }).map((bits) => {
    const view = new DataView(new ArrayBuffer(2));
    view.setUint16(0, bits);
    return view.getFloat16(0);
  }),
  f4: fc.float(),
  f8: fc.double(),
};

/** NaN equals NaN and 0 equals -0 only where the bits do. */
const values = (data: ArrayLike<number>) => Array.from(data);

const arrays: fc.Arbitrary<NpyArray> = fc.record({
  kind: fc.constantFrom(...Object.keys(DTYPES)),
  order: fc.constantFrom("<", ">"),
  shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
}).chain(({ kind, order, shape }) => {
  const count = shape.reduce((product, n) => product * n, 1);
  return fc.array(DTYPES[kind], { minLength: count, maxLength: count }).map((numbers) => ({
    shape,
    dtype: (kind.endsWith("1") ? "|" : order) + kind,
    data: Float64Array.from(numbers),
  }));
});

/** Runs `read` and returns the message of the InputError that it must throw. */
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

/** Reads damaged bytes: any result will do, and an InputError, but no other failure. */
function readOrRefuse(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
}

Deno.test("what NumPy wrote, stored or deflated, is read in every dtype and order", () => {
  for (const file of ["numpy_stored.npz", "numpy_deflated.npz"]) {
    const read = readNpz(fixture(file));
    for (const order of ["le", "be"]) {
      const sign = order === "le" ? "<" : ">";
      for (const kind of ["u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]) {
        const { shape, dtype, data } = read[`${order}_${kind}`];
        assert.deepEqual(shape, [2, 3]);
        assert.equal(dtype, sign + kind);
        const wanted = kind[0] === "u"
          ? [0, 1, 2, 3, 4, 5]
          : [-2, -1, 0, 1, 2, 3].map((n) => kind[0] === "f" ? n / 4 : n);
        assert.deepEqual(values(data), wanted, `${order}_${kind}`);
      }
    }
    assert.deepEqual(values(read.u1.data), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(values(read.i1.data), [-2, -1, 0, 1, 2, 3]);
    assert.deepEqual(values(read.b1.data), [0, 1, 0, 1, 0, 1]);
    const upTo24 = Array.from({ length: 24 }, (_, i) => i);
    assert.deepEqual(values(read.fortran.data), upTo24);
    assert.deepEqual(values(read.fortran_be.data), upTo24);
    assert.deepEqual(read.fortran_be.shape, [2, 3, 4]);
    assert.deepEqual([read.scalar.shape, values(read.scalar.data)], [[], [0.01]]);
    assert.deepEqual([read.empty.shape, values(read.empty.data)], [[0, 3], []]);
  }
});

Deno.test("header versions 1 to 3, data descriptors and zip64 are read", () => {
  const archive = openNpz(fixture("numpy_unseekable.npz"));
  for (const version of [1, 2, 3]) {
    assert.equal(archive.header(`v${version}`).version, version);
    assert.deepEqual(values(archive.read(`v${version}`).data), [0, 1, 2, 3, 4]);
  }
  const wide = readNpz(fixture("numpy_zip64.npz"));
  assert.deepEqual(values(wide.x.data), [0, 1, 2, 3, 4]);
  assert.deepEqual(values(wide.y.data), [0, 1, 2]);
});

Deno.test("dtypes that are no numbers are refused by name, and the other arrays stay readable", () => {
  const archive = openNpz(fixture("numpy_odd.npz"), { what: '"odd.npz"' });
  assert.deepEqual(archive.header("structured").shape, [2]);
  assert.match(refusal(() => archive.read("objects")), /"objects" in "odd.npz".*Python objects/);
  assert.match(refusal(() => archive.read("complex")), /complex numbers/);
  assert.match(refusal(() => archive.read("bytes")), /byte strings/);
  assert.match(refusal(() => archive.read("structured")), /structured records/);
  assert.match(refusal(() => archive.read("dates")), /dates/);
  assert.match(refusal(() => archive.read("longdouble")), /<f16.*a float format/);
  assert.match(refusal(() => archive.read("huge")), /2\^53 - 1 in size, found .* at element 0/);
  assert.match(refusal(() => archive.read("text")), /expected numbers, found strings \(<U10\)/);
  assert.match(refusal(() => archive.read("absent")), /expected an array "absent", found "spikes"/);
  assert.equal(archive.read("spikes").data.length, 12);
});

Deno.test("unicode strings survive, in both byte orders", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ unit: "grapheme", maxLength: 6 }).map((s) => s.replace(/\0+$/, ""))),
    fc.constantFrom("<", ">"),
    (data, order) => {
      const dtype = `${order}U${Math.max(1, ...data.map((s) => [...s].length))}`;
      const read = parseNpyAny(writeNpy({ shape: [data.length], dtype, data }));
      assert(isText(read));
      assert.deepEqual(read, { shape: [data.length], dtype, data });
    },
  ));
});

Deno.test("an array survives .npy in every dtype, byte order, element order and version", () => {
  fc.assert(
    fc.property(
      arrays,
      fc.boolean(),
      fc.constantFrom(1, 2, 3),
      (array, fortranOrder, version) => {
        const bytes = writeNpy(array, { fortranOrder, version });
        const header = parseNpyHeader(bytes);
        assert.equal(header.dataStart % 64, 0);
        assert.equal(header.fortranOrder, fortranOrder);
        const read = parseNpy(bytes);
        assert.deepEqual(read.shape, array.shape);
        assert.equal(read.dtype, array.dtype);
        // integers have no -0; assert's deep equality is Object.is for numbers
        const wanted = /[biu]/.test(array.dtype)
          ? values(array.data).map((v) => v + 0)
          : array.data;
        assert.deepEqual(values(read.data), values(wanted));
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("Fortran order puts element [i, j] at i + rows · j", () => {
  const array = npyArray([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
  const bytes = writeNpy(array, { fortranOrder: true });
  assert.deepEqual(values(bytes.subarray(-6)), [1, 4, 2, 5, 3, 6]);
});

Deno.test("arrays survive .npz, and the same arrays give the same bytes", () => {
  const name = fc.stringMatching(/^[a-z_][a-z_0-9/]{0,8}[a-z]$/).filter((s) => !s.includes("//"));
  fc.assert(fc.property(fc.dictionary(name, arrays), fc.boolean(), (record, compress) => {
    const bytes = writeNpz(record, { compress });
    assert.deepEqual(bytes, writeNpz(record, { compress }));
    const read = readNpz(bytes);
    assert.deepEqual(Object.keys(read).sort(), Object.keys(record).sort());
    for (const key of Object.keys(record)) {
      assert.deepEqual(read[key].shape, record[key].shape);
      assert.equal(read[key].dtype, record[key].dtype);
      const wanted = values(record[key].data);
      const integer = /[biu]/.test(record[key].dtype);
      assert.deepEqual(values(read[key].data), integer ? wanted.map((v) => v + 0) : wanted);
    }
  }));
});

Deno.test("a name that JavaScript gives a meaning is a name like any other", () => {
  const record = Object.fromEntries(
    ["__proto__", "constructor"].map((name) => [name, npyArray([], Float64Array.of(1))]),
  );
  assert.deepEqual(Object.keys(readNpz(writeNpz(record))), ["__proto__", "constructor"]);
});

Deno.test("a value that the dtype cannot hold is not written", () => {
  const write = (dtype: string, value: number) => () =>
    writeNpy({ shape: [1], dtype, data: Float64Array.of(value) });
  const cases: [string, number][] = [
    ["|u1", 256],
    ["|u1", -1],
    ["|i1", 128],
    ["<u2", 0.5],
    ["<i4", 2 ** 31],
    ["<i8", 2 ** 53],
    ["<u8", -1],
    ["|b1", 2],
    ["<i2", NaN],
    ["<f2", 65_520],
    ["<f4", 1e39],
  ];
  for (const [dtype, value] of cases) assert.match(refusal(write(dtype, value)), /at element 0/);
  assert.match(refusal(write("|O", 0)), /Python objects/);
  assert.match(
    refusal(() => writeNpy({ shape: [2], dtype: "<f8", data: new Float64Array(3) })),
    /expected 2 elements for shape \[2\], found 3/,
  );
});

/** A .npy file with any header text. */
function withHeader(text: string, payload = 0): Uint8Array {
  const header = new TextEncoder().encode(text);
  const bytes = new Uint8Array(10 + header.length + payload);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(header, 10);
  return bytes;
}

Deno.test("headers are read as Python would, whatever order, quotes and spaces", () => {
  const texts = [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n",
    '{"shape":(1,),"fortran_order":False,"descr":"<f8"}',
    "{ 'shape' : ( 1 , ) , 'descr' : '<f8' , 'fortran_order' : False }   \n",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1L,), }",
  ];
  for (const text of texts) assert.deepEqual(parseNpy(withHeader(text, 8)).shape, [1]);
});

Deno.test("headers that depart from the format are refused", () => {
  const texts = [
    "",
    "{}",
    "{'descr': '<f8', 'fortran_order': False, }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1, }",
    "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': 1, }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1.0,), }",
    "{'descr': '<f8' 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), } + x",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), ",
    "{'descr': <f8, 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '=f8', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '|f8', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<U0', 'fortran_order': False, 'shape': (8,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9007199254740993,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0), }",
    `{'descr': '<f8', 'fortran_order': False, 'shape': (${"1,".repeat(65)}), }`,
    "__import__('os').system('true')",
  ];
  for (const text of texts) refusal(() => parseNpy(withHeader(text, 8)));
  // an empty array needs no bytes, but its other lengths must still be countable
  const absurd = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }";
  assert.match(refusal(() => parseNpy(withHeader(absurd))), /more elements than can be counted/);
});

/** Writes `value` at `offset` of the first record with this signature. */
function patched(
  bytes: Uint8Array,
  signature: number,
  offset: number,
  value: number,
  wide = true,
): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  let at = 0;
  while (view.getUint32(at, true) !== signature) at++;
  if (wide) view.setUint32(at + offset, value, true);
  else view.setUint16(at + offset, value, true);
  return copy;
}
const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;

Deno.test("an archive that declares more than the limits is refused before it is unpacked", () => {
  const bytes = writeNpz({ x: npyArray([1000], new Float64Array(1000)) });
  const limited = (limits: Parameters<typeof openNpz>[1]) => refusal(() => openNpz(bytes, limits));
  assert.match(limited({ limits: { maxUnpackedBytes: 8127 } }), /at most 8127 bytes unpacked/);
  openNpz(bytes, { limits: { maxUnpackedBytes: 8128 } });
  assert.match(limited({ limits: { maxRatio: 10, ratioFreeBytes: 8127 } }), /at most 10 to 1/);
  openNpz(bytes, { limits: { maxRatio: 10, ratioFreeBytes: 8128 } });
  assert.match(limited({ limits: { maxEntries: 0 } }), /at most 0 entries, found 1/);
  // 0xfffffffe bytes from a hundred: deflate cannot do that, whatever the limits
  const lie = patched(patched(bytes, CENTRAL, 24, 0xfffffffe), LOCAL, 22, 0xfffffffe);
  assert.match(
    refusal(() => openNpz(lie, { limits: { maxUnpackedBytes: Infinity, maxRatio: Infinity } })),
    /to be possible/,
  );
});

Deno.test("an entry that unpacks to another size than declared is refused", () => {
  const bytes = writeNpz({ x: npyArray([1000], new Float64Array(1000)) });
  for (const size of [8127, 8129]) {
    const lie = patched(patched(bytes, CENTRAL, 24, size), LOCAL, 22, size);
    assert.match(refusal(() => readNpz(lie)), /"x.npy" to unpack to/);
  }
});

Deno.test("data that disagrees with its checksum is refused, stored or deflated", () => {
  for (const compress of [true, false]) {
    const bytes = writeNpz({ x: npyArray([3], Float64Array.of(1, 2, 3)) }, { compress });
    const lie = patched(patched(bytes, CENTRAL, 16, 1), LOCAL, 14, 1);
    assert.match(refusal(() => readNpz(lie)), /checksum 00000001, found [0-9a-f]{8}/);
  }
});

Deno.test("the checksum is CRC-32: of 123456789 it is cbf43926", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

/** Renames the only entry, in the directory and in its own header. */
function renamed(name: string): Uint8Array {
  const old = "x".repeat(name.length - 4);
  const bytes = writeNpz({ [old]: npyArray([], Float64Array.of(1)) });
  const before = new TextEncoder().encode(`${old}.npy`);
  const after = new TextEncoder().encode(name);
  for (let at = 0; at + before.length <= bytes.length; at++) {
    if (before.every((byte, i) => bytes[at + i] === byte)) bytes.set(after, at);
  }
  return bytes;
}

Deno.test("names that point outside the archive are refused", () => {
  const names = [
    "../x.npy",
    "a/../../x.npy",
    "/x.npy",
    "C:/x.npy",
    "a\\x.npy",
    "./x.npy",
    "a//x.npy",
    "a\0x.npy",
    "..npy/../y.npy",
  ];
  for (const name of names) assert.match(refusal(() => openNpz(renamed(name))), /plain names/);
  assert.deepEqual(openNpz(renamed("a/b..c.npy")).names, ["a/b..c"]);
  for (const name of ["../x", "/x", "", "a/./b"]) {
    assert.match(refusal(() => writeNpz({ [name]: npyArray([], Float64Array.of(1)) })), /plain/);
  }
});

Deno.test("repeated names, encryption, other methods and contradictory headers are refused", () => {
  const two = writeNpz({
    x: npyArray([], Float64Array.of(1)),
    y: npyArray([], Float64Array.of(2)),
  });
  const twice = two.slice();
  const y = new TextEncoder().encode("y.npy");
  for (let at = 0; at < twice.length; at++) {
    if (y.every((byte, i) => two[at + i] === byte)) twice[at] = "x".charCodeAt(0);
  }
  assert.match(refusal(() => openNpz(twice)), /"x.npy" twice/);

  const one = writeNpz({ x: npyArray([], Float64Array.of(1)) });
  assert.match(refusal(() => openNpz(patched(one, CENTRAL, 8, 1, false))), /without a password/);
  assert.match(refusal(() => openNpz(patched(one, CENTRAL, 10, 14, false))), /packed by method 14/);
  assert.match(refusal(() => openNpz(patched(one, LOCAL, 8, 0, false))), /as in the directory/);
  assert.match(refusal(() => openNpz(patched(one, END, 16, 1))), /directory to end/);
  assert.match(refusal(() => openNpz(patched(one, END, 8, 2, false))), /in one piece/);
  assert.match(refusal(() => openNpz(patched(one, END, 4, 1, false))), /in one piece/);
  const stored = writeNpz({ x: npyArray([], Float64Array.of(1)) }, { compress: false });
  const lie = patched(patched(stored, CENTRAL, 24, 137), LOCAL, 22, 137);
  assert.match(refusal(() => openNpz(lie)), /stored as it is, found 136 bytes for 137/);
});

/** The parts of an archive without comment: its entries, its directory, its end record. */
function parts(bytes: Uint8Array): { entries: Uint8Array; directory: Uint8Array; end: Uint8Array } {
  const end = bytes.slice(-22);
  const start = new DataView(end.buffer).getUint32(16, true);
  return { entries: bytes.slice(0, start), directory: bytes.slice(start, -22), end };
}

const joined = (...pieces: Uint8Array[]) => Uint8Array.from(pieces.flatMap((piece) => [...piece]));

Deno.test("an entry inside another one's data is refused", () => {
  const inner = parts(writeNpz({ y: npyArray([], Float64Array.of(1)) }));
  const outer = parts(writeNpz({ x: npyArray([inner.entries.length], inner.entries) }, {
    compress: false,
  }));
  const directory = joined(outer.directory, inner.directory);
  const inside = outer.entries.length - inner.entries.length;
  new DataView(directory.buffer).setUint32(outer.directory.length + 42, inside, true);
  const end = new DataView(outer.end.buffer);
  end.setUint16(8, 2, true);
  end.setUint16(10, 2, true);
  end.setUint32(12, directory.length, true);
  const archive = joined(outer.entries, directory, outer.end);
  assert.match(refusal(() => openNpz(archive)), /"x.npy" overlapping the next/);
});

Deno.test("a truncated archive is an InputError, wherever it is cut", () => {
  for (const name of ["numpy_zip64.npz", "numpy_unseekable.npz"]) {
    const bytes = fixture(name);
    for (let length = 0; length < bytes.length; length++) {
      refusal(() => readNpz(bytes.subarray(0, length)));
    }
  }
});

Deno.test("a truncated .npy file is an InputError, wherever it is cut, and so is a longer one", () => {
  const bytes = fixture("numpy_counts.npy");
  for (let length = 0; length < bytes.length; length++) {
    refusal(() => parseNpy(bytes.subarray(0, length)));
  }
  refusal(() => parseNpy(Uint8Array.from([...bytes, 0])));
});

Deno.test("damage anywhere gives arrays or an InputError, never another failure", () => {
  const originals = [
    fixture("numpy_deflated.npz"),
    fixture("numpy_zip64.npz"),
    fixture("numpy_unseekable.npz"),
    fixture("numpy_odd.npz"),
  ];
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.constantFrom(...originals), damage, (original, changes) => {
      const bytes = original.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      // small limits, so that a damaged size costs no time
      const limits = { maxUnpackedBytes: 2 ** 20 };
      readOrRefuse(() => readNpz(bytes, { limits }));
      readOrRefuse(() => {
        const archive = openNpz(bytes, { limits });
        for (const name of archive.names) archive.header(name);
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("damage to a .npy file gives an array or an InputError, never another failure", () => {
  const original = fixture("numpy_counts.npy");
  fc.assert(
    fc.property(fc.nat(original.length - 1), whole(0, 255), (at, value) => {
      const bytes = original.slice();
      bytes[at] = value;
      readOrRefuse(() => parseNpyAny(bytes));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("noise is refused as an archive and as an array", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    refusal(() => readNpz(bytes));
    refusal(() => parseNpy(bytes));
  }));
});

Deno.test("the header of a large deflated entry is found without unpacking it", () => {
  const bytes = writeNpz({ x: npyArray([4, 1000, 1000], new Uint8Array(4_000_000)) });
  // the checksum is wrong, so anything that read the whole entry would refuse it
  const lie = patched(patched(bytes, CENTRAL, 16, 1), LOCAL, 14, 1);
  assert.deepEqual(openNpz(lie).header("x").shape, [4, 1000, 1000]);
});
