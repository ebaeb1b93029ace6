/**
 * The parameters: one flat buffer of named slices, each `[in][out]` and aligned to 4 elements. The
 * same offsets serve the gradient and both Adam moments, so that clip, Adam, checkpoints and exports
 * are single loops.
 */
import { OUTPUTS } from "../compute/kernels.ts";
import type { CellKind, Dims, Nonlinearity, Observation } from "../dims.ts";

/** What decides the shape of a model. What is optional is absent in a plain model. */
export interface Architecture {
  readonly dims: Dims;
  readonly cell: CellKind;
  readonly nonlinearity: Nonlinearity;
  /** what the readout's outputs are parameters of; `poisson` by default */
  readonly observation?: Observation;
  /** the factors that the controller sees in bin 0: those of g0, or zeros by default */
  readonly firstFactors?: "zero" | "generator";
  /** bins by which each direction's encodings reach the controller late; 0 by default */
  readonly controllerLag?: number;
  /** bins, from the first on, that the encoders see; all by default */
  readonly encodedBins?: number;
  /** bins, from the first on, that the initial condition is inferred from; all encoded by default */
  readonly initialConditionBins?: number;
}

/** Every number of a model's shape. */
export interface Shape extends Required<Dims> {
  /** width of the generator's pre-activations */
  readonly W: number;
  /** outputs of the readout for each neuron, and for all */
  readonly K: number;
  readonly Q: number;
  /** g0 is the sample itself, not a linear function of it */
  readonly directStart: boolean;
  /** bins that the encoders see, and that the encoder of the initial condition sees */
  readonly encodedBins: number;
  readonly initialConditionBins: number;
}

/**
 * Every number of a model's shape, with what a plain model leaves out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { shapeOf } from "latentd";
 *
 * const dims = { T: 50, N: 100, E: 2, C: 0, U: 0, G: 4, F: 2 };
 * const { I, W, Q } = shapeOf({ dims, cell: "gru", nonlinearity: "tanh" });
 * assert.deepEqual([I, W, Q], [4, 12, 100]);
 * ```
 */
export function shapeOf(model: Architecture): Shape {
  const { dims, cell, observation = "poisson", encodedBins = dims.T } = model;
  const K = OUTPUTS[observation];
  return {
    ...dims,
    V: dims.V ?? 0,
    X: dims.X ?? 0,
    I: dims.I ?? dims.G,
    W: cell === "gru" ? 3 * dims.G : dims.G,
    K,
    Q: K * dims.N,
    directStart: dims.I === undefined,
    encodedBins,
    initialConditionBins: model.initialConditionBins ?? encodedBins,
  };
}

/** The readout's parameters: log-rates of counts, several outputs for each neuron of anything else. */
export function readoutNames(
  { observation = "poisson" }: Pick<Architecture, "observation">,
): { readonly w: string; readonly b: string } {
  return observation === "poisson"
    ? { w: "readout.w_FN", b: "readout.b_N" }
    : { w: "readout.w_FQ", b: "readout.b_Q" };
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

type Shapes = [name: string, shape: number[]][];

function encoderShapes(name: string, N: number, E: number): Shapes {
  return [
    [`${name}.wInput_ND3E`, [N, 2, 3 * E]],
    [`${name}.b_D3E`, [2, 3 * E]],
    [`${name}.wGates_DE2E`, [2, E, 2 * E]],
    [`${name}.wCandidate_DEE`, [2, E, E]],
    [`${name}.h0_DE`, [2, E]],
  ];
}

function shapes(model: Architecture): Shapes {
  const { N, E, V, C, U, X, I, G, F, Q, directStart } = shapeOf(model);
  const gates = model.cell === "gru" ? 3 : 1;
  const readout = readoutNames(model);
  return [
    ...encoderShapes("encoder", N, E),
    ["initialCondition.w_2E2I", [2 * E, 2 * I]],
    ["initialCondition.b_2I", [2 * I]],
    ["icPrior.mean_I", [I]],
    ["icPrior.logVar_I", [I]],
    ...(directStart ? [] : [
      ["initialState.w_IG", [I, G]],
      ["initialState.b_G", [G]],
    ] satisfies Shapes),
    ...(V === 0 ? [] : encoderShapes("controllerEncoder", N, V)),
    ...(U === 0 ? [] : [
      ["controller.wEncoding_2E3C", [2 * (V || E), 3 * C]],
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
    ] satisfies Shapes),
    ...(X === 0 ? [] : [
      [gates === 3 ? "generator.wExternal_X3G" : "generator.wExternal_XG", [X, gates * G]],
    ] satisfies Shapes),
    ...(gates === 3
      ? [
        ["generator.wGates_G2G", [G, 2 * G]],
        ["generator.wCandidate_GG", [G, G]],
        ["generator.b_3G", [3 * G]],
      ] satisfies Shapes
      : [
        ["generator.wRecurrent_GG", [G, G]],
        ["generator.b_G", [G]],
      ] satisfies Shapes),
    // LFADS samples g0, so nothing but the L2 term reads the cell's own first state.
    ["generator.h0_G", [G]],
    ["factors.w_GF", [G, F]],
    [readout.w, [F, Q]],
    [readout.b, [Q]],
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
