/** Array formats: spikes in, arrays out, negotiation; nothing but an InputError for what is wrong. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { datasetFromArrays, datasetToBytes } from "../src/data/dataset.ts";
import { encodeElements } from "../src/data/elements.ts";
import { npyArray, parseNpy, writeNpy } from "../src/data/npy.ts";
import { readNpz, writeNpz } from "../src/data/npz.ts";
import { readSafetensors, tensor, writeSafetensors } from "../src/data/safetensors.ts";
import { InputError } from "../src/errors.ts";
import { type BodyHead, decodeInfer } from "../src/serving/arrays/decode.ts";
import { DTYPES, elementOfDtype } from "../src/serving/arrays/dtypes.ts";
import { answerFormat, encodeArrays } from "../src/serving/arrays/encode.ts";
import { NotAcceptableError, UnsupportedTypeError } from "../src/serving/arrays/errors.ts";
import { negotiate, parseMediaType } from "../src/serving/arrays/media.ts";
import { MEDIA_TYPES } from "../src/serving/arrays/types.ts";
import { inlineCodec } from "../src/serving/codec.ts";
import { createThreadedCodec } from "../src/serving/codec_thread.ts";
import type { ModelDescription, NamedArray, OutputName, Takes } from "../src/serving/service.ts";

const DIMS = { T: 3, N: 2 };
const MODEL: Takes = {
  dims: { ...DIMS, E: 1, C: 0, U: 0, G: 1, F: 1 },
  cell: "gru",
  nonlinearity: "tanh",
};
const COUNTS = Uint8Array.of(0, 1, 2, 0, 0, 3, 1, 1, 0, 0, 9, 0);
const SHAPE = [2, 3, 2];
const LIMITS = { maxUnpackedBytes: 1 << 20 };
const text = (value: string) => new TextEncoder().encode(value);

function head(contentType: string | null, given: Partial<BodyHead> = {}): BodyHead {
  return { contentType, query: "", name: null, shape: null, dtype: null, ...given };
}

const RAW = head(MEDIA_TYPES.raw, { name: "spikes", shape: "2,3,2", dtype: "uint8" });

/** The same spikes in every format. */
function bodies(): [string, Uint8Array, BodyHead][] {
  const nested = [[[0, 1], [2, 0], [0, 3]], [[1, 1], [0, 0], [9, 0]]];
  const spikes = npyArray(SHAPE, COUNTS);
  return [
    ["npz", writeNpz({ spikes }), head(MEDIA_TYPES.npz)],
    ["npz, stored", writeNpz({ spikes }, { compress: false }), head("application/zip")],
    [
      "npz of float64",
      writeNpz({ spikes: npyArray(SHAPE, Float64Array.from(COUNTS)) }),
      head(MEDIA_TYPES.npz),
    ],
    [
      "a dataset's npz",
      datasetToBytes(datasetFromArrays({
        name: "x",
        spikes: { shape: SHAPE, data: COUNTS },
        condition: { shape: [2], data: Int32Array.of(1, 2) },
        rates: { shape: SHAPE, data: new Float64Array(12).fill(1) },
      })),
      head(MEDIA_TYPES.npz),
    ],
    ["npy", writeNpy(spikes), head(MEDIA_TYPES.npy)],
    [
      "npy, big-endian and in Fortran's order",
      writeNpy({ shape: SHAPE, dtype: ">i4", data: COUNTS }, { fortranOrder: true }),
      head(MEDIA_TYPES.npy),
    ],
    [
      "safetensors",
      writeSafetensors({ spikes: tensor(SHAPE, COUNTS) }),
      head(MEDIA_TYPES.safetensors),
    ],
    ["json", text(JSON.stringify({ spikes: nested })), head("application/json; charset=UTF-8")],
    [
      "json, flat",
      text(JSON.stringify({ spikes: { shape: SHAPE, data: [...COUNTS] } })),
      head(MEDIA_TYPES.json),
    ],
    ...DTYPES.filter((dtype) => dtype !== "bool").map((dtype) =>
      [
        `raw ${dtype}`,
        encodeElements(COUNTS, elementOfDtype(dtype)!, { bigEndian: false, action: "a test" }),
        { ...RAW, dtype },
      ] as [string, Uint8Array, BodyHead]
    ),
  ];
}

