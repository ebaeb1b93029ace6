/** Fixed points in a report's terms. */
import { magnitude } from "../analysis/complex.ts";
import type { FixedPoint } from "../analysis/fixed_points.ts";
import { frequency } from "../analysis/oscillation.ts";
import type { EigenvalueView, FixedPointView } from "../report/data.ts";

function eigenvalueView(
  value: { re: number; im: number },
  binWidth: number | null,
  timeConstant: number,
): EigenvalueView {
  const angle = Math.atan2(value.im, value.re);
  const hz = binWidth === null ? null : frequency(value, binWidth);
  return { re: value.re, im: value.im, modulus: magnitude(value), angle, hz, timeConstant };
}

/**
 * A fixed point in a report's terms; the same shape is the command line's JSON.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   cellFromReference,
 *   createReferenceExecutor,
 *   findFixedPoints,
 *   fixedPointView,
 * } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.9, -0.2], [0.2, 0.9]], wB: [[], []], wb: [0, 0] });
 * const executor = createReferenceExecutor();
 * const { points } = await findFixedPoints(executor, cell, Float64Array.of(0, 0), []);
 * const view = fixedPointView(points[0], 0.02);
 * assert.equal(view.class, "stable focus");
 * assert.equal(view.eigenvalues[0].modulus, Math.hypot(0.9, 0.2));
 * ```
 */
export function fixedPointView(point: FixedPoint, binWidth: number | null): FixedPointView {
  return {
    point: Array.from(point.point_G),
    q: point.q,
    class: point.linearisation.classification.name,
    eigenvalues: point.linearisation.modes.map((mode) =>
      eigenvalueView(mode.value, binWidth, mode.timeConstant)
    ),
  };
}
