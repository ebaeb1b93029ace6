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
    const { I, C, U, G, F } = n;
    const { width } = generatorColumns(n);
    const widest = Math.max(2 * I, U > 0 ? C + F : 0);
    const behind = Math.max(
      G + width + F + (U > 0 ? 4 * C + 2 * U : 0),
      G + 2 * I + (n.wStart_IG ? I : 0),
    );
    return decodingVariant("decoder_backward", n, { widest, behind }, capabilities);
  },
  groups: (_, { B }, { tile }) => Math.ceil(B / tile),
  range: (n, _s, { workgroup, tile }) => {
    const { T, E, I, C, U, G, F, cell } = n;
    const { gates, width } = generatorColumns(n);
    const rounds = (columns: number) => Math.ceil(columns / workgroup);
    const once = 2 * rounds(G) + 2 * rounds(C) + rounds(F) + rounds(T * U) +
      layerIterations(G, [F], workgroup) +
      (U > 0 ? layerIterations(3 * U, [4 * T], workgroup) : 0) +
      rounds(I) + layerIterations(2 * E, [2 * I], workgroup) +
      (n.wStart_IG ? rounds(G) + layerIterations(I, [G], workgroup) : 0) +
      (n.firstFactors ? layerIterations(G, [F], workgroup) : 0) + rounds(F) +
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
    const { T, E, I, C, U, G, F } = n;
    const { width } = generatorColumns(n);
    const start = n.wStart_IG ? I * G : 0;
    const once = 2 * E * 2 * I + start;
    const inputs = U > 0 ? (F + C) * 3 * C + C * 2 * U + U * width : 0;
    const bin = inputs + G * width + G * F;
    // states and gates in, gradients out; the controller's part of the factors' gradient; the inputs'
    // parameters, noise and gradients
    const perRow = T * (G + 2 * width + F + (U > 0 ? F + 7 * C + 6 * U : 0)) + 7 * I + 2 * E + F +
      (n.wStart_IG ? G : 0);
    return {
      flops: 2 * B * (once + T * bin) + 10 * B * T * (width + 3 * C + 4 * U),
      bytes: 4 * (once + bin + B * perRow),
    };
  },
};
