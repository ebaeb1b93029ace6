/** How `shaders/decoder.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/decoder.wgsl" with { type: "text" };
import type { Numbers, Shader } from "../kernel.ts";
import {
  DECODING_USES,
  decodingSource,
  decodingVariant,
  generatorColumns,
  layerIterations,
  maskIterations,
} from "./decoding.ts";

/** Multiplications and additions of a row: once, and in each bin. */
function products(n: Numbers): { once: number; bin: number } {
  const { E, I, C, U, G, F } = n;
  const { width } = generatorColumns(n);
  const start = n.wStart_IG ? I * G : 0;
  const inputs = U > 0 ? (F + C) * 3 * C + C * 2 * U + U * width : 0;
  return { once: 2 * E * 2 * I + start, bin: inputs + G * width + G * F };
}

export const decoder: Shader = {
  source: decodingSource(source),
  uses: DECODING_USES,
  variant: (n, capabilities) => {
    const { E, I, C, U, G, F, cell } = n;
    const { gates } = generatorColumns(n);
    const widest = Math.max(2 * I, gates + (U > 0 ? 2 * C : F));
    const inBin = (cell === 1 ? 3 : 2) * G + (U > 0 ? F + 3 * C + 3 * U : 0);
    const behind = Math.max(inBin, G + 2 * E + 2 * I);
    return decodingVariant("decoder", n, { widest, behind }, capabilities);
  },
  groups: (_, { B, S }, { tile }, _entries, how) => {
    if (how === "inTurn" && S !== 1) {
      throw new Error(`Cannot run encoder and decoder in turn: expected 1 sample, found ${S}.`);
    }
    return Math.ceil(B * S / tile);
  },
  range: (n, _s, { workgroup, tile }) => {
    const { T, E, I, C, U, G, F, cell } = n;
    const { gates } = generatorColumns(n);
    const rounds = (columns: number) => Math.ceil(columns / workgroup);
    const normal = 1 + tile * 10;
    const once = rounds(2 * E) * 2 + maskIterations(2 * E, tile, workgroup) +
      layerIterations(2 * I, [2 * E], workgroup) + rounds(I) * normal + 2 * Math.log2(workgroup) +
      (n.wStart_IG ? layerIterations(G, [I], workgroup) : 0) +
      (n.firstFactors ? layerIterations(F, [G], workgroup) : 0) +
      rounds(F) + rounds(C) + rounds(T * U) + rounds(U) * normal;
    const inputs = U === 0 ? layerIterations(gates + F, [G], workgroup) : layerIterations(
      gates + 2 * C,
      [Math.max(G, C), F],
      workgroup,
    ) +
      layerIterations(C, [C, F], workgroup) + layerIterations(2 * U, [C], workgroup) + rounds(U) +
      rounds(gates) * (1 + U);
    const candidate = cell === 1 ? layerIterations(G, [G], workgroup) + rounds(G) * U : 0;
    const drawn = rounds(U) * normal;
    return {
      steps: T,
      iterations: 1 + once + inputs + candidate + drawn + layerIterations(F, [G], workgroup) +
        maskIterations(G, tile, workgroup),
    };
  },
  cost: (n, { B, S }) => {
    const { T, E, I, C, U, G, F, cell } = n;
    const R = B * S;
    const { width } = generatorColumns(n);
    const { once, bin } = products(n);
    const perRow = T * (G + width + (cell === 1 ? G : 0) + F + (U > 0 ? 5 * C + 4 * U : 0)) + G +
      (n.wStart_IG ? 2 : 1) * I;
    const perTrial = 4 * E + 2 * I + (U > 0 ? T * 3 * C : 0) + (n.genInput_TBW ? T * width : 0);
    return {
      // some 20 operations for an activation or a normal
      flops: 2 * (B * once + R * T * bin) + 20 * R * T * (width + 3 * C + 2 * U),
      bytes: 4 * (once + bin + R * perRow + B * perTrial),
    };
  },
};
