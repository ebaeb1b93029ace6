/** How `shaders/fixed_points.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/fixed_points.wgsl" with { type: "text" };
import type { Numbers, Shader } from "../kernel.ts";
import { counted, dotIterations, fittingTile, sweepUnits } from "./sweep.ts";

/** Invocations for cells of so many units (rounded up): each takes two gates of a GRU, or more. */
function workgroupOf(units: number): number {
  return units <= 16 ? 32 : Math.min(units, 256);
}

function shapeOf({ G, cell }: Numbers) {
  const units = sweepUnits(G), workgroup = workgroupOf(units);
  // a unit has half as many sums as gates: halves of them keep all invocations busy
  const parts = units > 16 && units <= 256 ? 2 : 1;
  const passes = Math.ceil(units * parts / (2 * workgroup));
  return { units, workgroup, parts, passes, isGru: cell === 1 };
}

export const fixed_points: Shader = {
  source,
  uses: ["math", "random", "tile", "gru"],
  variant: (numbers, capabilities) => {
    const { units, workgroup, parts, passes, isGru } = shapeOf(numbers);
    const width = isGru ? 3 * units : units, held = isGru ? 5 * units : 2 * units;
    const bytes = (tile: number) => 4 * (width + tile * (held + workgroup));
    const tile = fittingTile("fixed_points", bytes, capabilities);
    return {
      workgroup,
      tile,
      constants: {
        FIXED_POINTS_UNITS: units,
        FIXED_POINTS_WIDTH: width,
        FIXED_POINTS_HELD: held,
        FIXED_POINTS_PARTS: parts,
        FIXED_POINTS_PASSES: passes,
      },
      workgroupMemory: bytes(tile),
    };
  },
  groups: (_, { B }, { tile }) => Math.ceil(B / tile),
  range: (numbers, { iterations }) => {
    const { G } = numbers, { workgroup, parts, passes, isGru } = shapeOf(numbers);
    const sums = (n: number) => counted(passes, 1 + dotIterations(n, parts));
    return {
      steps: iterations,
      iterations: isGru
        ? 1 + counted(Math.ceil(G / workgroup), 1 + dotIterations(G, 1)) + 2 * sums(G) + sums(2 * G)
        : 1 + 2 * sums(G),
    };
  },
  cost: ({ U, G, cell }, { B, iterations }) => {
    const width = cell === 1 ? 3 * G : G;
    return {
      flops: B * iterations * (2 * 2 * width * G + (cell === 1 ? 70 : 40) * G),
      bytes: 4 * (width * (G + U + 1) + U + B * (6 * G + 1)),
    };
  },
};
