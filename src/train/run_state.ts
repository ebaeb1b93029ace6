/** Everything that a run needs to go on exactly where it was. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { readSafetensors, type Tensor, tensor, writeSafetensors } from "../data/safetensors.ts";
import { type Losses, lossesFrom, scoreOf, TERMS, termsOf } from "./losses.ts";

/** One line of a run's history. */
export interface HistoryEntry {
  /** optimiser steps made */
  readonly step: number;
  /** means over the steps since the entry before */
  readonly train: Losses;
  readonly evaluation: Losses;
  /** nll of the evaluation trials' samples that `sampleValidation` hides; null without any */
  readonly hidden: number | null;
  /** training seconds so far, of all sessions of the run */
  readonly seconds: number;
}

/** A start met a number that is not finite, went back to its last good state and went on from there. */
export interface Recovery {
  /** the step that could not be made, from 0 */
  readonly step: number;
  /** the loss term that is not finite */
  readonly term: string;
  /** parameters to blame: see `NonFiniteError` */
  readonly slice: string | null;
  /** the step that it went back to */
  readonly to: number;
  /** what its learning rate is multiplied by from there on: every recovery's `guardFactor` together */
  readonly factor: number;
}

/** What a start goes back to: all that it was when its next step was shown to be possible. */
export interface GoodState {
  readonly step: number;
  readonly params_P: Float64Array;
  readonly m_P: Float64Array;
  readonly v_P: Float64Array;
  readonly best: RunState["best"];
  /** entries of the history until then */
  readonly entries: number;
  readonly window: RunState["window"];
}

/** The state of a run after `step` steps. */
export interface RunState {
  readonly step: number;
  readonly seed: number;
  /** decides which trials train and which evaluate */
  readonly splitSeed: number;
  readonly params_P: Float64Array;
  readonly m_P: Float64Array;
  readonly v_P: Float64Array;
  readonly best: { readonly step: number; readonly score: number; readonly params_P: Float64Array };
  readonly history: readonly HistoryEntry[];
  readonly seconds: number;
  /** sums of the training losses since the last history entry, so that a resumed run reports the same */
  readonly window: { readonly steps: number; readonly sums: readonly number[] };
  /** in the order in which they happened */
  readonly recoveries: readonly Recovery[];
  /** where it would go back to; null where that is this very state */
  readonly good: GoodState | null;
}

/** A start that met a number that is not finite, and was left out from then on. */
export interface FailedStart {
  readonly seed: number;
  /** the step that could not be made, from 0 */
  readonly step: number;
  /** the loss term that is not finite */
  readonly term: string;
  /** parameters to blame: see `NonFiniteError` */
  readonly slice: string | null;
  readonly history: readonly HistoryEntry[];
  /** how often it had gone back before, in vain at last */
  readonly recoveries: readonly Recovery[];
}

/** The state of several starts. */
export interface StartsState {
  /**
   * steps made by those that are ahead; one that stopped early has made fewer, and so has one that is
   * making up for steps that it went back
   */
  readonly step: number;
  readonly splitSeed: number;
  readonly seconds: number;
  /** starts that go on, each in the state that it would be in alone; in the order of their seeds */
  readonly going: readonly RunState[];
  /** in the order in which they failed */
  readonly failed: readonly FailedStart[];
}

/** The start with the smallest evaluation score so far; before an evaluation, the first. */
export function leader<S extends { readonly best: { readonly score: number } }>(
  starts: readonly S[],
): S {
  return starts.reduce((best, start) => start.best.score < best.best.score ? start : best);
}

/** How one start stands. */
export interface StartSummary {
  readonly seed: number;
  /** smallest evaluation score (nll + KL, nats per trial), and its step; null before an evaluation */
  readonly best: { readonly step: number; readonly score: number } | null;
  /** where the start met a number that is not finite */
  readonly failure: Pick<FailedStart, "step" | "term" | "slice"> | null;
  readonly recoveries: readonly Recovery[];
}

/** How the starts of a run stand, in the order of their seeds. */
export function summarise({ going, failed }: StartsState): StartSummary[] {
  return [
    ...going.map(({ seed, best: { step, score }, recoveries }) => ({
      seed,
      best: score < Infinity ? { step, score } : null,
      failure: null,
      recoveries,
    })),
    ...failed.map(({ seed, step, term, slice, history, recoveries }) => ({
      seed,
      best: bestOf(history),
      failure: { step, term, slice },
      recoveries,
    })),
  ].sort((a, b) => a.seed - b.seed);
}

function bestOf(history: readonly HistoryEntry[]): StartSummary["best"] {
  const scored = history.map(({ step, evaluation }) => ({ step, score: scoreOf(evaluation) }));
  return scored.reduce<StartSummary["best"]>(
    (best, one) => best && best.score <= one.score ? best : one,
    null,
  );
}

/** The state of several starts where there is one. */
export function onlyStart(state: RunState): StartsState {
  const { step, splitSeed, seconds } = state;
  return { step, splitSeed, seconds, going: [state], failed: [] };
}

