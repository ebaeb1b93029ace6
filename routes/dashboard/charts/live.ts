/** Lines that grow while one looks: uPlot, from its package, in the page's colours. */
import type uPlotType from "uplot";
import { h } from "../dom.ts";
import { number } from "../format.ts";
import { cssColor, onTheme } from "./theme.ts";

declare const uPlot: typeof uPlotType;

export interface LiveLine {
  readonly name: string;
  /** a variable of the page's style */
  readonly color: string;
  readonly dots?: boolean;
  readonly width?: number;
  /** has an axis of its own, on the right */
  readonly right?: boolean;
}

export interface LiveOptions {
  readonly title: string;
  readonly lines: readonly LiveLine[];
  readonly height?: number;
  readonly log?: boolean;
  readonly signal: AbortSignal;
}

/** Numbers of the lines: steps first, then each line's; null leaves a gap that is drawn through. */
export type LiveData = [number[], ...(number | null)[][]];

export interface Live {
  readonly element: HTMLElement;
  update(data: LiveData): void;
}

const SIDES = { left: 3, right: 1 } as const;

export function liveChart({ title, lines, height = 240, log = false, signal }: LiveOptions): Live {
  const place = h("div", { class: "live", role: "img", "aria-label": title });
  const element = h("figure", {}, h("h3", {}, title), place);
  const text = "12px system-ui, sans-serif";
  const axis = (scale: string, side: keyof typeof SIDES, grid: boolean): uPlotType.Axis => ({
    scale,
    side: SIDES[side],
    stroke: () => cssColor("--muted"),
    font: text,
    size: 58,
    grid: grid ? { stroke: () => cssColor("--rule"), width: 1 } : { show: false },
    ticks: { show: false },
    values: (_, values) => values.map((value) => value === null ? "" : number(value)),
  });
  const plot = new uPlot(
    {
      width: 400,
      height,
      cursor: { sync: { key: "run" }, points: { size: 7 }, drag: { x: true, y: false } },
      legend: { live: true },
      scales: { x: { time: false }, y: { distr: log ? 3 : 1 }, right: { distr: 1 } },
      axes: [
        {
          stroke: () => cssColor("--muted"),
          font: text,
          grid: { show: false },
          ticks: { stroke: () => cssColor("--rule"), size: 4 },
          values: (_, values) => values.map((value) => number(value)),
        },
        axis("y", "left", true),
        ...(lines.some(({ right }) => right) ? [axis("right", "right", false)] : []),
      ],
      series: [
        { label: "step", value: (plot, value) => number(value ?? last(plot.data[0]), 8) },
        ...lines.map((
          { name, color, dots = false, width = 2, right = false },
        ): uPlotType.Series => ({
          label: name,
          scale: right ? "right" : "y",
          stroke: () => cssColor(color),
          width,
          spanGaps: true,
          points: {
            show: dots,
            size: 5,
            fill: () => cssColor("--paper"),
            stroke: () => cssColor(color),
          },
          value: (plot, value, series) => number(value ?? last(plot.data[series])),
        })),
      ],
    },
    [[], ...lines.map(() => [])],
    place,
  );
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width > 0) plot.setSize({ width, height });
  });
  observer.observe(place);
  onTheme(() => plot.redraw(false), signal);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    plot.destroy();
  });
  return {
    element,
    update(data) {
      plot.setData(data);
      const newest = lines.map(({ name }, i) => `${name} ${number(last(data[i + 1]))}`);
      const at = data[0].at(-1);
      place.setAttribute(
        "aria-label",
        at === undefined ? `${title}: nothing yet` : `${title}, step ${at}: ${newest.join(", ")}`,
      );
    },
  };
}

/** The newest number of a line: what its legend says while nobody points at it. */
function last(values: ArrayLike<number | null | undefined>): number | null {
  for (let i = values.length - 1; i >= 0; i--) {
    const value = values[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}
