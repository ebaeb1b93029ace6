import * as Plot from "@observablehq/plot";
import { colorByCondition } from "./conditions.ts";
import type { EigenvalueView, ReportData } from "./data.ts";
import { complex, decimals, number, short } from "./format.ts";
import { timeConstant } from "./fixed_points.ts";
import {
  type Content,
  figure,
  html,
  legend,
  type LegendEntry,
  nothing,
  type Section,
  table,
} from "./html.ts";
import { extent, spread } from "./numbers.ts";
import { COLORS, draw, ROLES, xAxis, yAxis } from "./plot.ts";
import { planeOf } from "./projection.ts";
import type { InputFixedPointsView } from "./recording_data.ts";
import { stability } from "./trajectories.ts";

/** Fixed points of each input in the table, inputs and trials in the drawing, bins of each trial. */
const ROWS = 5, INPUTS = 4, TRIALS = 60, BINS = 60;

/** Fixed points at the inputs that the generator had; null for a generator without inputs. */
export function inputFixedPointsSection(data: ReportData): Section | null {
  const found = data.recording?.inputFixedPoints ?? null;
  if (found === null || found.groups.length === 0) return null;
  return {
    id: "input-fixed-points",
    heading: "Fixed points over inputs",
    body: html`<div class="figures">${plane(data, found)}</div>${pointsTable(data, found)}`,
  };
}

function colorsOf(data: ReportData, { groups }: InputFixedPointsView): (k: number) => string {
  const conditions = groups.flatMap(({ condition }) => condition === null ? [] : [condition]);
  if (conditions.length < groups.length) return (k) => COLORS[k % COLORS.length];
  return colorByCondition(conditions, data.recording?.conditionNames ?? null).color;
}

/** Every fixed point among the states of some trials. */
function plane(data: ReportData, found: InputFixedPointsView): Content {
  const { B, T, G, states_BTG, condition } = data.trajectories;
  const view = planeOf(states_BTG, G, "generator state");
  if (view === null || B * T === 0) return null;
  const color = colorsOf(data, found);
  const colored = new Map(found.groups.map(({ condition }, k) => [condition, color(k)]));
  const states = spread(B, TRIALS).flatMap((b) =>
    spread(T, BINS).map((t) => {
      const [x, y] = view.at(states_BTG, (b * T + t) * G);
      return { b, x, y, color: colored.get(condition?.[b] ?? null) ?? ROLES.muted };
    })
  );
  const points = found.groups.flatMap(({ points }, k) =>
    points.map((point) => {
      const [x, y] = view.at(point.point);
      return { x, y, color: color(k), stable: stability(point) === "stable" };
    })
  );
  const x = extent(states.map((state) => state.x)), y = extent(states.map((state) => state.y));
  if (x === null || y === null) return null;
  // points near the states stay in the picture, far ones would shrink them to nothing
  const reach = ([low, high]: [number, number], of: "x" | "y"): [number, number] => {
    const size = high - low || 1;
    const near = points.map((point) => point[of])
      .filter((value) => value > low - size && value < high + size);
    const [from, to] = extent([low, high, ...near]) ?? [low, high];
    return [from - 0.06 * size, to + 0.06 * size];
  };
  const domain = { x: reach(x, "x"), y: reach(y, "y") };
  const inside = points.filter((point) =>
    point.x >= domain.x[0] && point.x <= domain.x[1] && point.y >= domain.y[0] &&
    point.y <= domain.y[1]
  );
  const caption = [
    `Fixed points of the generator with its inputs held still at ${found.by}, among the states of ${
      Math.min(B, TRIALS)
    } trials: filled where stable, open where not.`,
    inside.length < points.length
      ? `${points.length - inside.length} of ${points.length} lie outside the frame.`
      : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const drawing = draw(caption, {
    width: 1080,
    height: 560,
    marginRight: 16,
    x: xAxis(view.labels[0], { domain: domain.x, ticks: 6 }),
    y: yAxis(view.labels[1], { domain: domain.y, ticks: 6 }),
    color: { type: "identity" },
    marks: [
      Plot.line(states, {
        x: "x",
        y: "y",
        z: "b",
        stroke: (state: { color: string }) => state.color,
        strokeOpacity: 0.25,
        strokeWidth: 1,
      }),
      Plot.dot(inside, {
        x: "x",
        y: "y",
        r: 6,
        fill: (point: { color: string; stable: boolean }) =>
          point.stable ? point.color : ROLES.paper,
        stroke: (point: { color: string; stable: boolean }) =>
          point.stable ? ROLES.paper : point.color,
        strokeWidth: 2.5,
      }),
    ],
  });
  const entries: LegendEntry[] = found.groups.map(({ label }, k) => ({
    label,
    color: color(k),
    mark: "dot",
  }));
  return figure(drawing, caption, { legend: legend(entries), wide: true });
}

function pointsTable(data: ReportData, { by, groups }: InputFixedPointsView): Content {
  if (groups.every(({ points }) => points.length === 0)) {
    return nothing("No state was slow enough to count as a fixed point at any of these inputs.");
  }
  const time = data.dataset.binWidth === null ? "bins" : "s";
  const rows = groups.flatMap(({ label, input, points }): Content[][] => {
    const shown = input.slice(0, INPUTS).map((value) => short(value)).join(", ");
    const at = `(${shown}${input.length > INPUTS ? `, and ${input.length - INPUTS} more` : ""})`;
    if (points.length === 0) return [[label, at, "none found", "–", "–", "–", "–"]];
    return points.slice(0, ROWS).map(({ class: kind, q, eigenvalues }, k) => {
      const [leading] = eigenvalues;
      return [
        points.length > 1 ? `${label}, point ${k + 1} of ${points.length}` : label,
        at,
        kind,
        number(q, 2),
        leading ? complex(leading.re, leading.im, leading.im !== 0) : "–",
        decimals(leading?.modulus),
        timeConstant(slowest(eigenvalues)),
      ];
    });
  });
  return table(
    `Fixed points at ${by}${
      groups.some(({ points }) => points.length > ROWS) ? `, the ${ROWS} slowest of each` : ""
    }; the slowest time constant is the longest of a mode, decaying or growing`,
    [
      { head: "input" },
      { head: "value" },
      { head: "class" },
      { head: "q", numeric: true },
      { head: "leading λ", numeric: true },
      { head: "|λ|", numeric: true },
      { head: `slowest time constant (${time})`, numeric: true },
    ],
    rows,
  );
}

/** The time constant of the mode that changes least; null where none is known. */
function slowest(eigenvalues: readonly EigenvalueView[]): number | null {
  return eigenvalues.map(({ timeConstant }) => timeConstant)
    .reduce(
      (longest, one) => one !== null && Math.abs(one) > Math.abs(longest ?? 0) ? one : longest,
      null,
    );
}
