/** What is known of a run while it goes on: its record, brought up to date by its events. */
import { count, number } from "../format.ts";
import type { HistoryEntry, Losses, Recovery, Run, RunEvent } from "../types.ts";

/** More points than this no screen can show. */
const MOST_POINTS = 4000;

export interface Progress {
  run: Run;
  /** losses of single steps, by rising step */
  readonly steps: { readonly step: number; readonly train: Losses }[];
  /** by rising step */
  readonly history: HistoryEntry[];
  /** what happened last, in words; null where the state says it all */
  words: string | null;
}

export function newProgress(run: Run): Progress {
  return { run, steps: [], history: [], words: null };
}

/** Takes in what happened. */
export function happened(progress: Progress, event: RunEvent): void {
  const { run, steps, history } = progress;
  const change = (changes: Partial<Run>) => progress.run = { ...run, ...changes };
  switch (event.kind) {
    case "state":
      progress.words = event.reason;
      change({
        state: event.state,
        step: event.step,
        model: event.model ?? run.model,
        stoppedEarly: event.state === "completed" ? event.reason : null,
      });
      break;
    case "waiting":
      progress.words = `Waits: ${event.reason}`;
      break;
    case "device":
      progress.words = null;
      change({ deviceInfo: event.device });
      break;
    case "step": {
      const { step, train, stepsPerSecond, secondsLeft } = event;
      // a run that goes on from a checkpoint makes some steps again
      while ((steps.at(-1)?.step ?? -1) >= step) steps.pop();
      steps.push({ step, train });
      if (steps.length > MOST_POINTS) thin(steps);
      progress.words = null;
      change({ step, stepsPerSecond, secondsLeft });
      break;
    }
    case "evaluation": {
      const { entry, best } = event;
      while ((history.at(-1)?.step ?? -1) >= entry.step) history.pop();
      history.push(entry);
      if (history.length > MOST_POINTS) thin(history);
      const { nll, klIc, klInputs } = entry.evaluation;
      const score = nll + klIc + klInputs;
      change({
        step: Math.max(entry.step, run.step),
        evaluation: entry,
        ...(best ? { best: { step: entry.step, score } } : {}),
      });
      break;
    }
    case "checkpoint":
      change({ checkpoint: event.step });
      break;
    case "start-failed": {
      const { seed, step, term } = event;
      progress.words = `The start of seed ${seed} is left out: its ${term} is not finite.`;
      change({ failedStarts: [...run.failedStarts, { seed, step, term }] });
      break;
    }
    case "recovered": {
      const { seed, step, term, slice, to, factor, best } = event;
      progress.words = `${went(event)} It goes on from there.`;
      const recovery = { seed, step, term, slice, to, factor };
      change({ best, recoveries: [...run.recoveries, recovery] });
      break;
    }
    case "report":
      if (!event.made) progress.words = `No report: ${event.reason}`;
      break;
  }
}

/** Where a start went back, in words. */
export function went({ seed, step, term, slice, to, factor }: Recovery): string {
  return `Seed ${seed}: at step ${count(step)} its ${term} was not finite` +
    `${slice === null ? "" : ` (parameters ${slice})`}; it went back to step ${count(to)}, with ` +
    `${number(factor)} of its learning rate.`;
}

/** Leaves out every other point, but not the last. */
function thin(points: unknown[]): void {
  const kept = points.filter((_, i) => i % 2 === (points.length - 1) % 2);
  points.splice(0, points.length, ...kept);
}

/**
 * A line of a chart: of which losses, and what of them; null leaves a gap. Or the likelihood of the
 * samples that are hidden from the fit.
 */
export type Column =
  | {
    readonly of: "train" | "evaluation";
    readonly value: (losses: Losses, step: number) => number | null;
  }
  | { readonly of: "hidden" };

/** All steps that are known, and for each line its numbers, null where nothing is known. */
export function columns(
  { steps, history }: Pick<Progress, "steps" | "history">,
  lines: readonly Column[],
): [number[], ...(number | null)[][]] {
  const rows = new Map<number, Partial<Pick<HistoryEntry, "train" | "evaluation" | "hidden">>>();
  for (const { step, train } of steps) rows.set(step, { train });
  for (const { step, ...entry } of history) rows.set(step, entry);
  const sorted = [...rows].sort(([a], [b]) => a - b);
  return [
    sorted.map(([step]) => step),
    ...lines.map((line) =>
      sorted.map(([step, row]) => {
        if (line.of === "hidden") return row.hidden ?? null;
        const losses = row[line.of];
        return losses ? line.value(losses, step) : null;
      })
    ),
  ];
}
