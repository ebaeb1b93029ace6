/**
 * The one table between our parameters and those of jax-lfads (`ic_enc.fwd_rnn.wRUHX` …).
 *
 * | jax-lfads, [out][in] | ours, [in][out] |
 * | --- | --- |
 * | `ic_enc.fwd_rnn`, `ic_enc.bwd_rnn`: `wRUHX`, `wCHX`, `bRU`, `bC`, `h0` | `encoder.*`, direction 0, 1 |
 * | `gen_ic.w`, `.b` | `initialCondition.w_2E2I`, `.b_2I` |
 * | `ic_prior.mean`, `.logvar` | `icPrior.mean_I`, `.logVar_G` |
 * | `con.*` (x = [enc ; f]) | `controller.*` |
 * | `con_out.w`, `.b` | `inputs.w_C2U`, `.b_2U` |
 * | `ii_prior.mean`, `.logatau`, `.lognvar` | `inputPrior.mean_U`, `.logTau_U`, `.logNoiseVar_U` |
 * | `gen.wA`, `.wB`, `.wb`, or the GRU's names | `generator.*` |
 * | `factors.w` | `factors.w_GF` |
 * | `logrates.w`, `.b` | `readout.w_FN`, `.b_N` |
 */
import { InputError } from "../errors.ts";
import { type Architecture, type Layout, parameterLayout } from "./layout.ts";

/** Nested dictionaries of nested number arrays, as a golden file holds them. */
export type ReferenceTree = { readonly [name: string]: ReferenceTree | NestedNumbers };
export type NestedNumbers = readonly (number | NestedNumbers)[];

/** Calls `visit` for every number: where it is in a jax-lfads array, and in our flat buffer. */
function eachNumber(
  model: Architecture,
  layout: Layout,
  visit: (reference: string, shape: readonly number[], index: number, ours: number) => void,
): void {
  const { N, E, C, U, G, F } = model.dims;

  /** `rows` of an [out][in] matrix, columns from `firstIn`, to our [in][out] block. */
  const matrix = (
    reference: string,
    [outs, ins]: [number, number],
    { slice, offset = 0, stride, first = 0, firstIn = 0, count = ins }: {
      slice: string;
      offset?: number;
      stride: number;
      first?: number;
      firstIn?: number;
      count?: number;
    },
  ) => {
    const base = layout.slice(slice).offset + offset;
    for (let o = 0; o < outs; o++) {
      for (let i = 0; i < count; i++) {
        visit(
          reference,
          [outs, ins],
          o * ins + firstIn + i,
          base + i * stride + first + o,
        );
      }
    }
  };
  const vector = (reference: string, n: number, slice: string, first = 0) => {
    const base = layout.slice(slice).offset + first;
    for (let i = 0; i < n; i++) visit(reference, [n], i, base + i);
  };
  const gru = (
    name: string,
    n: number,
    inputs: { slice: string; count: number; offset: number; stride: number }[],
    own: { gates: string; candidate: string; b: string; h0: string; direction: number },
  ) => {
    const width = n + inputs.reduce((sum, x) => sum + x.count, 0);
    const d = own.direction;
    const ru: [number, number] = [2 * n, width], c: [number, number] = [n, width];
    const { gates, candidate } = own;
    matrix(`${name}.wRUHX`, ru, {
      slice: gates,
      offset: d * 2 * n * n,
      stride: 2 * n,
      count: n,
    });
    matrix(`${name}.wCHX`, c, { slice: candidate, offset: d * n * n, stride: n, count: n });
    let firstIn = n;
    for (const { slice, count, offset, stride } of inputs) {
      matrix(`${name}.wRUHX`, ru, { slice, offset, stride, firstIn, count });
      matrix(`${name}.wCHX`, c, { slice, offset, stride, first: 2 * n, firstIn, count });
      firstIn += count;
    }
    vector(`${name}.bRU`, 2 * n, own.b, d * 3 * n);
    vector(`${name}.bC`, n, own.b, d * 3 * n + 2 * n);
    vector(`${name}.h0`, n, own.h0, d * n);
  };

  ["ic_enc.fwd_rnn", "ic_enc.bwd_rnn"].forEach((name, direction) =>
    gru(name, E, [
      { slice: "encoder.wInput_ND3E", count: N, offset: direction * 3 * E, stride: 6 * E },
    ], {
      gates: "encoder.wGates_DE2E",
      candidate: "encoder.wCandidate_DEE",
      b: "encoder.b_D3E",
      h0: "encoder.h0_DE",
      direction,
    })
  );
  matrix("gen_ic.w", [2 * G, 2 * E], { slice: "initialCondition.w_2E2I", stride: 2 * G });
  vector("gen_ic.b", 2 * G, "initialCondition.b_2I");
  vector("ic_prior.mean", G, "icPrior.mean_I");
  vector("ic_prior.logvar", G, "icPrior.logVar_I");
  if (U > 0) {
    gru("con", C, [
      { slice: "controller.wEncoding_2E3C", count: 2 * E, offset: 0, stride: 3 * C },
      { slice: "controller.wFactors_F3C", count: F, offset: 0, stride: 3 * C },
    ], {
      gates: "controller.wGates_C2C",
      candidate: "controller.wCandidate_CC",
      b: "controller.b_3C",
      h0: "controller.h0_C",
      direction: 0,
    });
    matrix("con_out.w", [2 * U, C], { slice: "inputs.w_C2U", stride: 2 * U });
    vector("con_out.b", 2 * U, "inputs.b_2U");
    vector("ii_prior.mean", U, "inputPrior.mean_U");
    vector("ii_prior.logatau", U, "inputPrior.logTau_U");
    vector("ii_prior.lognvar", U, "inputPrior.logNoiseVar_U");
  }
  if (model.cell === "gru") {
    gru(
      "gen",
      G,
      U > 0 ? [{ slice: "generator.wInput_U3G", count: U, offset: 0, stride: 3 * G }] : [],
      {
        gates: "generator.wGates_G2G",
        candidate: "generator.wCandidate_GG",
        b: "generator.b_3G",
        h0: "generator.h0_G",
        direction: 0,
      },
    );
  } else {
    matrix("gen.wA", [G, G], { slice: "generator.wRecurrent_GG", stride: G });
    if (U > 0) matrix("gen.wB", [G, U], { slice: "generator.wInput_UG", stride: G });
    vector("gen.wb", G, "generator.b_G");
    vector("gen.h0", G, "generator.h0_G");
  }
  matrix("factors.w", [F, G], { slice: "factors.w_GF", stride: F });
  matrix("logrates.w", [N, F], { slice: "readout.w_FN", stride: N });
  vector("logrates.b", N, "readout.b_N");
}

