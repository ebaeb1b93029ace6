/** How `shaders/external_input.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/external_input.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";

const WORKGROUP = 256;
/** The most workgroups that any adapter takes; they share what is left. */
const GROUPS = 65_535;

export const external_input: Shader = {
  source,
  uses: [],
  variant: (_, { tile }) => ({
    workgroup: WORKGROUP,
    tile,
    constants: { GROUPS },
    workgroupMemory: 0,
  }),
  groups: ({ T, X, W }, { B }) => Math.min(GROUPS, Math.ceil(T * B * Math.max(X, W) / WORKGROUP)),
  cost: ({ T, X, W }, { B }) => ({
    flops: 2 * T * B * X * W,
    bytes: 4 * (T * B * (2 * X + W) + (X + 1) * W),
  }),
};
