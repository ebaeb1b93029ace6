/** What a fit of some data is: the model's shape, and the data as the device holds them. */
import { arrange, type Arrangement, externalInputs } from "../data/arrange.ts";
import type { Dataset } from "../data/dataset.ts";
import { heldOutNeurons } from "../data/held_out.ts";
import type { Sessions } from "../data/sessions.ts";
import { type SessionStart, sessionStart } from "./session_start.ts";
import { InputError } from "../errors.ts";
import { architecture, type Hyperparameters } from "../model/hyperparameters.ts";
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

/**
 * Hyperparameters with what the data decide filled in: how many external inputs there are.
 *
 * @throws {InputError} where the data have others than the hyperparameters want
 */
export function settle(
  h: Hyperparameters,
  data: Pick<Dataset, "name" | "external_BTX">,
): Hyperparameters {
  const found = data.external_BTX?.shape[2] ?? 0;
  if (h.externalInputs > 0 && h.externalInputs !== found) {
    throw new InputError(
      `Cannot fit ${data.name}: expected ${h.externalInputs} external inputs, as externalInputs says, ` +
        `found ${found}.`,
    );
  }
  return { ...h, externalInputs: h.externalInputs < 0 ? found : h.externalInputs };
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
  const heldOut = heldOutNeurons(N, h.heldOutNeurons, splitSeed);
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
    data: arrange(data, view),
    external_BTX: model.dims.X ? externalInputs(data.external_BTX!, T) : null,
    sessions: data.sessions ?? null,
    sessionStart: (train) =>
      h.sessionStart === "pca" && h.observation === "poisson"
        ? sessionStart(data, train, h.factors)
        : null,
  };
}
