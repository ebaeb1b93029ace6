/** How the starts of a fit did, as a table. */
import type { StartSummary } from "../mod.ts";
import { number, table, times } from "./format.ts";

/** The starts, the best first, those that failed last. */
export function startsTable(starts: readonly StartSummary[]): string {
  const rank = ({ best, failure }: StartSummary) => failure ? Infinity : best?.score ?? Infinity;
  const sorted = [...starts].sort((a, b) =>
    Number(a.failure !== null) - Number(b.failure !== null) || rank(a) - rank(b)
  );
  return table(
    ["seed", "held-out loss", "of step", ""],
    sorted.map(({ seed, best, failure, recoveries }) => [
      String(seed),
      best ? number(best.score, 6) : "",
      best ? String(best.step) : "",
      [
        failure ? `failed at step ${failure.step}: ${failure.term} is not finite` : null,
        recoveries.length > 0
          ? `went back ${times(recoveries.length)}, learning rate times ${
            number(recoveries[recoveries.length - 1].factor)
          }`
          : null,
      ].filter((part) => part !== null).join("; "),
    ]),
  );
}
