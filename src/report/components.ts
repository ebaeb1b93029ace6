import * as Plot from "@observablehq/plot";
import { colorByCondition } from "./conditions.ts";
import type { Numbers, ReportData } from "./data.ts";
import { percent, plural } from "./format.ts";
import { figure, type Html, html, legend } from "./html.ts";
import { extent, spread } from "./numbers.ts";
import { draw, ROLES, xAxis, yAxis } from "./plot.ts";
import { componentsOf } from "./projection.ts";

/** More single trials hide one another, more points make the page large. */
const TRIALS = 80, BINS = 100;
const COMPONENTS = 3;

/**
 * Factors on their principal components: the average of each condition, single trials faint behind it.
 * null without conditions, or with fewer than two factors.
 */
export function conditionTrajectories(data: ReportData): Html | null {
  const { B, T, F, factors_BTF, condition } = data.trajectories;
  if (condition === null || F < 2 || B * T === 0) return null;
  const components = componentsOf(factors_BTF, F, COMPONENTS);
  if (components === null) return null;
  const names = data.recording?.conditionNames ?? null;
  const coloring = colorByCondition(condition, names);
  const bins = spread(T, BINS);
  if (bins[bins.length - 1] !== T - 1) bins.push(T - 1);
  const single = spread(B, TRIALS).flatMap((b) =>
    bins.map((t) => ({
      at: components.at(factors_BTF, (b * T + t) * F),
      key: b,
      color: coloring.color(b),
    }))
  );
  const labels = [...new Set(Array.from(condition))].sort((a, b) => a - b);
  const averages = labels.flatMap((label, key) => {
    const trials = Array.from({ length: B }, (_, b) => b).filter((b) => condition[b] === label);
    const mean_TF = averageOf(factors_BTF, trials, T * F, T, F);
    return bins.map((t) => ({
      at: components.at(mean_TF, t * F),
      key,
      color: coloring.color(trials[0]),
    }));
  });
  const shares = components.shares.map((share, k) => `PC ${k + 1} ${percent(share)}`).join(", ");
  const name = `Factors on their principal components, averaged over the trials of each of ${
    plural(labels.length, "condition")
  }`;
  const caption = `${name}: a ring at the start of each average, ${
    Math.min(B, TRIALS) < B ? `${Math.min(B, TRIALS)} of ${B}` : "all"
  } single trials faint behind. ${coloring.words} The components are those of all trials and bins; of the factors’ variance they hold: ${shares}.`;
  const panel = (x: number, y: number) => {
    const point = ({ at, key, color }: typeof single[number]) => ({
      x: at[x],
      y: at[y],
      key,
      color,
    });
    const faint = single.map(point), thick = averages.map(point);
    const all = [...faint, ...thick];
    const drawing = draw(`${name}: component ${y + 1} over component ${x + 1}`, {
      width: 520,
      height: 440,
      marginRight: 16,
      x: xAxis(`PC ${x + 1}`, { domain: padded(all.map((one) => one.x)), ticks: 6 }),
      y: yAxis(`PC ${y + 1}`, { domain: padded(all.map((one) => one.y)), ticks: 6 }),
      color: { type: "identity" },
      marks: [
        Plot.line(faint, {
          x: "x",
          y: "y",
          z: "key",
          stroke: (one: { color: string }) => one.color,
          strokeOpacity: 0.22,
          strokeWidth: 0.8,
        }),
        Plot.line(thick, { x: "x", y: "y", z: "key", stroke: ROLES.paper, strokeWidth: 5 }),
        Plot.line(thick, {
          x: "x",
          y: "y",
          z: "key",
          stroke: (one: { color: string }) => one.color,
          strokeWidth: 2.5,
        }),
        Plot.dot(thick.filter((_, i) => i % bins.length === 0), {
          x: "x",
          y: "y",
          r: 4,
          fill: ROLES.paper,
          stroke: (one: { color: string }) => one.color,
          strokeWidth: 2,
        }),
      ],
    });
    return html`<div class="panel">${drawing}</div>`;
  };
  const panels = components.shares.length > 2 ? [panel(0, 1), panel(0, 2)] : panel(0, 1);
  return figure(panels, caption, { wide: true, legend: legend(coloring.legend) });
}

/** The mean over trials of what is finite; NaN in bins that no trial has. */
function averageOf(
  values_BTF: Numbers,
  trials: readonly number[],
  size: number,
  T: number,
  F: number,
): Float64Array {
  const sum = new Float64Array(T * F), many = new Float64Array(T * F);
  for (const b of trials) {
    for (let i = 0; i < size; i++) {
      const value = values_BTF[b * size + i];
      if (!Number.isFinite(value)) continue;
      sum[i] += value;
      many[i]++;
    }
  }
  return sum.map((value, i) => value / many[i]);
}

function padded(values: readonly number[]): [number, number] {
  const [low, high] = extent(values) ?? [0, 1];
  const pad = high > low ? 0.06 * (high - low) : 1;
  return [low - pad, high + pad];
}
