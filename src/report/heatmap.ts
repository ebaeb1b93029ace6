import type { Html } from "./html.ts";
import type { Numbers } from "./data.ts";
import { COLORS, draw, type TimeAxis, xAxis, yAxis } from "./plot.ts";

/** Rows of values over time. */
export interface Heat {
  /** The value of row `row` in column `column`. */
  readonly value: (row: number, column: number) => number;
  readonly rows: number;
  readonly columns: number;
  /** The magnitude that gets the full colour. */
  readonly full: number;
}

/** Shades of one colour: enough for the eye, few enough to stay small. */
const SHADES = 20;

/**
 * One path for each shade, `shade[k]` for k = 1 … SHADES (k = -1 … for negative values), in units of
 * cells: neighbours of one shade in a row are merged, so a thousand cells take a few kilobytes.
 */
export function shadePaths(heat: Heat): Map<number, string> {
  const shades = new Map<number, string>();
  for (let row = 0; row < heat.rows; row++) {
    for (let start = 0, end = 0; start < heat.columns; start = end) {
      const shade = shadeOf(heat.value(row, start), heat.full);
      for (end = start + 1; end < heat.columns; end++) {
        if (shadeOf(heat.value(row, end), heat.full) !== shade) break;
      }
      if (shade !== 0) {
        const run = `M${start} ${row}h${end - start}v1h${start - end}z`;
        shades.set(shade, (shades.get(shade) ?? "") + run);
      }
    }
  }
  return shades;
}

function shadeOf(value: number, full: number): number {
  if (!Number.isFinite(value) || !(full > 0)) return 0;
  return Math.sign(value) * Math.min(SHADES, Math.round(SHADES * Math.abs(value) / full));
}

/** One path over the cells that are NaN: what was not observed. */
export function missingPath({ rows, columns, value }: Heat): string {
  let path = "";
  for (let row = 0; row < rows; row++) {
    for (let start = 0, end = 0; start < columns; start = end) {
      const missing = Number.isNaN(value(row, start));
      for (end = start + 1; end < columns; end++) {
        if (Number.isNaN(value(row, end)) !== missing) break;
      }
      if (missing) path += `M${start} ${row}h${end - start}v1h${start - end}z`;
    }
  }
  return path;
}

/** Lines over the cells, in units of cells. */
export interface Lines {
  readonly path: string;
  readonly color: string;
  /** in pixels */
  readonly width: number;
}

/** How rows are drawn. */
export interface HeatOptions {
  readonly color?: string;
  readonly width?: number;
  readonly height?: number;
  /** The colour of cells that are NaN; without it they look like zero. */
  readonly missing?: string;
  readonly over?: readonly Lines[];
}

/** Draws rows over time in shades of one colour, and of a second one below zero. */
export function drawHeat(
  label: string,
  heat: Heat,
  time: Pick<TimeAxis, "label" | "at">,
  rowLabel: string,
  options: HeatOptions = {},
): Html {
  const paths = shadePaths(heat);
  return draw(label, {
    width: options.width ?? 520,
    height: options.height ?? 300,
    x: xAxis(time.label, {
      type: "linear",
      domain: [time.at(0), time.at(heat.columns)],
      ticks: 5,
    }),
    y: yAxis(rowLabel, {
      type: "linear",
      domain: [heat.rows, 0],
      ticks: Math.min(heat.rows, 5),
      tickFormat: "d",
    }),
    marks: [
      (_index, _scales, _values, dimensions, context) => {
        const { width, height, marginLeft, marginRight, marginTop, marginBottom } = dimensions;
        const group = context.document.createElementNS("http://www.w3.org/2000/svg", "g");
        const scaleX = (width - marginLeft - marginRight) / heat.columns;
        const scaleY = (height - marginTop - marginBottom) / heat.rows;
        const add = (path: string, attributes: Record<string, string>) => {
          if (path === "") return;
          const element = context.document.createElementNS("http://www.w3.org/2000/svg", "path");
          // Cells are not pixels: a style, because a transform attribute would be rounded.
          element.setAttribute(
            "style",
            `transform:translate(${marginLeft}px,${marginTop}px) scale(${scaleX},${scaleY})`,
          );
          for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
          element.setAttribute("d", path);
          group.appendChild(element);
        };
        for (const [shade, path] of paths) {
          add(path, {
            "shape-rendering": "crispEdges",
            "fill": shade > 0 ? options.color ?? COLORS[0] : COLORS[1],
            "fill-opacity": String(Math.abs(shade) / SHADES),
          });
        }
        if (options.missing !== undefined) {
          add(missingPath(heat), { "shape-rendering": "crispEdges", "fill": options.missing });
        }
        for (const { path, color, width } of options.over ?? []) {
          add(path, {
            "fill": "none",
            "stroke": color,
            "stroke-width": String(width),
            "vector-effect": "non-scaling-stroke",
          });
        }
        return group;
      },
    ],
  });
}

/** The largest magnitude among the finite values, for `full`; 0 when there is none. */
export function largest(values: Numbers): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) most = Math.max(most, Math.abs(values[i]));
  }
  return most;
}
