/**
 * Several sessions as one dataset: each session's neurons are a block of columns, and a trial has
 * observed only the block of its own session. What is not observed is missing, so that every session
 * has weights of its own into the encoders and out of the factors, and all share what lies between.
 */
import { InputError } from "../errors.ts";
import { type Dataset, datasetFromArrays } from "./dataset.ts";
import { missingOf } from "./arrange.ts";
import type { ShapedArray } from "./validate.ts";

/** Names of the sessions, and how many neurons each has: blocks in this order. */
export interface SessionBlocks {
  readonly names: readonly string[];
  readonly neurons: readonly number[];
}

/** The sessions of a dataset, and which each trial is of: an index into the names. */
export interface Sessions extends SessionBlocks {
  readonly session_B: Int32Array;
}

/** The sessions without their trials: what a model keeps. */
export function blocksOf({ names, neurons }: SessionBlocks): SessionBlocks {
  return { names, neurons };
}

/** Where each session's neurons begin, and where the last ends. */
export function sessionOffsets({ neurons }: SessionBlocks): number[] {
  const offsets = [0];
  for (const count of neurons) offsets.push(offsets[offsets.length - 1] + count);
  return offsets;
}

/**
 * Puts sessions side by side: trials one after the other, neurons in blocks. Shorter trials end early;
 * conditions of the same name (or number, where they have no names) are the same.
 *
 * @throws {InputError} where names are not distinct, or bin widths, external inputs or kinds of data
 * differ
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateRotation, stitchSessions } from "latentd";
 *
 * const first = { ...simulateRotation({ trials: 4, T: 5, N: 3 }), name: "monday" };
 * const second = { ...simulateRotation({ trials: 2, T: 5, N: 2, seed: 1 }), name: "tuesday" };
 * const data = stitchSessions([first, second]);
 * assert.deepEqual([data.trials, data.N, data.sessions?.neurons], [6, 5, [3, 2]]);
 * ```
 */
export function stitchSessions(datasets: readonly Dataset[]): Dataset {
  const action = `Cannot put the sessions ${
    datasets.map(({ name }) => JSON.stringify(name)).join(", ")
  } together`;
  const first = datasets[0];
  if (datasets.length < 2) {
    throw new InputError(`${action}: expected at least 2, found ${datasets.length}.`);
  }
  const names = datasets.map(({ name }) => name);
  agree(action, "distinct names", new Set(names).size === names.length, names);
  const widths = datasets.map(({ binWidth }) => binWidth);
  agree(action, "the same bin width", new Set(widths).size === 1, widths);
  const inputs = datasets.map(({ external_BTX }) => external_BTX?.shape[2] ?? 0);
  agree(action, "as many external inputs", new Set(inputs).size === 1, inputs);
  const whole = datasets.filter(({ encodedBins, heldOut, sessions }) =>
    !encodedBins && !heldOut && !sessions
  );
  agree(
    action,
    "single sessions without windows of their own to reconstruct",
    whole.length === datasets.length,
    datasets.filter((data) => !whole.includes(data)).map(({ name }) => name),
  );

  const neurons = datasets.map(({ N }) => N);
  const offsets = sessionOffsets({ names, neurons });
  const N = offsets[datasets.length], T = Math.max(...datasets.map((data) => data.T));
  const trials = datasets.reduce((sum, data) => sum + data.trials, 0);
  const wide = datasets.some(({ counts_BTN }) => !(counts_BTN instanceof Uint8Array));
  const spikes = wide ? new Float32Array(trials * T * N) : new Uint8Array(trials * T * N);
  const missing = new Uint8Array(trials * T * N).fill(1);
  const rates = datasets.every(({ truth }) => truth) ? new Float64Array(trials * T * N) : null;
  const session_B = new Int32Array(trials), lengths = new Int32Array(trials).fill(T);
  const external = inputs[0] > 0 ? new Float64Array(trials * T * inputs[0]) : null;
  let row = 0;
  datasets.forEach((data, s) => {
    const absent = missingOf(data);
    for (let b = 0; b < data.trials; b++, row++) {
      session_B[row] = s;
      lengths[row] = data.lengths_B?.[b] ?? data.T;
      for (let t = 0; t < data.T; t++) {
        const from = (b * data.T + t) * data.N, to = (row * T + t) * N + offsets[s];
        for (let n = 0; n < data.N; n++) {
          spikes[to + n] = data.counts_BTN[from + n];
          missing[to + n] = absent?.[from + n] ?? 0;
          if (rates) rates[to + n] = data.truth!.rates_BTN[from + n];
        }
        if (!external) continue;
        const [, bins, X] = data.external_BTX!.shape;
        for (let x = 0; x < X; x++) {
          external[(row * T + t) * X + x] = data.external_BTX!.data[(b * bins + t) * X + x];
        }
      }
    }
  });
  const conditions = commonConditions(datasets);
  const split = commonSplit(datasets);
  const shape = [trials, T, N];
  const data = datasetFromArrays({
    name: names.join("+"),
    spikes: { shape, data: spikes },
    binWidth: first.binWidth,
    missing: { shape, data: missing },
    ...(lengths.some((length) => length < T)
      ? { lengths: { shape: [trials], data: lengths } }
      : {}),
    ...(rates ? { rates: { shape, data: rates } } : {}),
    ...(external ? { external: { shape: [trials, T, inputs[0]], data: external } } : {}),
    neurons: datasets.flatMap((data) =>
      Array.from({ length: data.N }, (_, n) => `${data.name}/${data.neurons?.[n] ?? n}`)
    ),
    ...conditions,
    ...(split ? { split } : {}),
    sessions: { names, neurons, trials: session_B },
  }, { minTrials: 1, action });
  const said = datasets.flatMap(({ name, warnings }) => warnings.map((word) => `${name}: ${word}`));
  return { ...data, warnings: [...data.warnings, ...said] };
}

