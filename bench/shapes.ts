/** The shapes that are timed, and the same arrays for everyone. */
import {
  type Dataset,
  datasetFromArrays,
  type Hyperparameters,
  parseHyperparameters,
  simulateRotation,
} from "../src/mod.ts";
import { poissonCounts, uniforms } from "./random.ts";

export type ShapeName = "S" | "M" | "L";

/** One shape: the model, the minibatch, the data's size, and how much there is to infer. */
export interface Shape {
  readonly name: ShapeName;
  readonly title: string;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  readonly hyperparameters: Hyperparameters;
  /** posterior samples of each of the `batchSize` trials that are inferred from */
  readonly samples: number;
  /** fixed-point candidates, and Adam iterations on them */
  readonly candidates: number;
  readonly iterations: number;
}

/** Dropout wherever docs/model.md, section 2 has it, so that nobody is spared its masks. */
const dropout = { keepRate: 0.95, generatorKeepRate: 0.95 };
const work = { samples: 32, candidates: 1024, iterations: 200 };

export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  S: {
    name: "S",
    title: "the tutorial: B 200, T 50, N 100, E 2, G 2, F 2; vanilla tanh, autonomous",
    trials: 400,
    T: 50,
    N: 100,
    hyperparameters: parseHyperparameters({
      ...dropout,
      cell: "vanilla",
      batchSize: 200,
      encoderUnits: 2,
      generatorUnits: 2,
      factors: 2,
    }),
    ...work,
  },
  M: {
    name: "M",
    title: "B 128, T 100, N 100, E 64, G 64, F 20; GRU, autonomous",
    trials: 256,
    T: 100,
    N: 100,
    hyperparameters: parseHyperparameters({
      ...dropout,
      cell: "gru",
      batchSize: 128,
      encoderUnits: 64,
      generatorUnits: 64,
      factors: 20,
    }),
    ...work,
  },
  L: {
    name: "L",
    title:
      "a benchmark's size: B 256, T 140, N 180, E 100, C 80, U 4, G 100, F 40; GRU, controller",
    trials: 320,
    T: 140,
    N: 180,
    hyperparameters: parseHyperparameters({
      ...dropout,
      cell: "gru",
      batchSize: 256,
      encoderUnits: 100,
      controllerUnits: 80,
      inferredInputs: 4,
      generatorUnits: 100,
      factors: 40,
    }),
    ...work,
  },
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
