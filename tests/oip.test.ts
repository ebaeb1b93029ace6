/** The Open Inference Protocol: as KServe and Triton clients speak it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { modelToBytes } from "../src/data/model_file.ts";
import { encodeElements } from "../src/data/elements.ts";
import { InputError } from "../src/errors.ts";
import { infer } from "../src/inference/posterior.ts";
import { inlineCodec } from "../src/serving/codec.ts";
import { lightModelFromBytes } from "../src/serving/light_model.ts";
import { createLocalService } from "../src/serving/local.ts";
import { decodeOip, OIP_HEADER_LENGTH, type OipHead } from "../src/serving/oip.ts";
import { oipRoutes } from "../routes/oip.ts";
import { DRIVEN, testCounts, testModel } from "./serving_helpers.ts";

const MODEL = testModel(DRIVEN);
const { T, N } = DRIVEN;
const { counts_BTN: COUNTS } = testCounts(2, DRIVEN);
const NESTED = [0, 1].map((b) =>
  Array.from(
    { length: T },
    (_, t) => Array.from({ length: N }, (_, n) => COUNTS[(b * T + t) * N + n]),
  )
);

const service = createLocalService(
  createReferenceExecutor(),
  "mine",
  lightModelFromBytes(modelToBytes(MODEL), "a test's model"),
);
const app = oipRoutes(
  { service, codec: inlineCodec, maxBodyBytes: 100_000, maxUnpackedBytes: 100_000 },
  "9.9.9",
);
const description = await service.describe("mine");

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function input(given: Record<string, unknown> = {}) {
  return { name: "spikes", shape: [2, T, N], datatype: "UINT8", data: [...COUNTS], ...given };
}

async function post(
  body: BodyInit,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Response> {
  return await app.request("/models/mine/infer", { method: "POST", body, headers });
}

/** JSON, then tensors, as the binary extension has them. */
function binaryBody(json: unknown, ...tensors: Uint8Array[]) {
  const head = text(json);
  const body = new Uint8Array(head.length + tensors.reduce((sum, { length }) => sum + length, 0));
  body.set(head);
  let at = head.length;
  for (const tensor of tensors) {
    body.set(tensor, at);
    at += tensor.length;
  }
  return { body, headers: { [OIP_HEADER_LENGTH]: String(head.length) } };
}

const alone = (samples: number, seed = 0) =>
  infer(createReferenceExecutor(), MODEL, { counts_BTN: COUNTS, trials: 2, T, N }, {
    samples,
    seed,
  });

Deno.test("the server says what it is, lives and is ready", async () => {
  const json = async (path: string) => {
    const response = await app.request(path);
    return [response.status, await response.json()];
  };
  assert.deepEqual(await json("/"), [
    200,
    { name: "latentd", version: "9.9.9", extensions: ["binary_tensor_data"] },
  ]);
  assert.deepEqual(await json("/health/live"), [200, { live: true }]);
  assert.deepEqual(await json("/health/ready"), [
    200,
    { live: true, ready: true, device: "reference", reason: "asked for" },
  ]);
  assert.deepEqual(await json("/models/mine/ready"), [200, { name: "mine", ready: true }]);
  assert.deepEqual(await json("/models/yours/ready"), [
    404,
    { error: 'Cannot find a model "yours".' },
  ]);
  assert.equal((await json("/models/mine/versions/1"))[0], 404);
  assert.equal((await json("/nothing"))[0], 404);
});

Deno.test("a model's metadata have the tensors that an answer has", async () => {
  const metadata = await (await app.request("/models/mine")).json();
  assert.deepEqual(metadata.inputs, [{ name: "spikes", datatype: "UINT16", shape: [-1, T, N] }]);
  const answer = await (await post(text({ inputs: [input()] }))).json();
  assert.deepEqual(
    metadata.outputs,
    answer.outputs.map((
      { name, datatype, shape }: { name: string; datatype: string; shape: number[] },
    ) => ({
      name,
      datatype,
      shape: [-1, ...shape.slice(1)],
    })),
  );
  assert.equal(metadata.outputs.length, 14);
});

