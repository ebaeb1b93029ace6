/** The training loop: some starts side by side, as an async generator of progress. */
import type { Executor } from "../compute/executor.ts";
import { type Losses, scoreOf } from "./losses.ts";
import { Pace } from "./pace.ts";
import type { Problem } from "./problem.ts";
import { type FailedStart, type HistoryEntry, leader, type StartsState } from "./run_state.ts";
import { Start } from "./start.ts";
import { type Outcome, type Split, Trainer } from "./trainer.ts";

/** What happens during a fit, in order. */
export type Progress =
  | {
    readonly kind: "step";
    /** steps made so far */
    readonly step: number;
    readonly of: number;
    /** of several starts: those of the best so far */
    readonly train: Losses;
    readonly stepsPerSecond: number;
    readonly secondsLeft: number;
  }
  | {
    readonly kind: "evaluation";
    /** of several starts: the best of this evaluation */
    readonly entry: HistoryEntry;
    /** better than every evaluation before */
    readonly best: boolean;
  }
  | { readonly kind: "checkpoint"; readonly step: number };

/** What happens during a fit of several starts, in order. */
export type StartsProgress = Progress | { readonly kind: "failed"; readonly start: FailedStart };

/**
 * Every start met a number that is not finite. The last good checkpoint is kept.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { StartsFailedError } from "latentd";
 *
 * const failed = [3, 4].map((seed) => ({ seed, step: 12, term: "nll", slice: null, history: [] }));
 * assert.match(new StartsFailedError(failed).message, /2 starts failed.* seed 4 at step 12 \(nll\)/);
 * ```
 */
export class StartsFailedError extends Error {
  override name = "StartsFailedError";

  constructor(readonly failed: readonly FailedStart[]) {
    const list = failed.map(({ seed, step, term }) => `seed ${seed} at step ${step} (${term})`);
    super(
      `Cannot go on training: all ${failed.length} starts failed, each where a loss term is not ` +
        `finite: ${list.join(", ")}. The last good checkpoint is kept; a smaller stepSize or ` +
        `maxGradNorm may help.`,
    );
  }
}

export interface LoopOptions {
  readonly problem: Problem;
  readonly seeds: readonly number[];
  readonly splitSeed: number;
  readonly split: Split;
  readonly resume?: StartsState;
  readonly checkpoint?: (state: StartsState) => Promise<void>;
  readonly signal?: AbortSignal;
}

type Happenings = AsyncGenerator<StartsProgress, void, void>;

const BREATH_MS = 50;

/** Lets timers and signals run: everything a CPU executor awaits is already there. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Trains starts until the last step or a signal, and returns their state.
 *
 * @throws {NonFiniteError} where the only start fails
 * @throws {StartsFailedError} where the last of several does
 */
export async function* train(
  executor: Executor,
  options: LoopOptions,
): AsyncGenerator<StartsProgress, StartsState, void> {
  const { problem, seeds, splitSeed, split, resume, signal } = options;
  const h = problem.hyperparameters;
  const load = (seeds: readonly number[]) => Trainer.load(executor, problem, seeds, split);
  let trainer = await load(resume?.going.map(({ seed }) => seed) ?? seeds);
  try {
    const zeros = () => new Float64Array(trainer.layout.length);
    const first = resume?.going ??
      trainer.starts().map((params_P) => ({ params_P, m_P: zeros(), v_P: zeros() }));
    first.forEach((weights, fit) => trainer.write(fit, weights));
    let starts = trainer.seeds.map((seed, i) =>
      new Start(seed, first[i].params_P, resume?.going[i])
    );
    const failed = [...resume?.failed ?? []];

    let step = resume?.step ?? 0;
    const firstStep = step;
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    const seconds = () => (resume?.seconds ?? 0) + elapsed();

    const state = async (): Promise<StartsState> => {
      const run = { step, splitSeed, seconds: seconds() };
      const weights = await trainer.read();
      return {
        ...run,
        going: starts.map((start, i) => start.state(run, weights[i])),
        failed: [...failed],
      };
    };

    /** Goes on without the starts that failed. */
    const drop = async function* (outcomes: readonly Outcome[]): Happenings {
      const failures = outcomes.map(({ failure }) => failure);
      if (failures.every((failure) => failure === null)) return;
      for (const [i, failure] of failures.entries()) {
        if (failure === null) continue;
        const start = starts[i].failed(failure);
        failed.push(start);
        // the only start: its own error says more
        if (seeds.length === 1) throw failure;
        yield { kind: "failed", start };
      }
      const kept = [...failures.keys()].filter((i) => failures[i] === null);
      if (kept.length === 0) throw new StartsFailedError(failed);
      const weights = await trainer.read();
      trainer.free();
      starts = kept.map((i) => starts[i]);
      trainer = await load(starts.map(({ seed }) => seed));
      kept.forEach((i, fit) => trainer.write(fit, weights[i]));
    };

    let saved = -1;
    const save = async function* (): Happenings {
      if (!options.checkpoint || saved === step) return;
      // Parameters can be finite and yet beyond saving: keep only what the next step can start from.
      if (step < h.steps) yield* drop(await trainer.prove(step));
      await options.checkpoint(await state());
      saved = step;
    };

    const evaluate = async function* (): Happenings {
      const outcomes = await trainer.evaluate(step);
      const now = seconds();
      const before = Math.min(
        ...starts.filter((_, fit) => !outcomes[fit].failure).map(({ best }) => best.score),
      );
      const entries = await Promise.all(
        outcomes.flatMap(({ losses }, fit) =>
          losses.map((evaluation) =>
            starts[fit].evaluated(step, evaluation, now, () => trainer.parameters(fit))
          )
        ),
      );
      yield* drop(outcomes);
      const entry = entries.reduce((best, entry) =>
        scoreOf(entry.evaluation) < scoreOf(best.evaluation) ? entry : best
      );
      yield { kind: "evaluation", entry, best: scoreOf(entry.evaluation) < before };
    };

    const due = (every: number) => step % every === 0;
    const pace = new Pace(executor.runsAtOnce);
    // The start is the first good state: a run that fails before its first checkpoint keeps it.
    if (!resume) yield* save();
    let breath = performance.now();
    while (step < h.steps && !signal?.aborted) {
      const until = (every: number) => every - step % every;
      const left = Math.min(h.steps - step, until(h.evaluateEvery), until(h.checkpointEvery));
      const count = pace.next(left);
      const asked = performance.now();
      const outcomes = await trainer.steps(step, count);
      pace.took(count, performance.now() - asked);
      const stepsPerSecond = (step + count - firstStep) / elapsed();
      for (let i = 0; i < count; i++) {
        const made = [...starts.keys()].filter((fit) => i < outcomes[fit].losses.length);
        for (const fit of made) starts[fit].add(outcomes[fit].losses[i]);
        if (made.length === 0) break;
        const best = starts.indexOf(leader(made.map((fit) => starts[fit])));
        yield {
          kind: "step",
          step: step + i + 1,
          of: h.steps,
          train: outcomes[best].losses[i],
          stepsPerSecond,
          secondsLeft: (h.steps - step - i - 1) / stepsPerSecond,
        };
      }
      step += count;
      yield* drop(outcomes);
      if (due(h.evaluateEvery) || step === h.steps) yield* evaluate();
      if (due(h.checkpointEvery) && step < h.steps) {
        yield* save();
        yield { kind: "checkpoint", step };
      }
      if (performance.now() - breath > BREATH_MS) {
        await breathe();
        breath = performance.now();
      }
    }
    yield* save();
    return await state();
  } finally {
    trainer.free();
  }
}
