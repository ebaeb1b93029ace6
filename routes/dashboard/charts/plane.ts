/** Trajectories on a plane, with fixed points and the flow between them. */
import { svg } from "../dom.ts";
import type { FixedPoint } from "../types.ts";
import { extent, frame, type Sign, symbol } from "./frame.ts";

/** A path through the plane. */
export interface Path {
  readonly points: readonly (readonly [number, number])[];
  readonly color: string;
}

export interface Plane {
  readonly paths: readonly Path[];
  /** one that stands out */
  readonly chosen?: Path | null;
  readonly labels: readonly [string, string];
  readonly fixed?: readonly {
    readonly at: readonly [number, number];
    readonly mark: Sign;
    readonly color?: string;
  }[];
  /** the change of state in one step, from a place */
  readonly flow?: (at: readonly [number, number]) => readonly [number, number];
  readonly label: string;
  /** height by width; 0.82 */
  readonly ratio?: number;
}

const ARROWS = 15;

export function plane(
  { paths, chosen = null, labels, fixed = [], flow, label, ratio = 0.82 }: Plane,
  width: number,
): SVGElement {
  const points = paths.flatMap(({ points }) => points);
  const own = { x: extent(points.map(([x]) => x)), y: extent(points.map(([, y]) => y)) };
  const height = Math.round(Math.min(600, Math.max(260, width * ratio)));
  // one unit is as long on both axes: only then are angles what they seem
  const [x, y] = equal(own.x ?? [-1, 1], own.y ?? [-1, 1], (width - 66) / (height - 62));
  const axes = frame({
    width,
    height,
    x: { label: labels[0], domain: x },
    y: { label: labels[1], domain: y },
    label,
  });
  const { inside } = axes;
  const d = ({ points }: Path) =>
    points.map(([px, py], i) =>
      `${i === 0 ? "M" : "L"}${axes.x(px).toFixed(1)} ${axes.y(py).toFixed(1)}`
    ).join("");
  if (flow) inside.append(arrows(flow, x, y, axes.x, axes.y));
  const opacity = points.length > 8000 ? 0.28 : points.length > 3000 ? 0.35 : 0.6;
  for (const path of paths) {
    inside.append(
      svg("path", { d: d(path), class: "path", stroke: path.color, "stroke-opacity": opacity }),
    );
  }
  for (const { points: [start], color } of paths) {
    if (start) {
      inside.append(
        svg("circle", { cx: axes.x(start[0]), cy: axes.y(start[1]), r: 2, fill: color }),
      );
    }
  }
  if (chosen) {
    inside.append(svg("path", { d: d(chosen), class: "path halo" }));
    inside.append(svg("path", { d: d(chosen), class: "path chosen-path" }));
    const [start] = chosen.points;
    if (start) {
      inside.append(
        svg("circle", { cx: axes.x(start[0]), cy: axes.y(start[1]), r: 4, class: "start" }),
      );
    }
  }
  fixed.forEach(({ at: [px, py], mark, color = "var(--ink)" }, k) => {
    const cx = axes.x(px), cy = axes.y(py);
    inside.append(symbol(mark, cx, cy, 5.5, color));
    inside.append(svg("text", { x: cx + 10, y: cy - 8, class: "point-label" }, k + 1));
  });
  return axes.svg;
}

/** Widens one of two domains, so that a unit is as long on both axes. */
function equal(
  x: readonly [number, number],
  y: readonly [number, number],
  ratio: number,
): [[number, number], [number, number]] {
  const wide = x[1] - x[0], tall = y[1] - y[0];
  const grow = ([low, high]: readonly [number, number], size: number): [number, number] => {
    const pad = Math.max(0, size - (high - low)) / 2;
    return [low - pad, high + pad];
  };
  return wide / tall > ratio ? [[...x], grow(y, wide / ratio)] : [grow(x, tall * ratio), [...y]];
}

/** Arrows on a grid; the longest spans a cell, the others are in proportion. */
function arrows(
  flow: NonNullable<Plane["flow"]>,
  x: readonly [number, number],
  y: readonly [number, number],
  sx: (value: number) => number,
  sy: (value: number) => number,
): SVGElement {
  const places = Array.from({ length: ARROWS * ARROWS }, (_, k) => {
    const place = (domain: readonly [number, number], i: number) =>
      domain[0] + (domain[1] - domain[0]) * (i + 0.5) / ARROWS;
    const at = [place(x, k % ARROWS), place(y, Math.floor(k / ARROWS))] as const;
    return { at, by: flow(at) };
  });
  const longest = Math.max(...places.map(({ by }) => Math.hypot(...by)));
  const cell = Math.abs(sx(x[1]) - sx(x[0])) / ARROWS;
  const perUnit = Math.abs(sx(1) - sx(0));
  const d = places.map(({ at, by }) => {
    const size = Math.hypot(...by) / longest * cell;
    if (!(size > 1)) return "";
    const length = size / (Math.hypot(...by) * perUnit);
    const x0 = sx(at[0]), y0 = sy(at[1]);
    const x1 = sx(at[0] + by[0] * length), y1 = sy(at[1] + by[1] * length);
    const turn = Math.atan2(y1 - y0, x1 - x0), head = Math.min(5, size / 2.5);
    const wing = (side: number) =>
      `L${(x1 - head * Math.cos(turn + side)).toFixed(1)} ${
        (y1 - head * Math.sin(turn + side)).toFixed(1)
      }`;
    return `M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}${wing(0.5)}` +
      `M${x1.toFixed(1)} ${y1.toFixed(1)}${wing(-0.5)}`;
  });
  return svg("path", { d: d.join(""), class: "flow" });
}

/** The sign of a fixed point: filled where all directions contract, hollow where all grow. */
export function markOf({ class: name, eigenvalues }: FixedPoint): Sign {
  if (name === "centre" || name === "marginal") return "ring";
  const growing = eigenvalues.filter(({ modulus }) => modulus >= 1).length;
  return growing === 0 ? "dot" : growing === eigenvalues.length ? "ring" : "diamond";
}
