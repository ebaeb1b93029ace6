/** Directional derivatives by central differences, with a bound on their own error. */

/** A derivative, and how far it may be from the true one. */
export interface Difference {
  readonly value: number;
  /** what the step size leaves out */
  readonly truncation: number;
  /** what float64 adds */
  readonly rounding: number;
  /** the sum of both: no correct gradient is farther from `value` */
  readonly bound: number;
}

/**
 * The derivative at 0 of `f(s)`, a smooth function of a real number, from central differences
 * `D(h) = (f(h) - f(-h)) / 2h` at three step sizes, extrapolated twice (Richardson; Romberg's scheme):
 *
 *     D(h) = f' + a h² + b h⁴ + …      R(h) = (4 D(h) - D(2h)) / 3      Q = (16 R(h) - R(2h)) / 15
 *
 * Two errors bound the result, and neither looks at the gradient under test.
 *
 * - Truncation: while the series converges, `|R(h) - R(2h)|` is 15 times the h⁴ term of R(h), of which Q
 *   leaves only the h⁶ term. It converges when halving the step divides the change of D by about 4; less
 *   than 2 makes the bound infinite.
 * - Rounding: values of `f` err by at most `rounding`, which D(h) divides by h, so Q errs by less than
 *   `(64 / h + 20 / 2h + 1 / 4h) / 45 * rounding < 1.7 rounding / h`.
 *
 * @param rounding how far a value of `f` may be from exact arithmetic
 * @param h in units of `s`
 */
async function derivative(
  f: (s: number) => Promise<number>,
  rounding: number,
  h: number,
): Promise<Difference> {
  const central = async (h: number) => (await f(h) - await f(-h)) / (2 * h);
  const d1 = await central(h), d2 = await central(2 * h), d4 = await central(4 * h);
  const r1 = (4 * d1 - d2) / 3, r2 = (4 * d2 - d4) / 3;
  const value = (16 * r1 - r2) / 15;
  // each D errs by up to rounding / h
  const converges = Math.abs(d1 - d2) <= Math.abs(d2 - d4) / 2 + 3 * rounding / h;
  const truncation = converges ? Math.abs(r1 - r2) : Infinity;
  const errors = { truncation, rounding: 1.7 * rounding / h };
  return { value, ...errors, bound: errors.truncation + errors.rounding };
}

/** Step sizes to try. Smaller ones meet fewer kinks and cut truncation, but magnify rounding. */
const STEPS = [2 ** -7, 2 ** -10, 2 ** -13, 2 ** -16];

/**
 * The derivative at 0 of `f(s)` by the step size with the smallest bound; null where a kink is too close
 * to take one.
 *
 * @param f null where it is not the same smooth function as at 0: a kink lies between
 * @param rounding as for `derivative`
 * @param unit how far a step of 1 should reach, in units of `s`
 */
export async function smoothDerivative(
  f: (s: number) => number | null | Promise<number | null>,
  rounding: number,
  unit = 1,
): Promise<Difference | null> {
  let best: Difference | null = null;
  for (const step of STEPS) {
    let smooth = true;
    const found = await derivative(
      async (s) => {
        const value = await f(s);
        if (value === null) smooth = false;
        return value ?? 0;
      },
      rounding,
      step * unit,
    );
    if (!smooth) continue;
    if (!best || found.bound < best.bound) best = found;
    // a smaller step would only add rounding
    if (found.truncation <= found.rounding) break;
  }
  return best;
}
