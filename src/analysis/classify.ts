/** A name for a fixed point, from the eigenvalues of its Jacobian, in discrete time. */
import { InputError } from "../errors.ts";
import { type Complex, magnitude } from "./complex.ts";

/** The kinds of fixed points that latentd tells apart. */
export type FixedPointClass =
  | "stable node"
  | "stable focus"
  | "unstable node"
  | "unstable focus"
  | "saddle"
  | "saddle-focus"
  | "centre"
  | "marginal";

/** The name, and the counts that it follows from. */
export interface Classification {
  readonly name: FixedPointClass;
  /** modes with `|λ| > 1 + tolerance` */
  readonly growing: number;
  /** modes with `|λ|` within `tolerance` of 1, bounds included */
  readonly neutral: number;
  /** modes with `|λ| < 1 - tolerance` */
  readonly decaying: number;
  readonly tolerance: number;
}

/**
 * A mode that needs more than 1/1e-3 = 1000 bins to grow or shrink by e cannot be told from one that
 * does neither in trials of tens to hundreds of bins.
 */
export const NEUTRAL_TOLERANCE = 1e-3;

/**
 * Names a fixed point of `h' = F(h)` by the eigenvalues of its Jacobian. A mode grows, is neutral or
 * decays (see {@link Classification}), and rotates when its eigenvalue has an imaginary part. After
 * n bins a mode has changed by `|λ|ⁿ`, so on each side the mode of largest magnitude is the one that
 * is seen, and it decides between node and focus:
 *
 * | growing | neutral | decaying | name |
 * | --- | --- | --- | --- |
 * | some | any | some | "saddle-focus" if the largest growing or the largest decaying mode rotates, else "saddle" |
 * | some | any | none | "unstable focus" if the largest mode rotates, else "unstable node" |
 * | none | some | any | "centre" if a neutral mode rotates, else "marginal" (a line attractor, or a bifurcation) |
 * | none | none | all | "stable focus" if the largest mode rotates, else "stable node" |
 *
 * A negative real eigenvalue changes sign in every bin; that counts as a node, as it turns in no plane.
 *
 * @param eigenvalues in any order
 * @throws InputError when there are none, or the tolerance is not in [0, 1)
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { classify } from "latentd";
 *
 * const rotation = [{ re: 0.98, im: 0.2 }, { re: 0.98, im: -0.2 }]; // |λ| = 1.0002
 * assert.equal(classify(rotation).name, "centre");
 * assert.equal(classify([{ re: 1.2, im: 0 }, { re: 0.5, im: 0 }]).name, "saddle");
 * ```
 */
export function classify(
  eigenvalues: readonly Complex[],
  tolerance = NEUTRAL_TOLERANCE,
): Classification {
  if (eigenvalues.length === 0) {
    throw new InputError("Cannot name a fixed point: expected eigenvalues, found none.");
  }
  if (!(tolerance >= 0 && tolerance < 1)) {
    throw new InputError(
      `Cannot name a fixed point: expected a tolerance of at least 0 and below 1, found ${tolerance}.`,
    );
  }
  const growing = eigenvalues.filter((z) => magnitude(z) > 1 + tolerance);
  const decaying = eigenvalues.filter((z) => magnitude(z) < 1 - tolerance);
  const neutral = eigenvalues.filter((z) => !growing.includes(z) && !decaying.includes(z));
  return {
    name: name(growing, neutral, decaying),
    growing: growing.length,
    neutral: neutral.length,
    decaying: decaying.length,
    tolerance,
  };
}

function name(
  growing: readonly Complex[],
  neutral: readonly Complex[],
  decaying: readonly Complex[],
): FixedPointClass {
  if (growing.length > 0 && decaying.length > 0) {
    return rotates(largest(growing)) || rotates(largest(decaying)) ? "saddle-focus" : "saddle";
  }
  if (growing.length > 0) return rotates(largest(growing)) ? "unstable focus" : "unstable node";
  if (neutral.length > 0) return neutral.some(rotates) ? "centre" : "marginal";
  return rotates(largest(decaying)) ? "stable focus" : "stable node";
}

function rotates(z: Complex): boolean {
  return z.im !== 0;
}

function largest(eigenvalues: readonly Complex[]): Complex {
  return eigenvalues.reduce((most, z) => magnitude(z) > magnitude(most) ? z : most);
}
