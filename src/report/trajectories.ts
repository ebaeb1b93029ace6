import * as Plot from "@observablehq/plot";
import { conditionTrajectories } from "./components.ts";
import { colorByCondition } from "./conditions.ts";
import type { FixedPointView, Numbers, ReportData } from "./data.ts";
import { plural } from "./format.ts";
import {
  figure,
  type Html,
  html,
  legend,
  type LegendEntry,
  nothing,
  type Section,
} from "./html.ts";
import { extent, spread } from "./numbers.ts";
import { draw, ROLES, timeAxis, xAxis, yAxis } from "./plot.ts";
import { planeOf, type Projection } from "./projection.ts";

/** More trajectories than this hide one another. */
const TRIALS = 200;
/** Points of all trajectories of a figure together: keeps the page small. */
const POINTS = 12_000;

/** Trajectories of one kind, and what stands among them. */
interface Cloud {
  readonly name: string;
  readonly values_BTn: Numbers;
  readonly n: number;
  readonly example_Tn: Numbers;
  readonly fixedPoints: readonly FixedPointView[];
  readonly field: ReportData["field"];
}

/** Latent trajectories: the generator's phase portrait, and the factors. */
export function trajectoriesSection(data: ReportData): Section {
  const { trajectories: many, trial } = data;
  const heading = "Latent trajectories";
  if (many.B * many.T === 0) {
    return { id: "trajectories", heading, body: nothing("There is no trajectory to draw.") };
  }
  const states = portrait(data, {
    name: "generator state",
    values_BTn: many.states_BTG,
    n: many.G,
    example_Tn: trial.gen_TG,
    fixedPoints: data.fixedPoints,
    field: data.field,
  });
  const factors = conditionTrajectories(data) ?? portrait(data, {
    name: "factor",
    values_BTn: many.factors_BTF,
    n: many.F,
    example_Tn: trial.factors_TF,
    fixedPoints: [],
    field: undefined,
  });
  return {
    id: "trajectories",
    heading,
    body: html`<div class="figures">${states}${factors}</div>`,
  };
}

/** Whether a map contracts along all, none or some directions at a fixed point, or its class says neither. */
export function stability(fixed: FixedPointView): "stable" | "unstable" | "mixed" | "neutral" {
  if (fixed.class === "centre" || fixed.class === "marginal") return "neutral";
  const growing = fixed.eigenvalues.filter((eigenvalue) => eigenvalue.modulus >= 1).length;
  return growing === 0 ? "stable" : growing === fixed.eigenvalues.length ? "unstable" : "mixed";
}

const SYMBOLS = {
  stable: "circle",
  unstable: "circle",
  mixed: "diamond",
  neutral: "circle",
} as const;

const FIXED_POINT_LEGEND: Record<ReturnType<typeof stability>, LegendEntry> = {
  stable: { label: "fixed point, stable", color: ROLES.ink, mark: "dot" },
  unstable: { label: "fixed point, unstable", color: ROLES.ink, mark: "ring" },
  mixed: { label: "fixed point, saddle", color: ROLES.ink, mark: "diamond" },
  neutral: { label: "fixed point, neither stable nor unstable", color: ROLES.ink, mark: "ring" },
};

