/** How `shaders/controller_input.wgsl` and `controller_input_backward.wgsl` are specialised and dispatched. */
import backwardSource from "../../../../shaders/controller_input_backward.wgsl" with {
  type: "text",
};
import source from "../../../../shaders/controller_input.wgsl" with { type: "text" };
import { GEMM_COLUMNS, gemmGroups, gemmVariant } from "../gemm.ts";
import type { Shader } from "../kernel.ts";

export const controller_input: Shader = {
  source,
  uses: ["math", "random", "gemm", "masks"],
  variant: ({ E }, { tile }) => ({ tile, ...gemmVariant(2 * E) }),
  groups: ({ T, E, C }, { B }) => gemmGroups(T * B, 3 * C, 2 * E),
  cost: ({ T, E, C }, { B }) => ({
    flops: 2 * T * B * 2 * E * 3 * C,
    bytes: 4 * (2 * T * B * 2 * E + (2 * E + 1) * 3 * C + T * B * 3 * C),
  }),
};

export const controller_input_backward: Shader = {
  source: backwardSource,
  uses: ["math", "random", "gemm", "masks"],
  // the masks of one tile of the output
  variant: (_, { tile }) => ({ tile, ...gemmVariant(GEMM_COLUMNS) }),
  groups: ({ T, E, C }, { B }) => gemmGroups(T * B, 2 * E, 3 * C),
  cost: ({ T, E, C }, { B }) => ({
    flops: 2 * T * B * 2 * E * 3 * C,
    bytes: 4 * (T * B * 3 * C + 2 * E * 3 * C + T * B * 2 * E),
  }),
};
