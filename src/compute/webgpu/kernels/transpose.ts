/** How `shaders/transpose.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/transpose.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";

export const transpose: Shader = {
  source,
  uses: ["transposes"],
  variant: (_, { tile }) => ({ workgroup: 256, tile, constants: {}, workgroupMemory: 0 }),
  groups: (_numbers, _s, _variant, entries) => entries,
  cost: () => ({ flops: 0, bytes: 0 }),
};