Deno.test("JSON in, JSON out: the numbers that inference gives", async () => {
  const parameters = { samples: 3, seed: 8 };
  const outputs = [{ name: "factors" }, { name: "rates" }];
  const request = { id: "42", parameters, inputs: [input()], outputs };
  const response = await post(text(request));
  assert.equal(response.headers.get("content-type"), "application/json");
  const { rates_BTN, factors_BTF } = await alone(3, 8);
  const { F } = MODEL.architecture.dims;
  assert.deepEqual(await response.json(), {
    model_name: "mine",
    id: "42",
    parameters,
    outputs: [
      { name: "factors", shape: [2, T, F], datatype: "FP64", data: [...factors_BTF] },
      { name: "rates", shape: [2, T, N], datatype: "FP64", data: [...rates_BTN] },
    ],
  });
});

Deno.test("flat, nested, typed or not, the same spikes give the same answer", async () => {
  const rates = async (response: Response) => (await response.json()).outputs[0].data;
  const rest = { parameters: { samples: 0 }, outputs: [{ name: "rates" }] };
  const wanted = [...(await alone(0)).rates_BTN];
  const bodies = [
    { inputs: [input()], ...rest },
    { inputs: [input({ data: NESTED })], ...rest },
    { inputs: [input({ datatype: "FP32" })], ...rest, model_name: "mine", model_version: "" },
    { inputs: [input({ parameters: {} })], ...rest },
  ];
  for (const body of bodies) assert.deepEqual(await rates(await post(text(body))), wanted);
  // Triton's clients name no type
  assert.deepEqual(await rates(await post(text(bodies[0]), {})), wanted);
});

Deno.test("binary tensors in and out stand behind the JSON, byte for byte", async () => {
  const { rates_BTN, gen_BTG } = await alone(0);
  const outputs = [
    { name: "rates", parameters: { binary_data: true } },
    { name: "ic_mean" },
    { name: "gen_states", parameters: { binary_data: true } },
  ];
  for (
    const [datatype, element] of [
      ["UINT8", "u8"],
      ["UINT16", "u16"],
      ["INT32", "i32"],
      ["INT64", "i64"],
      ["FP32", "f32"],
      ["FP16", "f16"],
    ] as const
  ) {
    const tensor = encodeElements(COUNTS, element, { bigEndian: false, action: "a test" });
    const { data: _, ...described } = input({
      datatype,
      parameters: { binary_data_size: tensor.length },
    });
    const request = { parameters: { samples: 0 }, inputs: [described], outputs };
    const { body, headers } = binaryBody(request, tensor);
    const response = await post(body, headers);
    assert.equal(response.status, 200, datatype);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    const bytes = new Uint8Array(await response.arrayBuffer());
    const length = Number(response.headers.get(OIP_HEADER_LENGTH));
    const json = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
    const sizes = json.outputs.map((output: { parameters?: { binary_data_size: number } }) =>
      output.parameters?.binary_data_size
    );
    assert.deepEqual(sizes, [rates_BTN.byteLength, undefined, gen_BTG.byteLength]);
    assert.equal(json.outputs[1].data.length, 2 * MODEL.architecture.dims.G);
    const tail = bytes.slice(length);
    assert.equal(tail.length, rates_BTN.byteLength + gen_BTG.byteLength);
    const numbers = new Float64Array(tail.buffer);
    assert.deepEqual([...numbers], [...rates_BTN, ...gen_BTG]);
  }
});

Deno.test("binary_data_output asks for all outputs as bytes, binary_data takes one out", async () => {
  const request = {
    parameters: { samples: 0, binary_data_output: true },
    inputs: [input()],
    outputs: [{ name: "gen_init" }, { name: "ic_mean", parameters: { binary_data: false } }],
  };
  const response = await post(text(request));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const length = Number(response.headers.get(OIP_HEADER_LENGTH));
  const { outputs } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  const G = MODEL.architecture.dims.G;
  assert.deepEqual(outputs[0].parameters, { binary_data_size: 16 * G });
  assert.equal(outputs[1].data.length, 2 * G);
  assert.equal(bytes.length, length + 16 * G);
  // an empty list of outputs, as Triton's clients send it, is all of them
  const all = await post(text({ ...request, outputs: [] }));
  const allBytes = new Uint8Array(await all.arrayBuffer());
  const head = JSON.parse(
    new TextDecoder().decode(allBytes.subarray(0, Number(all.headers.get(OIP_HEADER_LENGTH)))),
  );
  assert.equal(head.outputs.length, 14);
});

