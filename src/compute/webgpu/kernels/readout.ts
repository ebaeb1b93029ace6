/** How `shaders/readout.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/readout.wgsl" with { type: "text" };
import type { Shader } from "../kernel.ts";
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

export const readout: Shader = {
  source,
  uses: ["math", "sum", "log_rates"],
  variant: ({ F }, { tile }) => ({
    workgroup: LOG_RATES.workgroup,
    tile,
    constants: { PARTS: parts(F) },
    workgroupMemory: LOG_RATES.bytes + GRADIENT_TILE + 4 * LOG_RATES.workgroup,
  }),
  groups: (_, { B, S }) => B * S,
  range: ({ T, N, F, gradient }) => {
    const { rows, columns, workgroup } = LOG_RATES;
    const rounds = Math.ceil(F * QUADS / workgroup);
    // each with its products, its tail, its sum of parts and its four bins
    const backward = gradient ? rounds * (1 + columns / 4 + 3 + 8 + 4) : 0;
    const perColumns = 1 + logRateIterations(F) + 8 + backward;
    return {
      steps: Math.ceil(T / rows),
      iterations: 1 + Math.ceil(N / columns) * perColumns + Math.log2(workgroup),
    };
  },
  cost: ({ T, N, F, gradient, wide }, { B, S }) => {
    const R = B * S, products = (gradient ? 2 : 1) * F * N;
    return {
      // the exponential and the loss are some 25 operations
      flops: T * R * (2 * products + 25 * N),
      bytes: 4 * (T * R * ((gradient ? 2 : 1) * F + N) + F * N + N + R) +
        T * B * N * (wide ? 2 : 1),
    };
  },
};