Deno.test("every format holds the same spikes", () => {
  for (const [name, body, given] of bodies()) {
    const { counts_BTN, trials, T, N, samples, seed } = decodeInfer(body, given, MODEL, LIMITS);
    assert.deepEqual(
      { counts_BTN, trials, T, N },
      { counts_BTN: COUNTS, trials: 2, ...DIMS },
      name,
    );
    assert.deepEqual([samples, seed], [64, 0]);
  }
});

Deno.test("options stand in the query or in a JSON body, and are the same", () => {
  const query =
    "samples=0&seed=9007199254740991&first_trial=7&bin_width_s=2e-2&outputs=rates,factors";
  const wanted = {
    samples: 0,
    seed: Number.MAX_SAFE_INTEGER,
    firstTrial: 7,
    binWidth: 0.02,
    outputs: ["rates", "factors"],
  };
  const pick = (
    { samples, seed, firstTrial, binWidth, outputs }: ReturnType<typeof decodeInfer>,
  ) => ({
    samples,
    seed,
    firstTrial,
    binWidth,
    outputs,
  });
  assert.deepEqual(pick(decodeInfer(COUNTS, { ...RAW, query }, MODEL, LIMITS)), wanted);
  const fields = {
    spikes: { shape: SHAPE, data: [...COUNTS] },
    samples: 0,
    seed: Number.MAX_SAFE_INTEGER,
    first_trial: 7,
    bin_width_s: 0.02,
    outputs: ["rates", "factors"],
  };
  const body = text(JSON.stringify(fields));
  assert.deepEqual(pick(decodeInfer(body, head(MEDIA_TYPES.json), MODEL, LIMITS)), wanted);
  for (const width of [npyArray([], Float64Array.of(0.02)), npyArray([1], Float64Array.of(0.02))]) {
    const npz = writeNpz({ spikes: npyArray(SHAPE, COUNTS), bin_width_s: width });
    assert.equal(decodeInfer(npz, head(MEDIA_TYPES.npz), MODEL, LIMITS).binWidth, 0.02);
  }
});

