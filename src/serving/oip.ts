/**
 * The Open Inference Protocol (KServe's v2, Triton's HTTP), with its binary tensor data extension:
 * requests and answers as bytes.
 *
 * https://github.com/kserve/open-inference-protocol, inference_rest.md;
 * https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
 */
import { decodeElements, type Element, ELEMENT_BYTES } from "../data/elements.ts";
import { InputError } from "../errors.ts";
import { isRecord, nestedArray, numberAt, parseJson, type Shaped } from "./arrays/decode.ts";
import { type Encoded, littleEndian, requireFinite, requireText } from "./arrays/encode.ts";
import { UnsupportedTypeError } from "./arrays/errors.ts";
import { parseMediaType } from "./arrays/media.ts";
import { kindOf, show } from "./arrays/show.ts";
import { checkOptions, type GivenOptions } from "./arrays/options.ts";
import { valuesOf } from "./arrays/values.ts";
import {
  type InferRequest,
  type ModelDescription,
  type NamedArray,
  type OutputName,
  outputShape,
  requireShape,
  wantedOutputs,
} from "./service.ts";

/** The header that says how long the JSON before binary tensors is. */
export const OIP_HEADER_LENGTH = "inference-header-content-length";

/** Extensions of the protocol that are understood. */
export const OIP_EXTENSIONS = ["binary_tensor_data"] as const;

/** The inputs' names; the second is of models with external inputs alone. */
const SPIKES = "spikes", EXTERNAL = "external";
const ACTION = "Cannot infer";

const DATATYPES = {
  BOOL: "bool",
  UINT8: "u8",
  UINT16: "u16",
  UINT32: "u32",
  UINT64: "u64",
  INT8: "i8",
  INT16: "i16",
  INT32: "i32",
  INT64: "i64",
  FP16: "f16",
  FP32: "f32",
  FP64: "f64",
} as const satisfies Record<string, Element>;

const EXTERNAL_DATATYPES: readonly string[] = ["FP32", "FP64"];

/** Parameters of a request that options of ours are, or that the binary extension has. */
const PARAMETERS = ["samples", "seed", "first_trial", "bin_width_s", "binary_data_output"] as const;

/** What comes with a body. */
export interface OipHead {
  readonly contentType: string | null;
  readonly headerLength: string | null;
}

/** A request, and how it wants its answer. */
export interface OipRequest {
  readonly request: InferRequest;
  /** to be returned as it came */
  readonly id: string | null;
  /** in the order in which they are answered */
  readonly outputs: readonly { readonly name: OutputName; readonly binary: boolean }[];
}

/** A model's tensors, as its metadata describes them; -1 is any number of trials. */
export function oipModelMetadata(model: ModelDescription, wide: boolean) {
  const { dims } = model;
  const given = { counts_BTN: new Uint8Array(), trials: 0, T: dims.T, N: dims.N, samples: 0 };
  return {
    name: model.id,
    platform: "latentd_lfads",
    // every count fits; the other number types are read too, NaN as a bin that was not observed
    inputs: [{
      name: SPIKES,
      datatype: (model.observation ?? "poisson") === "poisson" ? "UINT16" : "FP32",
      shape: [-1, dims.T, dims.N],
    }, ...(dims.X ? [{ name: EXTERNAL, datatype: "FP32", shape: [-1, dims.T, dims.X] }] : [])],
    outputs: wantedOutputs(model, given).map((name) => ({
      name,
      datatype: wide ? "FP64" : "FP32",
      shape: outputShape(dims, name, -1),
    })),
  };
}

/**
 * Reads a request.
 *
 * @throws {InputError} naming the field, what was wanted and what was found
 */
