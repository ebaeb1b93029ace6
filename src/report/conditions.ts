import type { Numbers } from "./data.ts";
import type { LegendEntry } from "./html.ts";
import { COLORS, ROLES } from "./plot.ts";

/** The colour of each trial, and what the colours mean. */
export interface Coloring {
  readonly color: (trial: number) => string;
  readonly legend: readonly LegendEntry[];
  /** A sentence for the caption. */
  readonly words: string;
}

/**
 * Colours trials by condition: the eight colours of the page where they suffice, else steps around
 * the hue circle, which suit conditions that are angles, in the order of the labels.
 */
export function colorByCondition(
  condition: Numbers | null,
  names: readonly string[] | null = null,
): Coloring {
  if (condition === null) {
    return { color: () => ROLES.model, legend: [], words: "" };
  }
  const labels = [...new Set(Array.from(condition))].sort((a, b) => a - b);
  const few = labels.length <= COLORS.length;
  const colors = labels.map((_, i) =>
    few ? COLORS[i] : `oklch(var(--hue-lightness) 0.13 ${Math.round(360 * i / labels.length)})`
  );
  const of = new Map(labels.map((label, i) => [label, colors[i]]));
  const chosen = few
    ? labels.map((_, i) => i)
    : [0, 1, 2, 3].map((i) => Math.floor(i * labels.length / 4));
  return {
    color: (trial) => of.get(condition[trial]) ?? ROLES.model,
    legend: chosen.map((i) => ({ label: nameOfCondition(labels[i], names), color: colors[i] })),
    words: few
      ? "Colours are conditions."
      : `Colours are the ${labels.length} conditions, in order around the hue circle; the legend names four.`,
  };
}

/** What a condition is called: by its number where it has no name. */
export function nameOfCondition(condition: number, names: readonly string[] | null): string {
  return names?.[condition] ?? `condition ${condition}`;
}