Deno.test("what is wrong with a body is told by field, wanted and found", () => {
  const json = (value: unknown) => [text(JSON.stringify(value)), head(MEDIA_TYPES.json)] as const;
  const spikes = { shape: SHAPE, data: [...COUNTS] };
  const npz = (arrays: Parameters<typeof writeNpz>[0]) =>
    [writeNpz(arrays), head(MEDIA_TYPES.npz)] as const;
  const good = npyArray(SHAPE, COUNTS);
  const raw = (given: Partial<BodyHead>, body = COUNTS) => [body, { ...RAW, ...given }] as const;
  const cases: (readonly [Uint8Array, BodyHead, RegExp])[] = [
    [COUNTS, head(null), /expected a Content-Type of application\/x-npz, .* found none/],
    [COUNTS, head("text/plain"), /found "text\/plain"/],
    [COUNTS, head("application/json;charset=latin1"), /found "application\/json;charset=latin1"/],
    [COUNTS, head("application/x-npz, application/json"), /expected a Content-Type/],
    [text("{"), head(MEDIA_TYPES.json), /expected JSON, found something else/],
    [text(""), head(MEDIA_TYPES.json), /expected JSON, found nothing/],
    [Uint8Array.of(0xff), head(MEDIA_TYPES.json), /expected JSON in UTF-8/],
    [...json([]), /expected a JSON object, found an array of 0/],
    [...json({}), /expected spikes to be an array of trials, found nothing/],
    [...json({ spikes, sample: 3 }), /fields spikes, external, samples, .* found "sample"/],
    [...json({ spikes, samples: "3" }), /samples to be a whole number from 0 to 65536, found "3"/],
    [...json({ spikes, samples: null }), /samples to be a whole number .* found null/],
    [...json({ spikes, samples: 70000 }), /found 70000/],
    [...json({ spikes, seed: -1 }), /seed to be a whole number .* found -1/],
    [...json({ spikes, outputs: [] }), /outputs to be at least one of rates, .* found \[\]/],
    [...json({ spikes, outputs: ["rates", "rates"] }), /each once, found \["rates","rates"\]/],
    [...json({ spikes, outputs: ["rate"] }), /found \["rate"\]/],
    [...json({ spikes, bin_width_s: 0 }), /bin_width_s to be a number of seconds above 0, found 0/],
    [...json({ spikes: 7 }), /spikes to be an array of trials, found 7/],
    [...json({ spikes: [] }), /at least one trial, found \[0, 0, 0\]/],
    [...json({ spikes: [[[1, 2]]] }), /shape \[trials, 3, 2\].* found \[1, 1, 2\]/],
    [
      ...json({ spikes: [[[1, 2], [1], [1, 2]]] }),
      /spikes\[0\]\[1\] .* 2 numbers, found an array of 1/,
    ],
    [
      ...json({ spikes: [[[1, 2], [1, "2"], [1, 2]]] }),
      /spikes\[0\]\[1\]\[1\] to be a number, found "2"/,
    ],
    [
      ...json({ spikes: [[[1, 2], [1, 1e38], [1, 2]]] }),
      /finite numbers .* found 1e\+38 at .*0, 1, 1/,
    ],
    [...json({ spikes, external: 3 }), /external to be an array of trials, found 3/],
    [
      ...json({ spikes, external: [[[1]]] }),
      /external inputs of shape \[2, at least 3, …\], found/,
    ],
    [...json({ spikes: { ...spikes, dtype: "u8" } }), /shape and data, found "dtype"/],
    [...json({ spikes: { ...spikes, shape: [2, 3] } }), /\[trials, 3, 2\].* found \[2, 3\]/],
    [...json({ spikes: { ...spikes, shape: [1e15, 3, 2] } }), /array of 6000000000000000 numbers/],
    [
      ...json({ spikes: { ...spikes, shape: "2,3,2" } }),
      /spikes.shape to be lengths, found "2,3,2"/,
    ],
    [...npz({ spike: good }), /expected arrays "spikes" .* found "spike"/],
    [...npz({ condition: npyArray([2], Int32Array.of(1, 2)) }), /found "condition"/],
    [...npz({ spikes: npyArray([2, 2, 3], COUNTS) }), /shape \[trials, 3, 2\].* found \[2, 2, 3\]/],
    [
      ...npz({ spikes: good, bin_width_s: npyArray([2], Float64Array.of(1, 1)) }),
      /bin_width_s to be one number, found shape \[2\]/,
    ],
    [...npz({ spikes: good, bin_width_s: npyArray([], Float64Array.of(NaN)) }), /bin_width_s/],
    [writeNpz({ spikes: good }).subarray(0, 60), head(MEDIA_TYPES.npz), /complete zip archive/],
    [...raw({ shape: null }), /x-tensor-shape to be lengths .* found none/],
    [...raw({ shape: "2;3;2" }), /x-tensor-shape .* found "2;3;2"/],
    [...raw({ shape: "-2,3,2" }), /x-tensor-shape .* found "-2,3,2"/],
    [...raw({ shape: "0,3,2" }, new Uint8Array()), /at least one trial, found \[0, 3, 2\]/],
    [...raw({ dtype: "float" }), /x-tensor-dtype to be one of bool, uint8, .* found "float"/],
    [...raw({ dtype: null }), /x-tensor-dtype .* found none/],
    [...raw({ name: "counts" }), /x-tensor-name to be "spikes", found "counts"/],
    [...raw({ dtype: "float64" }), /expected 96 bytes for spikes .* found 12/],
    [...raw({}, COUNTS.subarray(1)), /expected 12 bytes for spikes .* found 11/],
    [...raw({ shape: "900000000000000,3,2" }), /expected 5400000000000000 bytes/],
    [...raw({ query: "samples=0x10" }), /samples to be a whole number .* found "0x10"/],
    [...raw({ query: "samples=" }), /found ""/],
    [...raw({ query: "samples=1&samples=2" }), /each at most once, found "samples" twice/],
    [...raw({ query: "sample=1" }), /found "sample"/],
    [
      writeNpz({ spikes: good }),
      head(MEDIA_TYPES.npz, { shape: "2,3,2" }),
      /x-tensor-shape only with application\/octet-stream/,
    ],
    [
      text(JSON.stringify({ spikes, seed: 1 })),
      head(MEDIA_TYPES.json, { query: "seed=1" }),
      /seed in the query or in the body, found it in both/,
    ],
    [
      writeSafetensors({ spikes: tensor(SHAPE, COUNTS), x: tensor([1], COUNTS.slice(0, 1)) }),
      head(MEDIA_TYPES.safetensors),
      /found "x"/,
    ],
    [writeSafetensors({}), head(MEDIA_TYPES.safetensors), /found no "spikes"/],
  ];
  for (const [body, given, message] of cases) {
    assert.throws(
      () => decodeInfer(body, given, MODEL, LIMITS),
      (error) => {
        assert(error instanceof InputError, `${error}`);
        assert.match(error.message, message);
        assert.match(error.message, /^Cannot .* found .*\.$/s);
        return true;
      },
    );
  }
});

