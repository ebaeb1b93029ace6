/** How `shaders/encoder_input.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/encoder_input.wgsl" with { type: "text" };
import { gemmGroups, gemmVariant } from "../gemm.ts";
import { ELEMENT_CODES } from "../../kernels.ts";
import type { Shader } from "../kernel.ts";
import { elementBytes } from "./elements.ts";

export const encoder_input: Shader = {
  source,
  uses: ["math", "random", "gemm", "masks"],
  variant: ({ N, element, gaps }, { tile }) => {
    const { constants, ...variant } = gemmVariant(N);
    const own = {
      ENCODER_INPUT_REALS: element === ELEMENT_CODES.real ? 1 : 0,
      ENCODER_INPUT_GAPS: gaps ? 1 : 0,
    };
    return { tile, ...variant, constants: { ...constants, ...own } };
  },
  groups: ({ T, N, E }, { B }) => gemmGroups(T * B, 6 * E, N),
  cost: ({ T, N, E, element }, { B }) => ({
    flops: 2 * T * B * N * 6 * E,
    bytes: T * B * N * elementBytes(element) + 4 * (T * B * N + (N + 1) * 6 * E + T * B * 6 * E),
  }),
};