function flatten(tree: ReferenceTree | NestedNumbers, path: string, into: Map<string, number[]>) {
  if (Array.isArray(tree)) {
    into.set(path, (tree as unknown[]).flat(Infinity) as number[]);
    return;
  }
  for (const [name, value] of Object.entries(tree as ReferenceTree)) {
    flatten(value, path ? `${path}.${name}` : name, into);
  }
}

/**
 * A jax-lfads parameter (or gradient) dictionary as our flat buffer; padding is 0.
 *
 * @throws {InputError} naming the first array that is missing or has another size
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type Architecture, fromReference, InputError } from "latentd";
 *
 * const dims = { T: 5, N: 3, E: 2, C: 0, U: 0, G: 2, F: 1 };
 * const model: Architecture = { dims, cell: "vanilla", nonlinearity: "tanh" };
 * const incomplete = { gen: { wA: [[0.9, -0.2], [0.2, 0.9]] } };
 * assert.throws(() => fromReference(incomplete, model), InputError);
 * ```
 */
export function fromReference(tree: ReferenceTree, model: Architecture): Float64Array {
  const arrays = new Map<string, number[]>();
  flatten(tree, "", arrays);
  const layout = parameterLayout(model);
  const params_P = new Float64Array(layout.length);
  eachNumber(model, layout, (name, shape, index, ours) => {
    const array = arrays.get(name);
    const size = shape.reduce((a, b) => a * b, 1);
    if (!array || array.length !== size) {
      throw new InputError(
        `Cannot read the parameters: expected "${name}" with shape [${shape.join(", ")}], found ` +
          (array ? `${array.length} numbers.` : `only ${[...arrays.keys()].join(", ")}.`),
      );
    }
    params_P[ours] = array[index];
  });
  return params_P;
}

/**
 * Our flat buffer as jax-lfads arrays: name → shape and numbers, [out][in].
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { type Architecture, parameterLayout, toReference } from "latentd";
 *
 * const dims = { T: 5, N: 3, E: 2, C: 0, U: 0, G: 2, F: 1 };
 * const model: Architecture = { dims, cell: "vanilla", nonlinearity: "tanh" };
 * const layout = parameterLayout(model);
 * const params_P = new Float64Array(layout.length);
 * params_P.set([1, 2, 3, 4], layout.slice("generator.wRecurrent_GG").offset); // [in][out]
 * assert.deepEqual(toReference(params_P, model).get("gen.wA"), {
 *   shape: [2, 2],
 *   values: Float64Array.of(1, 3, 2, 4), // [out][in]
 * });
 * ```
 */
export function toReference(
  params_P: ArrayLike<number>,
  model: Architecture,
): Map<string, { shape: readonly number[]; values: Float64Array }> {
  const arrays = new Map<string, { shape: readonly number[]; values: Float64Array }>();
  eachNumber(model, parameterLayout(model), (name, shape, index, ours) => {
    let array = arrays.get(name);
    if (!array) {
      const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
      arrays.set(name, array = { shape, values });
    }
    array.values[index] = params_P[ours];
  });
  return arrays;
}
