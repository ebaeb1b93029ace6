/** Models of three sizes that the bench times and `latentd trace` counts. */
import { type Hyperparameters, parseHyperparameters } from "../model/hyperparameters.ts";
import { PLAIN } from "./recipes.ts";

export type ShapeName = "S" | "M" | "L";

/** One size: the model, the minibatch, and the data's bins and neurons. */
export interface ModelShape {
  readonly name: ShapeName;
  readonly title: string;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  readonly hyperparameters: Hyperparameters;
}

/** Dropout wherever docs/model.md, section 2 has it, so that nobody is spared its masks. */
const dropout = { ...PLAIN, generatorKeepRate: 0.95 };

/** The tutorial's model, a GRU of common size, and one of a benchmark's size with a controller. */
export const SHAPES: Readonly<Record<ShapeName, ModelShape>> = {
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
  },
};
