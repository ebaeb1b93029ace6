/** How many workgroups a stage takes in a run, and where its loop is cut. No GPU is touched here. */
import { InputError } from "../../errors.ts";
import type { Scalars } from "../kernels.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Cost } from "./kernel.ts";
import { SHADERS } from "./kernels/index.ts";
import type { Stage } from "./stages.ts";

/** Workgroups of a stage in x. */
export function stageGroups({ fusion: { how }, variant, parts }: Stage, s: Scalars): number {
  const groups = parts.map(({ kernel, numbers, extras }) =>
    SHADERS[kernel].groups(numbers, s, variant, extras.entries ?? 0, how)
  );
  return how === "sideBySide" ? groups.reduce((a, b) => a + b) : Math.max(...groups);
}

/** Work and traffic of a stage. */
export function stageCost({ parts }: Stage, s: Scalars): Cost {
  const costs = parts.map(({ kernel, numbers }) => SHADERS[kernel].cost(numbers, s));
  const sum = (pick: (cost: Cost) => number) =>
    costs.reduce((total, cost) => total + pick(cost), 0);
  return { flops: sum(({ flops }) => flops), bytes: sum(({ bytes }) => bytes) };
}

/**
 * The parts `[first, end)` of a stage's loop, each its own dispatch: one, unless the adapter ends long
 * loops.
 *
 * @throws {InputError} when even one step of the loop is too long
 */
export function cuts(
  { fusion, variant, parts }: Stage,
  s: Scalars,
  { loopIterations }: Capabilities,
): (readonly [number, number])[] {
  const [{ kernel, numbers }] = parts;
  // the parts of a fused stage are short: the planner has seen to it
  const range = fusion.how === "alone" ? SHADERS[kernel].range?.(numbers, s, variant) : undefined;
  if (!range) return [[0, 0xffffffff]];
  const { steps, iterations } = range;
  const most = Math.floor(loopIterations / iterations);
  if (most < 1) {
    throw new InputError(
      `Cannot run ${kernel} on this adapter: expected at most ${loopIterations} loop iterations in ` +
        `one invocation, which is where its driver ends them, found ${iterations} for one step.`,
    );
  }
  const ranges: (readonly [number, number])[] = [];
  for (let first = 0; first < steps; first += most) {
    ranges.push([first, Math.min(steps, first + most)]);
    if (!Number.isFinite(most)) break;
  }
  return ranges;
}