const count = z.int().min(0);
const lines = z.strictObject({ lines: count });
const best = z.strictObject({ step: count, score: z.number().nullable() });
const window = z.strictObject({
  steps: count,
  sums: z.array(z.number()).length(TERMS.length),
});

/** The schema of a `Recovery`. */
export const recoverySchema = z.strictObject({
  step: count,
  term: z.string(),
  slice: z.string().nullable(),
  to: count,
  factor: z.number().gt(0).lt(1),
});

/** What a checkpoint's metadata holds; JSON has no Infinity, so a score not yet known is null. */
const metadataSchema = z.strictObject({
  step: count,
  splitSeed: count,
  seconds: z.number().min(0),
  going: z.array(z.strictObject({
    seed: count,
    step: count,
    best,
    window,
    history: lines,
    recoveries: z.array(recoverySchema),
    good: z.strictObject({ step: count, best, entries: count, window }).nullable(),
  })).min(1),
  failed: z.array(z.strictObject({
    seed: count,
    step: count,
    term: z.string(),
    slice: z.string().nullable(),
    history: lines,
    recoveries: z.array(recoverySchema),
  })),
});

function parseMetadata(json: string | undefined, what: string): z.infer<typeof metadataSchema> {
  try {
    return metadataSchema.parse(JSON.parse(json ?? ""));
  } catch (error) {
    const found = error instanceof z.ZodError ? z.prettifyError(error) : `"${json ?? ""}"`;
    throw new InputError(
      `Cannot resume from ${what}: expected the run's state as JSON in metadata "state", found ${found}.`,
    );
  }
}

const FORMAT = "latentd checkpoint 2";
const ARRAYS = ["params_P", "m_P", "v_P", "best_P"] as const;
/** The same of what the starts would go back to: those, in order, of which it is another state. */
const GOOD_ARRAYS = ARRAYS.map((name) => `good_${name}`);
/** Histories are numbers, one line per entry, all starts' one after the other: first those that go on. */
const HISTORY = "history";
const COLUMNS = 3 + 2 * TERMS.length;

/**
 * The bytes of a checkpoint. Numbers are kept as wide as the executor computes, so that resuming is
 * exact: `wide` for the reference executor.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   parseHyperparameters,
 *   readSafetensors,
 *   simulateRotation,
 *   stateToBytes,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const wide = true; // the reference device computes in float64
 * const { tensors } = readSafetensors(stateToBytes(next.value.state, wide));
 * assert.deepEqual(tensors.params_P.shape, [1, next.value.state.params_P.length]); // of one start
 * ```
 */
export function stateToBytes(state: RunState, wide: boolean): Uint8Array {
  return startsToBytes(onlyStart(state), wide);
}

/**
 * @param P the parameters of the model that the run fits
 * @throws {InputError} where the file is no checkpoint, or one of another shape
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   parseHyperparameters,
 *   simulateRotation,
 *   stateFromBytes,
 *   stateToBytes,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { state } = next.value;
 * const bytes = stateToBytes(state, true);
 * assert.deepEqual(stateFromBytes(bytes, state.params_P.length, "a checkpoint"), state);
 * ```
 */
export function stateFromBytes(bytes: Uint8Array, P: number, what: string): RunState {
  const { going, failed } = startsFromBytes(bytes, P, what);
  if (going.length + failed.length === 1) return going[0];
  throw new InputError(
    `Cannot resume from ${what}: expected a checkpoint of one start, found one of ` +
      `${going.length + failed.length}.`,
  );
}

/** The bytes of a checkpoint of several starts: arrays `[start][P]` of those that go on. */
export function startsToBytes(state: StartsState, wide: boolean): Uint8Array {
  const { step, splitSeed, seconds, going, failed } = state;
  const P = going[0].params_P.length;
  const pack = (rows: readonly Float64Array[]) => {
    const all = wide ? new Float64Array(rows.length * P) : new Float32Array(rows.length * P);
    rows.forEach((row, i) => all.set(row, i * P));
    return tensor([rows.length, P], all);
  };
  const goods = going.flatMap(({ good }) => good ?? []);
  const history = [...going, ...failed].flatMap((start) => start.history);
  const lineCount = (start: { history: readonly HistoryEntry[] }) => ({
    lines: start.history.length,
  });
  const scored = ({ step, score }: RunState["best"]) => ({ step, score });
  return writeSafetensors({
    ...packStates(ARRAYS, going, pack),
    ...(goods.length > 0 ? packStates(GOOD_ARRAYS, goods, pack) : {}),
    [HISTORY]: tensor([history.length, COLUMNS], Float64Array.from(history.flatMap(numbersOf))),
  }, {
    format: FORMAT,
    state: JSON.stringify({
      step,
      splitSeed,
      seconds,
      going: going.map((start) => ({
        seed: start.seed,
        step: start.step,
        best: scored(start.best),
        window: start.window,
        history: lineCount(start),
        recoveries: start.recoveries,
        good: start.good && {
          step: start.good.step,
          best: scored(start.good.best),
          entries: start.good.entries,
          window: start.good.window,
        },
      })),
      failed: failed.map((start) => ({ ...start, history: lineCount(start) })),
    }),
  });
}