Deno.test("an archive that says it unpacks to more than may be is refused before it is", () => {
  const zeros = npyArray([5000, 3, 2], new Float64Array(30_000));
  const body = writeNpz({ spikes: zeros });
  assert(body.length < 3000);
  assert.throws(
    () => decodeInfer(body, head(MEDIA_TYPES.npz), MODEL, { maxUnpackedBytes: 100_000 }),
    /at most 100000 bytes unpacked, found at least \d+ declared/,
  );
});

/** Bodies that are nearly right: a good one with some bytes changed, removed or repeated. */
function nearly(body: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat({ max: Math.max(0, body.length - 1) }),
    kind: fc.constantFrom("set", "cut", "insert", "drop"),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes = Array.from(body);
    for (const { at, kind, byte } of changes) {
      if (kind === "set") bytes[at] = byte;
      else if (kind === "cut") bytes = bytes.slice(0, at);
      else if (kind === "insert") bytes.splice(at, 0, byte);
      else bytes.splice(at, 1);
    }
    return Uint8Array.from(bytes, (byte) => byte ?? 0);
  });
}

/** A valid request, or an InputError: nothing else may come of a body. */
function decodesOrRefuses(body: Uint8Array, given: BodyHead): void {
  try {
    const request = decodeInfer(body, given, MODEL, LIMITS);
    assert.equal(request.counts_BTN.length, request.trials * DIMS.T * DIMS.N);
    assert(request.trials >= 1);
  } catch (error) {
    assert(error instanceof InputError, `${error instanceof Error ? error.stack : error}`);
  }
}

for (const [name, body, given] of bodies()) {
  Deno.test(`whatever is done to a body, it decodes or is an InputError: ${name}`, () => {
    fc.assert(fc.property(nearly(body), (bytes) => decodesOrRefuses(bytes, given)), {
      numRuns: 150,
    });
  });
}

Deno.test("whatever the head says, a body decodes or is an InputError", () => {
  const word = fc.oneof(
    fc.constant(null),
    fc.string({ maxLength: 30 }),
    fc.constantFrom("spikes", "2,3,2", "uint8", "float32", "1,3,2", "99999999999999,3,2"),
  );
  const heads = fc.record({
    contentType: fc.oneof(fc.constantFrom(...Object.values(MEDIA_TYPES)), word),
    query: fc.oneof(
      fc.constant(""),
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        "samples=3",
        "seed=1&seed",
        "outputs=rates,,",
        "first_trial=1e3",
        "__proto__=1",
      ),
    ),
    name: word,
    shape: word,
    dtype: word,
  });
  fc.assert(
    fc.property(
      heads,
      fc.uint8Array({ maxLength: 40 }),
      (given, bytes) => decodesOrRefuses(bytes, given),
    ),
    { numRuns: 500 },
  );
});

