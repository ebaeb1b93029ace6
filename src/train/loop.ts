/** The training loop: some starts side by side, as an async generator of progress. */
import type { Executor } from "../compute/executor.ts";
import { Loaded } from "./loaded.ts";
import { type Losses, scoreOf } from "./losses.ts";
import { Pace } from "./pace.ts";
import type { Problem } from "./problem.ts";
import {
  type FailedStart,
  type HistoryEntry,
  leader,
  type Recovery,
  type StartsState,
} from "./run_state.ts";
import { Start } from "./start.ts";
import { initialWeights, type Outcome, type Split, Trainer } from "./trainer.ts";

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
    /** of several starts: the best at this step, of those that have come so far */
    readonly entry: HistoryEntry;
    /** better than every evaluation before */
    readonly best: boolean;
  }
  | { readonly kind: "checkpoint"; readonly step: number }
  | {
    /** a start went back: it makes steps again, and evaluations, which are told again */
    readonly kind: "recovered";
    readonly start: RecoveredStart;
    /** the best evaluation of all starts, now that some are void; null where none is left */
    readonly best: { readonly step: number; readonly score: number } | null;
  };

/** A start that went back and goes on with a lower learning rate. */
export interface RecoveredStart extends Recovery {
  readonly seed: number;
}

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
 * const failure = { step: 12, term: "nll", slice: null, history: [], recoveries: [] };
 * const failed = [3, 4].map((seed) => ({ seed, ...failure }));
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

/** Why a run is over: it made its steps, its evaluations no longer improved, or it was told to stop. */
export type RunEnd = "steps" | "early-stop" | "signal";

export interface LoopResult {
  readonly state: StartsState;
  readonly ended: RunEnd;
}

/**
 * Trains starts until the last step or a signal, and returns their state.
 *
 * All starts that are not over are to be at the same step when something is due, so those that are
 * behind go first, and the others wait. A start that goes back is behind, and trains alone until it has
 * caught up; numbers of steps address minibatches and noise, so it sees what it would see alone, and the
 * others see nothing of it.
 *
 * @throws {NonFiniteError} where the only start fails
 * @throws {StartsFailedError} where the last of several does
 */
