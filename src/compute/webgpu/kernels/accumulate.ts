/** How `shaders/accumulate.wgsl` and what completes it, `total.wgsl`, are specialised and dispatched. */
import source from "../../../../shaders/accumulate.wgsl" with { type: "text" };
import totalSource from "../../../../shaders/total.wgsl" with { type: "text" };
import type { Capabilities } from "../capabilities.ts";
import type { Shader, Variant } from "../kernel.ts";

const WORKGROUP = 256;

const summing = (_: unknown, { tile }: Capabilities): Variant => ({
  workgroup: WORKGROUP,
  tile,
  constants: {},
  workgroupMemory: 4 * WORKGROUP,
});

export const accumulate: Shader = {
  source,
  uses: ["sum"],
  variant: summing,
  groups: ({ P }) => Math.ceil(P / WORKGROUP),
  cost: ({ P }) => ({ flops: 4 * P, bytes: 4 * 3 * P }),
};

export const total: Shader = {
  source: totalSource,
  uses: ["sum"],
  variant: summing,
  groups: () => 1,
  cost: ({ P }) => ({ flops: P / WORKGROUP, bytes: 4 * P / WORKGROUP }),
};
