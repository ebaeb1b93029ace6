/** A started model of a shape, and how a peer is told of it. */
import { type Tensor, tensor } from "../src/data/safetensors.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { architecture } from "../src/model/hyperparameters.ts";
import { initialise } from "../src/model/initialise.ts";
import { type Architecture, type Layout, parameterLayout } from "../src/model/layout.ts";
import { fillKeep, fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { meanCounts } from "../src/train/trainer.ts";
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
  const all = Uint32Array.from({ length: data.trials }, (_, i) => i);
  const start_P = initialise(model, h, SEED, meanCounts(data, all)).map(Math.fround);
  const moved_P = start_P.slice();
  const noise = fillNormal(
    { ...at(STREAMS.initialise), sample: 1 },
    0,
    new Float64Array(layout.length),
  );
  for (const { offset, length } of layout.slices) {
    for (let i = offset; i < offset + length; i++) {
      moved_P[i] = Math.fround(moved_P[i] + MOVED * noise[i]);
    }
  }
  return { shape, data, model, layout, start_P, moved_P };
}

function at(stream: number) {
  return { ...seedWords(SEED), stream };
}

/** Standard normals, exact in float32. */
export function normals(stream: number, count: number): Float32Array {
  return Float32Array.from(fillNormal(at(stream), 0, new Float64Array(count)));
}

/** A dropout mask of 0 and 1. */
export function mask(stream: number, keepRate: number, count: number): Uint8Array {
  return Uint8Array.from(fillKeep(at(stream), 0, keepRate, new Float64Array(count)));
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
export function firstTrials(data: Dataset, B: number): Uint8Array | Uint16Array {
  return data.counts_BTN.subarray(0, B * data.T * data.N);
}
