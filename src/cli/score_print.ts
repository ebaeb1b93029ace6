/** Scores as a table, and the scores of several splits as lines. */
import type { Evaluation, ScoreRow } from "../mod.ts";
import { number, table } from "./format.ts";

/** A model against the simple baseline of a score. */
export interface Contest {
  readonly name: string;
  readonly baseline: string;
  readonly ours: number;
  readonly theirs: number;
  /** of likelihoods in nats, which are better where they are less */
  readonly less?: true;
}

/** Whether the model is above its baseline: as good as is not above. */
function won({ ours, theirs, less }: Contest): boolean {
  return less ? ours < theirs : ours > theirs;
}

/** One table of all scores; what has no place in it says so. */
export function scoreTable({ rows, left }: Pick<Evaluation, "rows" | "left">): string {
  const cell = (value: number | null | undefined) =>
    value === null || value === undefined ? "" : number(value);
  // of everything but a likelihood the null is 0
  const nulls = rows.some((row) => row.null !== 0);
  const lines = rows.map(({ metric, of, null: none, model, oracle, baselines }) => {
    const { average, "per condition": perCondition, ...counts } = baselines;
    const [[name, fromCounts] = ["", null]] = Object.entries(counts);
    return [
      metric,
      of,
      cell(model),
      ...(nulls ? [cell(none)] : []),
      cell(average),
      cell(perCondition),
      cell(fromCounts),
      cell(oracle),
      name,
    ];
  });
  const headings = [
    "score",
    "of",
    "model",
    ...(nulls ? ["null"] : []),
    "average",
    "per condition",
    "from counts",
    "oracle",
    "",
  ];
  return [
    table(headings, lines),
    nulls
      ? "Nats per sample are the negative log-likelihood of one number: less is better, and the null has each " +
        "neuron's moments over the training trials. Explained variance and R² are over the mean: 0 is to know no more."
      : "Bits per spike are over each neuron's mean rate in these trials, R² over the mean: 0 is to know no more.",
    ...left.map((why) => `Not scored: ${why}`),
  ].join("\n");
}

/** The scores that have a baseline made from counts, or a null of their own, by which splits are compared. */
export function contests(rows: readonly ScoreRow[]): Contest[] {
  return rows.flatMap(({ metric, of, null: none, model, baselines }): Contest[] => {
    if (metric === "nats per sample") {
      return [{ name: `nats of ${of}`, baseline: "null", ours: model, theirs: none, less: true }];
    }
    const [found] = Object.entries(baselines)
      .filter(([name]) => name !== "average" && name !== "per condition");
    if (!found || metric === "PSTH R²" || metric === "few-shot co-bps") return [];
    const name = metric === "behaviour R²" ? `R² of ${of}` : metric;
    return [{ name, baseline: found[0], ours: model, theirs: found[1] }];
  });
}

/** One line of a split: `co-bps 0.341 / 0.330 +`. */
export function splitLine(seed: number, of: readonly Contest[], seconds: string): string {
  const each = of.map((contest) => {
    const { name, ours, theirs } = contest;
    return `${name} ${number(ours)} / ${number(theirs)} ${won(contest) ? "+" : "-"}`;
  });
  return `Split ${seed}: ${[...each, seconds].join("; ")}`;
}

/** How often the model won, and the means. */
export function wins(splits: readonly (readonly Contest[])[]) {
  const names = [...new Set(splits.flat().map(({ name }) => name))];
  return names.map((name) => {
    const all = splits.flat().filter((one) => one.name === name);
    const mean = (of: "ours" | "theirs") => all.reduce((sum, one) => sum + one[of], 0) / all.length;
    return {
      name,
      baseline: all[0].baseline,
      wins: all.filter(won).length,
      splits: all.length,
      ours: mean("ours"),
      theirs: mean("theirs"),
    };
  });
}
