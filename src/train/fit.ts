/** Fits LFADS to a dataset: one start, or several of which the best is kept. */
import type { DeviceInfo, Executor } from "../compute/executor.ts";
import { missingOf } from "../data/arrange.ts";
import { type Dataset, trialSplit } from "../data/dataset.ts";
import { InputError } from "../errors.ts";
import type { Hyperparameters } from "../model/hyperparameters.ts";
import type { Model } from "../model/model.ts";
import {
  type LoopOptions,
  type Progress,
  type RunEnd,
  type StartsProgress,
  train,
} from "./loop.ts";
import {
  leader,
  onlyStart,
  type RunState,
  type StartsState,
  type StartSummary,
  summarise,
} from "./run_state.ts";
import { blocksOf } from "../data/sessions.ts";
import { problemOf } from "./problem.ts";
import type { Split } from "./trainer.ts";

export type { Progress, RecoveredStart, RunEnd, StartsProgress } from "./loop.ts";

/** The most starts that one run trains. */
export const MOST_STARTS = 256;

export interface FitOptions {
  readonly hyperparameters: Hyperparameters;
  /** decides the start, every minibatch and every draw of noise; 0 … 2^53 - 1 */
  readonly seed: number;
  /** decides which trials train and which evaluate, where the data do not say; `seed` by default */
  readonly splitSeed?: number;
  /** where to go on; its seeds must be these */
  readonly resume?: RunState;
  /** receives every checkpoint; the run waits for it */
  readonly checkpoint?: (state: RunState) => Promise<void>;
  /** ends the run after the step in progress, with a checkpoint */
  readonly signal?: AbortSignal;
}

export interface FitResult {
  /** the model at the best evaluation */
  readonly model: Model;
  readonly state: RunState;
  readonly split: Split;
  readonly device: DeviceInfo;
  /** false when the signal ended the run */
  readonly completed: boolean;
  /** of several starts: `early-stop` where all of them stopped early */
  readonly ended: RunEnd;
}

export interface StartsOptions extends Omit<FitOptions, "resume" | "checkpoint"> {
  /** 1 … 256: their seeds are `seed`, `seed + 1`, … */
  readonly starts: number;
  readonly resume?: StartsState;
  readonly checkpoint?: (state: StartsState) => Promise<void>;
}

/** What came of several starts; the model is that of the best. */
export interface StartsResult extends Omit<FitResult, "state"> {
  readonly state: StartsState;
  /** the state of the best start */
  readonly best: RunState;
  /** how each start did, in the order of their seeds */
  readonly starts: readonly StartSummary[];
}

/**
 * Fits LFADS to a dataset: Adam on fresh minibatches, an evaluation on all held-out trials every
 * `evaluateEvery` steps, the best parameters by the evaluation's nll + KL (at full scale) kept. It ends
 * after `steps`, or after `earlyStop` evaluations without improvement.
 *
 * Where a number is not finite, it goes back to its last good state (the start, or the last multiple of
 * `checkpointEvery` from which the next step could be made) and goes on with `guardFactor` of its learning
 * rate, `guardRetries` times at most: progress tells `recovered`, and the state lists its `recoveries`.
 *
 * The same seeds, dataset, hyperparameters and executor give the same bits, in one go or resumed.
 *
 * @throws {InputError} when the dataset or the state to resume from does not fit
 * @throws {NonFiniteError} where going back did not help, naming step, loss term and parameters;
 * checkpoints made so far are good
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, fit, parseHyperparameters, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { completed, model } = next.value;
 * assert(completed && model.step === 2);
 * ```
 */
export async function* fit(
  data: Dataset,
  executor: Executor,
  options: FitOptions,
): AsyncGenerator<Progress, FitResult, void> {
  const { checkpoint, resume } = options;
  const run = fitStarts(data, executor, {
    ...options,
    starts: 1,
    resume: resume && onlyStart(resume),
    checkpoint: checkpoint && (({ going: [state] }) => checkpoint(state)),
  });
  let next = await run.next();
  while (!next.done) {
    // an only start that fails is an error
    if (next.value.kind !== "failed") yield next.value;
    next = await run.next();
  }
  const { model, best: state, split, device, completed, ended } = next.value;
  return { model, state, split, device, completed, ended };
}