Deno.test("whatever JSON it is, it decodes or is an InputError", () => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.record({
      spikes: fc.oneof(
        fc.jsonValue({ maxDepth: 4 }),
        fc.array(
          fc.array(fc.array(fc.jsonValue({ maxDepth: 0 }), { maxLength: 3 }), { maxLength: 4 }),
          { maxLength: 2 },
        ),
        fc.record({ shape: fc.jsonValue({ maxDepth: 1 }), data: fc.jsonValue({ maxDepth: 1 }) }),
      ),
      samples: fc.jsonValue({ maxDepth: 1 }),
      outputs: fc.jsonValue({ maxDepth: 1 }),
    }, { requiredKeys: [] }),
  );
  fc.assert(
    fc.property(
      value,
      (json) => decodesOrRefuses(text(JSON.stringify(json)), head(MEDIA_TYPES.json)),
    ),
    { numRuns: 500 },
  );
});

const ARRAYS = new Map<OutputName, NamedArray>([
  ["rates", { shape: [2, 1, 2], data: Float32Array.of(0.1, 1, 2.5, 1e-9) }],
  ["gen_init", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, -6) }],
]);
const FACTS = { model: "mine", samples: 2, seed: 3, device: "wasm" };

Deno.test("every format gives back the arrays that it was given", () => {
  const npz = encodeArrays(ARRAYS, FACTS, "npz");
  assert.equal(npz.headers["content-type"], "application/x-npz");
  assert.deepEqual(
    Object.entries(readNpz(npz.body)).map((
      [name, { shape, dtype, data }],
    ) => [name, shape, dtype, data]),
    [...ARRAYS].map(([name, { shape, data }]) => [name, shape, "<f4", data]),
  );
  const { tensors, metadata } = readSafetensors(encodeArrays(ARRAYS, FACTS, "safetensors").body);
  assert.deepEqual(
    [...ARRAYS].map(([name]) => [tensors[name].shape, tensors[name].data]),
    [...ARRAYS].map(([, { shape, data }]) => [shape, data]),
  );
  assert.deepEqual({ ...metadata }, { model: "mine", samples: "2", seed: "3", device: "wasm" });
  const json = JSON.parse(new TextDecoder().decode(encodeArrays(ARRAYS, FACTS, "json").body));
  assert.deepEqual(json, {
    ...FACTS,
    arrays: {
      rates: [[[Math.fround(0.1), 1]], [[2.5, Math.fround(1e-9)]]],
      gen_init: [[1, 2, 3], [4, 5, -6]],
    },
  });
  const one = new Map([...ARRAYS].slice(0, 1));
  assert.deepEqual(parseNpy(encodeArrays(one, FACTS, "npy").body).data, one.get("rates")?.data);
  const { body, headers } = encodeArrays(one, FACTS, "raw");
  assert.deepEqual(new Float32Array(body.buffer), one.get("rates")?.data);
  assert.deepEqual(headers, {
    "content-type": "application/octet-stream",
    "x-tensor-name": "rates",
    "x-tensor-shape": "2,1,2",
    "x-tensor-dtype": "float32",
  });
});

Deno.test("JSON does not turn what is not finite into null", () => {
  const arrays = new Map([["rates", { shape: [1, 1, 2], data: Float32Array.of(1, Infinity) }]]);
  assert.throws(
    () => encodeArrays(arrays, FACTS, "json"),
    (error) =>
      error instanceof NotAcceptableError &&
      /found Infinity in rates; application\/x-npz/.test(error.message),
  );
  assert.deepEqual(readNpz(encodeArrays(arrays, FACTS, "npz").body).rates.data[1], Infinity);
});