export function decodeOip(body: Uint8Array, head: OipHead, model: ModelDescription): OipRequest {
  const { json, binary } = split(body, head);
  const value = parseJson(json, ACTION);
  if (!isRecord(value)) {
    throw new InputError(`${ACTION}: expected a JSON object, found ${kindOf(value)}.`);
  }
  const known = ["id", "parameters", "inputs", "outputs", "model_name", "model_version"];
  refuseUnknown(value, known, "the request");
  const { id = null, inputs, outputs, model_name: name = model.id } = value;
  if (id !== null && typeof id !== "string") {
    throw new InputError(`${ACTION}: expected id to be a string, found ${kindOf(id)}.`);
  }
  if (name !== model.id && name !== "") {
    throw new InputError(
      `${ACTION}: expected model_name as in the path, ${JSON.stringify(model.id)}, found ${
        kindOf(name)
      }.`,
    );
  }
  if ((value.model_version ?? "") !== "") {
    throw new InputError(
      `${ACTION}: expected no model_version, as models have none, found ${
        kindOf(value.model_version)
      }.`,
    );
  }
  const parameters = record(value.parameters ?? {}, "parameters");
  refuseUnknown(parameters, PARAMETERS, "parameters");
  const { binary_data_output: allBinary = false, ...others } = parameters;
  const wanted = requestedOutputs(outputs, boolean(allBinary, "parameters.binary_data_output"));
  const options = checkOptions({
    ...others as GivenOptions,
    ...(wanted && { outputs: wanted.map((output) => output.name) }),
  });
  const { spikes, external } = readInputs(inputs, binary, model);
  const request = { ...valuesOf(spikes, external ? { external } : {}), ...options };
  const names = wantedOutputs(model, request);
  return {
    request,
    id,
    outputs: (wanted as OipRequest["outputs"] | null) ??
      names.map((name) => ({ name, binary: allBinary === true })),
  };
}

/** The JSON of a body, and the bytes behind it. */
function split(body: Uint8Array, { contentType, headerLength }: OipHead) {
  if (headerLength === null) {
    const type = contentType === null ? null : parseMediaType(contentType)?.type ?? contentType;
    // Triton's clients name no type for JSON
    if (type === null || type === "application/json") return { json: body, binary: null };
    throw new UnsupportedTypeError(
      `${ACTION}: expected application/json, or the header ${OIP_HEADER_LENGTH} with binary tensors, ` +
        `found Content-Type ${JSON.stringify(type.slice(0, 200))} without it.`,
    );
  }
  const length = /^[0-9]{1,15}$/.test(headerLength.trim()) ? Number(headerLength) : NaN;
  if (!(length <= body.length)) {
    throw new InputError(
      `${ACTION}: expected ${OIP_HEADER_LENGTH} to be a length of at most ${body.length}, that of the ` +
        `body, found ${JSON.stringify(headerLength.slice(0, 80))}.`,
    );
  }
  return { json: body.subarray(0, length), binary: body.subarray(length) };
}

function refuseUnknown(
  value: Record<string, unknown>,
  known: readonly string[],
  where: string,
): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InputError(
    `${ACTION}: expected in ${where} only ${known.join(", ")}, found ${
      JSON.stringify(unknown.slice(0, 80))
    }.`,
  );
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw new InputError(`${ACTION}: expected ${name} to be an object, found ${kindOf(value)}.`);
}

function boolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new InputError(
    `${ACTION}: expected ${name} to be true or false, found ${kindOf(value)}.`,
  );
}

/** Names are checked with the other options; null asks for all. */
function requestedOutputs(outputs: unknown, allBinary: boolean) {
  // Triton's clients send an empty list for all
  if (outputs === undefined || Array.isArray(outputs) && outputs.length === 0) return null;
  if (!Array.isArray(outputs)) {
    throw new InputError(`${ACTION}: expected outputs to be an array, found ${kindOf(outputs)}.`);
  }
  return outputs.map((given, i) => {
    const output = record(given, `outputs[${i}]`);
    refuseUnknown(output, ["name", "parameters"], `outputs[${i}]`);
    const parameters = record(output.parameters ?? {}, `outputs[${i}].parameters`);
    refuseUnknown(parameters, ["binary_data"], `outputs[${i}].parameters`);
    const { binary_data: binary = allBinary } = parameters;
    return {
      name: output.name,
      binary: boolean(binary, `outputs[${i}].parameters.binary_data`),
    };
  });
}

