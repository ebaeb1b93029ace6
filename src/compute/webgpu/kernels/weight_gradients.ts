/** Under construction. */
import type { GradientJob, Ref } from "../../recording.ts";
import type { Shader } from "../kernel.ts";

export const weight_gradients: Shader = {
  source: "fn weight_gradients_run(group: vec3<u32>, lane: u32) {}",
  uses: [],
  variant: (_, { tile }) => ({ workgroup: 64, tile, constants: {}, workgroupMemory: 0 }),
  groups: (_numbers, _s, _variant, entries) => entries,
  cost: () => ({ flops: 0, bytes: 0 }),
};

/**
 * The table that `weight_gradients` reads, and into how many partial sums the rows are split.
 *
 * @param start where a buffer's part starts among the real numbers
 * @param out where the gradients' buffer starts; partial sums stand at the same offsets
 */
export function gradientTable(
  jobs: readonly GradientJob[],
  start: (ref: Ref) => number,
  out: number,
): { readonly table: readonly number[]; readonly entries: number; readonly splits: number } {
  return { table: jobs.map(({ d }) => start(d) - out), entries: 0, splits: 1 };
}
