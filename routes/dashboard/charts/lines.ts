/** Lines over time, with spikes as stems from below. */
import { svg } from "../dom.ts";
import { extent, frame } from "./frame.ts";

export interface Line {
  readonly values: ArrayLike<number>;
  readonly color: string;
  readonly width?: number;
  readonly dashed?: boolean;
}

export interface Lines {
  readonly lines: readonly Line[];
  /** counts that are drawn as stems */
  readonly stems?: ArrayLike<number>;
  readonly time: { readonly label: string; readonly at: (bin: number) => number };
  readonly yLabel: string;
  readonly label: string;
  readonly height?: number;
  /** the vertical axis starts at 0 */
  readonly fromZero?: boolean;
}

export function lines(
  { lines, stems, time, yLabel, label, height = 240, fromZero = false }: Lines,
  width: number,
): SVGElement {
  const T = Math.max(stems?.length ?? 0, ...lines.map(({ values }) => values.length));
  const all = function* () {
    for (const { values } of lines) yield* Array.from(values);
    if (stems) yield* Array.from(stems);
  };
  const range = extent(all()) ?? [0, 1];
  const axes = frame({
    width,
    height,
    x: { label: time.label, domain: [0, time.at(T)] },
    y: { label: yLabel, domain: fromZero ? [0, range[1]] : range },
    label,
  });
  const { inside, x, y } = axes;
  // a bin's value stands in its middle
  const middle = (t: number) => x((time.at(t) + time.at(t + 1)) / 2).toFixed(1);
  if (stems) {
    const d = Array.from(
      stems,
      (count, t) => count > 0 ? `M${middle(t)} ${y(0)}V${y(count).toFixed(1)}` : "",
    );
    inside.append(svg("path", {
      d: d.join(""),
      class: "stems",
      "stroke-width": Math.max(1.5, Math.min(5, axes.width / T / 3)),
    }));
  }
  for (const { values, color, width = 2, dashed = false } of lines) {
    // a value that is not known leaves a gap
    const d = Array.from(
      values,
      (value, t) =>
        Number.isNaN(value)
          ? ""
          : `${t === 0 || Number.isNaN(values[t - 1]) ? "M" : "L"}${middle(t)} ${
            y(value).toFixed(1)
          }`,
    );
    inside.append(svg("path", {
      d: d.join(""),
      fill: "none",
      stroke: color,
      "stroke-width": width,
      "stroke-linejoin": "round",
      "stroke-dasharray": dashed && "5 4",
    }));
  }
  return axes.svg;
}

/** The horizontal axis of anything that runs in time: seconds where the bin width is known. */
export function timeAxis(binWidth: number | null) {
  return binWidth === null
    ? { label: "time (bins)", at: (bin: number) => bin }
    : { label: "time (s)", at: (bin: number) => bin * binWidth };
}
