/** Models and counts for the tests of serving. */
import { modelToBytes } from "../src/data/model_file.ts";
import { createServing, type Serving, type ServingOptions } from "../src/serving/serving.ts";
import type { ServingEvent } from "../src/serving/events.ts";
import { architecture, parseHyperparameters } from "../src/model/hyperparameters.ts";
import type { HyperparametersInput } from "../src/model/hyperparameters.ts";
import { initialise } from "../src/model/initialise.ts";
import type { Model } from "../src/model/model.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";

/** A model with a controller, and one without; few units, none of them a multiple of 4. */
export const SMALL = {
  T: 6,
  N: 5,
  units: { encoderUnits: 3, generatorUnits: 5, factors: 3, inferredInputs: 0 },
};
export const DRIVEN = {
  T: 7,
  N: 4,
  units: {
    ...{ encoderUnits: 3, generatorUnits: 4, factors: 2 },
    ...{ controllerUnits: 3, inferredInputs: 2 },
  },
};
/** Shape M of the bench: a launch of it takes a while. */
export const SHAPE_M = {
  T: 100,
  N: 100,
  units: { encoderUnits: 64, generatorUnits: 64, factors: 20, inferredInputs: 0 },
};

export interface TestShape {
  readonly T: number;
  readonly N: number;
  readonly units: HyperparametersInput;
}

/** A model whose parameters are float32 and, but for the start, noise. */
export function testModel({ T, N, units }: TestShape, seed = 1): Model {
  const hyperparameters = parseHyperparameters(units);
  const shape = architecture(hyperparameters, T, N);
  const params_P = initialise(shape, hyperparameters, seed, new Float64Array(N).fill(0.3));
  const noise = fillNormal(
    { ...seedWords(seed), stream: STREAMS.initialise, step: 1 },
    0,
    new Float64Array(params_P.length),
  );
  return {
    architecture: shape,
    hyperparameters,
    params_P: params_P.map((p, i) => Math.fround(p + 0.05 * noise[i])),
    binWidth: 0.01,
    seed,
    step: 3,
  };
}

/** Counts that look like spikes, the same for the same seed. */
export function testCounts(trials: number, { T, N }: TestShape, seed = 1) {
  const noise = fillNormal(
    { ...seedWords(seed), stream: STREAMS.simulate },
    0,
    new Float64Array(trials * T * N),
  );
  const counts_BTN = Uint8Array.from(noise, (x) => Math.max(0, Math.round(x)));
  return { counts_BTN, trials, T, N };
}

/** A device that serves models by id; what it told is in `events`. */
export interface Served {
  readonly serving: Serving;
  readonly events: ServingEvent[];
  /** how often each model's file was read */
  readonly reads: Map<string, number>;
}

/** Serves models for the body of a test, and closes whatever happens. */
export async function withServing<X>(
  models: Readonly<Record<string, Model>>,
  options: Omit<ServingOptions, "models" | "onEvent">,
  body: (served: Served) => Promise<X>,
): Promise<X> {
  const files = new Map(Object.entries(models).map(([id, model]) => [id, modelToBytes(model)]));
  const reads = new Map<string, number>();
  const events: ServingEvent[] = [];
  const serving = createServing({
    device: { device: "reference" },
    ...options,
    models: {
      read: (id) => {
        reads.set(id, (reads.get(id) ?? 0) + 1);
        return Promise.resolve(files.get(id) ?? null);
      },
      list: () => Promise.resolve([...files.keys()]),
    },
    onEvent: (event) => events.push(event),
  });
  try {
    return await body({ serving, events, reads });
  } finally {
    await serving.close();
  }
}
