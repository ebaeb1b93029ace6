import type { ReportData } from "./data.ts";
import { count, short } from "./format.ts";
import { type Content, html, type Section, table } from "./html.ts";

/** Everything needed to repeat the fit: data, device, seed and hyperparameters. */
export function settingsSection(data: ReportData): Section {
  const { dataset, device } = data;
  const facts: Content[][] = [
    ["dataset", dataset.name],
    [
      "trials",
      `${count(dataset.trials)} (${count(dataset.trainTrials)} for training, ${
        count(dataset.evalTrials)
      } for evaluation)`,
    ],
    ["time bins", count(dataset.T)],
    [
      "bin width",
      dataset.binWidth === null ? "not given" : `${short(dataset.binWidth * 1000)} ms`,
    ],
    ["neurons", count(dataset.N)],
    ["device", device.name],
    device.adapter === undefined
      ? ["threads", device.threads === null ? "–" : count(device.threads)]
      : ["adapter", device.adapter],
    ["arithmetic", device.arithmetic],
    ["chosen because", device.reason],
    ["seed", String(data.seed)],
  ];
  const hyper = flatten(data.hyperparameters);
  const body = html`<div class="figures">${
    table("Data and device", [{ head: "what" }, { head: "value" }], facts)
  }${
    hyper.length === 0 ? null : table(
      "Hyperparameters",
      [{ head: "name" }, { head: "value" }],
      hyper.map(([name, value]) => [html`<code>${name}</code>`, value]),
    )
  }</div>`;
  return { id: "settings", heading: "Settings", body };
}

/** Longer values are cut, and the cut is told. */
const LONGEST = 200;

/** Nested records as dotted names with their values in print. */
export function flatten(
  record: Readonly<Record<string, unknown>>,
  prefix = "",
): [string, string][] {
  return Object.entries(record).flatMap(([name, value]): [string, string][] =>
    isRecord(value) ? flatten(value, `${prefix}${name}.`) : [[`${prefix}${name}`, inPrint(value)]]
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !ArrayBuffer.isView(value) && Object.keys(value).length > 0;
}

function inPrint(value: unknown): string {
  const list = ArrayBuffer.isView(value) && "length" in value
    ? Array.from(value as Uint8Array)
    : value;
  const text = typeof list === "string"
    ? list
    : typeof list === "object"
    ? JSON.stringify(list)
    : String(list);
  return text.length > LONGEST
    ? `${text.slice(0, LONGEST)}… (${count(text.length)} characters)`
    : text;
}
