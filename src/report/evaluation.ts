import type { ReportData } from "./data.ts";
import { decimals } from "./format.ts";
import { type Html, html, table } from "./html.ts";
import { wordsOf } from "./words.ts";

/** The scores of a recording beside the simple baselines; null where there are none. */
export function evaluationTable(data: ReportData): Html | null {
  const evaluation = data.recording?.evaluation ?? null;
  if (evaluation === null || evaluation.rows.length === 0) return null;
  const { rows, left } = evaluation;
  const { real, counts: from } = wordsOf(data.dataset);
  const oracle = rows.some((row) => row.oracle !== null);
  return html`
    <h3>Beside simple methods</h3>
    ${table(
      `Scores on the held-out trials, the Neural Latents Benchmark’s: ${
        real
          ? ""
          : "bits per spike over each neuron’s mean rate in these trials (co-bps: of neurons, fp-bps: of bins that the model never saw), "
      }R² over the mean. 0 is to know no more. These trials chose the best step, so the model’s scores are a little too good.`,
      [
        { head: "score" },
        { head: "of" },
        { head: "model", numeric: true },
        { head: "average", numeric: true },
        { head: "per condition", numeric: true },
        { head: `from ${from}`, numeric: true },
        ...(oracle ? [{ head: "oracle", numeric: true }] : []),
        { head: `from ${from} by` },
      ],
      rows.map(({ metric, of, model, oracle: best, baselines }) => {
        const { average, "per condition": perCondition, ...counts } = baselines;
        const [[name, score] = ["–", null]] = Object.entries(counts);
        return [
          metric,
          of,
          html`<b>${decimals(model)}</b>`,
          decimals(average),
          decimals(perCondition),
          decimals(score),
          ...(oracle ? [decimals(best)] : []),
          name.replace("counts", from),
        ];
      }),
    )}${left.length > 0
      ? html`<ul class="note">${left.map((why) => html`<li>Not scored: ${why}</li>`)}</ul>`
      : null}
  `;
}