Deno.test("media types are read as RFC 9110 says", () => {
  const parameters = (text: string) => Object.fromEntries(parseMediaType(text)?.parameters ?? []);
  assert.equal(parseMediaType("Application/JSON ; charset=utf-8")?.type, "application/json");
  assert.deepEqual(parameters('text/plain;a="x;\\"y\\", z" ; ; B=c'), { a: 'x;"y", z', b: "c" });
  for (
    const bad of [
      "",
      "json",
      "a/b c",
      "a/b;x",
      "a/b;x=1;x=2",
      "a/b,c/d",
      'a/b;x="',
      "a/b;=1",
      "a/".padEnd(5000, "x"),
    ]
  ) {
    assert.equal(parseMediaType(bad), null, bad);
  }
});

Deno.test("negotiation takes what is liked best, the more specific range deciding", () => {
  const offered = ["a/x", "a/y", "b/z"];
  const cases: [string | null, string | null][] = [
    [null, "a/x"],
    ["", "a/x"],
    ["*/*", "a/x"],
    ["b/*", "b/z"],
    ["a/y, a/x", "a/x"],
    ["a/x;q=0.5, a/y", "a/y"],
    ["*/*;q=0.1, b/z;q=0.2", "b/z"],
    ["a/*, a/x;q=0", "a/y"],
    ["a/x;q=0, a/*", "a/y"],
    ["a/x;q=0.1, */*;q=0.9, a/*;q=0.2", "b/z"],
    ["*/*, a/*;q=0, b/z;q=0.001", "b/z"],
    ["a/x;q=0, a/y;q=0.000", null],
    ["c/d", null],
    [" , a/y ;q=1.0 , ", "a/y"],
    ["A/Y", "a/y"],
  ];
  for (const [accept, wanted] of cases) {
    assert.equal(negotiate(accept, offered), wanted, `${accept}`);
  }
  for (
    const bad of [
      "a",
      "a/x;q=2",
      "a/x;q=1.001",
      "a/x;q=-1",
      "a/x;q=.5",
      "*/x",
      "a/x b/z",
      "a/x;q=1;q=0",
      "x".repeat(5000),
    ]
  ) {
    assert.throws(() => negotiate(bad, offered), InputError, bad);
  }
  fc.assert(fc.property(fc.string(), (accept) => {
    try {
      const chosen = negotiate(accept, offered);
      assert(chosen === null || offered.includes(chosen));
    } catch (error) {
      assert(error instanceof InputError);
    }
  }));
});

Deno.test("an answer comes in the request's format where nothing else is asked for and it can hold it", () => {
  assert.equal(answerFormat(null, "json", 5), "json");
  assert.equal(answerFormat("*/*", "raw", 1), "raw");
  assert.equal(answerFormat("*/*", "raw", 2), "npz");
  assert.equal(answerFormat("application/json;q=0.9, */*;q=0.1", "npz", 3), "json");
  assert.throws(() => answerFormat("application/octet-stream", "npz", 2), NotAcceptableError);
  assert.throws(() => answerFormat("image/png", "npz", 1), NotAcceptableError);
});

