/** The shapes that are timed, and the same arrays for everyone. */
import {
  type Dataset,
  datasetFromArrays,
  type ModelShape,
  type ShapeName,
  SHAPES as MODELS,
  simulateRotation,
} from "../src/mod.ts";
import { poissonCounts, uniforms } from "./random.ts";

export type { ShapeName } from "../src/mod.ts";

/** One shape: the model, and how much there is to infer. */
export interface Shape extends ModelShape {
  /** posterior samples of each of the `batchSize` trials that are inferred from; 0 is the mean */
  readonly samples: number;
  /** fixed-point candidates, and Adam iterations on them */
  readonly candidates: number;
  readonly iterations: number;
}

const work = { samples: 32, candidates: 1024, iterations: 200 };

export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  S: { ...MODELS.S, ...work },
  M: { ...MODELS.M, ...work },
  L: { ...MODELS.L, ...work },
};

/** Lowest and highest mean count per bin: log-uniform between them, the mean is 0.30. */
const RATES = { lowest: 0.05, highest: 0.92 };

/**
 * The spikes of a shape: the tutorial's rotation for S (1.65 spikes per bin on average), independent
 * Poisson counts for M and L, each neuron with its own rate (0.3 per bin: bins of 10 to 20 ms).
 */
export function spikes(shape: Shape): Dataset {
  const { trials, T, N } = shape;
  if (shape.name === "S") return simulateRotation({ trials, T, N, seed: 1 });
  const next = uniforms(N);
  const { lowest, highest } = RATES;
  const rates_N = Float64Array.from({ length: N }, () => lowest * (highest / lowest) ** next());
  const data = poissonCounts(`spikes ${shape.name}`, trials * T * N, (i) => rates_N[i % N]);
  return datasetFromArrays({
    name: `poisson-${shape.name}`,
    spikes: { shape: [trials, T, N], data },
  });
}
