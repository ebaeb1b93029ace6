/** Newton's method on `F(h) - h`, from a slow point to the root beside it, in float64. */
import { LuDecomposition, Matrix } from "ml-matrix";
import { type Cell, jacobian, speed, step } from "./cell.ts";
import { euclidean } from "./complex.ts";

/**
 * How a polish ended:
 * - "root": `F(h) = h` to rounding;
 * - "no root": q has a minimum above zero here, so this is a slow point, left where it was;
 * - "bounded": the way to a root leads farther than the radius, so the point was left where it was;
 * - "off": the radius is 0.
 */
export type PolishOutcome = "root" | "no root" | "bounded" | "off";

/** A polished point. */
export interface Polished {
  readonly point_G: Float64Array;
  readonly q: number;
  readonly polish: PolishOutcome;
  readonly newtonSteps: number;
  /** Euclidean distance from the start */
  readonly moved: number;
}

/** From a slow point Newton needs a handful of steps; beyond a double root, where each step halves the error, 50. */
const MAX_STEPS = 60;
/** The shortest fraction of a Newton step that is tried: 2^-10. */
const HALVINGS = 10;
/** Directions in which `J - I` is this much smaller than in others are left alone where it is singular. */
const NEUTRAL = 1e-6;
/** A root's speed per unit, `√q`, relative to its largest coordinate or 1: a wide margin over rounding. */
const ROOT_SPEED = 1e-12;

/**
 * Polishes a slow point by damped Newton steps: each step solves `(J - I) d = h - F(h)` and is halved
 * until q falls and the point stays within `radius` of its start, the neighbourhood that the caller
 * takes for this point's own. Where `J - I` is singular (a line attractor) d is nearly the
 * shortest solution (Levenberg and Marquardt's), so that the point does not drift along directions in
 * which nothing pushes it. A point that reaches no root
 * is given back as it came.
 *
 * @param h_G the start; not changed
 * @param radius Euclidean, in units of the state
 */
export function polish(
  cell: Cell,
  h_G: Float64Array,
  input_U: ArrayLike<number>,
  radius: number,
): Polished {
  const start = { point_G: h_G.slice(), q: speed(cell, h_G, input_U), newtonSteps: 0, moved: 0 };
  if (radius === 0) return { ...start, polish: "off" };
  let at: Place = start;
  let bounded = false;
  while (rootSpeed(at) > Number.EPSILON && at.newtonSteps < MAX_STEPS) {
    const step_G = newtonStep(cell, at.point_G, input_U, radius);
    const next = descent(cell, input_U, start.point_G, at, step_G, radius);
    if (next === "bounded") bounded = true;
    if (typeof next === "string") break;
    at = next;
  }
  if (rootSpeed(at) <= ROOT_SPEED) return { ...at, polish: "root" };
  return { ...start, newtonSteps: at.newtonSteps, polish: bounded ? "bounded" : "no root" };
}

/** Where a polish is. */
type Place = Omit<Polished, "polish">;

/** `√q` relative to the largest coordinate, or 1. */
function rootSpeed({ point_G, q }: Place): number {
  return Math.sqrt(q) / point_G.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
}

/** The longest of the step and its halves that lowers q within the radius, or why there is none. */
function descent(
  cell: Cell,
  input_U: ArrayLike<number>,
  start_G: Float64Array,
  from: Place,
  step_G: Float64Array,
  radius: number,
): Place | "bounded" | "no root" {
  let outside = false;
  for (let half = 0; half <= HALVINGS; half++) {
    const point_G = from.point_G.map((x, g) => x + step_G[g] / 2 ** half);
    const q = speed(cell, point_G, input_U);
    if (!(q < from.q)) continue;
    const moved = euclidean(point_G.map((x, g) => x - start_G[g]));
    if (moved <= radius) return { point_G, q, newtonSteps: from.newtonSteps + 1, moved };
    outside = true;
  }
  return outside ? "bounded" : "no root";
}

/** Solves `(J - I) d = h - F(h)`. */
function newtonStep(
  cell: Cell,
  h_G: Float64Array,
  input_U: ArrayLike<number>,
  radius: number,
): Float64Array {
  const { G } = cell;
  const system = Matrix.from1DArray(G, G, jacobian(cell, h_G, input_U).dFdh_GG);
  for (let g = 0; g < G; g++) system.set(g, g, system.get(g, g) - 1);
  const target = Matrix.columnVector(step(cell, h_G, input_U).map((x, g) => h_G[g] - x));

  const lu = new LuDecomposition(system);
  if (!lu.isSingular()) {
    const step_G = Float64Array.from(lu.solve(target).to1DArray());
    // A longer step comes from a matrix that is singular but for rounding, or from no root nearby.
    if (euclidean(step_G) <= radius) return step_G;
  }
  const across = system.transpose();
  const regular = across.mmul(system).add(Matrix.eye(G, G, (NEUTRAL * system.norm()) ** 2));
  const damped = new LuDecomposition(regular);
  if (damped.isSingular()) return new Float64Array(G); // J = I: every direction is neutral
  return Float64Array.from(damped.solve(across.mmul(target)).to1DArray());
}
