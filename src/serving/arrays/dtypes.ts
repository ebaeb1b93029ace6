/** Number formats by the names that NumPy gives them, for raw tensors. */
import type { Element, NumericArray } from "../../data/elements.ts";

const ELEMENTS = {
  bool: "bool",
  uint8: "u8",
  int8: "i8",
  uint16: "u16",
  int16: "i16",
  float16: "f16",
  uint32: "u32",
  int32: "i32",
  float32: "f32",
  uint64: "u64",
  int64: "i64",
  float64: "f64",
} as const satisfies Record<string, Element>;

export type Dtype = keyof typeof ELEMENTS;

export const DTYPES = Object.keys(ELEMENTS) as readonly Dtype[];

/** The number format of a dtype; null for a name that is none. */
export function elementOfDtype(name: string): Element | null {
  return Object.hasOwn(ELEMENTS, name) ? ELEMENTS[name as Dtype] : null;
}

/** The dtype of an answer's data. */
export function dtypeOf(data: NumericArray): Dtype {
  return data instanceof Float64Array ? "float64" : "float32";
}