/** A tensor as a request describes it, and its place among the inputs. */
interface Input {
  readonly at: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: keyof typeof DATATYPES;
  readonly size: unknown;
  readonly data: unknown;
}

/** The model's tensors, in any order, each from JSON or from the bytes behind it. */
function readInputs(
  inputs: unknown,
  binary: Uint8Array | null,
  model: ModelDescription,
): { spikes: Shaped; external?: Shaped } {
  const { T, X = 0 } = model.dims;
  const list = Array.isArray(inputs) ? inputs : [];
  const none = X === 0 ? list.findIndex((input) => isRecord(input) && input.name === EXTERNAL) : -1;
  if (none >= 0) {
    throw new InputError(
      `${ACTION}: expected inputs without "${EXTERNAL}", as the model has no external inputs, found it ` +
        `at inputs[${none}].`,
    );
  }
  if (list.length !== (X > 0 ? 2 : 1)) {
    throw new InputError(
      `${ACTION}: expected inputs to be an array of ${
        X > 0
          ? `two tensors, "${SPIKES}" and "${EXTERNAL}" of shape [trials, ${T}, ${X}]`
          : `one tensor, "${SPIKES}"`
      }, found ${kindOf(inputs)}.`,
    );
  }
  const left = [SPIKES, ...(X > 0 ? [EXTERNAL] : [])];
  const found = list.map((input, i) => readHead(input, `inputs[${i}]`, left));
  const spikes = found.find(({ name }) => name === SPIKES)!;
  requireShape(spikes.shape, model);
  const external = found.find(({ name }) => name === EXTERNAL);
  if (external) {
    const { at, shape: [trials, bins, inputs, ...more] } = external;
    const fits = trials === spikes.shape[0] && inputs === X && more.length === 0 &&
      bins >= spikes.shape[1] && bins <= T;
    if (!fits) {
      throw new InputError(
        `${ACTION}: expected ${at}.shape of "${EXTERNAL}" to be [${
          spikes.shape[0]
        }, ${T}, ${X}], found ${show(external.shape)}.`,
      );
    }
  }
  let rest = binary;
  const read = found.map((input, i) => {
    const { shape, datatype, size } = input;
    if (size === undefined) return { shape, data: jsonData(input) };
    const element = DATATYPES[datatype];
    const bytes = shape.reduce((product, n) => product * n, ELEMENT_BYTES[element]);
    const behind = rest?.length ?? 0, last = i === found.length - 1;
    if (size !== bytes || behind < bytes || last && behind > bytes) {
      throw new InputError(
        `${ACTION}: expected ${bytes} bytes for ${input.name} of shape [${shape.join(", ")}] and ` +
          `${datatype}, found a binary_data_size of ${
            kindOf(size)
          } and ${behind} bytes behind the JSON.`,
      );
    }
    const data = decodeElements(rest!.subarray(0, bytes), element, {
      bigEndian: false,
      action: ACTION,
    });
    rest = rest!.subarray(bytes);
    return { shape, data };
  });
  if (rest !== null && rest.length > 0) {
    throw new InputError(
      `${ACTION}: expected ${
        found.at(-1)!.at
      }.parameters.binary_data_size for the ${rest.length} bytes ` +
        `behind the JSON, found none.`,
    );
  }
  const of = (input: Input) => read[found.indexOf(input)];
  return { spikes: of(spikes), ...(external && { external: of(external) }) };
}

