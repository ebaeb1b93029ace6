/** How `shaders/adam.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/adam.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";

const WORKGROUP = 256;

export const adam: Shader = {
  source,
  uses: ["math", "sum"],
  variant: ({ sums }, { tile }) => ({
    workgroup: WORKGROUP,
    tile,
    constants: { ADAM_SUMS: sums ? 1 : 0 },
    workgroupMemory: 4 * WORKGROUP,
  }),
  groups: ({ P }) => Math.ceil(P / WORKGROUP),
  cost: ({ P }) => ({ flops: 16 * P, bytes: 4 * 7 * P }),
};