function portrait(data: ReportData, cloud: Cloud): Html {
  const { B, T, condition } = data.trajectories;
  const { n, values_BTn, name } = cloud;
  if (n === 0) return nothing(`There is no ${name} to draw.`);
  const plane = planeOf(values_BTn, n, name);
  const time = timeAxis(data.dataset.binWidth);
  const at = (values: Numbers, offset: number, t: number) =>
    plane ? plane.at(values, offset) : [time.at(t), values[offset]] as const;

  const coloring = colorByCondition(condition, data.recording?.conditionNames ?? null);
  const trials = spread(B, Math.max(1, Math.min(TRIALS, Math.floor(POINTS / Math.min(T, 200)))));
  const bins = withLast(spread(T, Math.max(2, Math.floor(POINTS / trials.length))), T);
  const points = trials.flatMap((b) =>
    bins.map((t) => {
      const [x, y] = at(values_BTn, (b * T + t) * n, t);
      return { x, y, b, color: coloring.color(b) };
    })
  );
  const example = withLast(spread(data.trial.T, 1000), data.trial.T).map((t) => {
    const [x, y] = at(cloud.example_Tn, t * n, t);
    return { x, y };
  });
  const frame = frameOf([...points, ...example], plane ? null : time.domain(T));
  if (frame === null) return nothing(`The ${name}s hold no finite value to draw.`);
  const inside = ({ x, y }: { x: number; y: number }) =>
    x >= frame.x[0] && x <= frame.x[1] && y >= frame.y[0] && y <= frame.y[1];

  const fixed = cloud.fixedPoints.map((view, k) => {
    const [x, y] = plane ? plane.at(view.point) : [frame.x[0], view.point[0]];
    return { x, y, label: String(k + 1), kind: stability(view) };
  });
  const shown = fixed.filter(inside);
  const arrows = n === 2 && cloud.field ? arrowsOf(cloud.field, frame, inside) : [];
  const caption = captionOf({
    name,
    plane,
    coloring: coloring.words,
    drawn: trials.length,
    B,
    example: data.trial.index,
    arrows: arrows.length > 0,
    outside: fixed.filter((point) => !inside(point)).map((point) => point.label),
    equal: frame.equal,
  });
  const starts = points.filter((_, i) => i % bins.length === 0);
  const drawing = draw(caption, {
    height: frame.height,
    marginRight: 16,
    x: xAxis(plane ? plane.labels[0] : time.label, { domain: frame.x, ticks: 6 }),
    y: yAxis(plane ? plane.labels[1] : name, { domain: frame.y, ticks: 6 }),
    marks: [
      Plot.arrow(arrows, {
        x1: "x1",
        y1: "y1",
        x2: "x2",
        y2: "y2",
        stroke: ROLES.muted,
        strokeOpacity: 0.7,
        strokeWidth: 1,
        headLength: 5,
      }),
      Plot.line(points, {
        x: "x",
        y: "y",
        z: "b",
        stroke: (point: { color: string }) => point.color,
        strokeOpacity: trials.length > 40 ? 0.3 : 0.6,
        strokeWidth: 1,
      }),
      Plot.dot(starts, {
        x: "x",
        y: "y",
        fill: (point: { color: string }) => point.color,
        r: 1.75,
      }),
      Plot.line(example, { x: "x", y: "y", stroke: ROLES.paper, strokeWidth: 5 }),
      Plot.line(example, { x: "x", y: "y", stroke: ROLES.example, strokeWidth: 2 }),
      Plot.dot(example.slice(0, 1), { x: "x", y: "y", fill: ROLES.example, r: 3.5 }),
      Plot.dot(shown, {
        x: "x",
        y: "y",
        r: 5.5,
        symbol: (point: { kind: keyof typeof SYMBOLS }) => SYMBOLS[point.kind],
        fill: (point: { kind: string }) => point.kind === "stable" ? ROLES.ink : ROLES.paper,
        stroke: ROLES.ink,
        strokeWidth: 2,
      }),
      Plot.text(shown, {
        x: "x",
        y: "y",
        text: "label",
        dx: 13,
        dy: -9,
        fill: ROLES.ink,
        stroke: ROLES.paper,
        strokeWidth: 4,
        fontWeight: "bold",
      }),
    ],
    color: { type: "identity" },
    symbol: { type: "identity" },
  });
  const kinds = [...new Set(shown.map((point) => point.kind))];
  const entries: LegendEntry[] = [
    ...(coloring.legend.length > 0 ? coloring.legend : [{ label: "trials", color: ROLES.model }]),
    { label: `trial ${data.trial.index}`, color: ROLES.example },
    ...kinds.map((kind) => FIXED_POINT_LEGEND[kind]),
  ];
  return figure(drawing, caption, { legend: legend(entries) });
}

function withLast(bins: number[], T: number): number[] {
  return T > 0 && bins[bins.length - 1] !== T - 1 ? [...bins, T - 1] : bins;
}

