/** How `shaders/encoder_input.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/encoder_input.wgsl" with { type: "text" };
import { gemmGroups, gemmVariant } from "../gemm.ts";
import type { Shader } from "../kernel.ts";

export const encoder_input: Shader = {
  source,
  uses: ["math", "random", "gemm", "masks"],
  variant: ({ N }, { tile }) => ({ tile, ...gemmVariant(N) }),
  groups: ({ T, N, E }, { B }) => gemmGroups(T * B, 6 * E, N),
  cost: ({ T, N, E, wide }, { B }) => ({
    flops: 2 * T * B * N * 6 * E,
    bytes: T * B * N * (wide ? 2 : 1) + 4 * (T * B * N + (N + 1) * 6 * E + T * B * 6 * E),
  }),
};
