/** Right eigenvectors from a real Schur form, by back substitution. */
import type { Complex, ComplexVector } from "./complex.ts";
import { divide, magnitude, times } from "./complex.ts";
import type { RealSchur } from "./schur.ts";

/** A real eigenvalue, or the one of a conjugate pair with the positive imaginary part. */
export interface RightPair {
  readonly value: Complex;
  /** of any length */
  readonly right: ComplexVector;
}

/** Rescales a vector that a defective matrix makes grow, before it can overflow. */
const LARGE = 1e100;

/** The eigenvalues and right vectors of a real Schur form, in the order of its diagonal. */
export function rightPairs(form: RealSchur): RightPair[] {
  const { T_nn, n } = form;
  const pairs: RightPair[] = [];
  for (let k = 0; k < n; k++) {
    const x = { re: new Float64Array(n), im: new Float64Array(n) };
    if (!isBlock(form, k)) {
      const value = { re: T_nn[k * n + k], im: 0 };
      x.re[k] = 1;
      substitute(form, value, x, k - 1);
      pairs.push({ value, right: rotated(form, x) });
    } else {
      const a = T_nn[k * n + k], b = T_nn[k * n + k + 1];
      const c = T_nn[(k + 1) * n + k], d = T_nn[(k + 1) * n + k + 1];
      const half = (a - d) / 2;
      const value = { re: d + half, im: Math.sqrt(-(half * half + b * c)) };
      // (a - λ) b + b (λ - a) = 0
      x.re[k] = b;
      x.re[k + 1] = value.re - a;
      x.im[k + 1] = value.im;
      substitute(form, value, x, k - 1);
      pairs.push({ value, right: rotated(form, x) });
      k++;
    }
  }
  return pairs;
}

/** Whether rows k and k + 1 hold a conjugate pair. */
function isBlock({ T_nn, n }: RealSchur, k: number): boolean {
  return k + 1 < n && T_nn[(k + 1) * n + k] !== 0;
}

/** Solves `(T - value) x = 0` for the components `last … 0`, those behind being given. */
function substitute(form: RealSchur, value: Complex, x: ComplexVector, last: number): void {
  const { T_nn, n, norm } = form;
  const least = Number.EPSILON * (norm || 1); // for pivots that are zero to rounding: repeated eigenvalues
  const t = (i: number, j: number) => T_nn[i * n + j];
  /** `-Σ_{j ≥ from} t_ij x_j` */
  const rest = (i: number, from: number): Complex => {
    let re = 0, im = 0;
    for (let j = from; j < n; j++) {
      re -= t(i, j) * x.re[j];
      im -= t(i, j) * x.im[j];
    }
    return { re, im };
  };
  const put = (i: number, z: Complex) => {
    x.re[i] = z.re;
    x.im[i] = z.im;
    if (magnitude(z) > LARGE) {
      for (let j = i; j < n; j++) {
        x.re[j] /= LARGE;
        x.im[j] /= LARGE;
      }
    }
  };

  for (let i = last; i >= 0; i--) {
    if (i === 0 || !isBlock(form, i - 1)) {
      put(i, divide(rest(i, i + 1), atLeast({ re: t(i, i) - value.re, im: -value.im }, least)));
      continue;
    }
    const [y, z] = solve2(
      [{ re: t(i - 1, i - 1) - value.re, im: -value.im }, { re: t(i - 1, i), im: 0 }],
      rest(i - 1, i + 1),
      [{ re: t(i, i - 1), im: 0 }, { re: t(i, i) - value.re, im: -value.im }],
      rest(i, i + 1),
      least,
    );
    const by = Math.max(magnitude(y), magnitude(z)) > LARGE ? LARGE : 1;
    for (let j = i + 1; j < n; j++) {
      x.re[j] /= by;
      x.im[j] /= by;
    }
    i--;
    [x.re[i], x.im[i]] = [y.re / by, y.im / by];
    [x.re[i + 1], x.im[i + 1]] = [z.re / by, z.im / by];
  }
}

/**
 * Solves `[[a, b], [c, d]] [y, z] = [r, s]` by elimination with row exchange: Cramer's rule would not
 * keep the equations of a nearly singular block.
 */
function solve2(
  first: readonly [Complex, Complex],
  r: Complex,
  second: readonly [Complex, Complex],
  s: Complex,
  least: number,
): [Complex, Complex] {
  if (magnitude(second[0]) > magnitude(first[0])) return solve2(second, s, first, r, least);
  const [a, b] = first, [c, d] = second;
  const ratio = divide(c, a);
  const z = divide(minus(s, times(ratio, r)), atLeast(minus(d, times(ratio, b)), least));
  return [divide(minus(r, times(b, z)), a), z];
}

function minus(a: Complex, b: Complex): Complex {
  return { re: a.re - b.re, im: a.im - b.im };
}

function atLeast(z: Complex, least: number): Complex {
  return magnitude(z) < least ? { re: least, im: 0 } : z;
}

/** `Q x`, with x scaled to a largest component of 1. */
function rotated({ Q_nn, n }: RealSchur, x: ComplexVector): ComplexVector {
  const largest = x.re.reduce((most, re, i) => Math.max(most, Math.hypot(re, x.im[i])), 0);
  const turned = (part: Float64Array) => {
    const out = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) out[i] += Q_nn[i * n + j] * (part[j] / largest);
    }
    return out;
  };
  return { re: turned(x.re), im: turned(x.im) };
}
