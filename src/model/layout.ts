/**
 * The parameters: one flat buffer of named slices, each `[in][out]` and aligned to 4 elements. The
 * same offsets serve the gradient and both Adam moments, so that clip, Adam, checkpoints and exports
 * are single loops.
 */
import type { CellKind, Dims, Nonlinearity } from "../dims.ts";

/** What decides the shape of a model. */
export interface Architecture {
  readonly dims: Dims;
  readonly cell: CellKind;
  readonly nonlinearity: Nonlinearity;
}

/** One named slice of the flat parameter buffer. */
export interface Slice {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** All slices of a model, and the length of the flat buffer (padding included). */
export interface Layout {
  readonly slices: readonly Slice[];
  readonly length: number;
  /** @throws {Error} when the model has no such slice */
  slice(name: string): Slice;
}

function shapes(model: Architecture): [name: string, shape: number[]][] {
  const { N, E, C, U, G, F } = model.dims;
  const gates = model.cell === "gru" ? 3 : 1;
  return [
    ["encoder.wInput_ND3E", [N, 2, 3 * E]],
    ["encoder.b_D3E", [2, 3 * E]],
    ["encoder.wGates_DE2E", [2, E, 2 * E]],
    ["encoder.wCandidate_DEE", [2, E, E]],
    ["encoder.h0_DE", [2, E]],
    ["initialCondition.w_2E2G", [2 * E, 2 * G]],
    ["initialCondition.b_2G", [2 * G]],
    ["icPrior.mean_G", [G]],
    ["icPrior.logVar_G", [G]],
    ...(U === 0 ? [] : [
      ["controller.wEncoding_2E3C", [2 * E, 3 * C]],
      ["controller.wFactors_F3C", [F, 3 * C]],
      ["controller.b_3C", [3 * C]],
      ["controller.wGates_C2C", [C, 2 * C]],
      ["controller.wCandidate_CC", [C, C]],
      ["controller.h0_C", [C]],
      ["inputs.w_C2U", [C, 2 * U]],
      ["inputs.b_2U", [2 * U]],
      ["inputPrior.mean_U", [U]],
      ["inputPrior.logTau_U", [U]],
      ["inputPrior.logNoiseVar_U", [U]],
      [gates === 3 ? "generator.wInput_U3G" : "generator.wInput_UG", [U, gates * G]],
    ] satisfies [string, number[]][]),
    ...(gates === 3
      ? [
        ["generator.wGates_G2G", [G, 2 * G]],
        ["generator.wCandidate_GG", [G, G]],
        ["generator.b_3G", [3 * G]],
      ] satisfies [string, number[]][]
      : [
        ["generator.wRecurrent_GG", [G, G]],
        ["generator.b_G", [G]],
      ] satisfies [string, number[]][]),
    // LFADS samples g0, so nothing but the L2 term reads the cell's own first state.
    ["generator.h0_G", [G]],
    ["factors.w_GF", [G, F]],
    ["readout.w_FN", [F, N]],
    ["readout.b_N", [N]],
  ];
}

/**
 * The slices of a model's parameters, in order.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parameterLayout } from "latentd";
 *
 * const dims = { T: 50, N: 100, E: 2, C: 0, U: 0, G: 2, F: 2 };
 * const layout = parameterLayout({ dims, cell: "vanilla", nonlinearity: "tanh" });
 * assert.deepEqual(layout.slice("readout.w_FN").shape, [2, 100]);
 * ```
 */
export function parameterLayout(model: Architecture): Layout {
  const slices: Slice[] = [];
  let offset = 0;
  for (const [name, shape] of shapes(model)) {
    const length = shape.reduce((product, n) => product * n, 1);
    slices.push({ name, shape, offset, length });
    offset += Math.ceil(length / 4) * 4;
  }
  const byName = new Map(slices.map((slice) => [slice.name, slice]));
  return {
    slices,
    length: offset,
    slice(name) {
      const slice = byName.get(name);
      if (!slice) throw new Error(`Cannot find parameters "${name}": this model has none.`);
      return slice;
    },
  };
}

/** The slice in which a flat index lies, for messages such as "NaN in readout.w_FN". */
export function sliceAt(layout: Layout, index: number): Slice | undefined {
  return layout.slices.find((s) => index >= s.offset && index < s.offset + s.length);
}