/** @param left the names that are wanted yet; the one found is taken out */
function readHead(given: unknown, at: string, left: string[]): Input {
  const input = record(given, at);
  refuseUnknown(input, ["name", "shape", "datatype", "parameters", "data"], at);
  const { name, shape, datatype, data } = input;
  if (typeof name !== "string" || !left.includes(name)) {
    throw new InputError(
      `${ACTION}: expected ${at}.name to be ${left.map((one) => `"${one}"`).join(" or ")}, found ${
        kindOf(name)
      }.`,
    );
  }
  left.splice(left.indexOf(name), 1);
  if (!isLengths(shape)) {
    throw new InputError(`${ACTION}: expected ${at}.shape to be lengths, found ${show(shape)}.`);
  }
  const types = name === EXTERNAL ? EXTERNAL_DATATYPES : Object.keys(DATATYPES);
  if (typeof datatype !== "string" || !types.includes(datatype)) {
    throw new InputError(
      `${ACTION}: expected ${at}.datatype to be one of ${types.join(", ")}, found ${
        kindOf(datatype)
      }.`,
    );
  }
  const parameters = record(input.parameters ?? {}, `${at}.parameters`);
  refuseUnknown(parameters, ["binary_data_size"], `${at}.parameters`);
  const { binary_data_size: size } = parameters;
  if (size !== undefined && data !== undefined) {
    throw new InputError(
      `${ACTION}: expected ${at} to have data or binary_data_size, found both.`,
    );
  }
  return { at, name, shape, datatype: datatype as keyof typeof DATATYPES, size, data };
}

function isLengths(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Flat or nested, row-major. */
function jsonData({ at, name, shape, data }: Input): Float64Array {
  const count = shape.reduce((product, n) => product * n, 1);
  if (!Array.isArray(data)) {
    throw new InputError(
      `${ACTION}: expected ${at}.data to be an array of ${count} numbers, flat or nested, found ${
        kindOf(data)
      }.`,
    );
  }
  if (Array.isArray(data[0])) {
    const nested = nestedArray(data, name);
    if (nested.shape.join() === shape.join()) return nested.read();
    throw new InputError(
      `${ACTION}: expected ${at}.data of shape [${shape.join(", ")}], as its shape says, found [${
        nested.shape.join(", ")
      }].`,
    );
  }
  if (data.length !== count) {
    throw new InputError(
      `${ACTION}: expected ${at}.data to be an array of ${count} numbers for shape [${
        shape.join(", ")
      }], found one of ${data.length}.`,
    );
  }
  const flat = new Float64Array(count);
  for (let i = 0; i < count; i++) flat[i] = numberAt(data[i], [i], name);
  return flat;
}

/** What an answer needs besides its arrays. */
export interface OipFacts {
  readonly model: string;
  readonly samples: number;
  readonly seed: number;
}

/** Writes an answer: JSON, then the tensors that were wanted as bytes, in order. */
export function encodeOip(
  arrays: ReadonlyMap<OutputName, NamedArray>,
  { id, outputs }: Pick<OipRequest, "id" | "outputs">,
  { model, samples, seed }: OipFacts,
): Encoded {
  const tails: Uint8Array[] = [];
  const text = outputs.filter(({ binary }) => !binary).map(({ name }) => arrays.get(name)!);
  requireText(text, `"binary_data": true can hold it`);
  const described = outputs.map(({ name, binary }) => {
    const { shape, data } = arrays.get(name)!;
    const head = `{"name":${JSON.stringify(name)},"shape":${JSON.stringify(shape)},"datatype":"${
      data instanceof Float64Array ? "FP64" : "FP32"
    }"`;
    if (binary) {
      tails.push(littleEndian(data));
      return `${head},"parameters":{"binary_data_size":${data.byteLength}}}`;
    }
    requireFinite(name, data, `"binary_data": true can hold it`);
    return `${head},"data":[${data.join(",")}]}`;
  });
  const json = new TextEncoder().encode(
    `{"model_name":${JSON.stringify(model)},${id === null ? "" : `"id":${JSON.stringify(id)},`}` +
      `"parameters":{"samples":${samples},"seed":${seed}},"outputs":[${described.join(",")}]}`,
  );
  if (tails.length === 0) {
    return { body: json, headers: { "content-type": "application/json" } };
  }
  const body = new Uint8Array(tails.reduce((sum, { length }) => sum + length, json.length));
  body.set(json);
  let at = json.length;
  for (const tail of tails) {
    body.set(tail, at);
    at += tail.length;
  }
  return {
    body,
    headers: {
      "content-type": "application/octet-stream",
      [OIP_HEADER_LENGTH]: String(json.length),
    },
  };
}
