/** Everything that a run needs to go on exactly where it was. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { readSafetensors, tensor, writeSafetensors } from "../data/safetensors.ts";

/** Loss terms, averaged per trial. */
export interface Losses {
  readonly total: number;
  readonly nll: number;
  /** KL before scaling */
  readonly klIc: number;
  readonly klInputs: number;
  readonly l2: number;
  /** before clipping; 0 in an evaluation */
  readonly gradNorm: number;
  readonly klScale: number;
}

/** One line of a run's history. */
export interface HistoryEntry {
  /** optimiser steps made */
  readonly step: number;
  /** means over the steps since the entry before */
  readonly train: Losses;
  readonly evaluation: Losses;
  /** training seconds so far, of all sessions of the run */
  readonly seconds: number;
}

/** The state of a run after `step` steps. */
export interface RunState {
  readonly step: number;
  readonly seed: number;
  readonly params_P: Float64Array;
  readonly m_P: Float64Array;
  readonly v_P: Float64Array;
  readonly best: { readonly step: number; readonly score: number; readonly params_P: Float64Array };
  readonly history: readonly HistoryEntry[];
  readonly seconds: number;
  /** sums of the training losses since the last history entry, so that a resumed run reports the same */
  readonly window: { readonly steps: number; readonly sums: readonly number[] };
}

const count = z.int().min(0);
const lossesSchema = z.strictObject({
  total: z.number(),
  nll: z.number(),
  klIc: z.number(),
  klInputs: z.number(),
  l2: z.number(),
  gradNorm: z.number(),
  klScale: z.number(),
});

/** What a checkpoint's metadata holds; JSON has no Infinity, so a score not yet known is null. */
const metadataSchema = z.strictObject({
  step: count,
  seed: count,
  best: z.strictObject({ step: count, score: z.number().nullable() }),
  history: z.array(z.strictObject({
    step: count,
    train: lossesSchema,
    evaluation: lossesSchema,
    seconds: z.number().min(0),
  })),
  seconds: z.number().min(0),
  window: z.strictObject({ steps: count, sums: z.array(z.number()).length(7) }),
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

const FORMAT = "latentd checkpoint 1";
const ARRAYS = ["params_P", "m_P", "v_P", "best_P"] as const;

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
 * assert.deepEqual(Object.keys(tensors).sort(), ["best_P", "m_P", "params_P", "v_P"]);
 * ```
 */
export function stateToBytes(state: RunState, wide: boolean): Uint8Array {
  const { params_P, m_P, v_P, best, ...rest } = state;
  const pack = (values: Float64Array) =>
    tensor([values.length], wide ? values : Float32Array.from(values));
  return writeSafetensors({
    params_P: pack(params_P),
    m_P: pack(m_P),
    v_P: pack(v_P),
    best_P: pack(best.params_P),
  }, {
    format: FORMAT,
    state: JSON.stringify({ ...rest, best: { step: best.step, score: best.score } }),
  });
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
  const { tensors, metadata } = readSafetensors(bytes, what);
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `Cannot resume from ${what}: expected metadata "format" of "${FORMAT}", found ` +
        `${metadata.format === undefined ? "none" : `"${metadata.format}"`}.`,
    );
  }
  const [params_P, m_P, v_P, best_P] = ARRAYS.map((name) => {
    const found = tensors[name];
    if (!found || found.data.length !== P) {
      throw new InputError(
        `Cannot resume from ${what}: expected "${name}" of the ${P} parameters that these ` +
          `hyperparameters give, found ${found ? found.data.length : "none"}.`,
      );
    }
    return Float64Array.from(found.data);
  });
  const { best, ...rest } = parseMetadata(metadata.state, what);
  return {
    ...rest,
    params_P,
    m_P,
    v_P,
    best: { step: best.step, score: best.score ?? Infinity, params_P: best_P },
  };
}