Deno.test("what is wrong with a request is a 4xx that tells field, wanted and found", async () => {
  const { data: _, ...bare } = input();
  const sized = (size: unknown) => ({ ...bare, parameters: { binary_data_size: size } });
  const json = { "content-type": "application/json" };
  const cases: [Uint8Array<ArrayBuffer>, Record<string, string>, RegExp, number?][] = [
    [text([]), json, /a JSON object, found an array of 0/],
    [text({}), json, /inputs to be an array of one tensor, "spikes", found nothing/],
    [text({ inputs: [input(), input()] }), json, /found an array of 2/],
    [text({ inputs: [7] }), json, /inputs\[0\] to be an object, found 7/],
    [text({ inputs: [input({ name: "x" })] }), json, /inputs\[0\].name to be "spikes", found "x"/],
    [
      text({ inputs: [input({ datatype: "BF16" })] }),
      json,
      /datatype to be one of BOOL, .* found "BF16"/,
    ],
    [text({ inputs: [input({ shape: [2, T] })] }), json, /\[trials, 7, 4\].* found \[2, 7\]/],
    [
      text({ inputs: [input({ shape: [2, T, -N] })] }),
      json,
      /shape to be lengths, found \[2,7,-4\]/,
    ],
    [
      text({ inputs: [input({ shape: [3, T, N] })] }),
      json,
      /array of 84 numbers .* found one of 56/,
    ],
    [
      text({ inputs: [input({ shape: [3, T, N], data: NESTED })] }),
      json,
      /data of shape \[3, 7, 4\], .* found \[2, 7, 4\]/,
    ],
    [
      text({ inputs: [input({ data: [[1]] })] }),
      json,
      /spikes\[0\]\[0\] to be an array of numbers, found 1/,
    ],
    [text({ inputs: [input({ data: "AAAA" })] }), json, /flat or nested, found "AAAA"/],
    [
      text({
        inputs: [input({
          data: [...COUNTS].map((x, i) => i ? x : 0.5),
        })],
      }),
      json,
      /whole counts .* found 0.5/,
    ],
    [
      text({ inputs: [input({ dtype: "UINT8" })] }),
      json,
      /inputs\[0\] only name, .* found "dtype"/,
    ],
    [
      text({ inputs: [input()], outputs: [{ name: "rate" }] }),
      json,
      /outputs to be at least one of rates/,
    ],
    [
      text({ inputs: [input()], outputs: { name: "rates" } }),
      json,
      /outputs to be an array, found an object/,
    ],
    [
      text({ inputs: [input()], outputs: [{ name: "rates", parameters: { binary_data: 1 } }] }),
      json,
      /binary_data to be true or false, found 1/,
    ],
    [
      text({ inputs: [input()], parameters: { sample: 1 } }),
      json,
      /parameters only samples, .* found "sample"/,
    ],
    [
      text({ inputs: [input()], parameters: { samples: "1" } }),
      json,
      /samples to be a whole number/,
    ],
    [
      text({ inputs: [input()], parameters: { binary_data_output: "yes" } }),
      json,
      /binary_data_output to be true or false/,
    ],
    [text({ inputs: [input()], id: 42 }), json, /id to be a string, found 42/],
    [
      text({ inputs: [input()], model_name: "yours" }),
      json,
      /model_name as in the path, "mine", found "yours"/,
    ],
    [text({ inputs: [input()], model_version: "1" }), json, /no model_version, .* found "1"/],
    [text({ inputs: [input()], input: 1 }), json, /the request only id, .* found "input"/],
    [
      text({ inputs: [input()] }),
      { "content-type": "text/plain" },
      /found Content-Type "text\/plain" without it/,
      415,
    ],
    [text({ inputs: [sized(56)] }), json, /56 bytes .* binary_data_size of 56 and 0 bytes behind/],
    [text({ inputs: [{ ...sized(56), data: [1] }] }), json, /data or binary_data_size, found both/],
    [new Uint8Array(100_001), json, /at most 100000 bytes, found/, 413],
  ];
  const behind = (
    json: unknown,
    tensor: Uint8Array,
    change: (length: number) => string,
    message: RegExp,
  ) => {
    const { body, headers } = binaryBody(json, tensor);
    const length = Number(headers[OIP_HEADER_LENGTH]);
    cases.push([body, { [OIP_HEADER_LENGTH]: change(length) }, message]);
  };
  behind({ inputs: [sized(55)] }, COUNTS, String, /binary_data_size of 55 and 56 bytes/);
  behind({ inputs: [sized("56")] }, COUNTS, String, /binary_data_size of "56"/);
  behind({ inputs: [sized(56)] }, COUNTS.slice(1), String, /and 55 bytes behind/);
  behind(
    { inputs: [input()] },
    COUNTS,
    String,
    /binary_data_size for the 56 bytes behind the JSON, found none/,
  );
  behind(
    { inputs: [sized(56)] },
    COUNTS,
    (length) => String(length + 57),
    /a length of at most \d+, that of the body/,
  );
  behind({ inputs: [sized(56)] }, COUNTS, (length) => String(length - 1), /expected JSON/);
  behind({ inputs: [sized(56)] }, COUNTS, (length) => `-${length}`, /a length of at most/);
  behind({ inputs: [sized(56)] }, COUNTS, () => "0x10", /found "0x10"/);
  for (const [body, headers, message, status = 400] of cases) {
    const response = await post(body, headers);
    const { error, ...others } = await response.json();
    assert.deepEqual(others, {});
    assert.match(error, message);
    assert.match(error, /^Cannot .* found .*\.$/s);
    assert.equal(response.status, status, error);
  }
  const unknown = await app.request("/models/yours/infer", { method: "POST", body: "{}" });
  assert.equal(unknown.status, 404);
});

