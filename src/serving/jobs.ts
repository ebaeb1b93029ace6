/** Longer work with a served model: its fixed points, and trials that it generates. */
import { findFixedPoints, type FixedPointResult } from "../analysis/fixed_points.ts";
import type { Dataset } from "../data/dataset.ts";
import { modelFromBytes } from "../data/model_file.ts";
import { InputError } from "../errors.ts";
import type { Executor } from "../compute/executor.ts";
import { generatorCell, visitedStates } from "../study/dynamics.ts";
import { generate, type GenerateOptions, generateTrials } from "../study/generate.ts";
import {
  FIXED_POINTS_DEFAULTS,
  type FixedPointsRequest,
  type JobModel,
  type SearchProgress,
} from "./job_requests.ts";

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
  const cell = generatorCell(model);
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
    cell,
    visitedStates(states, cell.G, candidates),
    request.input_U ?? new Float64Array(cell.U),
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
