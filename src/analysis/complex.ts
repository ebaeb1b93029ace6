/** Complex numbers, as far as eigenvalues need them. */

/** A complex number. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** A complex vector of n numbers. */
export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** `|z|`. */
export function magnitude(z: Complex): number {
  return Math.hypot(z.re, z.im);
}

export function times(a: Complex, b: Complex): Complex {
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re };
}

/** `a / b`, scaled so that `|b|²` neither over- nor underflows. */
export function divide(a: Complex, b: Complex): Complex {
  const size = Math.max(Math.abs(b.re), Math.abs(b.im));
  const re = b.re / size, im = b.im / size;
  const squared = (re * re + im * im) * size;
  return { re: (a.re * re + a.im * im) / squared, im: (a.im * re - a.re * im) / squared };
}

/** `√Σ x²`: of a vector its length, of a matrix its Frobenius norm. */
export function euclidean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

/** The length of a complex vector. */
export function length(v: ComplexVector): number {
  return Math.hypot(euclidean(v.re), euclidean(v.im));
}

/** A complex multiple of a vector. */
export function scale(v: ComplexVector, by: Complex): ComplexVector {
  return {
    re: v.re.map((x, i) => x * by.re - v.im[i] * by.im),
    im: v.re.map((x, i) => x * by.im + v.im[i] * by.re),
  };
}

/** `0.980 ± 0.200i` for one of a conjugate pair, `0.980` for a real number. */
export function formatComplex(z: Complex): string {
  return z.im === 0 ? z.re.toFixed(3) : `${z.re.toFixed(3)} ± ${Math.abs(z.im).toFixed(3)}i`;
}