Deno.test("the codec with a thread gives what the inline one gives, errors with their kinds", async () => {
  const codec = createThreadedCodec();
  try {
    const dims = { ...DIMS, E: 1, C: 0, U: 0, G: 1, F: 1 };
    const model: ModelDescription = {
      id: "mine",
      dims,
      cell: "gru",
      nonlinearity: "tanh",
      binWidth: null,
      step: 0,
    };
    const trials = 8000;
    const counts = Uint8Array.from({ length: trials * 6 }, (_, i) => i % 7);
    const shape = [trials, 3, 2];
    const limits = { maxUnpackedBytes: 1 << 26 };
    const large: [Uint8Array<ArrayBuffer>, BodyHead][] = [
      [text(JSON.stringify({ spikes: { shape, data: [...counts] } })), head(MEDIA_TYPES.json)],
      [
        writeNpz({
          spikes: npyArray([30_000, 3, 2], new Float64Array(180_000).fill(2)),
        }) as Uint8Array<ArrayBuffer>,
        head(MEDIA_TYPES.npz),
      ],
    ];
    for (const [body, given] of large) {
      const wanted = await inlineCodec.decodeInfer(body.slice(), given, model, limits);
      assert.deepEqual(await codec.decodeInfer(body, given, model, limits), wanted);
    }
    const data = Float32Array.from({ length: 400_000 }, (_, i) => i / 3);
    const arrays = () =>
      new Map<OutputName, NamedArray>([["rates", { shape: [1, 4, 100_000], data: data.slice() }]]);
    for (const format of ["npz", "json", "raw", "safetensors", "npy"] as const) {
      assert.deepEqual(
        await codec.encodeArrays(arrays(), FACTS, format),
        await inlineCodec.encodeArrays(arrays(), FACTS, format),
      );
    }
    const spikes = { name: "spikes", shape, datatype: "UINT8", data: [...counts] };
    const oip = text(JSON.stringify({ inputs: [spikes] }));
    const none = { contentType: null, headerLength: null };
    const wanted = await inlineCodec.decodeOip(oip.slice(), none, model);
    assert.deepEqual(await codec.decodeOip(oip, none, model), wanted);
    const facts = { model: "mine", samples: 1, seed: 2 };
    for (const binary of [false, true]) {
      const asked = { id: "7", outputs: [{ name: "rates" as const, binary }] };
      assert.deepEqual(
        await codec.encodeOip(arrays(), asked, facts),
        await inlineCodec.encodeOip(arrays(), asked, facts),
      );
    }
    // what takes long does not keep this thread
    const wide = new Map(arrays());
    const start = performance.now();
    await inlineCodec.encodeArrays(wide, FACTS, "json");
    const inline = performance.now() - start;
    let last = performance.now(), gap = 0;
    const tick = () => {
      gap = Math.max(gap, performance.now() - last);
      last = performance.now();
    };
    const timer = setInterval(tick, 1);
    await codec.encodeArrays(wide, FACTS, "json");
    clearInterval(timer);
    tick();
    assert(gap < inline / 2, `${gap} ms without a turn of the event loop, of ${inline}`);

    const bad = text(JSON.stringify({ spikes: { shape, data: [...counts, 1] } }));
    await assert.rejects(codec.decodeInfer(bad, head(MEDIA_TYPES.json), model, limits), InputError);
    const infinite = new Map<OutputName, NamedArray>([["rates", {
      shape: [1, 1, 9000],
      data: new Float32Array(9000).fill(Infinity),
    }]]);
    await assert.rejects(codec.encodeArrays(infinite, FACTS, "json"), NotAcceptableError);
    await assert.rejects(
      codec.decodeInfer(counts, head("a/b"), model, limits),
      UnsupportedTypeError,
    );
  } finally {
    codec.close();
  }
});

const PYTHON = "import sys, io, numpy\n" +
  "a = numpy.load(io.BytesIO(sys.stdin.buffer.read()))\n" +
  "print([(k, a[k].dtype.str, a[k].shape, a[k].tolist()) for k in a])";

Deno.test("numpy opens an answer", async (t) => {
  const python = new Deno.Command("python3", { args: ["-c", "import numpy"], stderr: "null" });
  const present = await python.output().then(({ success }) => success, () => false);
  await t.step({
    name: "numpy.load",
    ignore: !present,
    fn: async () => {
      const process = new Deno.Command("python3", {
        args: ["-c", PYTHON],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = process.stdin.getWriter();
      await writer.write(encodeArrays(ARRAYS, FACTS, "npz").body);
      await writer.close();
      const { stdout } = await process.output();
      assert.match(new TextDecoder().decode(stdout), /^\[\('rates', '<f4', \(2, 1, 2\), \[\[\[0.1/);
    },
  });
});
