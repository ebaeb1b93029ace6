/** A run's history as a table that every program reads. */
import type { HistoryEntry } from "./run_state.ts";

const TERMS = ["total", "nll", "klIc", "klInputs", "l2", "gradNorm", "klScale"] as const;
/** An evaluation has no gradient, and shares the KL scale of its line. */
const EVALUATION_TERMS = TERMS.filter((term) => term !== "gradNorm" && term !== "klScale");

/** One line per evaluation, in nats per trial: `train_…` are means over the steps since the line before. */
export function historyToCsv(history: readonly HistoryEntry[]): string {
  const names = [
    "step",
    "seconds",
    ...TERMS.map((term) => `train_${term}`),
    ...EVALUATION_TERMS.map((term) => `evaluation_${term}`),
  ];
  const lines = history.map(({ step, seconds, train, evaluation }) => [
    step,
    seconds,
    ...TERMS.map((term) => train[term]),
    ...EVALUATION_TERMS.map((term) => evaluation[term]),
  ]);
  return [names, ...lines].map((line) => line.join(",")).join("\n") + "\n";
}
