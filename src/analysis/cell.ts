/** The generator's cell as a map of the state, with its derivatives (docs/model.md, section 1), in float64. */
import { NONLINEARITY_CODES } from "../compute/kernels.ts";
import type { CellKind, Nonlinearity } from "../dims.ts";
import { InputError } from "../errors.ts";
import { gru } from "../reference/gru.ts";
import { slope, vanilla } from "../reference/vanilla.ts";

/**
 * A trained or hand-made cell `h' = F(h, u)`; `u` is every input, inferred and external. Every
 * matrix is `[in][out]`.
 *
 * @example A rotation by 0.1 rad per bin
 * ```ts
 * import assert from "node:assert/strict";
 * import { type Cell, step } from "latentd";
 *
 * const [c, s] = [Math.cos(0.1), Math.sin(0.1)];
 * const cell: Cell = {
 *   kind: "vanilla",
 *   nonlinearity: "identity",
 *   G: 2,
 *   U: 0,
 *   wInput: new Float64Array(0),
 *   wRecurrent: Float64Array.of(c, s, -s, c),
 *   wCandidate: new Float64Array(0),
 *   b: Float64Array.of(0, 0),
 * };
 * assert.deepEqual([...step(cell, [1, 0], [])], [c, s]);
 * ```
 */
export interface Cell {
  readonly kind: CellKind;
  /** of a vanilla cell; a GRU does not read it */
  readonly nonlinearity: Nonlinearity;
  readonly G: number;
  readonly U: number;
  /** `[U][G]`; `[U][3G]` of a GRU: reset, update, candidate */
  readonly wInput: Float64Array;
  /** `[G][G]`; `[G][2G]` of a GRU: reset, update */
  readonly wRecurrent: Float64Array;
  /** `[G][G]` of a GRU, else empty */
  readonly wCandidate: Float64Array;
  /** `[G]`; `[3G]` of a GRU: reset, update, candidate */
  readonly b: Float64Array;
}

/** Derivatives of `F(h, u)`: row = output unit, column = state unit or input. */
export interface Jacobian {
  readonly dFdh_GG: Float64Array;
  readonly dFdu_GU: Float64Array;
}

/** A cell's parameters by the reference's names: `[out][in]`, rows of `wRUHX` r then u, columns h then x. */
export type ReferenceCell =
  | { readonly wA: readonly number[][]; readonly wB: readonly number[][]; readonly wb: number[] }
  | {
    readonly wRUHX: readonly number[][];
    readonly wCHX: readonly number[][];
    readonly bRU: readonly number[];
    readonly bC: readonly number[];
  };

/**
 * Checks that every array of a cell has the length that its kind, G and U ask for, and only finite
 * numbers.
 *
 * @throws InputError that names the array
 */
export function checkCell(cell: Cell): void {
  const { kind, G, U } = cell;
  if (!Number.isInteger(G) || G < 1 || !Number.isInteger(U) || U < 0) {
    throw new InputError(
      `Cannot use the cell: expected at least 1 unit and 0 inputs, found G = ${G}, U = ${U}.`,
    );
  }
  const width = kind === "gru" ? 3 * G : G;
  const lengths = {
    wInput: U * width,
    wRecurrent: kind === "gru" ? 2 * G * G : G * G,
    wCandidate: kind === "gru" ? G * G : 0,
    b: width,
  };
  for (const name of ["wInput", "wRecurrent", "wCandidate", "b"] as const) {
    checkNumbers(
      `Cannot use the cell (${kind}, G = ${G}, U = ${U})`,
      name,
      cell[name],
      lengths[name],
    );
  }
}

/** @throws InputError unless `values` holds `length` finite numbers */
export function checkNumbers(
  action: string,
  name: string,
  values: ArrayLike<number>,
  length: number,
): void {
  if (values.length !== length) {
    throw new InputError(
      `${action}: expected ${length} numbers in ${name}, found ${values.length}.`,
    );
  }
  for (let i = 0; i < length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new InputError(
        `${action}: expected finite numbers in ${name}, found ${values[i]} at ${i}.`,
      );
    }
  }
}