const X = 2;
const STEERED = testModel({ T, N, units: { ...DRIVEN.units, externalInputs: X } });
const steeredService = createLocalService(
  createReferenceExecutor(),
  "steered",
  lightModelFromBytes(modelToBytes(STEERED, true), "a test's model"),
);
const steered = oipRoutes(
  { service: steeredService, codec: inlineCodec, maxBodyBytes: 100_000, maxUnpackedBytes: 100_000 },
  "9.9.9",
);
const steeredDescription = await steeredService.describe("steered");
// float32, so that every datatype holds them
const EXTERNAL = Float64Array.from({ length: 2 * T * X }, (_, i) => Math.fround(Math.sin(i)));
const NESTED_EXTERNAL = [0, 1].map((b) =>
  Array.from({ length: T }, (_, t) => [...EXTERNAL.subarray((b * T + t) * X, (b * T + t + 1) * X)])
);

function externalInput(given: Record<string, unknown> = {}) {
  return { name: "external", shape: [2, T, X], datatype: "FP32", data: [...EXTERNAL], ...given };
}

/** To the model with external inputs. */
async function postSteered(body: BodyInit, headers: Record<string, string> = {}) {
  return await steered.request("/models/steered/infer", { method: "POST", body, headers });
}

Deno.test("external inputs are a tensor of the models that have them: JSON or bytes, in any order", async () => {
  const { inputs } = await (await steered.request("/models/steered")).json();
  assert.deepEqual(inputs[1], { name: "external", datatype: "FP32", shape: [-1, T, X] });
  assert.equal(inputs.length, 2);
  const external_BTX = { shape: [2, T, X], data: EXTERNAL };
  const counts = { counts_BTN: COUNTS, trials: 2, T, N };
  const inferred = async (data: Float64Array) => [
    ...(await infer(createReferenceExecutor(), STEERED, {
      ...counts,
      external_BTX: { ...external_BTX, data },
    }, { samples: 0 })).rates_BTN,
  ];
  const wanted = await inferred(EXTERNAL);
  assert.notDeepEqual(wanted, await inferred(EXTERNAL.map((x) => -x)));
  const rest = { parameters: { samples: 0 }, outputs: [{ name: "rates" }] };
  const rates = async (response: Response) => (await response.json()).outputs[0].data;
  for (
    const inputs of [
      [input(), externalInput()],
      [externalInput({ datatype: "FP64", data: NESTED_EXTERNAL }), input({ data: NESTED })],
    ]
  ) {
    assert.deepEqual(await rates(await postSteered(text({ inputs, ...rest }))), wanted);
  }
  const { data: _, ...spikes } = input({ parameters: { binary_data_size: COUNTS.length } });
  for (const [datatype, element] of [["FP32", "f32"], ["FP64", "f64"]] as const) {
    const tensor = encodeElements(EXTERNAL, element, { bigEndian: false, action: "a test" });
    const { data: _, ...external } = externalInput({
      datatype,
      parameters: { binary_data_size: tensor.length },
    });
    for (
      const { body, headers } of [
        binaryBody({ inputs: [spikes, external], ...rest }, COUNTS, tensor),
        binaryBody({ inputs: [external, spikes], ...rest }, tensor, COUNTS),
        binaryBody({ inputs: [external, input()], ...rest }, tensor),
        binaryBody({ inputs: [externalInput(), spikes], ...rest }, COUNTS),
      ]
    ) {
      assert.deepEqual(await rates(await postSteered(body, headers)), wanted, datatype);
    }
  }
});

