/** How `shaders/prepare.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/prepare.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";

export const prepare: Shader = {
  source,
  uses: ["transposes"],
  variant: (_, { tile }) => ({ workgroup: 256, tile, constants: {}, workgroupMemory: 0 }),
  // the first workgroup and one for each part of a transposed copy: the planner counts them
  groups: (_numbers, _s, _variant, entries) => entries,
  cost: ({ G, F }) => ({ flops: 3 * G * F, bytes: 4 * (2 * G * F + F) }),
};
