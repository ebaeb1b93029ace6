/**
 * The number formats that array files hold, between bytes and typed arrays.
 *
 * 64-bit integers become float64 (exact up to 2^53, refused beyond), both 16-bit floats become float32
 * (exact), booleans become 0 and 1. Everything else keeps its type.
 */
import { InputError } from "../errors.ts";

/** A typed array of plain numbers. */
export type NumericArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** Bytes of one element of each format. */
export const ELEMENT_BYTES = {
  bool: 1,
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  f16: 2,
  bf16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
} as const;

/** A number format. */
export type Element = keyof typeof ELEMENT_BYTES;

const HOST_IS_BIG_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

/** The format that holds a typed array as it is. */
export function elementOf(data: NumericArray): Element {
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Uint32Array) return "u32";
  if (data instanceof Int16Array) return "i16";
  if (data instanceof Uint16Array) return "u16";
  if (data instanceof Int8Array) return "i8";
  return "u8";
}

/** Reverses the bytes of every element, in place. */
function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    for (let i = start, j = start + size - 1; i < j; i++, j--) {
      const byte = bytes[i];
      bytes[i] = bytes[j];
      bytes[j] = byte;
    }
  }
}

/** How bytes are to be read or written. */
export interface ElementOptions {
  readonly bigEndian: boolean;
  /** The action, for messages: `Cannot read spikes`. */
  readonly action: string;
}

/**
 * Numbers from bytes. The result never shares memory with `bytes`.
 *
 * @param bytes a whole number of elements
 * @throws InputError for 64-bit integers beyond ±(2^53 - 1) and for booleans that are neither 0 nor 1
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const options = { bigEndian: false, action: "Cannot read x" };
 * assert.deepEqual(decodeElements(Uint8Array.of(1, 2), "u16", options), Uint16Array.of(0x0201));
 * ```
 */
export function decodeElements(
  bytes: Uint8Array,
  element: Element,
  { bigEndian, action }: ElementOptions,
): NumericArray {
  const size = ELEMENT_BYTES[element];
  const copy = new Uint8Array(bytes);
  if (size > 1 && bigEndian !== HOST_IS_BIG_ENDIAN) swapBytes(copy, size);
  const { buffer } = copy;
  switch (element) {
    case "f64":
      return new Float64Array(buffer);
    case "f32":
      return new Float32Array(buffer);
    case "i32":
      return new Int32Array(buffer);
    case "u32":
      return new Uint32Array(buffer);
    case "i16":
      return new Int16Array(buffer);
    case "u16":
      return new Uint16Array(buffer);
    case "i8":
      return new Int8Array(buffer);
    case "u8":
      return copy;
    case "bool": {
      const at = copy.findIndex((value) => value > 1);
      if (at >= 0) {
        throw new InputError(
          `${action}: expected booleans stored as 0 or 1, found ${copy[at]} at element ${at}.`,
        );
      }
      return copy;
    }
    case "f16": {
      const view = new DataView(buffer);
      const out = new Float32Array(copy.length / 2);
      for (let i = 0; i < out.length; i++) out[i] = view.getFloat16(2 * i, !HOST_IS_BIG_ENDIAN);
      return out;
    }
    case "bf16":
      // bfloat16 is the upper half of a float32
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (b) => b << 16).buffer);
    case "i64":
    case "u64":
      return decodeWide(buffer, element, action);
  }
}

function decodeWide(buffer: ArrayBuffer, element: "i64" | "u64", action: string): Float64Array {
  const lows = new Uint32Array(buffer);
  const highs = element === "i64" ? new Int32Array(buffer) : lows;
  const [low, high] = HOST_IS_BIG_ENDIAN ? [1, 0] : [0, 1];
  const out = new Float64Array(lows.length / 2);
  for (let i = 0; i < out.length; i++) {
    out[i] = highs[2 * i + high] * 2 ** 32 + lows[2 * i + low];
    if (!Number.isSafeInteger(out[i])) {
      throw new InputError(
        `${action}: expected 64-bit integers of at most 2^53 - 1 in size, found ${
          out[i]
        } at element ${i}.`,
      );
    }
  }
  return out;
}