Deno.test("external inputs that a model lacks, or that are not as it wants them, are a 400", async () => {
  const { data: _, ...bare } = externalInput();
  const sized = (size: number) => ({ ...bare, parameters: { binary_data_size: size } });
  const bytes = new Uint8Array(4 * EXTERNAL.length);
  const change = (at: number, to: unknown) => [...EXTERNAL].map((x, i) => i === at ? to : x);
  const cases: [unknown[], RegExp, Uint8Array?][] = [
    [
      [input()],
      /inputs to be an array of two tensors, "spikes" and "external" of shape \[trials, 7, 2\], found an array of 1/,
    ],
    [[externalInput()], /two tensors, .* found an array of 1/],
    [[input(), externalInput(), externalInput()], /two tensors, .* found an array of 3/],
    [[input(), input()], /inputs\[1\].name to be "external", found "spikes"/],
    [[externalInput(), externalInput()], /inputs\[1\].name to be "spikes", found "external"/],
    [[input(), externalInput({ name: "x" })], /inputs\[1\].name to be "external", found "x"/],
    [
      [input(), externalInput({ datatype: "INT32" })],
      /inputs\[1\].datatype to be one of FP32, FP64, found "INT32"/,
    ],
    ...[[3, T, X], [2, T - 1, X], [2, T + 1, X], [2, T, X + 1], [2, T * X], [2, T, X, 1]]
      .map((shape): [unknown[], RegExp] => [
        [externalInput({ shape }), input()],
        new RegExp(
          `inputs\\[0\\].shape of "external" to be \\[2, 7, 2\\], found \\[${shape.join()}\\]`,
        ),
      ]),
    [[input(), externalInput({ shape: [2, -T, X] })], /inputs\[1\].shape to be lengths/],
    [
      [input(), externalInput({ data: [1] })],
      /inputs\[1\].data to be an array of 28 numbers .* found one of 1/,
    ],
    [
      [input(), externalInput({ data: change(3, "x") })],
      /external\[3\] to be a number, found "x"/,
    ],
    [
      [input(), externalInput({ data: change(3, null) })],
      /external inputs to be finite, found NaN/,
    ],
    [[input(), bare], /inputs\[1\].data to be an array of 28 numbers, .* found nothing/],
    [
      [input(), { ...sized(112), data: [1] }],
      /inputs\[1\] to have data or binary_data_size, found both/,
    ],
    [[input(), sized(111)], /112 bytes for external .* binary_data_size of 111/, bytes],
    [[input(), sized(112)], /112 bytes for external .* and 111 bytes behind/, bytes.slice(1)],
    [
      [input(), externalInput()],
      /inputs\[1\].parameters.binary_data_size for the 112 bytes behind the JSON, found none/,
      bytes,
    ],
    [[sized(112), input()], /for the 1 bytes behind the JSON, found none/, new Uint8Array(113)],
  ];
  for (const [inputs, message, tensor] of cases) {
    const { body, headers } = tensor
      ? binaryBody({ inputs }, tensor)
      : { body: text({ inputs }), headers: {} };
    const response = await postSteered(body, headers);
    const { error } = await response.json();
    assert.equal(response.status, 400, error);
    assert.match(error, message);
    assert.match(error, /^Cannot infer: expected .* found .*\.$/s);
  }
  for (const inputs of [[input(), externalInput()], [externalInput()]]) {
    const response = await post(text({ inputs }));
    assert.equal(response.status, 400);
    assert.match(
      (await response.json()).error,
      /inputs without "external", as the model has no external inputs, found it at inputs\[\d\]/,
    );
  }
});

