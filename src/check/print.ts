/** A check for people, and for programs. */
import type { CheckReport, CheckRow } from "./table.ts";

const HEADINGS = ["file", "executor", "what", "error", "tolerance", "ok", "note"] as const;

function cells(row: CheckRow): string[] {
  return [
    row.file,
    row.executor,
    row.what,
    row.error === 0 ? "0" : row.error.toExponential(1),
    row.tolerance === 0 ? "0" : row.tolerance.toExponential(1),
    row.passed ? "ok" : "FAILED",
    row.note,
  ];
}

/**
 * The report as a table of plain text, one line for each row (only the failed ones with `onlyFailed`),
 * and a line that sums it up.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { printCheck, report } from "latentd";
 *
 * const row = { file: "a.json", executor: "wasm", what: "rates", error: 2e-7, tolerance: 1e-5 };
 * const text = printCheck(report([{ ...row, passed: true, note: "" }]));
 * assert(text.includes("All 1 comparisons of 1 source passed"));
 * ```
 */
export function printCheck(
  report: CheckReport,
  { onlyFailed = false }: { readonly onlyFailed?: boolean } = {},
): string {
  const shown = report.rows.filter((row) => !onlyFailed || !row.passed);
  const lines = shown.length === 0 ? [] : [[...HEADINGS], ...shown.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const table = lines.map((line) =>
    line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()
  );
  return [...table, summary(report)].join("\n");
}

/** One sentence: how many comparisons, how many failed, the error that comes closest to its bound. */
export function summary({ rows, passed }: CheckReport): string {
  if (rows.length === 0) return "Nothing was compared.";
  const failed = rows.filter((row) => !row.passed).length;
  const files = new Set(rows.map((row) => row.file)).size;
  const compared = `${rows.length} comparisons of ${files} ${files === 1 ? "source" : "sources"}`;
  if (!passed) return `${failed} of ${compared} failed.`;
  const share = ({ error, tolerance }: CheckRow) => tolerance > 0 ? error / tolerance : 0;
  const closest = rows.reduce((a, b) => share(b) > share(a) ? b : a);
  return `All ${compared} passed; closest to its tolerance: ${closest.what} of ${closest.file} ` +
    `on ${closest.executor}, ${closest.error.toExponential(1)} of ` +
    `${closest.tolerance.toExponential(1)}.`;
}

/**
 * The report as JSON; an error that is not finite, which JSON cannot hold, is its name in words.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkJson } from "latentd";
 *
 * assert.equal(JSON.parse(checkJson({ rows: [], passed: false })).passed, false);
 * ```
 */
export function checkJson(report: CheckReport): string {
  const finite = (_: string, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.stringify(report, finite, 2);
}
