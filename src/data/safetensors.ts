/**
 * Safetensors: a JSON header, then the tensors back to back.
 *
 * Format: https://github.com/huggingface/safetensors#format. Reading is as strict as the reference:
 * tensors fill the rest of the file without gaps or overlaps, and no name comes twice.
 */
import { InputError } from "../errors.ts";
import {
  decodeElements,
  type Element,
  ELEMENT_BYTES,
  elementOf,
  encodeElements,
  type NumericArray,
} from "./elements.ts";

const ELEMENTS = {
  F64: "f64",
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  I64: "i64",
  I32: "i32",
  I16: "i16",
  I8: "i8",
  U64: "u64",
  U32: "u32",
  U16: "u16",
  U8: "u8",
  BOOL: "bool",
} as const satisfies Record<string, Element>;

/** A number format, as the file names it. */
export type TensorDtype = keyof typeof ELEMENTS;

/**
 * A tensor in C order. 64-bit integers come as float64 (exact, refused beyond 2^53), F16 and BF16 as
 * float32, BOOL as 0 and 1.
 */
export interface Tensor {
  shape: number[];
  dtype: TensorDtype;
  data: NumericArray;
}

/** The contents of a safetensors file. */
export interface Safetensors {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = "__metadata__";

interface Place {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * A tensor with the dtype of its data.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { tensor } from "latentd";
 *
 * assert.equal(tensor([1, 2], Float32Array.of(3, 4)).dtype, "F32");
 * ```
 */
export function tensor(shape: readonly number[], data: NumericArray): Tensor {
  const element = elementOf(data);
  const dtype = (Object.keys(ELEMENTS) as TensorDtype[]).find((key) => ELEMENTS[key] === element);
  if (dtype === undefined) throw new TypeError(`no safetensors dtype for ${element}`);
  return { shape: [...shape], dtype, data };
}

/**
 * Reads a safetensors file. Both records have no prototype, so any name is safe.
 *
 * @param what names the file in messages
 * @throws InputError where the file departs from the format in any way
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readSafetensors, tensor, writeSafetensors } from "latentd";
 *
 * const bytes = writeSafetensors({ w_FG: tensor([1, 2], Float32Array.of(3, 4)) }, { step: "7" });
 * const { tensors, metadata } = readSafetensors(bytes);
 * assert.deepEqual(tensors.w_FG.data, Float32Array.of(3, 4));
 * assert.equal(metadata.step, "7");
 * ```
 */
export function readSafetensors(
  bytes: Uint8Array,
  what = "the safetensors file",
): Safetensors {
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot read ${what}: expected ${wanted}, found ${found}.`);
  };
  if (bytes.length < 8) fail("a safetensors file (8 bytes of header length first)", "fewer bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length > MAX_HEADER_BYTES) {
    fail(`a header of at most ${MAX_HEADER_BYTES} bytes`, `one of ${length}`);
  }
  if (8 + length > bytes.length) {
    fail(`a header of ${length} bytes`, `${bytes.length - 8} before the end of the file`);
  }
  const payload = bytes.subarray(8 + length);
  const header = parseHeader(bytes.subarray(8, 8 + length), fail);

  const metadata: Record<string, string> = Object.create(null);
  const places: Place[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) {
      if (!isRecord(value)) return fail(`${METADATA} to be an object`, "something else");
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string") {
          return fail("metadata to be strings", `${typeof text} at ${JSON.stringify(key)}`);
        }
        metadata[key] = text;
      }
    } else {
      places.push(readPlace(name, value, fail));
    }
  }

  places.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let next = 0;
  for (const { name, begin, end } of places) {
    if (begin !== next) {
      fail(`${JSON.stringify(name)} to start at ${next}, without gap or overlap`, `${begin}`);
    }
    next = end;
  }
  if (next !== payload.length) fail(`${next} bytes of tensors`, `${payload.length}`);

  const tensors: Record<string, Tensor> = Object.create(null);
  for (const { name, dtype, shape, begin, end } of places) {
    const action = `Cannot read ${JSON.stringify(name)} in ${what}`;
    const options = { bigEndian: false, action };
    const data = decodeElements(payload.subarray(begin, end), ELEMENTS[dtype], options);
    tensors[name] = { shape, dtype, data };
  }
  return { tensors, metadata };
}

type Fail = (wanted: string, found: string) => never;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) fail("a header that starts with {", "other bytes");
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    return fail("a header in UTF-8 JSON", "something else");
  }
  const repeated = repeatedKey(text);
  if (repeated !== null) fail("every name once", `${repeated.slice(0, 80)} twice`);
  return isRecord(header) ? header : fail("an object as header", "something else");
}

/** The first key that stands twice in one object of valid JSON; JSON.parse would keep the last. */
function repeatedKey(json: string): string | null {
  const open: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === "{") open.push(new Set());
    else if (character === "}") open.pop();
    else if (character === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      const string = json.slice(start, i + 1);
      let after = i + 1;
      while (/\s/.test(json[after] ?? "")) after++;
      if (json[after] !== ":") continue;
      const key = JSON.parse(string) as string;
      const keys = open[open.length - 1];
      if (keys.has(key)) return string;
      keys.add(key);
    }
  }
  return null;
}

function readPlace(name: string, value: unknown, fail: Fail): Place {
  const quoted = JSON.stringify(name.slice(0, 80));
  if (!isRecord(value)) return fail(`${quoted} to describe a tensor`, "something else");
  const { dtype, shape, data_offsets: offsets, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    return fail(`${quoted} to have dtype, shape, data_offsets`, JSON.stringify(unknown));
  }
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    return fail(
      `${quoted} to have a dtype of ${Object.keys(ELEMENTS).join(" ")}`,
      `${JSON.stringify(dtype)?.slice(0, 80)}`,
    );
  }
  if (!isLengths(shape)) return fail(`${quoted} to have lengths as shape`, "something else");
  if (!isLengths(offsets) || offsets.length !== 2) {
    return fail(`${quoted} to have two data_offsets`, "something else");
  }
  const [begin, end] = offsets;
  const size = shape.reduce((product, n) => product * n, ELEMENT_BYTES[ELEMENTS[dtype]]);
  if (end - begin !== size) {
    return fail(`${size} bytes for ${quoted}, ${dtype} [${shape}]`, `offsets ${begin} to ${end}`);
  }
  return { name, dtype, shape, begin, end };
}

function isDtype(text: string): text is TensorDtype {
  return Object.hasOwn(ELEMENTS, text);
}

function isLengths(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/**
 * Writes a safetensors file, wide formats first and then by name, so that every tensor is aligned to
 * its element size and the same tensors give the same bytes.
 *
 * @throws InputError where shape and data disagree, the dtype cannot hold a value, or a tensor is named
 *   `__metadata__`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { tensor, writeSafetensors } from "latentd";
 *
 * const w = tensor([2], Float32Array.of(1, 2)), b = tensor([1], Float64Array.of(3));
 * assert.deepEqual(writeSafetensors({ w, b }), writeSafetensors({ b, w }));
 * ```
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
  what = "the safetensors file",
): Uint8Array {
  const sizeOf = (name: string) => ELEMENT_BYTES[ELEMENTS[tensors[name].dtype]];
  const names = Object.keys(tensors).sort((a, b) =>
    sizeOf(b) - sizeOf(a) || (a < b ? -1 : a > b ? 1 : 0)
  );
  const header: Record<string, unknown> = Object.create(null);
  const pieces: Uint8Array[] = [];
  if (Object.keys(metadata).length > 0) header[METADATA] = metadata;
  let begin = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors[name];
    const action = `Cannot write ${JSON.stringify(name)} in ${what}`;
    if (name === METADATA) {
      throw new InputError(`${action}: expected another name, found the one kept for metadata.`);
    }
    const count = shape.reduce((product, n) => product * n, 1);
    if (!isLengths(shape) || count !== data.length) {
      throw new InputError(
        `${action}: expected ${count} elements for shape [${shape}], found ${data.length}.`,
      );
    }
    const piece = encodeElements(data, ELEMENTS[dtype], { bigEndian: false, action });
    header[name] = { dtype, shape, data_offsets: [begin, begin + piece.length] };
    pieces.push(piece);
    begin += piece.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + begin).fill(0x20, 0, 8 + headerLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, headerLength, true);
  view.setUint32(4, 0, true);
  bytes.set(text, 8);
  let at = 8 + headerLength;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
