/** What several tests of fits do: small data, runs to their end, states without the clock. */
import type { Executor } from "../src/compute/executor.ts";
import {
  fit,
  type FitOptions,
  type FitResult,
  fitStarts,
  parseHyperparameters,
  type RunState,
  simulateRotation,
  type StartsOptions,
  type StartsProgress,
  type StartsResult,
  type StartsState,
} from "../src/mod.ts";
import { PLAIN } from "../src/study/recipes.ts";

export const data = simulateRotation({ trials: 20, T: 6, N: 5, seed: 1 });
// 4 evaluation trials in batches of 3: an evaluation is two runs
export const hyperparameters = parseHyperparameters({
  ...PLAIN,
  cell: "gru",
  encoderUnits: 3,
  generatorUnits: 3,
  factors: 2,
  controllerUnits: 2,
  inferredInputs: 1,
  keepRate: 0.8,
  evalFraction: 0.2,
  steps: 13,
  batchSize: 3,
  evaluateEvery: 5,
  checkpointEvery: 4,
});
export const SEED = 7, STARTS = 4;
export const SEEDS = [7, 8, 9, 10];

export interface Followed<R> {
  readonly result: R;
  readonly events: readonly StartsProgress[];
}

export async function follow<R>(
  run: AsyncGenerator<StartsProgress, R, void>,
  each: (event: StartsProgress) => void = () => {},
): Promise<Followed<R>> {
  const events: StartsProgress[] = [];
  let next = await run.next();
  while (!next.done) {
    events.push(next.value);
    each(next.value);
    next = await run.next();
  }
  return { result: next.value, events };
}

export function starts(
  executor: Executor,
  options: Partial<StartsOptions> = {},
  each?: (event: StartsProgress) => void,
): Promise<Followed<StartsResult>> {
  const all = { hyperparameters, seed: SEED, starts: STARTS, ...options };
  return follow(fitStarts(data, executor, all), each);
}

export function solo(
  executor: Executor,
  seed: number,
  options: Partial<FitOptions> = {},
): Promise<Followed<FitResult>> {
  return follow(fit(data, executor, { hyperparameters, seed, splitSeed: SEED, ...options }));
}

/** What must not depend on the clock. */
export function essence({ seconds: _, history, ...state }: RunState) {
  return { ...state, history: history.map(({ seconds: _, ...entry }) => entry) };
}

export function essences({ seconds: _, going, failed, ...state }: StartsState) {
  return {
    ...state,
    going: going.map(essence),
    failed: failed.map(({ history, ...start }) => ({
      ...start,
      history: history.map(({ seconds: _, ...entry }) => entry),
    })),
  };
}