/**
 * Bytes from numbers. Floats round to the nearest; nothing else may change a value.
 *
 * @throws InputError where the format cannot hold a value: a fraction or a number out of range in an
 *   integer format, a finite number that would become infinite in a float format
 */
export function encodeElements(
  data: NumericArray,
  element: Element,
  { bigEndian, action }: ElementOptions,
): Uint8Array {
  const size = ELEMENT_BYTES[element];
  const bytes = nativeBytes(data, element, action);
  if (size > 1 && bigEndian !== HOST_IS_BIG_ENDIAN) swapBytes(bytes, size);
  return bytes;
}

function nativeBytes(data: NumericArray, element: Element, action: string): Uint8Array {
  if (elementOf(data) === element) {
    return new Uint8Array(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const n = data.length;
  const bytes = new Uint8Array(n * ELEMENT_BYTES[element]);
  const view = new DataView(bytes.buffer);
  const write = writer(view, element);
  for (let i = 0; i < n; i++) {
    if (!write(i, data[i])) {
      throw new InputError(
        `${action}: expected numbers that ${element} can hold, found ${data[i]} at element ${i}.`,
      );
    }
  }
  return bytes;
}

/** Writes element `i`; false where the format cannot hold the value. */
type Write = (i: number, value: number) => boolean;

function writer(view: DataView, element: Element): Write {
  const little = !HOST_IS_BIG_ENDIAN;
  const stayedFinite = (value: number, stored: number) =>
    Number.isFinite(stored) || !Number.isFinite(value);
  const integer = (
    size: number,
    least: number,
    most: number,
    set: (at: number, value: number) => void,
  ): Write =>
  (i, value) => {
    if (!Number.isInteger(value) || value < least || value > most) return false;
    set(size * i, value);
    return true;
  };
  const wide = (at: number, value: number) => {
    const high = Math.floor(value / 2 ** 32);
    view.setUint32(at + (little ? 4 : 0), high, little);
    view.setUint32(at + (little ? 0 : 4), value - high * 2 ** 32, little);
  };
  switch (element) {
    case "bool":
      return integer(1, 0, 1, (at, v) => view.setUint8(at, v));
    case "u8":
      return integer(1, 0, 255, (at, v) => view.setUint8(at, v));
    case "i8":
      return integer(1, -128, 127, (at, v) => view.setInt8(at, v));
    case "u16":
      return integer(2, 0, 65535, (at, v) => view.setUint16(at, v, little));
    case "i16":
      return integer(2, -32768, 32767, (at, v) => view.setInt16(at, v, little));
    case "u32":
      return integer(4, 0, 2 ** 32 - 1, (at, v) => view.setUint32(at, v, little));
    case "i32":
      return integer(4, -(2 ** 31), 2 ** 31 - 1, (at, v) => view.setInt32(at, v, little));
    case "u64":
      return integer(8, 0, Number.MAX_SAFE_INTEGER, wide);
    case "i64":
      return integer(8, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, wide);
    case "f64":
      return (i, value) => (view.setFloat64(8 * i, value, little), true);
    case "f32":
      return (i, value) => {
        view.setFloat32(4 * i, value, little);
        return stayedFinite(value, view.getFloat32(4 * i, little));
      };
    case "f16":
      return (i, value) => {
        view.setFloat16(2 * i, value, little);
        return stayedFinite(value, view.getFloat16(2 * i, little));
      };
    case "bf16": {
      const scratch = new DataView(new ArrayBuffer(4));
      return (i, value) => {
        scratch.setFloat32(0, value);
        const bits = scratch.getUint32(0);
        // half of the last kept bit, less one where that bit is even: ties go to even
        const rounded = Number.isNaN(value) ? bits : bits + 0x7fff + ((bits >>> 16) & 1);
        view.setUint16(2 * i, rounded >>> 16, little);
        scratch.setUint32(0, rounded & 0xffff0000);
        return stayedFinite(value, scratch.getFloat32(0));
      };
    }
  }
}
