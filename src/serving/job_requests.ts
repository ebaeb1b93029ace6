/** What longer work with a served model is asked for. */
import type { FixedPointOptions } from "../analysis/fixed_points.ts";
import type { Counts } from "../inference/model_shape.ts";

/** Trials that a search takes its candidates from. */
export type SearchTrials = Counts;

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
