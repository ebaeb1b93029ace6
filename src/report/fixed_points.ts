import * as Plot from "@observablehq/plot";
import type { EigenvalueView, FixedPointView, JacobianView, ReportData } from "./data.ts";
import { angle, complex, decimals, number, percent, plural, short } from "./format.ts";
import { drawHeat, largest } from "./heatmap.ts";
import {
  type Content,
  figure,
  type Html,
  html,
  legend,
  type LegendEntry,
  nothing,
  type Section,
  table,
} from "./html.ts";
import { COLORS, draw, ROLES, xAxis, yAxis } from "./plot.ts";
import { relativeAngle } from "./summary.ts";

/** Fixed points with a colour of their own in the drawing, rows of the table in view, and with those folded. */
const DRAWN = 6, IN_VIEW = 10, ROWS = 40;
/** Eigenvalues further from 0 than this would shrink the unit circle to nothing. */
const FARTHEST = 2.5;

/** Fixed points: eigenvalues on the unit circle, the true ones beside, and a table. */
export function fixedPointsSection(data: ReportData): Section {
  const body = html`<div class="figures">${eigenvalues(data)}<div>${comparison(data)}${
    data.jacobianVsA ? jacobian(data.jacobianVsA) : null
  }</div></div>${pointsTable(data)}`;
  return { id: "fixed-points", heading: "Fixed points and linear dynamics", body };
}

