/** A run's history as tables that every program reads. */
import { EVALUATION_TERMS, TERMS } from "./losses.ts";
import type { HistoryEntry, Recovery, StartsState } from "./run_state.ts";

const COLUMNS = [
  "step",
  "seconds",
  ...TERMS.map((term) => `train_${term}`),
  ...EVALUATION_TERMS.map((term) => `evaluation_${term}`),
  "hidden_nll",
];

type Line = readonly (string | number)[];

/** What is told of a start. */
interface Told {
  readonly history: readonly HistoryEntry[];
  readonly recoveries: readonly Recovery[];
}

function cells({ step, seconds, train, evaluation, hidden }: HistoryEntry): Line {
  return [
    step,
    seconds,
    ...TERMS.map((term) => train[term]),
    ...EVALUATION_TERMS.map((term) => evaluation[term]),
    hidden ?? "",
  ];
}

/** A line of nothing but a step and what happened there. */
function event(step: number, words: string): Line {
  return [step, ...COLUMNS.slice(1).map(() => ""), words];
}

/** Evaluations and recoveries, each recovery after the entries that it kept. */
function lines({ history, recoveries }: Told): Line[] {
  const kept = history.map((entry) => ({ step: entry.step, line: [...cells(entry), ""] }));
  const back = recoveries.map(({ step, term, to, factor }) => ({
    step: to,
    line: event(to, `back from step ${step}: ${term} is not finite; learning rate times ${factor}`),
  }));
  return [...kept, ...back].sort((a, b) => a.step - b.step).map(({ line }) => line);
}

function csv(lines: readonly Line[]): string {
  return lines.map((line) => line.join(",")).join("\n") + "\n";
}

/**
 * One line per evaluation, in nats per trial: `train_…` are means over the steps since the line before.
 * `hidden_nll` is of samples that `sampleValidation` hides. Where the start went back, a line of the step that it went back to says so in `event`.
 */
export function historyToCsv(start: Told): string {
  return csv([[...COLUMNS, "event"], ...lines(start)]);
}

/**
 * The same for every start of a run, with the start's seed in front. A start that failed ends with a
 * line of the step that it could not make, and the loss term that was not finite in `event`.
 */
export function startsToCsv({ going, failed }: StartsState): string {
  const all = [...going, ...failed].sort((a, b) => a.seed - b.seed).flatMap((start) => [
    ...lines(start).map((line) => [start.seed, ...line]),
    ...("term" in start
      ? [[start.seed, ...event(start.step, `failed: ${start.term} is not finite`)]]
      : []),
  ]);
  return csv([["seed", ...COLUMNS, "event"], ...all]);
}
