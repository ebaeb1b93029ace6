/** A run's history as tables that every program reads. */
import { TERMS } from "./losses.ts";
import type { HistoryEntry, StartsState } from "./run_state.ts";

/** An evaluation has no gradient, and shares the KL scale of its line. */
const EVALUATION_TERMS = TERMS.filter((term) => term !== "gradNorm" && term !== "klScale");

const COLUMNS = [
  "step",
  "seconds",
  ...TERMS.map((term) => `train_${term}`),
  ...EVALUATION_TERMS.map((term) => `evaluation_${term}`),
];

function cells({ step, seconds, train, evaluation }: HistoryEntry): number[] {
  return [
    step,
    seconds,
    ...TERMS.map((term) => train[term]),
    ...EVALUATION_TERMS.map((term) => evaluation[term]),
  ];
}

function csv(lines: readonly (readonly (string | number)[])[]): string {
  return lines.map((line) => line.join(",")).join("\n") + "\n";
}

/** One line per evaluation, in nats per trial: `train_…` are means over the steps since the line before. */
export function historyToCsv(history: readonly HistoryEntry[]): string {
  return csv([COLUMNS, ...history.map(cells)]);
}

/**
 * The same for every start of a run, with the start's seed in front. A start that failed ends with a
 * line of the step that it could not make, and the loss term that was not finite in `failed`.
 */
export function startsToCsv({ going, failed }: StartsState): string {
  const evaluations = ({ seed, history }: { seed: number; history: readonly HistoryEntry[] }) =>
    history.map((entry) => [seed, ...cells(entry), ""]);
  const lines = [...going, ...failed].sort((a, b) => a.seed - b.seed).flatMap((start) =>
    "term" in start
      ? [
        ...evaluations(start),
        [start.seed, start.step, ...COLUMNS.slice(1).map(() => ""), start.term],
      ]
      : evaluations(start)
  );
  return csv([["seed", ...COLUMNS, "failed"], ...lines]);
}
