/** How `shaders/readout.wgsl` and `shaders/observation.wgsl` are specialised and dispatched. */
import observationSource from "../../../../shaders/observation.wgsl" with { type: "text" };
import source from "../../../../shaders/readout.wgsl" with { type: "text" };
import { ELEMENT_CODES } from "../../kernels.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Numbers, Shader, Variant } from "../kernel.ts";
import { elementBytes } from "./elements.ts";
import { FAMILY_FLOPS, familyConstants, outputsOf } from "./families.ts";
import { LOG_RATES, logRateIterations } from "./log_rates.ts";

/** Bytes of the tile's gradients: a vector of four rows, with one to spread a column over the banks. */
const GRADIENT_TILE = 16 * 9 * LOG_RATES.columns;

/** Vectors of four bins in a tile. */
const QUADS = LOG_RATES.rows / 4;

/** How many invocations share an element of the factors' gradients, where there are few of them. */
function parts(F: number): number {
  for (const n of [8, 4, 2]) if (n * QUADS * F <= LOG_RATES.workgroup) return n;
  return 1;
}

/** What data are, whether they have gaps, and whether dropout is coordinated: `loss_weights.wgsl`. */
function variant(
  { F, gaps, coordinated }: Numbers,
  element: number,
  { tile }: Capabilities,
): Variant {
  // masks of a tile, eight to a word
  const masks = coordinated ? LOG_RATES.rows * LOG_RATES.columns / 8 : 1;
  return {
    workgroup: LOG_RATES.workgroup,
    tile,
    constants: {
      FACTOR_PARTS: parts(F),
      LOSS_REALS: element === ELEMENT_CODES.real ? 1 : 0,
      LOSS_GAPS: gaps ? 1 : 0,
      LOSS_COORDINATED: coordinated ? 1 : 0,
      LOSS_MASKS: masks,
    },
    workgroupMemory: LOG_RATES.bytes + GRADIENT_TILE + 4 * LOG_RATES.workgroup + 4 * masks,
  };
}

/** The loop over tiles of bins, with so many outputs of each neuron and iterations for its loss. */
function range({ T, N, F, gradient, coordinated }: Numbers, outputs: number, loss: number) {
  const { rows, columns, workgroup } = LOG_RATES;
  const rounds = Math.ceil(F * QUADS / workgroup);
  // each with its products, its tail, its sum of parts and its four bins
  const backward = gradient ? rounds * (1 + columns / 4 + 3 + 8 + 4) : 0;
  const philox = coordinated ? 10 : 0;
  const perColumns = 1 + outputs * (logRateIterations(F) + backward) + 8 * loss + philox;
  return {
    steps: Math.ceil(T / rows),
    iterations: 1 + Math.ceil(N / columns) * perColumns + Math.log2(workgroup),
  };
}

export const readout: Shader = {
  source,
  uses: ["math", "random", "sum", "log_rates", "factor_gradients", "loss_weights"],
  variant: (n, capabilities) => variant(n, n.element, capabilities),
  groups: (_, { B, S }) => B * S,
  range: (n) => range(n, 1, 1),
  cost: ({ T, N, F, gradient, element }, { B, S }) => {
    const R = B * S, products = (gradient ? 2 : 1) * F * N;
    return {
      // the exponential and the loss are some 25 operations
      flops: T * R * (2 * products + 25 * N),
      bytes: 4 * (T * R * ((gradient ? 2 : 1) * F + N) + F * N + N + R) +
        T * B * N * elementBytes(element),
    };
  },
};

export const observation: Shader = {
  source: observationSource,
  uses: [
    "math",
    "random",
    "sum",
    "log_rates",
    "factor_gradients",
    "loss_weights",
    "gamma",
    "families",
  ],
  variant: (n, capabilities) => {
    const own = variant(n, ELEMENT_CODES.real, capabilities);
    return { ...own, constants: { ...own.constants, ...familyConstants(n.family) } };
  },
  groups: (_, { B, S }) => B * S,
  // a loss goes through its outputs three times
  range: (n) => range(n, outputsOf(n.family), 1 + 3 * outputsOf(n.family)),
  cost: ({ T, N, F, gradient, family }, { B, S }) => {
    const R = B * S, Q = outputsOf(family) * N, products = (gradient ? 2 : 1) * F * Q;
    return {
      flops: T * R * (2 * products + FAMILY_FLOPS.loss * N),
      bytes: 4 * (T * R * ((gradient ? 2 : 1) * F + Q) + F * Q + Q + R + T * B * N),
    };
  },
};
