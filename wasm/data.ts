/** The data, however they are stored: whole numbers of one or two bytes, or float32; some may be missing. */
import { put } from "./cells";

/** How an element is stored: `ELEMENT_CODES` of kernels.ts. */
export const U16: i32 = 1;
export const REAL: i32 = 2;

/** What stands for a missing element, as float32: `MISSING` and `MISSING_BELOW` of kernels.ts. */
const MISSING_U8: f32 = 255;
const MISSING_U16: f32 = 65535;
const MISSING_BELOW: f32 = -1e38;

/** log₂ of an element's bytes, which is also its code. */
@inline
export function elementAt(base: usize, index: usize, element: i32): usize {
  return base + (index << element);
}

/** `N` elements as float32. */
export function readElements(dest: usize, from: usize, N: i32, element: i32): void {
  if (element == REAL) {
    memory.copy(dest, from, <usize> N << 2);
  } else if (element == U16) {
    for (let n = 0; n < N; n += 4) {
      put(dest + (<usize> n << 2), widen(v128.load64_zero(from + (<usize> n << 1))), N - n);
    }
  } else {
    for (let n = 0; n < N; n += 4) {
      const shorts = i16x8.extend_low_i8x16_u(v128.load32_zero(from + n));
      put(dest + (<usize> n << 2), widen(shorts), N - n);
    }
  }
}

/** Four u16 as float32. */
@inline
export function widen(shorts: v128): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(shorts));
}

/** All bits of the lanes of which nothing is known. */
@inline
export function missing4(x: v128, element: i32): v128 {
  if (element == REAL) return f32x4.lt(x, f32x4.splat(MISSING_BELOW));
  return f32x4.eq(x, f32x4.splat(element == U16 ? MISSING_U16 : MISSING_U8));
}
