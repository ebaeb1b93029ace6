/** How `shaders/posterior_rates.wgsl` is specialised and dispatched. */
import source from "../../../../shaders/posterior_rates.wgsl" with { type: "text" };
import type { Scalars } from "../../kernels.ts";
import type { Numbers, Shader } from "../kernel.ts";
import { LOG_RATES, logRateIterations } from "./log_rates.ts";

/** Samples of a block, after which sums are complete: a multiple of the tile's rows. */
const SAMPLES = 256;
/** The most workgroups that any adapter takes; they share what is left. */
const GROUPS = 65_535;

/** Tiles of decoder rows and neurons. */
function tiles({ T, N }: Numbers, { B, S }: Scalars): number {
  const means = Math.max(1, Math.floor(LOG_RATES.rows / S));
  return Math.ceil(T * B / means) * Math.ceil(N / LOG_RATES.columns);
}

export const posterior_rates: Shader = {
  source,
  uses: ["math", "log_rates"],
  variant: (_, { tile }) => ({
    workgroup: LOG_RATES.workgroup,
    tile,
    constants: { SAMPLES, GROUPS },
    workgroupMemory: LOG_RATES.bytes + 4 * LOG_RATES.rows * LOG_RATES.columns,
  }),
  groups: (numbers, s) => Math.min(GROUPS, tiles(numbers, s)),
  range: (numbers, s) => {
    const { S } = s, { F } = numbers, { rows } = LOG_RATES;
    const rounds = Math.ceil(tiles(numbers, s) / GROUPS);
    // storing and summing the terms, twice
    const flat = logRateIterations(F) + 2 * (4 + rows);
    const deep = 1 + Math.ceil(Math.min(S, SAMPLES) / rows) * (1 + logRateIterations(F) + 16);
    return S <= rows
      ? { steps: 1, iterations: rounds * (1 + flat) }
      : { steps: Math.ceil(S / SAMPLES), iterations: rounds * (1 + deep) };
  },
  cost: ({ T, N, F }, { B, S }) => ({
    // the exponential is some 20 operations
    flops: T * B * S * N * (2 * F + 22),
    bytes: 4 * (T * B * S * F + F * N + N + 2 * T * B * N),
  }),
};
