/** How `shaders/controller_input.wgsl` and `controller_input_backward.wgsl` are specialised and dispatched. */
import backwardSource from "../../../../shaders/controller_input_backward.wgsl" with {
  type: "text",
};
import source from "../../../../shaders/controller_input.wgsl" with { type: "text" };
import { GEMM_COLUMNS, gemmGroups, gemmVariant } from "../gemm.ts";
import type { Numbers, Shader, Variant } from "../kernel.ts";

/** A variant for bins that hear of other bins, or for those that hear of themselves. */
function shifted({ T, encoderT, lag }: Numbers, variant: Variant): Variant {
  const CONTROLLER_INPUT_SHIFTED = lag > 0 || encoderT < T ? 1 : 0;
  return { ...variant, constants: { ...variant.constants, CONTROLLER_INPUT_SHIFTED } };
}

export const controller_input: Shader = {
  source,
  uses: ["math", "random", "gemm", "masks"],
  variant: (numbers, { tile }) => shifted(numbers, { tile, ...gemmVariant(2 * numbers.E) }),
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
  variant: (numbers, { tile }) => shifted(numbers, { tile, ...gemmVariant(GEMM_COLUMNS) }),
  groups: ({ E, C, encoderT }, { B }) => gemmGroups(encoderT * B, 2 * E, 3 * C),
  cost: ({ encoderT, E, C }, { B }) => ({
    flops: 2 * encoderT * B * 2 * E * 3 * C,
    bytes: 4 * (encoderT * B * 3 * C + 2 * E * 3 * C + encoderT * B * 2 * E),
  }),
};
