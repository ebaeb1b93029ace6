/**
 * NumPy's .npy files: one array with a header.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (versions 1 to 3).
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

/**
 * An array of numbers in C order: the last index varies fastest.
 *
 * `dtype` is the file's own (`>f8`); `data` is in the byte order of this machine. 64-bit integers come
 * as float64, `f2` as float32, booleans as 0 and 1.
 */
export interface NpyArray {
  shape: number[];
  dtype: string;
  data: NumericArray;
}

/** An array of unicode strings (`<U…`), in C order. */
export interface NpyText {
  shape: number[];
  dtype: string;
  data: string[];
}

/** What a .npy header says. */
export interface NpyHeader {
  readonly version: 1 | 2 | 3;
  /** As written, also where it cannot be read: `|O`. */
  readonly dtype: string;
  readonly fortranOrder: boolean;
  readonly shape: number[];
  /** Where the elements start, in bytes. */
  readonly dataStart: number;
}

/** No header that NumPy reads by itself is longer than 10 000 bytes. */
const MAX_HEADER_BYTES = 65_535;
/** NumPy's own limit. */
const MAX_RANK = 64;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** As many bytes as any accepted header takes. */
export const NPY_HEADER_PREFIX = 12 + MAX_HEADER_BYTES;

/** A file's own text in a message: quoted, on one line, and short. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? text.slice(0, 80) + "…" : text);
}

/**
 * Reads a .npy header; `bytes` may stop anywhere after it.
 *
 * @param what names the array in messages
 * @throws InputError where the header is not exactly what the format asks for
 */