/** A request, or an InputError: nothing else may come of bytes. */
function decodesOrRefuses(body: Uint8Array, head: OipHead, model = description): void {
  try {
    const { request, outputs } = decodeOip(body, head, model);
    assert.deepEqual(
      request.external_BTX?.shape,
      model.dims.X ? [request.trials, T, model.dims.X] : undefined,
    );
    assert.equal(request.counts_BTN.length, request.trials * T * N);
    assert(outputs.length > 0);
  } catch (error) {
    assert(error instanceof InputError, `${error instanceof Error ? error.stack : error}`);
  }
}

Deno.test("whatever bytes they are, they decode or are an InputError", () => {
  const { data: _, ...bare } = input({ parameters: { binary_data_size: COUNTS.length } });
  const { body, headers } = binaryBody(
    { inputs: [bare], outputs: [{ name: "rates" }], parameters: { samples: 2 } },
    COUNTS,
  );
  const length = headers[OIP_HEADER_LENGTH];
  const changes = fc.array(
    fc.record({ at: fc.nat({ max: body.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) }),
    { minLength: 1, maxLength: 3 },
  );
  const head = fc.record({
    contentType: fc.oneof(
      fc.constantFrom(null, "application/json", "application/octet-stream"),
      fc.string(),
    ),
    headerLength: fc.oneof(
      fc.constantFrom(null, length, "0", "1e3", " 5 "),
      fc.string(),
      fc.nat().map(String),
    ),
  });
  fc.assert(
    fc.property(changes, fc.boolean(), head, (changed, own, given) => {
      const bytes = body.slice();
      for (const { at, byte } of changed) bytes[at] = byte;
      decodesOrRefuses(bytes, own ? { contentType: null, headerLength: length } : given);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("whatever JSON it is, it decodes or is an InputError", () => {
  const any = fc.jsonValue({ maxDepth: 3 });
  const tensor = fc.record({
    name: fc.oneof(fc.constantFrom("spikes", "external"), any),
    shape: fc.oneof(fc.constantFrom([2, T, N], [2, T, X]), fc.array(fc.integer()), any),
    datatype: fc.oneof(fc.constantFrom("UINT8", "FP32", "toString", "__proto__"), any),
    data: fc.oneof(fc.constantFrom([...COUNTS], [...EXTERNAL]), any),
    parameters: fc.oneof(fc.record({ binary_data_size: any }, { requiredKeys: [] }), any),
  }, { requiredKeys: [] });
  const request = fc.record({
    id: any,
    model_name: any,
    parameters: fc.oneof(
      fc.record({ samples: any, seed: any, binary_data_output: any }, { requiredKeys: [] }),
      any,
    ),
    inputs: fc.oneof(
      fc.array(tensor, { maxLength: 2 }),
      fc.constantFrom([input()], [input(), externalInput()], [externalInput(), input()]),
      any,
    ),
    outputs: fc.oneof(
      fc.array(fc.record({ name: any, parameters: any }, { requiredKeys: [] }), { maxLength: 2 }),
      any,
    ),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(
      fc.oneof(request, any),
      (value) => {
        for (const model of [description, steeredDescription]) {
          const head = { contentType: "application/json", headerLength: null };
          decodesOrRefuses(text(value), head, model);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("JSON as deep as it may be is refused, not fatal", () => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  const spikes = JSON.stringify(input());
  for (
    const body of [
      deep,
      `{"inputs":${deep}}`,
      `{"inputs":[${spikes}],"parameters":{"samples":${deep}}}`,
      `{"inputs":[${spikes}],"outputs":${deep}}`,
      `{"inputs":[{"name":"spikes","shape":${deep},"datatype":"UINT8","data":[]}]}`,
      `{"inputs":[{"name":"spikes","shape":[2,${T},${N}],"datatype":"UINT8","data":${deep}}]}`,
    ]
  ) {
    assert.throws(
      () =>
        decodeOip(
          new TextEncoder().encode(body),
          { contentType: null, headerLength: null },
          description,
        ),
      InputError,
    );
  }
});