function agree(action: string, wanted: string, holds: boolean, found: readonly unknown[]): void {
  if (!holds) throw new InputError(`${action}: expected ${wanted}, found ${found.join(", ")}.`);
}

/** Conditions by name where all have names, else by number; none where a session has none. */
function commonConditions(
  datasets: readonly Dataset[],
): { condition?: ShapedArray; conditionNames?: string[] } {
  if (datasets.some(({ condition }) => condition === null)) return {};
  const trials = datasets.reduce((sum, data) => sum + data.trials, 0);
  if (!datasets.every(({ conditionNames }) => conditionNames)) {
    const numbers = datasets.flatMap(({ condition }) => [...condition!]);
    return { condition: { shape: [trials], data: Int32Array.from(numbers) } };
  }
  const names = [...new Set(datasets.flatMap(({ conditionNames }) => conditionNames!))];
  const numbers = datasets.flatMap(({ condition, conditionNames }) =>
    Array.from(condition!, (value) => names.indexOf(conditionNames![value]))
  );
  return { condition: { shape: [trials], data: Int32Array.from(numbers) }, conditionNames: names };
}

/** The files' own splits, where all have one. */
function commonSplit(datasets: readonly Dataset[]) {
  if (!datasets.every(({ split }) => split)) return null;
  const train: number[] = [], evaluation: number[] = [];
  let first = 0;
  for (const { trials, split } of datasets) {
    train.push(...Array.from(split!.train, (trial) => first + trial));
    evaluation.push(...Array.from(split!.evaluation, (trial) => first + trial));
    first += trials;
  }
  return { train, evaluation };
}

/**
 * One session's data in the columns of a model of several: the others' neurons are missing.
 *
 * @param name which session the data are of
 * @throws {InputError} where there is no such session, or it has other neurons
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { placeSession, simulateRotation } from "latentd";
 *
 * const blocks = { names: ["monday", "tuesday"], neurons: [3, 2] };
 * const placed = placeSession(simulateRotation({ trials: 4, T: 5, N: 2 }), blocks, "tuesday");
 * assert.equal(placed.N, 5);
 * ```
 */
export function placeSession(data: Dataset, blocks: SessionBlocks, name: string): Dataset {
  const s = blocks.names.indexOf(name);
  const action = `Cannot take ${JSON.stringify(data.name)} for a session of the model`;
  if (s < 0) {
    throw new InputError(
      `${action}: expected one of ${blocks.names.join(", ")}, found ${JSON.stringify(name)}.`,
    );
  }
  if (data.N !== blocks.neurons[s]) {
    throw new InputError(
      `${action}: expected the ${blocks.neurons[s]} neurons of ${name}, found ${data.N}.`,
    );
  }
  const { trials, T } = data;
  const offsets = sessionOffsets(blocks);
  const N = offsets[blocks.names.length], at = offsets[s];
  const counts_BTN = data.counts_BTN instanceof Uint8Array
    ? new Uint8Array(trials * T * N)
    : data.counts_BTN instanceof Uint16Array
    ? new Uint16Array(trials * T * N)
    : new Float32Array(trials * T * N);
  const missing_BTN = new Uint8Array(trials * T * N).fill(1);
  const absent = missingOf(data);
  for (let row = 0; row < trials * T; row++) {
    for (let n = 0; n < data.N; n++) {
      counts_BTN[row * N + at + n] = data.counts_BTN[row * data.N + n];
      missing_BTN[row * N + at + n] = absent?.[row * data.N + n] ?? 0;
    }
  }
  const { neurons: _neurons, truth: _truth, ...rest } = data;
  const session_B = new Int32Array(trials).fill(s);
  return {
    ...rest,
    ...{ N, counts_BTN: counts_BTN as Dataset["counts_BTN"], missing_BTN, truth: null },
    sessions: { ...blocks, session_B },
  };
}