/** The arrays of some states, each name's rows together. */
function packStates(
  names: readonly string[],
  states: readonly GoodState[] | readonly RunState[],
  pack: (rows: readonly Float64Array[]) => Tensor,
): Record<string, Tensor> {
  const rows = states.map(({ params_P, m_P, v_P, best }) => [params_P, m_P, v_P, best.params_P]);
  return Object.fromEntries(names.map((name, i) => [name, pack(rows.map((row) => row[i]))]));
}

/**
 * Several starts from their checkpoint.
 *
 * @param P the parameters of the model that the run fits
 * @throws {InputError} where the file is no checkpoint, or one of another shape
 */
export function startsFromBytes(bytes: Uint8Array, P: number, what: string): StartsState {
  const { tensors, metadata } = readSafetensors(bytes, what);
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `Cannot resume from ${what}: expected metadata "format" of "${FORMAT}", found ` +
        `${metadata.format === undefined ? "none" : `"${metadata.format}"`}.`,
    );
  }
  const { step, splitSeed, seconds, going, failed } = parseMetadata(metadata.state, what);
  const states = unpackStates(tensors, ARRAYS, going.length, P, what);
  const goods = going.filter(({ good }) => good !== null).length;
  const goodStates = goods > 0 ? unpackStates(tensors, GOOD_ARRAYS, goods, P, what) : [];
  const history = new Lines(tensors[HISTORY], [...going, ...failed], what);
  return {
    step,
    splitSeed,
    seconds,
    going: going.map(({ seed, step, best, window, recoveries, good, ...start }, i) => ({
      step,
      seed,
      splitSeed,
      ...stateOf(states[i], best),
      history: history.next(start.history.lines),
      seconds,
      window,
      recoveries,
      good: good && { ...good, ...stateOf(goodStates.shift()!, good.best) },
    })),
    failed: failed.map((start) => ({ ...start, history: history.next(start.history.lines) })),
  };
}

interface Arrays extends Pick<GoodState, "params_P" | "m_P" | "v_P"> {
  readonly best_P: Float64Array;
}

function unpackStates(
  tensors: Readonly<Record<string, Tensor>>,
  names: readonly string[],
  states: number,
  P: number,
  what: string,
): Arrays[] {
  const [params, m, v, best] = names.map((name) => rowsOf(tensors, name, states, P, what));
  return params.map((params_P, i) => ({ params_P, m_P: m[i], v_P: v[i], best_P: best[i] }));
}

/** Arrays and the best evaluation, as they were. */
function stateOf(
  { best_P, ...weights }: Arrays,
  { step, score }: { readonly step: number; readonly score: number | null },
): Pick<GoodState, "params_P" | "m_P" | "v_P" | "best"> {
  return { ...weights, best: { step, score: score ?? Infinity, params_P: best_P } };
}

/** The rows of an array `[start][P]`. */
function rowsOf(
  tensors: Readonly<Record<string, Tensor>>,
  name: string,
  starts: number,
  P: number,
  what: string,
): Float64Array[] {
  const found = tensors[name];
  if (found?.shape.length !== 2 || found.shape[1] !== P || found.shape[0] !== starts) {
    const rows = starts === 1 ? "" : `${starts} times `;
    throw new InputError(
      `Cannot resume from ${what}: expected "${name}" of ${rows}the ${P} parameters that these ` +
        `hyperparameters give, found ${found ? found.shape.join(" × ") : "none"}.`,
    );
  }
  return Array.from(
    { length: starts },
    (_, i) => Float64Array.from(found.data.subarray(i * P, (i + 1) * P)),
  );
}

/** Reads the starts' histories one after the other. */
class Lines {
  readonly #numbers: Float64Array;
  #line = 0;

  constructor(
    found: Tensor | undefined,
    starts: readonly { history: { lines: number } }[],
    what: string,
  ) {
    const wanted = starts.reduce((sum, { history }) => sum + history.lines, 0);
    if (found?.shape.join() !== `${wanted},${COLUMNS}`) {
      throw new InputError(
        `Cannot resume from ${what}: expected "${HISTORY}" of ${wanted} × ${COLUMNS} numbers, found ` +
          `${found ? found.shape.join(" × ") : "none"}.`,
      );
    }
    this.#numbers = Float64Array.from(found.data);
  }

  next(count: number): HistoryEntry[] {
    return Array.from({ length: count }, () => {
      const from = COLUMNS * this.#line++;
      return entryFrom(this.#numbers.subarray(from, from + COLUMNS));
    });
  }
}

function numbersOf({ step, seconds, hidden, train, evaluation }: HistoryEntry): number[] {
  return [step, seconds, hidden ?? NaN, ...termsOf(train), ...termsOf(evaluation)];
}

function entryFrom([step, seconds, hidden, ...terms]: Float64Array): HistoryEntry {
  return {
    step,
    train: lossesFrom(terms.slice(0, TERMS.length)),
    evaluation: lossesFrom(terms.slice(TERMS.length)),
    hidden: Number.isNaN(hidden) ? null : hidden,
    seconds,
  };
}
