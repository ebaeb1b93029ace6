/** A started model of a shape, and how a peer is told of it. */
import {
  type Architecture,
  architecture,
  type Dataset,
  initialise,
  type Layout,
  parameterLayout,
  type Tensor,
  tensor,
} from "../src/mod.ts";
import { normals } from "./random.ts";
import { type Shape, spikes } from "./shapes.ts";

/** A shape's data and a model at the start of its fit. */
export interface ModelCase {
  readonly shape: Shape;
  readonly data: Dataset;
  readonly model: Architecture;
  readonly layout: Layout;
  /** as a fit starts */
  readonly start_P: Float64Array;
  /** moved off the start, so that no bias and no first state is 0 */
  readonly moved_P: Float64Array;
}

export const SEED = 1;

/** Standard deviation by which a verified case's parameters are moved off their start. */
const MOVED = 0.05;

export function modelCase(shape: Shape): ModelCase {
  const data = spikes(shape);
  const h = shape.hyperparameters;
  const model = architecture(h, data.T, data.N);
  const layout = parameterLayout(model);
  const start_P = initialise(model, h, SEED, meanCounts(data)).map(Math.fround);
  const moved_P = start_P.slice();
  const noise = normals("parameters", layout.length);
  for (const { offset, length } of layout.slices) {
    for (let i = offset; i < offset + length; i++) {
      moved_P[i] = Math.fround(moved_P[i] + MOVED * noise[i]);
    }
  }
  return { shape, data, model, layout, start_P, moved_P };
}

/** Each neuron's mean count per bin. */
function meanCounts({ counts_BTN, N }: Dataset): Float64Array {
  const mean_N = new Float64Array(N);
  for (let i = 0; i < counts_BTN.length; i++) mean_N[i % N] += counts_BTN[i];
  return mean_N.map((sum) => sum * N / counts_BTN.length);
}

/** Parameters by name, under the prefix that tells them from everything else in an exchange file. */
export function parameterTensors(layout: Layout, params_P: Float64Array): Record<string, Tensor> {
  return Object.fromEntries(
    layout.slices.map(({ name, shape, offset, length }) => [
      `param:${name}`,
      tensor(shape, Float32Array.from(params_P.subarray(offset, offset + length))),
    ]),
  );
}

/** What a peer has to know of the model: its dimensions by letter, and every hyperparameter. */
export function config({ model, shape }: ModelCase): Record<string, unknown> {
  return {
    ...shape.hyperparameters,
    ...model.dims,
    B: shape.hyperparameters.batchSize,
    seed: SEED,
  };
}

/** A flat buffer's slices by name. */
export function byName(layout: Layout, values_P: Float64Array): Record<string, Float64Array> {
  return Object.fromEntries(
    layout.slices.map(({ name, offset, length }) => [
      name,
      values_P.subarray(offset, offset + length),
    ]),
  );
}

/** The first `B` trials of the data. */
export function firstTrials(data: Dataset, B: number): Dataset["counts_BTN"] {
  return data.counts_BTN.subarray(0, B * data.T * data.N);
}