/**
 * Fits LFADS from several starts side by side, and keeps the one with the best evaluation. Many fits
 * get stuck or come out worse than their seed deserves; where one fit leaves most of a device idle,
 * several cost little more than one.
 *
 * Start `i` is, bit for bit, what `fit` makes of seed `seed + i` with the `splitSeed` of this run: all
 * starts train and evaluate on the same trials, so that their scores compare. A start that goes back
 * catches up before the others go on; one that has gone back too often is left out from then on, with its
 * step and loss term in the state. One that stops early waits for the others.
 *
 * @throws {InputError} as `fit`, and for a number of starts that cannot be
 * @throws {StartsFailedError} when every start failed (`NonFiniteError` where there is only one)
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fitStarts,
 *   parseHyperparameters,
 *   simulateRotation,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fitStarts(data, device, { hyperparameters, seed: 5, starts: 3 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { model, best, starts } = next.value;
 * assert.deepEqual(starts.map(({ seed }) => seed), [5, 6, 7]);
 * assert(starts.every((start) => start.best && best.best.score <= start.best.score));
 * assert.equal(model.seed, best.seed);
 * ```
 */
export async function* fitStarts(
  data: Dataset,
  executor: Executor,
  options: StartsOptions,
): AsyncGenerator<StartsProgress, StartsResult, void> {
  const { hyperparameters: h, resume } = options;
  const seeds = seedsOf(options);
  const splitSeed = options.splitSeed ?? resume?.splitSeed ?? options.seed;
  if (!isSeed(splitSeed)) {
    throw new InputError(
      `Cannot fit: expected a seed of the split from 0 to 2^53 - 1, found ${splitSeed}.`,
    );
  }
  if (resume) requireSeeds(resume, seeds, splitSeed);
  const problem = problemOf(data, h, splitSeed);
  const split = trialSplit(data, h.evalFraction, splitSeed);
  requireSomething(data, problem.hyperparameters.observation);
  const { checkpoint, signal } = options;
  const loop: LoopOptions = {
    problem,
    seeds,
    splitSeed,
    split,
    resume,
    checkpoint,
    signal,
  };
  const { state, ended } = yield* train(executor, loop);
  const start = leader(state.going);
  const { best, params_P, step, seed } = start;
  const evaluated = best.score < Infinity;
  const model: Model = {
    architecture: problem.model,
    hyperparameters: problem.hyperparameters,
    params_P: evaluated ? best.params_P : params_P,
    binWidth: data.binWidth,
    seed,
    step: evaluated ? best.step : step,
    ...(problem.heldOut.length > 0 ? { heldOut: problem.heldOut } : {}),
    ...(problem.sessions ? { sessions: blocksOf(problem.sessions) } : {}),
  };
  return {
    model,
    state,
    best: start,
    starts: summarise(state),
    split,
    device: executor.info,
    completed: ended !== "signal",
    ended,
  };
}

/** @throws {InputError} for counts without a spike, and where nothing was observed */
function requireSomething(data: Dataset, observation: Hyperparameters["observation"]): void {
  const some = observation === "poisson"
    ? data.counts_BTN.some((count) => count > 0)
    : !(missingOf(data)?.every((missing) => missing === 1) ?? false);
  if (some) return;
  throw new InputError(
    observation === "poisson"
      ? `Cannot fit ${data.name}: expected at least one spike, found ${data.trials} trials of zeros.`
      : `Cannot fit ${data.name}: expected some bins that were observed, found none.`,
  );
}

function isSeed(seed: number): boolean {
  return Number.isSafeInteger(seed) && seed >= 0;
}

/** The seeds of the starts. */
function seedsOf({ seed, starts }: StartsOptions): number[] {
  if (!Number.isInteger(starts) || starts < 1 || starts > MOST_STARTS) {
    throw new InputError(`Cannot fit: expected 1 to ${MOST_STARTS} starts, found ${starts}.`);
  }
  if (isSeed(seed) && isSeed(seed + starts - 1)) {
    return Array.from({ length: starts }, (_, i) => seed + i);
  }
  throw new InputError(
    starts === 1
      ? `Cannot fit: expected a seed from 0 to 2^53 - 1, found ${seed}.`
      : `Cannot fit: expected seeds from 0 to 2^53 - 1, found ${starts} from ${seed} on.`,
  );
}

/** Refuses a state of other starts or of another split. */
function requireSeeds(resume: StartsState, seeds: readonly number[], splitSeed: number): void {
  const began = [...resume.going, ...resume.failed].map(({ seed }) => seed).sort((a, b) => a - b);
  if (began.join() !== seeds.join()) {
    const list = (seeds: readonly number[]) =>
      seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(", ")}`;
    throw new InputError(
      `Cannot resume: expected ${list(began)}, as the run began with, found ${list(seeds)}.`,
    );
  }
  if (resume.splitSeed !== splitSeed) {
    throw new InputError(
      `Cannot resume: expected the split of seed ${resume.splitSeed}, as the run began with, found ` +
        `that of seed ${splitSeed}.`,
    );
  }
}
