/** The order of an array's dimensions. */
import { InputError } from "../../errors.ts";
import type { NumericArray } from "../elements.ts";
import type { ShapedArray } from "../validate.ts";

/**
 * An array with its dimensions in another order.
 *
 * @param order `order[axis]` is the dimension of `array` that becomes `axis`
 */
export function transpose({ shape, data }: ShapedArray, order: readonly number[]): ShapedArray {
  if (order.every((from, axis) => from === axis)) return { shape, data };
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const out = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const moved: NumericArray = data.slice();
  const index = out.map(() => 0);
  let at = 0;
  for (let i = 0; i < moved.length; i++) {
    moved[i] = data[at];
    for (let axis = out.length - 1; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < out[axis]) break;
      at -= steps[axis] * out[axis];
      index[axis] = 0;
    }
  }
  return { shape: out, data: moved };
}

/** All dimensions in the reverse order: what MATLAB's order is to everybody else's. */
export function reversed(array: ShapedArray): ShapedArray {
  return transpose(array, array.shape.map((_, axis) => array.shape.length - 1 - axis));
}

/**
 * Where each of `wanted`'s letters stands in `axes`, for `transpose`.
 *
 * @param axes a user's, in any case: `ntb`
 * @throws InputError where it is no rearrangement of the letters
 */
export function orderOf(axes: string, wanted: "btn" | "tn", action: string): number[] {
  const letters = axes.toLowerCase();
  if ([...letters].sort().join("") !== [...wanted].sort().join("")) {
    throw new InputError(
      `${action}: expected axes to be the letters ${[...wanted].join(", ")} in the file's order ` +
        `(${wanted.includes("b") ? "b trials, " : ""}t bins, n neurons), found ${
          JSON.stringify(axes)
        }.`,
    );
  }
  return [...wanted].map((letter) => letters.indexOf(letter));
}
