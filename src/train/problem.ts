/** What a fit of some data is: the model's shape, and the data as the device holds them. */
import { arrange, type Arrangement, externalInputs } from "../data/arrange.ts";
import type { Dataset } from "../data/dataset.ts";
import { heldOutNeurons } from "../data/held_out.ts";
import { requireObservation } from "../data/observations.ts";
import type { Sessions } from "../data/sessions.ts";
import type { Observation } from "../dims.ts";
import { type SessionStart, sessionStart } from "./session_start.ts";
import { InputError } from "../errors.ts";
import {
  architecture,
  type Hyperparameters,
  parseHyperparameters,
} from "../model/hyperparameters.ts";
import type { Architecture } from "../model/layout.ts";
import { fillUniform, seedWords, STREAMS } from "../random.ts";

export interface Problem {
  readonly trials: number;
  /** with what the data decide filled in */
  readonly hyperparameters: Hyperparameters;
  readonly model: Architecture;
  /** neurons that the encoders never see, ascending */
  readonly heldOut: readonly number[];
  readonly data: Arrangement;
  readonly external_BTX: Float64Array | null;
  readonly sessions: Sessions | null;
  /** the start of several sessions' weights, from the trials that train */
  readonly sessionStart: (train: Uint32Array) => SessionStart | null;
}

/** What of a dataset hyperparameters are settled by. */
export type Settling = Pick<Dataset, "name" | "external_BTX" | "encodedBins">;

/**
 * Hyperparameters with what the data decide filled in: how many external inputs there are, and how many
 * bins their file says that the encoders see.
 *
 * @throws {InputError} where the data have others than the hyperparameters want
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseHyperparameters, settle, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 4, T: 5, N: 3 });
 * assert.equal(settle(parseHyperparameters({}), data).externalInputs, 0);
 * ```
 */
export function settle(h: Hyperparameters, data: Settling): Hyperparameters {
  const found = data.external_BTX?.shape[2] ?? 0;
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`Cannot fit ${data.name}: expected ${wanted}, found ${found}.`);
  };
  if (h.externalInputs > 0 && h.externalInputs !== found) {
    fail(`${h.externalInputs} external inputs, as externalInputs says`, String(found));
  }
  const encoded = data.encodedBins ?? 0;
  if (encoded > 0 && h.encodedBins > encoded) {
    fail(
      `encodedBins of at most ${encoded}, the bins that the data have for the encoders`,
      String(h.encodedBins),
    );
  }
  return parseHyperparameters({
    ...h,
    externalInputs: h.externalInputs < 0 ? found : h.externalInputs,
    encodedBins: h.encodedBins || encoded,
  });
}

/** Neurons that the encoders of a fit never see: those of the data, and a drawn share of the others. */
export function heldOutOf(
  { N, heldOut = [] }: Pick<Dataset, "N" | "heldOut">,
  share: number,
  splitSeed: number,
): number[] {
  const others = Array.from({ length: N }, (_, n) => n).filter((n) => !heldOut.includes(n));
  const drawn = heldOutNeurons(others.length, share, splitSeed).map((i) => others[i]);
  return [...heldOut, ...drawn].sort((a, b) => a - b);
}

/** Which samples are hidden from a fit: `[trials][T][N]`, 1 where hidden; drawn by the seed. */
export function hiddenSamples(
  { trials, T, N }: Pick<Dataset, "trials" | "T" | "N">,
  share: number,
  seed: number,
): Uint8Array | null {
  if (share === 0) return null;
  const hidden_BTN = new Uint8Array(trials * T * N);
  const draws_N = new Float64Array(N);
  for (let row = 0; row < trials * T; row++) {
    fillUniform({ ...seedWords(seed), stream: STREAMS.sampleValidation }, row, draws_N);
    for (let n = 0; n < N; n++) hidden_BTN[row * N + n] = draws_N[n] < share ? 1 : 0;
  }
  return hidden_BTN;
}

/**
 * Makes the problem of a fit. The split's seed also draws held-out neurons and hidden samples, so that
 * all starts of a run have the same.
 *
 * @throws {InputError} where hyperparameters and data do not go together
 */
export function problemOf(data: Dataset, given: Hyperparameters, splitSeed: number): Problem {
  const h = settle(given, data);
  const { T, N } = data;
  const model = architecture(h, T, N);
  requireObservation(data, h.observation, h.observationFloor, `Cannot fit ${data.name}`);
  const heldOut = heldOutOf(data, h.heldOutNeurons, splitSeed);
  const view = {
    heldOut,
    encodedBins: model.encodedBins ?? T,
    hidden_BTN: hiddenSamples(data, h.sampleValidation, splitSeed),
  };
  return {
    trials: data.trials,
    hyperparameters: h,
    model,
    heldOut,
    data: arrange(asElements(data, h.observation), view),
    external_BTX: model.dims.X ? externalInputs(data.external_BTX!, T) : null,
    sessions: data.sessions ?? null,
    sessionStart: (train) =>
      h.sessionStart === "pca" && h.observation === "poisson"
        ? sessionStart(data, train, h.factors)
        : null,
  };
}

/** Observations of real numbers read real numbers, also where all of them are whole. */
function asElements(data: Dataset, observation: Observation): Dataset {
  if (observation === "poisson") return data;
  return { ...data, counts_BTN: Float32Array.from(data.counts_BTN) };
}