function eigenvalues(data: ReportData): Html | null {
  const found = data.fixedPoints.slice(0, DRAWN).flatMap((fixed, k) =>
    fixed.eigenvalues.map(({ re, im }) => ({ re, im, color: COLORS[colorIndex(k)] }))
  );
  const truth = (data.truth?.eigenvalues ?? []).map(({ re, im }) => ({ re, im }));
  const all = [...found, ...truth];
  if (all.length === 0) return null;
  const near = all.filter(({ re, im }) => Math.hypot(re, im) <= FARTHEST);
  const reach = 1.08 * Math.max(1.1, ...near.flatMap(({ re, im }) => [Math.abs(re), Math.abs(im)]));
  const inside = ({ re, im }: { re: number; im: number }) =>
    Math.abs(re) <= reach && Math.abs(im) <= reach;
  const beyond = all.filter((value) => !inside(value)).length;
  const circle = Array.from({ length: 181 }, (_, i) => {
    const turn = i * Math.PI / 90;
    return { re: Math.cos(turn), im: Math.sin(turn) };
  });
  const hidden = data.fixedPoints.length - DRAWN;
  const caption = [
    "Eigenvalues of the Jacobian at the fixed points, and the unit circle: inside it a mode decays, outside it grows, and its angle is how far it turns in one bin.",
    hidden > 0 ? `The ${DRAWN} slowest of ${data.fixedPoints.length} fixed points.` : "",
    beyond > 0 ? `${plural(beyond, "eigenvalue")} beyond the frame.` : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const drawing = draw(caption, {
    width: 520,
    height: 514,
    marginRight: 20,
    x: xAxis("real part", { domain: [-reach, reach], ticks: 5 }),
    y: yAxis("imaginary part", { domain: [-reach, reach], ticks: 5 }),
    color: { type: "identity" },
    marks: [
      Plot.ruleX([0], { stroke: ROLES.faint }),
      Plot.ruleY([0], { stroke: ROLES.faint }),
      Plot.line(circle, { x: "re", y: "im", stroke: ROLES.muted, strokeWidth: 1.25 }),
      Plot.dot(found.filter(inside), {
        x: "re",
        y: "im",
        fill: (value: { color: string }) => value.color,
        fillOpacity: 0.85,
        stroke: ROLES.paper,
        strokeWidth: 1,
        r: 5,
      }),
      Plot.dot(truth.filter(inside), {
        x: "re",
        y: "im",
        symbol: "times",
        stroke: ROLES.truth,
        strokeWidth: 2.5,
        r: 6,
      }),
    ],
  });
  const entries: LegendEntry[] = [
    ...data.fixedPoints.slice(0, DRAWN).map((_, k) => ({
      label: `fixed point ${k + 1}`,
      color: COLORS[colorIndex(k)],
      mark: "dot" as const,
    })),
    ...(truth.length > 0
      ? [{ label: "true dynamics", color: ROLES.truth, mark: "cross" as const }]
      : []),
  ];
  return figure(drawing, caption, { legend: legend(entries) });
}

/** The second colour is the truth's. */
function colorIndex(k: number): number {
  return k === 0 ? 0 : k + 1;
}

/** The leading eigenvalue of the slowest fixed point beside the true one. */
function comparison(data: ReportData): Html | null {
  const leading = data.fixedPoints[0]?.eigenvalues[0];
  const { truth } = data;
  const { binWidth } = data.dataset;
  if (leading === undefined || truth === null) return null;
  const off = relativeAngle(leading.angle, truth.angle);
  const trueLeading = truth.eigenvalues[0];
  const note = leading.modulus > 1 && leading.modulus > truth.modulus
    ? html`<p class="note">A generator that saturates keeps an oscillation going by growing at its fixed point:
there the modulus may exceed the true one, while the angle says how fast the latent state turns.</p>`
    : null;
  const rows: Content[][] = [
    [
      "eigenvalue",
      complex(leading.re, leading.im, leading.im !== 0),
      trueLeading ? complex(trueLeading.re, trueLeading.im, trueLeading.im !== 0) : "–",
      "",
    ],
    [
      "modulus",
      decimals(leading.modulus),
      decimals(truth.modulus),
      signed(leading.modulus - truth.modulus),
    ],
    [
      "angle (rad/bin)",
      decimals(Math.abs(leading.angle)),
      decimals(Math.abs(truth.angle)),
      off === null ? "–" : `${off < 0 ? "" : "+"}${percent(off)}`,
    ],
    ...(binWidth === null ? [] : [[
      "rotation (Hz)",
      decimals(hertz(leading.angle, binWidth)),
      decimals(hertz(truth.angle, binWidth)),
      signed(hertz(leading.angle, binWidth) - hertz(truth.angle, binWidth)),
    ]]),
  ];
  return html`
    ${table(
      "The leading eigenvalue of the slowest fixed point, and the slowest mode of the dynamics that generated the data",
      [
        { head: "" },
        { head: "fitted", numeric: true },
        { head: "true", numeric: true },
        { head: "difference", numeric: true },
      ],
      rows,
    )}${note}
  `;
}

function hertz(radians: number, binWidth: number): number {
  return Math.abs(radians) / (2 * Math.PI * binWidth);
}

function signed(value: number): string {
  return value > 0 ? `+${decimals(value)}` : decimals(value);
}

function pointsTable(data: ReportData): Html {
  const { fixedPoints } = data;
  const { binWidth } = data.dataset;
  if (fixedPoints.length === 0) {
    return nothing(
      "No state was slow enough to count as a fixed point: the search found none below its tolerance.",
    );
  }
  const time = binWidth === null ? "bins" : "s";
  const columns = [
    { head: "#" },
    { head: "class" },
    { head: "q", numeric: true },
    { head: "leading λ", numeric: true },
    { head: "|λ|", numeric: true },
    { head: "angle", numeric: true },
    { head: `time constant (${time})`, numeric: true },
    { head: "state" },
  ];
  const rows = fixedPoints.slice(0, ROWS).map((fixed, k) => pointRow(fixed, k, binWidth));
  const many = fixedPoints.length;
  const first = table(
    `Fixed points, slowest first; for each, its leading eigenvalue${
      many > IN_VIEW ? ` (the first ${IN_VIEW} of ${many})` : ""
    }`,
    columns,
    rows.slice(0, IN_VIEW),
  );
  if (rows.length <= IN_VIEW) return first;
  const others = `Fixed points ${IN_VIEW + 1} to ${rows.length}${
    many > rows.length ? ` of ${many}` : ""
  }`;
  return html`${first}<details><summary>${others}</summary>${
    table(others, columns, rows.slice(IN_VIEW))
  }</details>`;
}

function pointRow(fixed: FixedPointView, k: number, binWidth: number | null): Content[] {
  const leading: EigenvalueView | undefined = fixed.eigenvalues[0];
  const shown = fixed.point.slice(0, 6).map((value) => decimals(value)).join(", ");
  const rest = fixed.point.length - 6;
  return [
    String(k + 1),
    fixed.class,
    number(fixed.q, 2),
    leading ? complex(leading.re, leading.im, leading.im !== 0) : "–",
    decimals(leading?.modulus),
    leading ? angle(Math.abs(leading.angle), binWidth) : "–",
    leading ? timeConstant(leading.timeConstant) : "–",
    `(${shown}${rest > 0 ? `, and ${rest} more` : ""})`,
  ];
}

/** A time constant in words: one of growth says so. */
export function timeConstant(value: number | null): string {
  return value !== null && value < 0 ? `${number(-value)}, growing` : number(value);
}

/** Larger matrices are drawn instead of printed. */
const PRINTED = 8;

function jacobian(view: JacobianView): Html {
  const small = view.A.length <= PRINTED && view.A.every((row) => row.length <= PRINTED);
  const both = small
    ? html`${matrix("A, the generator’s matrix", view.A)}${
      matrix("J, its Jacobian at the slowest fixed point", view.J)
    }`
    : html`${heat("A, the generator’s matrix", view.A)}${
      heat("J, its Jacobian at the slowest fixed point", view.J)
    }`;
  return html`
    <h3>The generator’s matrix and its Jacobian</h3>
    <div class="matrices">${both}</div>
    <p>‖J − A‖ = ${number(view.difference)}. ${view.words}</p>
  `;
}

function matrix(name: string, rows: readonly (readonly number[])[]): Html {
  return html`
    <table class="matrix">
      <caption>${name}</caption>
      <tbody>${rows.map((row) =>
        html`<tr>${row.map((value) => html`<td>${decimals(value)}</td>`)}</tr>`
      )}</tbody>
    </table>
  `;
}

function heat(name: string, rows: readonly (readonly number[])[]): Html {
  const columns = rows[0]?.length ?? 0;
  const full = largest(rows.flat());
  return figure(
    drawHeat(
      name,
      { rows: rows.length, columns, full, value: (i, j) => rows[i][j] },
      { label: "column", at: (j) => j },
      "row",
      { width: 280, height: 266 },
    ),
    `${name}: blue is positive, orange negative, full colour ${short(full)}.`,
  );
}
