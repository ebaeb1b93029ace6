/** NumPy's .npy, as far as the server writes it: little-endian, C order. */

export type Numbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** An array; `data` is row-major. */
export interface Nd {
  readonly shape: readonly number[];
  readonly data: Numbers;
}

type Make = (buffer: ArrayBuffer) => Numbers;
const ELEMENTS: Readonly<Record<string, Make>> = {
  "|u1": (buffer) => new Uint8Array(buffer),
  "|b1": (buffer) => new Uint8Array(buffer),
  "|i1": (buffer) => new Int8Array(buffer),
  "<u2": (buffer) => new Uint16Array(buffer),
  "<i2": (buffer) => new Int16Array(buffer),
  "<u4": (buffer) => new Uint32Array(buffer),
  "<i4": (buffer) => new Int32Array(buffer),
  "<f4": (buffer) => new Float32Array(buffer),
  "<f8": (buffer) => new Float64Array(buffer),
  "<i8": (buffer) => Float64Array.from(new BigInt64Array(buffer), Number),
  "<u8": (buffer) => Float64Array.from(new BigUint64Array(buffer), Number),
};

/** The header alone: what an array is, without its numbers. */
export function readHeader(bytes: Uint8Array): { descr: string; shape: number[]; offset: number } {
  const magic = String.fromCharCode(...bytes.subarray(1, 6));
  if (bytes[0] !== 0x93 || magic !== "NUMPY") {
    throw new Error("Cannot read the array: expected a .npy file, found something else.");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6] > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const offset = (wide ? 12 : 10) + length;
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, offset));
  const descr = /'descr': *'([^']+)'/.exec(header)?.[1] ?? "";
  const shape = /'shape': *\(([^)]*)\)/.exec(header)?.[1] ?? "";
  if (/'fortran_order': *True/.test(header)) {
    throw new Error("Cannot read the array: expected C order, found Fortran order.");
  }
  const lengths = shape.split(",").map((part) => part.trim()).filter((part) => part !== "");
  return { descr, shape: lengths.map(Number), offset };
}

export function readNpy(bytes: Uint8Array): Nd {
  const { descr, shape, offset } = readHeader(bytes);
  const make = ELEMENTS[descr];
  if (!make) throw new Error(`Cannot read the array: expected numbers, found ${descr}.`);
  // a copy, since numbers must start at a multiple of their size
  return { shape, data: make(bytes.slice(offset).buffer) };
}
