/** How `shaders/decoder_backward.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/decoder_backward.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";
import {
  DECODING_USES,
  decodingSource,
  decodingVariant,
  generatorColumns,
  layerIterations,
  maskIterations,
} from "./decoding.ts";

export const decoder_backward: Shader = {
  source: decodingSource(source),
  uses: DECODING_USES,
  variant: (n, capabilities) => {
    const { C, U, G, F } = n;
    const { width } = generatorColumns(n);
    const widest = Math.max(2 * G, U > 0 ? C + F : 0);
    const behind = Math.max(G + width + F + (U > 0 ? 4 * C + 2 * U : 0), 3 * G);
    return decodingVariant("decoder_backward", n, { widest, behind }, capabilities);
  },
  groups: (_, { B }, { tile }) => Math.ceil(B / tile),
  range: (n, _s, { workgroup, tile }) => {
    const { T, E, C, U, G, F, cell } = n;
    const { gates, width } = generatorColumns(n);
    const rounds = (columns: number) => Math.ceil(columns / workgroup);
    const once = 2 * rounds(G) + 2 * rounds(C) + rounds(F) + rounds(T * U) +
      layerIterations(G, [F], workgroup) +
      (U > 0 ? layerIterations(3 * U, [4 * T], workgroup) : 0) +
      rounds(G) + layerIterations(2 * E, [2 * G], workgroup) +
      maskIterations(2 * E, tile, workgroup);
    const generator = maskIterations(G, tile, workgroup) +
      layerIterations(G, [F], workgroup) + rounds(F) +
      (cell === 1 ? layerIterations(G, [G], workgroup) : 0) +
      layerIterations(U > 0 ? G + U : G, U > 0 ? [width] : [gates, F], workgroup);
    const controller = U === 0
      ? 0
      : layerIterations(C, [2 * U], workgroup) + layerIterations(C, [C], workgroup) +
        layerIterations(C + F, [3 * C], workgroup);
    return { steps: T, iterations: 1 + once + generator + controller };
  },
  cost: (n, { B }) => {
    const { T, E, C, U, G, F } = n;
    const { width } = generatorColumns(n);
    const once = 2 * E * 2 * G;
    const inputs = U > 0 ? (F + C) * 3 * C + C * 2 * U + U * width : 0;
    const bin = inputs + G * width + G * F;
    // states and gates in, gradients out; the controller's part of the factors' gradient; the inputs'
    // parameters, noise and gradients
    const perRow = T * (G + 2 * width + F + (U > 0 ? F + 7 * C + 6 * U : 0)) + 7 * G + 2 * E;
    return {
      flops: 2 * B * (once + T * bin) + 10 * B * T * (width + 3 * C + 4 * U),
      bytes: 4 * (once + bin + B * perRow),
    };
  },
};
