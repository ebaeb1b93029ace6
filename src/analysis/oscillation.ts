/** What an eigenvalue is in time. */
import { type Complex, magnitude } from "./complex.ts";

/** `-dt / ln|λ|`, in the unit of `dt`; see `Mode` in linearise.ts. */
export function timeConstant(value: Complex, dt = 1): number {
  return dt / (0 - Math.log(magnitude(value))); // 0 - 0, so that |λ| = 1 gives Infinity, not -Infinity
}

/** `arg λ / (2π dt)`, per unit of `dt`; see `Mode` in linearise.ts. */
export function frequency(value: Complex, dt = 1): number {
  return Math.atan2(value.im, value.re) / (2 * Math.PI * dt);
}
