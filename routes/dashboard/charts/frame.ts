/** Axes of a drawing, and drawings as wide as their place. */
import { type Child, h, replace, svg } from "../dom.ts";
import { number } from "../format.ts";
import { type Domain, ticks } from "../maths/ticks.ts";
import { onTheme } from "./theme.ts";

export interface Axis {
  readonly label: string;
  readonly domain: Domain;
  /** about how many ticks; 0 leaves them to who draws */
  readonly ticks?: number;
  /** whole numbers only */
  readonly whole?: boolean;
}

export interface Frame {
  readonly svg: SVGSVGElement;
  /** what is drawn in it stays inside the axes */
  readonly inside: SVGGElement;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

let clips = 0;

export interface FrameOptions {
  readonly width: number;
  readonly height: number;
  readonly x: Axis;
  readonly y: Axis;
  /** what a screen reader says of the drawing */
  readonly label: string;
  /** the first row on top, as in matrices */
  readonly down?: boolean;
  readonly grid?: boolean;
}

export function frame(
  { width, height, x: xAxis, y: yAxis, label, down = false, grid = true }: FrameOptions,
): Frame {
  const left = 54, right = 12, top = 22, bottom = 40;
  const inner = { width: Math.max(40, width - left - right), height: height - top - bottom };
  const scale = ([low, high]: Domain, from: number, to: number) => (value: number) =>
    from + (value - low) / (high - low || 1) * (to - from);
  const x = scale(xAxis.domain, left, left + inner.width);
  const y = down
    ? scale(yAxis.domain, top, top + inner.height)
    : scale(yAxis.domain, top + inner.height, top);
  const clip = `clip-${++clips}`;
  const rect = { x: left, y: top, ...inner };
  const inside = svg("g", { "clip-path": `url(#${clip})` });
  const axes = svg("g", { class: "axes" });
  const xTicks = ticks(xAxis.domain, xAxis.ticks ?? Math.max(2, inner.width / 80), xAxis.whole);
  for (const value of xTicks) {
    const at = x(value);
    if (grid) axes.append(svg("line", { x1: at, x2: at, y1: top, y2: top + inner.height }));
    axes.append(
      svg("text", { x: at, y: top + inner.height + 17, "text-anchor": "middle" }, number(value)),
    );
  }
  const yTicks = ticks(yAxis.domain, yAxis.ticks ?? Math.max(2, inner.height / 50), yAxis.whole);
  for (const value of yTicks) {
    const at = y(value);
    if (grid) axes.append(svg("line", { y1: at, y2: at, x1: left, x2: left + inner.width }));
    axes.append(
      svg("text", { x: left - 7, y: at + 4, "text-anchor": "end" }, number(value)),
    );
  }
  const element = svg(
    "svg",
    {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": label,
      class: "chart",
    },
    svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", rect))),
    axes,
    inside,
    svg("text", {
      class: "axis-label",
      x: left + inner.width / 2,
      y: height - 5,
      "text-anchor": "middle",
    }, xAxis.label),
    svg("text", { class: "axis-label", x: 2, y: 12 }, yAxis.label),
  );
  return { svg: element, inside, x, y, left, top, ...inner };
}

/** A place that is drawn again whenever its width or the theme changes. */
export function drawn(draw: (width: number) => Child, signal: AbortSignal): HTMLElement & {
  again(): void;
} {
  const place = Object.assign(h("div", { class: "drawn" }), { again });
  let width = 0;
  function again() {
    if (width > 0) replace(place, draw(width));
  }
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width) return;
    width = now;
    again();
  });
  observer.observe(place);
  signal.addEventListener("abort", () => observer.disconnect());
  onTheme(again, signal);
  return place;
}

/** A drawing with its caption. */
export function figure(caption: Child, ...content: readonly Child[]): HTMLElement {
  return h("figure", {}, content, h("figcaption", {}, caption));
}

export type Mark = "line" | "dash" | "dot" | "ring" | "diamond" | "stem";

/** What the colours and signs mean. */
export function legend(
  entries: readonly { readonly label: string; readonly color: string; readonly mark?: Mark }[],
): HTMLElement {
  return h(
    "ul",
    { class: "legend" },
    entries.map(({ label, color, mark = "line" }) => {
      const sign = svg("svg", {
        width: 16,
        height: 12,
        viewBox: "0 0 16 12",
        "aria-hidden": "true",
      });
      sign.append(
        mark === "line" || mark === "dash"
          ? svg("line", {
            x1: 0,
            x2: 16,
            y1: 6,
            y2: 6,
            stroke: color,
            "stroke-width": 2.5,
            "stroke-dasharray": mark === "dash" && "6 4",
          })
          : mark === "stem"
          ? svg("line", { x1: 8, x2: 8, y1: 1, y2: 11, stroke: color, "stroke-width": 2 })
          : symbol(mark, 8, 6, 4.5, color),
      );
      return h("li", {}, sign, label);
    }),
  );
}

/** Signs that stand at a point. */
export type Sign = Exclude<Mark, "line" | "dash" | "stem">;

/** A sign at a point. */
export function symbol(
  mark: Sign,
  x: number,
  y: number,
  r: number,
  color: string,
): SVGElement {
  if (mark === "diamond") {
    const d = `M${x} ${y - r - 1}L${x + r + 1} ${y}L${x} ${y + r + 1}L${x - r - 1} ${y}Z`;
    return svg("path", { d, fill: "var(--paper)", stroke: color, "stroke-width": 2 });
  }
  const fill = mark === "dot" ? color : "var(--paper)";
  return svg("circle", {
    cx: x,
    cy: y,
    r,
    fill,
    stroke: color,
    "stroke-width": mark === "dot" ? 0 : 2,
  });
}

/** Lowest and highest finite number, widened a little; null where there is none. */
export function extent(values: Iterable<number>, pad = 0.06): Domain | null {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return null;
  const room = high > low ? pad * (high - low) : Math.max(Math.abs(high), 1) / 2;
  return [low - room, high + room];
}
