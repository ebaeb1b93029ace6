/** What several commands do after a fit: infer, score, find fixed points, write the page. */
import {
  type Dataset,
  type Executor,
  type HistoryEntry,
  type Model,
  type Recovery,
  renderReport,
  reportData,
  type RunEnd,
  type Split,
  type Study,
  study,
  writeFileAtomic,
} from "../mod.ts";
import { number, table } from "./format.ts";
import type { Output } from "./output.ts";

export interface ReportRequest {
  readonly data: Dataset;
  readonly model: Model;
  readonly split: Split;
  readonly history: readonly HistoryEntry[];
  readonly recoveries: readonly Recovery[];
  /** null while the run goes on */
  readonly ended: RunEnd | null;
  readonly title: string;
  readonly path: string;
  /** posterior samples of each trial; 64 by default */
  readonly samples?: number;
}

/** A study whose report is written. */
export interface Reported {
  readonly study: Study;
  readonly path: string;
}

/** Infers and scores, finds fixed points and writes the report. */
export async function makeReport(executor: Executor, request: ReportRequest): Promise<Reported> {
  const { data, model, split, title, path, ...told } = request;
  const done = await study(executor, data, model, split, told);
  const page = await renderReport(reportData(done, { title, created: new Date().toISOString() }));
  await writeFileAtomic(path, new TextEncoder().encode(page));
  return { study: done, path };
}

/** The scores on held-out trials, and how many fixed points there are. */
export function printScores({ study: { scores, fixedPoints }, path }: Reported, output: Output) {
  const { per, nll, bitsPerSpike, explained } = scores;
  const row = (name: string, nats: number, bits: number | null | undefined) => [
    name,
    number(nats),
    ...(bitsPerSpike === null ? [] : [bits === null || bits === undefined ? "" : number(bits)]),
  ];
  output.result(
    table(["held-out trials", `nats per ${per}`, ...(bitsPerSpike ? ["bits per spike"] : [])], [
      row(per === "sample" ? "null (mean and variance)" : "null (mean rates)", nll.null, 0),
      row("model", nll.model, bitsPerSpike?.model),
      ...(nll.oracle === null
        ? []
        : [row("oracle (true rates)", nll.oracle, bitsPerSpike?.oracle)]),
    ]),
  );
  if (explained !== null) {
    output.result(`Explained: ${number(explained)} of the way from the null model to the oracle.`);
  }
  output.result(`Fixed points: ${fixedPoints.points.length}. Report: ${path}`);
}