/**
 * A cell from parameters as the reference names and orders them.
 *
 * @throws InputError when rows and columns do not fit together
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference } from "latentd";
 *
 * const wA = [[0.9, -0.2], [0.1, 0.8]]; // [out][in]
 * const cell = cellFromReference({ wA, wB: [[], []], wb: [0, 0] }, "tanh");
 * assert.deepEqual([...cell.wRecurrent], [0.9, 0.1, -0.2, 0.8]); // [in][out]
 * ```
 */
export function cellFromReference(
  params: ReferenceCell,
  nonlinearity: Nonlinearity = "tanh",
): Cell {
  if ("wA" in params) {
    const G = params.wA.length, U = params.wB[0]?.length ?? 0;
    const cell: Cell = {
      kind: "vanilla",
      nonlinearity,
      G,
      U,
      wInput: transposed("wB", params.wB, G, 0, U),
      wRecurrent: transposed("wA", params.wA, G, 0, G),
      wCandidate: new Float64Array(0),
      b: Float64Array.from(params.wb),
    };
    checkCell(cell);
    return cell;
  }
  const G = params.bC.length, U = (params.wCHX[0]?.length ?? G) - G;
  const inputRows = [...params.wRUHX, ...params.wCHX];
  const cell: Cell = {
    kind: "gru",
    nonlinearity: "tanh",
    G,
    U,
    wInput: transposed("wRUHX and wCHX", inputRows, 3 * G, G, G + U),
    wRecurrent: transposed("wRUHX", params.wRUHX, 2 * G, 0, G),
    wCandidate: transposed("wCHX", params.wCHX, G, 0, G),
    b: Float64Array.of(...params.bRU, ...params.bC),
  };
  checkCell(cell);
  return cell;
}

/** Columns `from … to` of an [out][in] matrix as [in][out]. */
function transposed(
  name: string,
  rows: readonly (readonly number[])[],
  out: number,
  from: number,
  to: number,
): Float64Array {
  if (rows.length !== out || rows.some((row) => row.length < to)) {
    throw new InputError(
      `Cannot read the cell's ${name}: expected ${out} rows of at least ${to} columns, ` +
        `found ${rows.length} rows of ${Math.min(...rows.map((row) => row.length))}.`,
    );
  }
  const values = new Float64Array((to - from) * out);
  for (let i = from; i < to; i++) {
    for (let j = 0; j < out; j++) values[(i - from) * out + j] = rows[j][i];
  }
  return values;
}

/** `F(h, u)` beside the activations that its derivatives need. */
interface Activations {
  readonly next_G: Float64Array;
  /** vanilla: `h'`; GRU: r, u, c */
  readonly gates: Float64Array;
}

