/** Longer work with a served model: its fixed points, and trials that it generates. */
import type { FixedPointOptions, FixedPointResult } from "../analysis/fixed_points.ts";
import { findFixedPoints } from "../analysis/fixed_points.ts";
import type { Dataset } from "../data/dataset.ts";
import { modelFromBytes } from "../data/model_file.ts";
import { InputError } from "../errors.ts";
import type { Executor } from "../compute/executor.ts";
import { generatorCell, visitedStates } from "../study/dynamics.ts";
import { generate, type GenerateOptions, generateTrials } from "../study/generate.ts";

/** Trials that a search takes its candidates from. */
export interface SearchTrials {
  readonly counts_BTN: Uint8Array | Uint16Array;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
}

/** How to search for a served model's fixed points; defaults are the command line's. */
export interface FixedPointsRequest {
  /** candidates are states that the model visits in these trials; without, in trials it generates */
  readonly data?: SearchTrials;
  /** posterior samples of each of these trials: 64 */
  readonly samples?: number;
  /** trials to generate without `data`: 100 */
  readonly trials?: number;
  /** at most about so many candidates: 2000 */
  readonly candidates?: number;
  /** the inferred inputs, held still: zeros */
  readonly input_U?: readonly number[];
  /** seconds per bin: the model's */
  readonly binWidth?: number | null;
  /** of the samples, the generated trials and the candidates' noise: 0 */
  readonly seed?: number;
  readonly search?: Omit<FixedPointOptions, "seed" | "binWidth" | "onProgress">;
}

export const FIXED_POINTS_DEFAULTS = {
  samples: 64,
  trials: 100,
  candidates: 2000,
  seed: 0,
} as const;

/** Where a search is. */
export interface SearchProgress {
  readonly iterations: number;
  readonly meanSpeed: number;
}

/** What a job is handed: a model's file, so that nothing is parsed on the thread that serves. */
export interface JobModel {
  readonly id: string;
  readonly file: Uint8Array;
}

/**
 * Searches with what a request asks for.
 *
 * @param gen_BTG states inferred from the request's data; null generates trials
 */
export async function runFixedPoints(
  executor: Executor,
  { id, file }: JobModel,
  request: Omit<FixedPointsRequest, "data">,
  gen_BTG: Float64Array | null,
  onProgress: (progress: SearchProgress) => void,
): Promise<FixedPointResult> {
  const model = modelFromBytes(file, JSON.stringify(id));
  const { G, U } = model.architecture.dims;
  const { seed, trials, candidates } = { ...FIXED_POINTS_DEFAULTS, ...request };
  if (!Number.isSafeInteger(candidates) || candidates < 1) {
    throw new InputError(
      `Cannot find fixed points: expected at least 1 candidate, found ${candidates}.`,
    );
  }
  const states = gen_BTG ?? generateTrials(model, { trials, seed }).gen_BTG;
  const binWidth = request.binWidth ?? model.binWidth;
  return await findFixedPoints(
    executor,
    generatorCell(model),
    visitedStates(states, G, candidates),
    request.input_U ?? new Float64Array(U),
    {
      ...request.search,
      seed,
      ...(binWidth === null ? {} : { binWidth }),
      onProgress,
    },
  );
}

export function runGenerate({ id, file }: JobModel, options: GenerateOptions): Dataset {
  return generate(modelFromBytes(file, JSON.stringify(id)), options);
}
