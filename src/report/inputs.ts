import * as Plot from "@observablehq/plot";
import { colorByCondition } from "./conditions.ts";
import type { ReportData } from "./data.ts";
import { plural, short } from "./format.ts";
import { type Content, figure, html, legend, type Section } from "./html.ts";
import { spread } from "./numbers.ts";
import { draw, ROLES, timeAxis, xAxis, yAxis } from "./plot.ts";
import type { AlignedView, InputsView } from "./recording_data.ts";

/** How much is drawn: inputs of each kind, groups, bands around them, and bins of each. */
const INPUTS = 6, GROUPS = 16, BANDS = 8, BINS = 150;

/** Inputs around events, averaged over the trials of each condition; null without inferred inputs. */
export function inputsSection(data: ReportData): Section | null {
  const inputs = data.recording?.inputs ?? null;
  if (inputs === null || inputs.events.length === 0) return null;
  const coloring = coloringOf(data, inputs);
  const figures = inputs.events.map((aligned) => around(data, inputs, aligned, coloring));
  return {
    id: "inputs",
    heading: "Inputs around events",
    body: html`<div class="figures">${figures}</div>`,
  };
}

type Coloring = ReturnType<typeof coloringOf>;

function coloringOf({ recording }: ReportData, { groups }: InputsView) {
  const conditions = groups.flatMap(({ condition }) => condition === null ? [] : [condition]);
  return colorByCondition(
    conditions.length === groups.length ? conditions : null,
    recording?.conditionNames ?? null,
  );
}

function around(
  data: ReportData,
  inputs: InputsView,
  aligned: AlignedView,
  coloring: Coloring,
): Content {
  const { U, X, groups } = inputs;
  const bands = groups.length <= BANDS;
  const inferred = Array.from({ length: Math.min(U, INPUTS) }, (_, u) => u);
  const external = Array.from({ length: Math.min(X, INPUTS) }, (_, x) => U + x);
  const drawn = Math.min(groups.length, GROUPS);
  const trials = groups.reduce((sum, group) => sum + group.trials, 0);
  const caption = [
    `Inputs around the ${aligned.event} (time 0): the mean over the trials of ${
      groups.length === 1 ? "all conditions" : `each of ${plural(groups.length, "condition")}`
    } (${plural(trials, "trial")})${
      bands ? ", and one standard deviation over trials to either side" : ""
    }. Inferred inputs are averaged over posterior samples first.`,
    aligned.words,
    "Bins that fewer than half of the trials have are left out.",
    coloring.words,
    drawn < groups.length ? `${drawn} of ${groups.length} conditions.` : "",
    U > INPUTS ? `The first ${INPUTS} of ${U} inferred inputs.` : "",
    X > INPUTS ? `The first ${INPUTS} of ${X} external inputs.` : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const rows: Content[] = [inferred, external].filter((row) => row.length > 0).map((row) =>
    html`<div class="drawings">${
      row.map((i) => panel(data, inputs, aligned, coloring, { i, bands, beside: row.length }))
    }</div>`
  );
  return figure(rows, caption, {
    wide: true,
    legend: coloring.legend.length > 0 ? legend(coloring.legend) : null,
  });
}

function panel(
  data: ReportData,
  { U, X, groups }: InputsView,
  { event, from, bins, mean_KTI, deviation_KTI }: AlignedView,
  coloring: Coloring,
  { i, bands, beside }: { readonly i: number; readonly bands: boolean; readonly beside: number },
): Content {
  const time = timeAxis(data.dataset.binWidth), I = U + X;
  const title = i < U ? `inferred input ${i + 1}` : `external input ${i - U + 1}`;
  const columns = spread(bins, BINS);
  const points = spread(groups.length, GROUPS).flatMap((k) =>
    columns.map((column) => {
      const at = (k * bins + column) * I + i;
      return {
        k,
        t: time.at(column + from),
        mean: mean_KTI[at],
        low: mean_KTI[at] - deviation_KTI[at],
        high: mean_KTI[at] + deviation_KTI[at],
        color: coloring.color(k),
      };
    })
  );
  const drawing = draw(`${title} around the ${event}`, {
    // as wide as it is shown: letters keep their size
    width: Math.max(370, Math.round(1110 / beside)),
    height: 260,
    marginLeft: 50,
    x: xAxis(time.label, {
      domain: [time.at(from), time.at(from + Math.max(1, bins - 1))],
      ticks: 5,
    }),
    y: yAxis(i < U ? "input (a.u.)" : "input", { nice: true, ticks: 5, tickFormat: short }),
    color: { type: "identity" },
    marks: [
      Plot.ruleY([0], { stroke: ROLES.faint }),
      Plot.ruleX([0], { stroke: ROLES.muted, strokeDasharray: "3 3" }),
      bands
        ? Plot.areaY(points, {
          x: "t",
          y1: "low",
          y2: "high",
          z: "k",
          fill: (point: { color: string }) => point.color,
          fillOpacity: 0.14,
        })
        : null,
      Plot.line(points, {
        x: "t",
        y: "mean",
        z: "k",
        stroke: (point: { color: string }) => point.color,
        strokeWidth: 2,
      }),
      bins === 1
        ? Plot.dot(points, {
          x: "t",
          y: "mean",
          fill: (point: { color: string }) => point.color,
        })
        : null,
    ],
  });
  return html`<div class="panel"><p class="panel-title">${title}</p>${drawing}</div>`;
}
