/** Arrays whose first dimension is trials, put together from several or in another order. */
import type { NumericArray } from "../elements.ts";
import type { ShapedArray } from "../validate.ts";

/** Two arrays of the same type in an array that holds both kinds of numbers. */
function roomFor(a: NumericArray, b: NumericArray): NumericArray {
  const length = a.length + b.length;
  if (a.constructor === b.constructor) {
    return new (a.constructor as new (length: number) => NumericArray)(length);
  }
  return new Float64Array(length);
}

/** First the rows of `a`, then those of `b`; their other dimensions agree. */
export function concatenated(a: ShapedArray, b: ShapedArray): ShapedArray {
  const data = roomFor(a.data, b.data);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { shape: [a.shape[0] + b.shape[0], ...a.shape.slice(1)], data };
}

/** Row `i` becomes row `places[i]`. */
export function placed({ shape, data }: ShapedArray, places: ArrayLike<number>): ShapedArray {
  const row = data.length / shape[0];
  const out: NumericArray = data.slice();
  for (let i = 0; i < shape[0]; i++) {
    out.set(data.subarray(i * row, (i + 1) * row), places[i] * row);
  }
  return { shape, data: out };
}

/** The first `T` bins and `N` columns of [trials, bins, columns]. */
export function corner({ shape, data }: ShapedArray, T: number, N: number): ShapedArray {
  const [trials, bins, columns] = shape;
  if (bins === T && columns === N) return { shape, data };
  const out = data.slice(0, trials * T * N);
  for (let b = 0, at = 0; b < trials; b++) {
    for (let t = 0; t < T; t++, at += N) {
      const from = (b * bins + t) * columns;
      out.set(data.subarray(from, from + N), at);
    }
  }
  return { shape: [trials, T, N], data: out };
}

/** Labels as whole numbers from 0, in the order of their names. */
export function labels(values: readonly string[]): { condition: ShapedArray; names: string[] } {
  const names = [...new Set(values)].sort();
  const codes = new Map(names.map((name, code) => [name, code]));
  const data = Int32Array.from(values, (value) => codes.get(value) ?? 0);
  return { condition: { shape: [values.length], data }, names };
}
