/** What a cell does near a state: Jacobians, modes, their time constants and rotations. */
import { InputError } from "../errors.ts";
import { type Cell, checkCell, checkNumbers, gains, type Jacobian, jacobian } from "./cell.ts";
import { type Classification, classify, NEUTRAL_TOLERANCE } from "./classify.ts";
import { type Complex, euclidean, formatComplex } from "./complex.ts";
import { eigen, type EigenPair } from "./eigen.ts";
import { frequency, timeConstant } from "./oscillation.ts";

/** Time and turning of one mode; `unit` of the linearisation says in what. */
export interface Mode extends EigenPair {
  /**
   * `-dt / ln|λ|`: the time in which the mode shrinks to 1/e. Infinity at |λ| = 1, 0 at λ = 0, and
   * negative for |λ| > 1, where its magnitude is the time of growth by e.
   */
  readonly timeConstant: number;
  /**
   * `arg λ / (2π dt)`: full turns per unit of time, in (-0.5, 0.5] per bin and signed like the
   * imaginary part. A negative real eigenvalue flips in every bin: half a turn.
   */
  readonly frequency: number;
}

/** A linearised cell: `F(h + δ, u + ε) ≈ F(h, u) + J δ + dF/du ε`. */
export interface Linearisation extends Jacobian {
  /** largest magnitude first; see `Eigen` */
  readonly modes: readonly Mode[];
  /** how well the eigenvalue equations hold, see `Eigen` */
  readonly residual: number;
  /** of the matrix of right vectors, see `Eigen` */
  readonly condition: number;
  readonly classification: Classification;
  /** "s" and Hz with a bin width, else "bin" and turns per bin */
  readonly unit: "s" | "bin";
}

/** How to linearise. */
export interface LineariseOptions {
  /** bin width in seconds; without it times are in bins */
  readonly binWidth?: number;
  /** see {@link classify} */
  readonly neutralTolerance?: number;
}

/**
 * Linearises a cell at the state `h` (`[G]`) under the input `u` (`[U]`), usually at a fixed point
 * (docs/model.md, section 4).
 *
 * @throws InputError when a width does not fit, a number is not finite or the bin width not positive
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, linearise } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.9, -0.2], [0.2, 0.9]], wB: [[], []], wb: [0, 0] });
 * const { modes, classification } = linearise(cell, [0, 0], [], { binWidth: 0.02 });
 * assert.equal(classification.name, "stable focus");
 * assert.equal(modes[0].timeConstant.toFixed(3), "0.246"); // -0.02 / ln |0.9 + 0.2i| seconds
 * assert.equal(modes[0].frequency.toFixed(2), "1.74"); // arg(0.9 + 0.2i) / (2π · 0.02) Hz
 * ```
 */
export function linearise(
  cell: Cell,
  h: ArrayLike<number>,
  u: ArrayLike<number>,
  { binWidth, neutralTolerance = NEUTRAL_TOLERANCE }: LineariseOptions = {},
): Linearisation {
  checkCell(cell);
  checkNumbers("Cannot linearise the cell", "the state", h, cell.G);
  checkNumbers("Cannot linearise the cell", "the input", u, cell.U);
  checkBinWidth(binWidth);
  const derivatives = jacobian(cell, h, u);
  const { pairs, residual, condition } = eigen(derivatives.dFdh_GG, cell.G);
  return {
    ...derivatives,
    modes: pairs.map((pair) => ({
      ...pair,
      timeConstant: timeConstant(pair.value, binWidth),
      frequency: frequency(pair.value, binWidth),
    })),
    residual,
    condition,
    classification: classify(pairs.map((pair) => pair.value), neutralTolerance),
    unit: binWidth === undefined ? "bin" : "s",
  };
}

/** @throws InputError unless the bin width is left out, or positive and finite */
export function checkBinWidth(binWidth: number | undefined): void {
  if (binWidth !== undefined && !(binWidth > 0 && binWidth < Infinity)) {
    throw new InputError(
      `Cannot linearise the cell: expected a bin width above 0 seconds, found ${binWidth}.`,
    );
  }
}

/** The Jacobian of a vanilla cell beside its recurrent weights. */
export interface WeightsComparison {
  /** `A[out][in]` */
  readonly A_GG: Float64Array;
  /** `J[out][in] = gains[out] * A[out][in]` */
  readonly J_GG: Float64Array;
  /** `σ'` at each unit */
  readonly gains_G: Float64Array;
  readonly eigenvaluesA: readonly Complex[];
  readonly eigenvaluesJ: readonly Complex[];
  /** `‖J - A‖` (Frobenius) */
  readonly difference: number;
  /** `‖J - A‖ / ‖A‖`; NaN for A = 0 */
  readonly relative: number;
  /** the comparison in a paragraph */
  readonly words: string;
}

/**
 * Compares the Jacobian of a vanilla cell with its recurrent weights: `J = diag(σ'(A h + B u + b)) A`,
 * so the two agree where the units are in their linear range, as at the tutorial's fixed point.
 *
 * @throws InputError for a GRU, whose Jacobian is not a scaled weight matrix, and as {@link linearise}
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cellFromReference, compareWithWeights } from "latentd";
 *
 * const cell = cellFromReference({ wA: [[0.9, -0.2], [0.2, 0.9]], wB: [[], []], wb: [0, 0] });
 * const at0 = compareWithWeights(cell, [0, 0], []); // tanh has slope 1 at 0, so J = A
 * assert.equal(at0.difference, 0);
 * assert(compareWithWeights(cell, [1, 1], []).relative > 0.1);
 * ```
 */
export function compareWithWeights(
  cell: Cell,
  h: ArrayLike<number>,
  u: ArrayLike<number>,
): WeightsComparison {
  if (cell.kind !== "vanilla") {
    throw new InputError(
      `Cannot compare the Jacobian with the recurrent weights: expected a vanilla cell, found a ${cell.kind}.`,
    );
  }
  const { G } = cell;
  const { dFdh_GG, modes } = linearise(cell, h, u);
  const A_GG = new Float64Array(G * G);
  for (let i = 0; i < G; i++) {
    for (let j = 0; j < G; j++) A_GG[i * G + j] = cell.wRecurrent[j * G + i];
  }
  const gains_G = gains(cell, h, u);
  const difference = euclidean(dFdh_GG.map((x, i) => x - A_GG[i]));
  const comparison = {
    A_GG,
    J_GG: dFdh_GG,
    gains_G,
    eigenvaluesA: eigen(A_GG, G).pairs.map((pair) => pair.value),
    eigenvaluesJ: modes.map((mode) => mode.value),
    difference,
    relative: difference / euclidean(A_GG),
  };
  return { ...comparison, words: describe(comparison) };
}

function describe(c: Omit<WeightsComparison, "words">): string {
  const [a, j] = [c.eigenvaluesA[0], c.eigenvaluesJ[0]].map(formatComplex);
  const low = Math.min(...c.gains_G).toFixed(3), high = Math.max(...c.gains_G).toFixed(3);
  const size = `${c.difference.toPrecision(3)} (${(100 * c.relative).toPrecision(3)} % of A)`;
  return c.difference === 0
    ? `The Jacobian equals A: every unit has slope 1 here. The largest eigenvalue is ${a}.`
    : `The Jacobian is A with each row multiplied by the slope of that unit's nonlinearity, from ` +
      `${low} to ${high} here. It differs from A by ${size}; the largest eigenvalue is ${j}, ` +
      `that of A is ${a}.`;
}