/** What a drawing covers. */
interface Frame {
  readonly x: [number, number];
  readonly y: [number, number];
  readonly height: number;
  /** One unit is as long on both axes. */
  readonly equal: boolean;
}

/** The page's 520 pixels less the margins. */
const INNER_WIDTH = 448;
const OUTER_HEIGHT = 70;

/**
 * A frame around the points, with the same scale on both axes where that leaves the picture readable
 * (one side at most four times the other): only then are angles and rotations what they seem.
 * Where `time` is given it is the horizontal axis.
 */
function frameOf(
  points: readonly { readonly x: number; readonly y: number }[],
  time: [number, number] | null,
): Frame | null {
  const x = extent(points.map((point) => point.x)), y = extent(points.map((point) => point.y));
  if (x === null || y === null) return null;
  const margin = ([low, high]: [number, number], share: number): [number, number] => {
    const pad = high > low ? share * (high - low) : Math.max(Math.abs(high), 1) / 2;
    return [low - pad, high + pad];
  };
  if (time) return { x: time, y: margin(y, 0.08), height: 320, equal: false };
  const wide = margin(x, 0.08), tall = margin(y, 0.08);
  const ratio = (tall[1] - tall[0]) / (wide[1] - wide[0]);
  if (!(ratio >= 0.25 && ratio <= 4)) return { x: wide, y: tall, height: 400, equal: false };
  const wanted = Math.min(1, Math.max(0.7, ratio));
  const grow = ([low, high]: [number, number], size: number): [number, number] => {
    const pad = (size - (high - low)) / 2;
    return [low - pad, high + pad];
  };
  const width = Math.max(wide[1] - wide[0], (tall[1] - tall[0]) / wanted);
  return {
    x: grow(wide, width),
    y: grow(tall, width * wanted),
    height: Math.round(INNER_WIDTH * wanted) + OUTER_HEIGHT,
    equal: true,
  };
}

/** Arrows inside the frame, scaled together so that the longest spans a cell of their grid. */
function arrowsOf(
  field: NonNullable<ReportData["field"]>,
  frame: Frame,
  inside: (point: { x: number; y: number }) => boolean,
) {
  const visible = field.filter(({ h0, h1 }) => inside({ x: h0, y: h1 }));
  const speeds = visible.map(({ dx, dy }) => Math.hypot(dx, dy));
  const fastest = extent(speeds)?.[1] ?? 0;
  if (fastest === 0) return [];
  const area = (frame.x[1] - frame.x[0]) * (frame.y[1] - frame.y[0]);
  const cell = Math.sqrt(area / visible.length);
  return visible.map(({ h0, h1, dx, dy }) => ({
    x1: h0,
    y1: h1,
    x2: h0 + dx * cell / fastest,
    y2: h1 + dy * cell / fastest,
  }));
}

function captionOf(about: {
  readonly name: string;
  readonly plane: Projection | null;
  readonly coloring: string;
  readonly drawn: number;
  readonly B: number;
  readonly example: number;
  readonly arrows: boolean;
  readonly outside: readonly string[];
  readonly equal: boolean;
}): string {
  const { name, plane, drawn, B, outside } = about;
  const view = plane === null
    ? "over time"
    : plane.principal
    ? "on their first two principal components"
    : "in their plane";
  const trials = drawn < B ? `${drawn} of ${B} trials` : plural(B, "trial");
  return [
    `${name[0].toUpperCase()}${
      name.slice(1)
    }s ${view}: ${trials}, a dot at the start of each; trial ${about.example} stands out.`,
    about.coloring,
    about.arrows
      ? "Arrows: the change of state in one bin without input, lengths in proportion."
      : "",
    outside.length > 0
      ? `Fixed ${outside.length === 1 ? "point" : "points"} ${outside.slice(0, 10).join(", ")}${
        outside.length > 10 ? ", …" : ""
      } ${outside.length === 1 ? "lies" : "lie"} outside the frame.`
      : "",
    plane !== null && !about.equal ? "The two axes have different scales." : "",
  ].filter((sentence) => sentence !== "").join(" ");
}
