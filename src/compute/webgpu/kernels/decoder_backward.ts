/** Under construction. */
import type { Shader } from "../kernel.ts";

export const decoder_backward: Shader = {
  source: "fn decoder_backward_run(group: vec3<u32>, lane: u32) {}",
  uses: [],
  variant: (_, { tile }) => ({ workgroup: 64, tile, constants: {}, workgroupMemory: 0 }),
  groups: () => 1,
  range: () => ({ steps: 1, iterations: 1 }),
  cost: () => ({ flops: 0, bytes: 0 }),
};