function activations(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Activations {
  const { G, U, wInput, wRecurrent } = cell;
  const gates = cell.b.slice();
  for (let x = 0; x < U; x++) {
    for (let j = 0; j < gates.length; j++) gates[j] += u[x] * wInput[x * gates.length + j];
  }
  const h_G = Float64Array.from(h);
  if (cell.kind === "vanilla") {
    vanilla(G, NONLINEARITY_CODES[cell.nonlinearity], wRecurrent, [h_G, 0], [gates, 0]);
    return { next_G: gates, gates };
  }
  const next_G = new Float64Array(G);
  const weights = { n: G, wGates_n2n: wRecurrent, wCandidate_nn: cell.wCandidate };
  gru(weights, [h_G, 0], [gates, 0], [new Float64Array(G), 0], [next_G, 0]);
  return { next_G, gates };
}

/**
 * The next state `F(h, u)` (`[G]`) from a state `[G]` and an input `[U]`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, step } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.5]], wB: [[2]], wb: [0.1] }, "tanh");
 * assert.equal(step(cell, [1], [0.25])[0], Math.tanh(0.5 * 1 + 2 * 0.25 + 0.1));
 * ```
 */
export function step(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Float64Array {
  return activations(cell, h, u).next_G;
}

/**
 * `q(h) = 1/G Σ (F(h, u) - h)²`: a point's squared speed, per unit (docs/model.md, section 4).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, speed } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.5]], wB: [[]], wb: [1] }, "identity");
 * assert.equal(speed(cell, [2], []), 0); // a fixed point: 0.5 · 2 + 1 = 2
 * assert.equal(speed(cell, [4], []), 1); // 0.5 · 4 + 1 = 3, and (3 - 4)² = 1
 * ```
 */
export function speed(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): number {
  const next_G = step(cell, h, u);
  return next_G.reduce((sum, next, g) => sum + (next - h[g]) ** 2, 0) / cell.G;
}

/** The slopes `σ'(A h + B u + b)` (`[G]`) of a vanilla cell: `J = diag(gains) A`. */
export function gains(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Float64Array {
  const code = NONLINEARITY_CODES[cell.nonlinearity];
  return activations(cell, h, u).gates.map((out) => slope(code, out));
}

/**
 * `dF/dh` and `dF/du` at `(h, u)`, by hand. The slope of relu at 0 is 0.
 *
 * Vanilla: `diag(σ') A` and `diag(σ') B`. GRU, with `d_c = (1-u)(1-c²)` and `d_u = (h-c) u(1-u)`:
 *
 *     dh'_i/dh_j = u_i δ_ij + d_u,i Wu_ij + d_c,i (Wc_ij r_j + Σ_k Wc_ik h_k r_k(1-r_k) Wr_kj)
 *
 * and the same for an input, without the first term and with `Wc_ix` in place of `Wc_ij r_j`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, jacobian } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.9, -0.2], [0.2, 0.9]], wB: [[1], [0]], wb: [0, 0] });
 * const { dFdh_GG, dFdu_GU } = jacobian(cell, [0, 0], [0]); // tanh has slope 1 at 0
 * assert.deepEqual([...dFdh_GG], [0.9, -0.2, 0.2, 0.9]);
 * assert.deepEqual([...dFdu_GU], [1, 0]);
 * ```
 */
export function jacobian(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Jacobian {
  return cell.kind === "vanilla" ? vanillaJacobian(cell, h, u) : gruJacobian(cell, h, u);
}

function vanillaJacobian(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Jacobian {
  const { G, U, wInput, wRecurrent } = cell;
  const gains_G = gains(cell, h, u);
  const dFdh_GG = new Float64Array(G * G), dFdu_GU = new Float64Array(G * U);
  for (let i = 0; i < G; i++) {
    for (let j = 0; j < G; j++) dFdh_GG[i * G + j] = gains_G[i] * wRecurrent[j * G + i];
    for (let x = 0; x < U; x++) dFdu_GU[i * U + x] = gains_G[i] * wInput[x * G + i];
  }
  return { dFdh_GG, dFdu_GU };
}

function gruJacobian(cell: Cell, h: ArrayLike<number>, u: ArrayLike<number>): Jacobian {
  const { G, U, wInput, wRecurrent, wCandidate } = cell;
  const { gates } = activations(cell, h, u);
  const reset_G = gates.subarray(0, G), update_G = gates.subarray(G, 2 * G);
  const candidate_G = gates.subarray(2 * G);

  const dFdh_GG = new Float64Array(G * G), dFdu_GU = new Float64Array(G * U);
  for (let i = 0; i < G; i++) {
    const dUpdate = (h[i] - candidate_G[i]) * update_G[i] * (1 - update_G[i]);
    const dCandidate = (1 - update_G[i]) * (1 - candidate_G[i] ** 2);
    for (let j = 0; j < G; j++) {
      dFdh_GG[i * G + j] = dUpdate * wRecurrent[j * 2 * G + G + i] +
        dCandidate * wCandidate[j * G + i] * reset_G[j];
    }
    dFdh_GG[i * G + i] += update_G[i];
    for (let x = 0; x < U; x++) {
      dFdu_GU[i * U + x] = dUpdate * wInput[x * 3 * G + G + i] +
        dCandidate * wInput[x * 3 * G + 2 * G + i];
    }
    // through the reset gates, which all units of the state and all inputs reach
    for (let k = 0; k < G; k++) {
      const dReset = dCandidate * wCandidate[k * G + i] * h[k] * reset_G[k] * (1 - reset_G[k]);
      for (let j = 0; j < G; j++) dFdh_GG[i * G + j] += dReset * wRecurrent[j * 2 * G + k];
      for (let x = 0; x < U; x++) dFdu_GU[i * U + x] += dReset * wInput[x * 3 * G + k];
    }
  }
  return { dFdh_GG, dFdu_GU };
}
