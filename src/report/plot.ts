import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import { type Html, raw } from "./html.ts";

/** What a serialised drawing needs of its elements. */
interface Element {
  readonly outerHTML: string;
  querySelectorAll(selector: string): Iterable<Element>;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  remove(): void;
}

/** The attributes that hold pixels. */
const PIXELS = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"];

/**
 * Draws with Observable Plot and returns inline SVG. `label` is its accessible name.
 *
 * Pixels are rounded to a tenth, which no eye can tell and which halves the page. Colours are CSS
 * variables of the page, so one drawing serves light, dark and print.
 */
export function draw(label: string, options: Plot.PlotOptions): Html {
  const document = new DOMParser().parseFromString("<!doctype html><html></html>", "text/html");
  const svg: Element = Plot.plot({
    width: 520,
    height: 300,
    marginTop: 28,
    marginLeft: 56,
    marginBottom: 42,
    ...options,
    className: "plot",
    document,
  });
  // The page's own style sheet covers what Plot's would say in every drawing.
  for (const style of svg.querySelectorAll("style")) style.remove();
  for (const element of svg.querySelectorAll("*")) {
    // Inside an image with a name of its own these would never be read.
    element.removeAttribute("aria-label");
    element.removeAttribute("aria-hidden");
    for (const name of PIXELS) {
      const value = element.getAttribute(name);
      if (value !== null) element.setAttribute(name, roundPixels(value));
    }
  }
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return raw(svg.outerHTML);
}

/** Every decimal number of an attribute, to a tenth. */
function roundPixels(value: string): string {
  return value.replace(
    /-?\d+\.\d+(e-?\d+)?/g,
    (digits) => String(Math.round(Number(digits) * 10) / 10),
  );
}

/** The horizontal axis of anything that runs in time. */
export interface TimeAxis {
  readonly label: string;
  /** Where bin t stands: its start in seconds, or t itself. */
  readonly at: (t: number) => number;
  /** From bin 0 to the last of T bins; a single bin still gets an axis of one bin's length. */
  readonly domain: (T: number) => [number, number];
}

/** Time in seconds where the bin width (s) is known, in bins where it is not. */
export function timeAxis(binWidth: number | null): TimeAxis {
  const at = (t: number) => binWidth === null ? t : t * binWidth;
  return {
    label: binWidth === null ? "time (bins)" : "time (s)",
    at,
    domain: (T) => [0, at(Math.max(1, T - 1))],
  };
}

/** Settings of the horizontal axis, its label centred below. */
export function xAxis(label: string, more: Plot.ScaleOptions = {}): Plot.ScaleOptions {
  return { label, labelArrow: "none", labelAnchor: "center", ...more };
}

/** Settings of the vertical axis, its label on top: beside it, it would meet long numbers. */
export function yAxis(label: string, more: Plot.ScaleOptions = {}): Plot.ScaleOptions {
  return { label, labelArrow: "none", labelAnchor: "top", ...more };
}

/** The categorical colours of the page (Okabe and Ito's, told apart by every kind of colour vision). */
export const COLORS: readonly string[] = Array.from(
  { length: 8 },
  (_, i) => `var(--color-${i + 1})`,
);

/** Colours with a meaning that holds in every figure. */
export const ROLES = {
  model: COLORS[0],
  truth: COLORS[1],
  train: COLORS[0],
  evaluation: COLORS[1],
  example: "var(--ink)",
  ink: "var(--ink)",
  muted: "var(--muted)",
  faint: "var(--faint)",
  paper: "var(--paper)",
} as const;