export async function* train(
  executor: Executor,
  options: LoopOptions,
): AsyncGenerator<StartsProgress, LoopResult, void> {
  const { problem, seeds, splitSeed, split, resume, signal } = options;
  const h = problem.hyperparameters;
  const loaded = new Loaded((seeds) => Trainer.load(executor, problem, seeds, split));
  try {
    let starts = resume?.going.map((state) => Start.resumed(h, state)) ??
      initialWeights(problem, seeds, split).map((weights, i) => new Start(seeds[i], h, weights));
    const failed = [...resume?.failed ?? []];
    const active = () => starts.filter(({ over }) => !over);

    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    const seconds = () => (resume?.seconds ?? 0) + elapsed();

    const state = async (): Promise<StartsState> => {
      await loaded.read();
      const run = { splitSeed, seconds: seconds() };
      return {
        ...run,
        step: Math.max(...starts.map(({ step }) => step)),
        going: starts.map((start) => start.state(run)),
        failed: [...failed],
      };
    };

    /** nothing has changed since the last checkpoint */
    let saved = false;
    const save = async () => {
      await options.checkpoint?.(await state());
      saved = true;
    };

    /** Sends starts that failed back to where they were good, and goes on without those that cannot. */
    const mend = async function* (
      group: readonly Start[],
      outcomes: readonly Outcome[],
    ): Happenings {
      if (outcomes.every(({ failure }) => failure === null)) return;
      await loaded.read();
      loaded.free();
      const back: RecoveredStart[] = [];
      for (const [i, { failure }] of outcomes.entries()) {
        if (failure === null) continue;
        const start = group[i];
        const recovery = start.goBack(failure);
        if (recovery) {
          back.push({ seed: start.seed, ...recovery });
          continue;
        }
        const end = start.failed(failure);
        failed.push(end);
        starts = starts.filter((other) => other !== start);
        // the only start: its own error says more
        if (seeds.length === 1) throw failure.after(end.recoveries.length);
        yield { kind: "failed", start: end };
      }
      if (starts.length === 0) throw new StartsFailedError(failed);
      if (back.length === 0) return;
      // what goes on from here does not go through the failure again
      await save();
      const { step, score } = leader(starts).best;
      const best = score < Infinity ? { step, score } : null;
      for (const recovery of back) yield { kind: "recovered", start: recovery, best };
    };

    /** Parameters can be finite and yet beyond saving: good is what the next step can be made from. */
    const prove = async function* (
      group: readonly Start[],
      step: number,
      keep: boolean,
    ): Happenings {
      const outcomes = await (await loaded.take(group)).prove(step);
      if (keep) {
        await loaded.read();
        group.filter((_, i) => outcomes[i].failure === null).forEach((start) => start.keep());
      }
      yield* mend(group, outcomes);
    };

    const evaluate = async function* (group: readonly Start[], step: number): Happenings {
      const trainer = await loaded.take(group);
      const outcomes = await trainer.evaluate(step);
      const now = seconds();
      await Promise.all(
        outcomes.flatMap(({ losses, hidden }, fit) =>
          losses.map((evaluation) =>
            group[fit].evaluated(evaluation, hidden, now, () => trainer.parameters(fit))
          )
        ),
      );
      yield* mend(group, outcomes);
      const entries = starts.flatMap((start) => start.entryAt(step) ?? []);
      if (outcomes.every(({ failure }) => failure !== null)) return;
      const entry = entries.reduce((best, entry) =>
        scoreOf(entry.evaluation) < scoreOf(best.evaluation) ? entry : best
      );
      const score = scoreOf(entry.evaluation);
      const best = starts.every(({ best }) => best.step === step || score < best.score);
      yield { kind: "evaluation", entry, best };
    };

    const pace = new Pace(executor.runsAtOnce);
    let breath = performance.now();
    let made = 0;
    const steps = async function* (
      group: readonly Start[],
      first: number,
      most: number,
    ): Happenings {
      const count = pace.next(most);
      const trainer = await loaded.take(group, true);
      const asked = performance.now();
      const outcomes = await trainer.steps(
        first,
        count,
        group.map((start) => start.rate.bind(start)),
      );
      pace.took(count, performance.now() - asked);
      made += count;
      const stepsPerSecond = made / elapsed();
      for (let i = 0; i < count; i++) {
        const going = group.filter((_, fit) => i < outcomes[fit].losses.length);
        if (going.length === 0) break;
        for (const start of going) start.add(outcomes[group.indexOf(start)].losses[i]);
        const step = first + i + 1;
        yield {
          kind: "step",
          step,
          of: h.steps,
          train: outcomes[group.indexOf(leader(going))].losses[i],
          stepsPerSecond,
          secondsLeft: (h.steps - step) / stepsPerSecond,
        };
      }
      yield* mend(group, outcomes);
    };

    // what a run goes on from is saved already
    let changed = resume === undefined;
    for (let all = active(); all.length > 0; all = active()) {
      const step = Math.min(...all.map((start) => start.step));
      const group = all.filter((start) => start.step === step);
      const due = (every: number) => step % every === 0;
      if (due(h.evaluateEvery) || step === h.steps) {
        const some = group.filter(({ trained }) => trained);
        if (some.length > 0) {
          yield* evaluate(some, step);
          continue;
        }
      }
      if (due(h.checkpointEvery)) {
        const some = group.filter(({ proven }) => !proven);
        if (some.length > 0) {
          yield* prove(some, step, true);
          continue;
        }
        if (changed && !saved && group.length === all.length) {
          await save();
          if (step > 0) yield { kind: "checkpoint", step };
        }
      }
      if (signal?.aborted) break;
      const until = (every: number) => every - step % every;
      const ahead = all.map((start) => start.step - step).filter((steps) => steps > 0);
      const most = Math.min(
        h.steps - step,
        until(h.evaluateEvery),
        until(h.checkpointEvery),
        ...ahead,
      );
      saved = false;
      changed = true;
      yield* steps(group, step, most);
      if (performance.now() - breath > BREATH_MS) {
        await breathe();
        breath = performance.now();
      }
    }
    const unproven = active().filter(({ proven }) => !proven);
    for (const [step, group] of Map.groupBy(unproven, ({ step }) => step)) {
      yield* prove(group, step, false);
    }
    if (!saved) await save();
    const ended = active().length > 0
      ? "signal"
      : starts.some(({ step }) => step >= h.steps)
      ? "steps"
      : "early-stop";
    return { state: await state(), ended };
  } finally {
    loaded.free();
  }
}
