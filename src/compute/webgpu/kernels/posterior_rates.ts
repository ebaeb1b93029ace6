/** How `shaders/posterior_rates.wgsl` and `posterior_observations.wgsl` are specialised and dispatched. */
import observationsSource from "../../../../shaders/posterior_observations.wgsl" with {
  type: "text",
};
import source from "../../../../shaders/posterior_rates.wgsl" with { type: "text" };
import type { Scalars } from "../../kernels.ts";
import type { Numbers, Shader, Variant } from "../kernel.ts";
import { FAMILY_FLOPS, familyConstants, outputsOf } from "./families.ts";
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

function variant(tile: Variant["tile"], constants: Variant["constants"]): Variant {
  return {
    workgroup: LOG_RATES.workgroup,
    tile,
    constants: { SAMPLES, GROUPS, ...constants },
    workgroupMemory: LOG_RATES.bytes + 4 * LOG_RATES.rows * LOG_RATES.columns,
  };
}

/** The loop over blocks of samples, of so many outputs of each neuron. */
function range(numbers: Numbers, s: Scalars, outputs: number) {
  const { S } = s, { F } = numbers, { rows } = LOG_RATES;
  const rounds = Math.ceil(tiles(numbers, s) / GROUPS);
  const terms = outputs * logRateIterations(F) + (outputs > 1 ? 8 * (1 + outputs) : 0);
  // storing and summing the terms, twice
  const flat = terms + 2 * (4 + rows);
  const deep = 1 + Math.ceil(Math.min(S, SAMPLES) / rows) * (1 + terms + 16);
  return S <= rows
    ? { steps: 1, iterations: rounds * (1 + flat) }
    : { steps: Math.ceil(S / SAMPLES), iterations: rounds * (1 + deep) };
}

const groups = (numbers: Numbers, s: Scalars) => Math.min(GROUPS, tiles(numbers, s));

export const posterior_rates: Shader = {
  source,
  uses: ["math", "log_rates", "posterior_means"],
  variant: (_, { tile }) => variant(tile, {}),
  groups,
  range: (numbers, s) => range(numbers, s, 1),
  cost: ({ T, N, F }, { B, S }) => ({
    // the exponential is some 20 operations
    flops: T * B * S * N * (2 * F + 22),
    bytes: 4 * (T * B * S * F + F * N + N + 2 * T * B * N),
  }),
};

export const posterior_observations: Shader = {
  source: observationsSource,
  uses: ["math", "log_rates", "gamma", "families", "posterior_means"],
  variant: ({ family }, { tile }) => variant(tile, familyConstants(family)),
  groups,
  range: (numbers, s) => range(numbers, s, outputsOf(numbers.family)),
  cost: ({ T, N, F, family }, { B, S }) => {
    const Q = outputsOf(family) * N;
    return {
      flops: T * B * S * (2 * F * Q + FAMILY_FLOPS.mean * N),
      bytes: 4 * (T * B * S * F + F * Q + Q + 2 * T * B * N),
    };
  },
};
