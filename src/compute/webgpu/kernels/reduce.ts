/** How `shaders/reduce.wgsl`, `finish.wgsl` and `fold.wgsl` are specialised and dispatched. */
import finishSource from "../../../../shaders/finish.wgsl" with { type: "text" };
import foldSource from "../../../../shaders/fold.wgsl" with { type: "text" };
import source from "../../../../shaders/reduce.wgsl" with { type: "text" };
import type { Shader, Variant } from "../kernel.ts";
import type { Capabilities } from "../capabilities.ts";

const WORKGROUP = 256;
/** Parameters of one workgroup: see `partialsLength`. */
const SLICE = 256;

const summing = (_: unknown, { tile }: Capabilities): Variant => ({
  workgroup: WORKGROUP,
  tile,
  constants: { SLICE },
  workgroupMemory: 4 * WORKGROUP,
});

export const reduce: Shader = {
  source,
  uses: ["sum"],
  variant: summing,
  groups: ({ P }) => 1 + Math.ceil(P / SLICE),
  cost: ({ P }) => ({ flops: 7 * P, bytes: 4 * 4 * P }),
};

export const finish: Shader = {
  source: finishSource,
  uses: ["sum"],
  variant: summing,
  groups: () => 1,
  cost: ({ P }, { B, S }) => ({ flops: 3 * B * S + 2 * P / SLICE, bytes: 4 * 3 * B * S }),
};

export const fold: Shader = {
  source: foldSource,
  uses: ["sum"],
  variant: summing,
  groups: ({ P }) => Math.ceil(P / WORKGROUP),
  cost: ({ P }) => ({ flops: 0, bytes: 4 * P }),
};