export function parseNpyHeader(bytes: Uint8Array, what = "the .npy array"): NpyHeader {
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot read ${what}: expected ${wanted}, found ${found}.`);
  };
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    fail("a .npy array (it starts with \\x93NUMPY)", `${bytes.length} bytes that start otherwise`);
  }
  const version = bytes[6];
  if (version !== 1 && version !== 2 && version !== 3 || bytes[7] !== 0) {
    return fail("format version 1.0, 2.0 or 3.0", `${bytes[6] ?? "nothing"}.${bytes[7] ?? ""}`);
  }
  const textStart = version === 1 ? 10 : 12;
  if (bytes.length < textStart) fail("a header length", "the end of the file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) {
    fail(`a header of at most ${MAX_HEADER_BYTES} bytes`, `one of ${length}`);
  }
  const dataStart = textStart + length;
  if (bytes.length < dataStart) {
    fail(`a header of ${length} bytes`, `${bytes.length - textStart} before the end of the file`);
  }
  const text = decodeText(bytes.subarray(textStart, dataStart), version === 3 ? "utf-8" : "latin1");
  if (text === null) return fail("a header in UTF-8", "other bytes");
  const fields = parseHeaderText(text);
  if (typeof fields === "string") {
    return fail(
      "a header like {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }",
      `${quote(text.trim())} (${fields})`,
    );
  }
  return { version, ...fields, dataStart };
}

function decodeText(bytes: Uint8Array, encoding: "utf-8" | "latin1"): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

type HeaderFields = Pick<NpyHeader, "dtype" | "fortranOrder" | "shape">;

/**
 * The three fields of a header, or what is wrong with it. The text is a Python dictionary; only the
 * few forms that may stand there are understood, and nothing is evaluated.
 */
function parseHeaderText(text: string): HeaderFields | string {
  let rest = text;
  const take = (pattern: RegExp): string | null => {
    const match = pattern.exec(rest);
    if (!match) return null;
    rest = rest.slice(match[0].length);
    return match[1] ?? match[2] ?? match[0];
  };
  const string = /^\s*(?:'([^'\\]*)'|"([^"\\]*)")/;
  let dtype: string | null = null;
  let fortranOrder: boolean | null = null;
  let shape: number[] | null = null;

  if (!take(/^\s*\{/)) return "no opening brace";
  while (!take(/^\s*\}/)) {
    const key = take(string);
    if (key === null || !take(/^\s*:/)) return "a key and a colon are missing";
    if (key === "descr" && dtype === null) {
      dtype = take(string) ?? takeBrackets();
      if (dtype === null) return "descr is not a string";
    } else if (key === "fortran_order" && fortranOrder === null) {
      const word = take(/^\s*(True|False)\b/);
      if (word === null) return "fortran_order is neither True nor False";
      fortranOrder = word === "True";
    } else if (key === "shape" && shape === null) {
      const inside = take(/^\s*\(([0-9L,\s]*)\)/);
      if (inside === null) return "shape is not a tuple of whole numbers";
      const lengths = parseTuple(inside);
      if (typeof lengths === "string") return lengths;
      shape = lengths;
    } else {
      return `the key ${quote(key)} is unknown or repeated`;
    }
    if (!take(/^\s*,/) && !/^\s*\}/.test(rest)) return "a comma is missing";
  }
  if (rest.trim() !== "") return "text after the closing brace";
  if (dtype === null || fortranOrder === null || shape === null) {
    return "descr, fortran_order or shape is missing";
  }
  return { dtype, fortranOrder, shape };

  /** A structured dtype is a list. It is refused later, by name; here it is only stepped over. */
  function takeBrackets(): string | null {
    if (!/^\s*\[/.test(rest)) return null;
    let depth = 0;
    for (let i = 0; i < rest.length; i++) {
      if (rest[i] === "[") depth++;
      if (rest[i] === "]" && --depth === 0) {
        const list = rest.slice(0, i + 1).trim();
        rest = rest.slice(i + 1);
        return list;
      }
    }
    return null;
  }
}

/** `3, 4` → [3, 4]; `3,` → [3]; nothing → []. Python 2 wrote `3L`. */
function parseTuple(inside: string): number[] | string {
  const text = inside.trim();
  if (text === "") return [];
  if (!text.includes(",")) return "shape is a number, not a tuple";
  const parts = text.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop();
  if (parts.length === 0 || !parts.every((part) => /^[0-9]+L?$/.test(part))) {
    return "shape is not a tuple of whole numbers";
  }
  if (parts.length > MAX_RANK) return `shape has more than ${MAX_RANK} dimensions`;
  const shape = parts.map((part) => Number.parseInt(part, 10));
  // dimensions of 0 must not hide an absurd one
  const size = shape.reduce((product, length) => product * Math.max(length, 1), 1);
  if (size > Number.MAX_SAFE_INTEGER) return "shape has more elements than can be counted";
  return shape;
}

/** How the elements of a dtype are stored. */
type Storage =
  | { readonly element: Element; readonly itemBytes: number; readonly bigEndian: boolean }
  | { readonly element: "text"; readonly itemBytes: number; readonly bigEndian: boolean };

const ELEMENTS: Readonly<Record<string, Element>> = {
  b1: "bool",
  u1: "u8",
  u2: "u16",
  u4: "u32",
  u8: "u64",
  i1: "i8",
  i2: "i16",
  i4: "i32",
  i8: "i64",
  f2: "f16",
  f4: "f32",
  f8: "f64",
};

const REFUSED: Readonly<Record<string, string>> = {
  O: "Python objects, which only Python can unpickle",
  c: "complex numbers",
  f: "a float format other than f2, f4 and f8",
  S: "byte strings",
  V: "raw or structured records",
  M: "dates",
  m: "time differences",
  "[": "structured records",
};

function storageOf(dtype: string, action: string): Storage {
  const [, order, kind, digits] = /^([<>|])([biufU])([0-9]{1,9})$/.exec(dtype) ?? [];
  const bigEndian = order === ">";
  if (kind === "U" && order !== "|") {
    return { element: "text", itemBytes: 4 * Number(digits), bigEndian };
  }
  const element = ELEMENTS[`${kind}${digits}`];
  if (element !== undefined && (order !== "|" || ELEMENT_BYTES[element] === 1)) {
    return { element, itemBytes: ELEMENT_BYTES[element], bigEndian };
  }
  const reason = REFUSED[dtype[0]] ?? REFUSED[dtype[1]];
  throw new InputError(
    `${action}: expected integers, floats, booleans or unicode strings, found dtype ${
      quote(dtype)
    }${reason === undefined ? "" : ` (${reason})`}.`,
  );
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * Reads one .npy file of numbers or strings. The result owns its memory.
 *
 * @param what names the array in messages
 * @throws InputError for anything but exactly one well-formed array of a readable dtype
 */
export function parseNpyAny(bytes: Uint8Array, what = "the .npy array"): NpyArray | NpyText {
  const action = `Cannot read ${what}`;
  const { dtype, shape, fortranOrder, dataStart } = parseNpyHeader(bytes, what);
  const { element, itemBytes, bigEndian } = storageOf(dtype, action);
  const wanted = count(shape) * itemBytes;
  const found = bytes.length - dataStart;
  if (wanted !== found || (itemBytes === 0 && count(shape) > 0)) {
    throw new InputError(
      `${action}: expected ${wanted} bytes for shape [${shape}] of ${dtype}, found ${found}.`,
    );
  }
  const raw = bytes.subarray(dataStart);
  if (element === "text") {
    const data = decodeStrings(raw, itemBytes, bigEndian, action);
    return { shape, dtype, data: fortranOrder ? toCOrder(data, shape, [...data]) : data };
  }
  const data = decodeElements(raw, element, { bigEndian, action });
  return { shape, dtype, data: fortranOrder ? toCOrder(data, shape, data.slice()) : data };
}

/**
 * Reads one .npy file of numbers. The result owns its memory.
 *
 * @param what names the array in messages
 * @throws InputError for anything but exactly one well-formed array of numbers
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const bytes = writeNpy(npyArray([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)));
 * assert.deepEqual(parseNpy(bytes).shape, [2, 3]);
 * ```
 */
export function parseNpy(bytes: Uint8Array, what = "the .npy array"): NpyArray {
  const array = parseNpyAny(bytes, what);
  if (isText(array)) {
    throw new InputError(`Cannot read ${what}: expected numbers, found strings (${array.dtype}).`);
  }
  return array;
}

/** Whether an array holds strings. */
export function isText(array: NpyArray | NpyText): array is NpyText {
  return Array.isArray(array.data);
}

/** Moves elements from Fortran order (first index fastest) in `from` to C order in `to`. */
function toCOrder<A extends { [i: number]: number | string; length: number }>(
  from: A,
  shape: readonly number[],
  to: A,
): A {
  const strides = shape.map((_, axis) => count(shape.slice(0, axis)));
  const index = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < from.length; i++) {
    to[i] = from[at];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return to;
}

/** The inverse of `toCOrder`. */
function toFortranOrder(data: NumericArray, shape: readonly number[]): NumericArray {
  return toCOrder(data, [...shape].reverse(), data.slice());
}

/** Fixed-width UCS-4, padded with NUL. */
function decodeStrings(
  raw: Uint8Array,
  itemBytes: number,
  bigEndian: boolean,
  action: string,
): string[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const strings: string[] = [];
  for (let start = 0; start < raw.length; start += itemBytes) {
    let text = "";
    for (let at = start; at < start + itemBytes; at += 4) {
      const code = view.getUint32(at, !bigEndian);
      if (code > 0x10ffff) {
        throw new InputError(
          `${action}: expected unicode characters, found code ${code} in string ${strings.length}.`,
        );
      }
      text += String.fromCodePoint(code);
    }
    let end = text.length;
    while (end > 0 && text[end - 1] === "\0") end--;
    strings.push(text.slice(0, end));
  }
  return strings;
}

function encodeStrings(
  strings: readonly string[],
  itemBytes: number,
  bigEndian: boolean,
  action: string,
): Uint8Array {
  const bytes = new Uint8Array(strings.length * itemBytes);
  const view = new DataView(bytes.buffer);
  strings.forEach((text, i) => {
    const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    if (codes.length * 4 > itemBytes || codes.at(-1) === 0) {
      throw new InputError(
        `${action}: expected strings of at most ${itemBytes / 4} characters without a NUL at the ` +
          `end, found ${quote(text)} at element ${i}.`,
      );
    }
    codes.forEach((code, j) => view.setUint32(i * itemBytes + 4 * j, code, !bigEndian));
  });
  return bytes;
}

const DTYPES: Readonly<Record<ReturnType<typeof elementOf>, string>> = {
  bool: "|b1",
  u8: "|u1",
  i8: "|i1",
  u16: "<u2",
  i16: "<i2",
  u32: "<u4",
  i32: "<i4",
  u64: "<u8",
  i64: "<i8",
  f16: "<f2",
  bf16: "<V2",
  f32: "<f4",
  f64: "<f8",
};

/**
 * An array with the dtype of its data (little-endian).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { npyArray } from "latentd";
 *
 * const binWidth = npyArray([], Float64Array.of(0.01)); // a scalar
 * assert.deepEqual([binWidth.shape, binWidth.dtype], [[], "<f8"]);
 * ```
 */
export function npyArray(shape: readonly number[], data: NumericArray): NpyArray {
  return { shape: [...shape], dtype: DTYPES[elementOf(data)], data };
}

/** How to write a .npy file. */
export interface NpyWriteOptions {
  /** Default false: C order. */
  readonly fortranOrder?: boolean;
  /** Default 1. */
  readonly version?: 1 | 2 | 3;
  /** Names the array in messages. */
  readonly what?: string;
}

/**
 * Writes one .npy file. `array.dtype` decides the format, so a float64 array can be written as `>i4`
 * if every value fits.
 *
 * @throws InputError where shape and data disagree or the dtype cannot hold a value
 */
export function writeNpy(array: NpyArray | NpyText, options: NpyWriteOptions = {}): Uint8Array {
  const { fortranOrder = false, version = 1, what = "the .npy array" } = options;
  const { shape, dtype, data } = array;
  const action = `Cannot write ${what}`;
  const { element, itemBytes, bigEndian } = storageOf(dtype, action);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new InputError(`${action}: expected lengths of at least 0, found shape [${shape}].`);
  }
  if (count(shape) !== data.length || shape.length > MAX_RANK) {
    throw new InputError(
      `${action}: expected ${count(shape)} elements for shape [${shape}], found ${data.length}.`,
    );
  }
  let payload: Uint8Array;
  if (isText(array)) {
    if (element !== "text" || fortranOrder || itemBytes === 0 && data.length > 0) {
      throw new InputError(
        `${action}: expected a dtype like <U8 in C order for strings, found ${quote(dtype)}.`,
      );
    }
    payload = encodeStrings(array.data, itemBytes, bigEndian, action);
  } else {
    if (element === "text") {
      throw new InputError(`${action}: expected a dtype for numbers, found ${quote(dtype)}.`);
    }
    const ordered = fortranOrder ? toFortranOrder(array.data, shape) : array.data;
    payload = encodeElements(ordered, element, { bigEndian, action });
  }
  const header = headerBytes(dtype, fortranOrder, shape, version);
  const bytes = new Uint8Array(header.length + payload.length);
  bytes.set(header);
  bytes.set(payload, header.length);
  return bytes;
}

/** Padded with spaces, so that the elements start at a multiple of 64 bytes and can be mapped. */
function headerBytes(
  dtype: string,
  fortranOrder: boolean,
  shape: readonly number[],
  version: 1 | 2 | 3,
): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const order = fortranOrder ? "True" : "False";
  const text = `{'descr': '${dtype}', 'fortran_order': ${order}, 'shape': ${tuple}, }`;
  const textStart = version === 1 ? 10 : 12;
  const total = Math.ceil((textStart + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([...MAGIC, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, total - textStart, true);
  else view.setUint32(8, total - textStart, true);
  bytes.set(new TextEncoder().encode(text), textStart);
  bytes[total - 1] = 0x0a;
  return bytes;
}
