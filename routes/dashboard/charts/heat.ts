/** Spikes over inferred rates: a row for each neuron, a column for each bin. */
import { svg } from "../dom.ts";
import { frame } from "./frame.ts";
import { color } from "./theme.ts";

export interface Heat {
  readonly T: number;
  readonly N: number;
  /** `[T][N]`; null leaves the paper */
  readonly rates_TN: ArrayLike<number> | null;
  /** `[T][N]`; null draws no spikes */
  readonly counts_TN: ArrayLike<number> | null;
  /** neurons from top to bottom */
  readonly order: readonly number[];
  /** the rate that gets no colour; 0 where it is left out */
  readonly low?: number;
  /** the rate that gets the full colour */
  readonly full: number;
  /** where a bin starts, and what the axis is called */
  readonly time: { readonly label: string; readonly at: (bin: number) => number };
  /** a neuron that stands out */
  readonly selected: number;
  readonly label: string;
  readonly choose?: (neuron: number) => void;
}

/** More marks than this are a grey mass, and slow. */
export const MOST_MARKS = 40_000;

/** How many rows there may be between two that are named. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** The colours of the scale, from no rate to the highest. */
const RAMP = ["--heat-0", "--heat-1", "--heat-2", "--heat-3"];

export function ramp(): (share: number) => readonly [number, number, number] {
  const stops = RAMP.map(color);
  return (share) => {
    const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(place));
    const [low, high] = [stops[i], stops[i + 1]];
    const mix = (c: number) => low[c] + (high[c] - low[c]) * (place - i);
    return [mix(0), mix(1), mix(2)];
  };
}

export function heat(
  { T, N, rates_TN, counts_TN, order, low = 0, full, time, selected, label, choose }: Heat,
  width: number,
): SVGElement {
  const height = Math.round(Math.min(560, Math.max(180, 62 + N * Math.min(12, 420 / N))));
  const end = time.at(T);
  const axes = frame({
    width,
    height,
    x: { label: time.label, domain: [0, end] },
    y: { label: "neuron", domain: [0, N], ticks: 0 },
    label,
    down: true,
    grid: false,
  });
  const { inside, left, top, y } = axes;
  if (rates_TN) {
    inside.append(svg("image", {
      x: left,
      y: top,
      width: axes.width,
      height: axes.height,
      preserveAspectRatio: "none",
      href: picture(T, order, (t, n) => (rates_TN[t * N + n] - low) / (full - low || 1)),
      class: "pixels",
    }));
  }
  const row = axes.height / N, bin = axes.width / T;
  if (counts_TN) {
    const inset = row > 5 ? 0.16 * row : 0;
    const marks: string[] = [];
    order.forEach((n, i) => {
      for (let t = 0; t < T && marks.length <= MOST_MARKS; t++) {
        const k = Math.min(4, counts_TN[t * N + n]);
        // several spikes of a bin stand side by side
        for (let s = 0; s < k; s++) {
          const at = left + (t + (s + 0.5) / k) * bin;
          marks.push(
            `M${at.toFixed(1)} ${(top + i * row + inset).toFixed(1)}v${
              (row - 2 * inset).toFixed(1)
            }`,
          );
        }
      }
    });
    if (marks.length <= MOST_MARKS) {
      inside.append(svg("path", {
        d: marks.join(""),
        class: "spikes",
        "stroke-width": Math.min(1.6, Math.max(0.7, bin / 5)),
      }));
    }
  }
  const at = order.indexOf(selected);
  if (at >= 0) {
    inside.append(
      svg("rect", {
        class: "chosen",
        x: left + 1,
        // around a row that is too thin to be framed inside
        y: y(at) - (row < 6 ? 2 : 0),
        width: axes.width - 2,
        height: row + (row < 6 ? 4 : 0),
      }),
    );
  }
  // rows are named by the neurons that stand there
  const every = STEPS.find((step) => step * row >= 16) ?? N;
  for (let i = 0; i < N; i += every) {
    axes.svg.append(svg("text", {
      class: "tick",
      x: left - 7,
      y: top + (i + 0.5) * row + 4,
      "text-anchor": "end",
    }, order[i]));
  }
  if (choose) {
    const area = svg("rect", {
      x: left,
      y: top,
      width: axes.width,
      height: axes.height,
      class: "choose",
      click: (event) => {
        const box = area.getBoundingClientRect();
        const i = Math.floor(((event as MouseEvent).clientY - box.top) / box.height * N);
        if (i >= 0 && i < N) choose(order[i]);
      },
    });
    axes.svg.append(area);
  }
  return axes.svg;
}

/** One pixel for each bin of each neuron, as an address. */
function picture(
  T: number,
  order: readonly number[],
  share: (t: number, n: number) => number,
): string {
  const canvas = document.createElement("canvas");
  canvas.width = T;
  canvas.height = order.length;
  const context = canvas.getContext("2d");
  if (!context) return "";
  const pixels = context.createImageData(T, order.length);
  const colors = Array.from({ length: 256 }, ((at) => (_, i) => at(i / 255))(ramp()));
  order.forEach((n, i) => {
    for (let t = 0; t < T; t++) {
      const value = share(t, n);
      const [r, g, b] = colors[Math.round(255 * Math.min(1, Math.max(0, value || 0)))];
      pixels.data.set([r, g, b, 255], 4 * (i * T + t));
    }
  });
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}
