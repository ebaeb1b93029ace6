import * as Plot from "@observablehq/plot";
import type { Numbers, ReportData } from "./data.ts";
import { decimals, plural } from "./format.ts";
import { figure, type Html, html, legend, nothing, type Section } from "./html.ts";
import { extent, spread } from "./numbers.ts";
import { COLORS, draw, ROLES, timeAxis, xAxis, yAxis } from "./plot.ts";
import type { DecoderView, DecodingsView, DecodingView } from "./recording_data.ts";

/** How much is drawn. */
const DIMENSIONS = 4, BINS = 300;

const DECODERS: Record<DecoderView["role"], { name: string; color: string; dashes?: string }> = {
  model: { name: "from inferred rates", color: ROLES.model },
  counts: { name: "from smoothed counts", color: COLORS[1], dashes: "5 3" },
};

/** Behaviour of a few held-out trials beside what is decoded; null where none was recorded. */
export function decodingSection(data: ReportData): Section | null {
  const decoding = data.recording?.decoding ?? null;
  if (decoding === null) return null;
  const { behaviours, left } = decoding;
  const body = html`<div class="figures">${
    behaviours.map((behaviour) => one(data, decoding, behaviour))
  }</div>${
    left.length > 0 ? html`<ul class="note">${left.map((why) => html`<li>${why}</li>`)}</ul>` : null
  }`;
  return { id: "decoding", heading: "Behaviour read from the rates", body };
}

function one(data: ReportData, decoding: DecodingsView, behaviour: DecodingView): Html {
  const { name, D, T, trials, truth_BTD, decoders } = behaviour;
  if (D * T * trials.length === 0) return nothing(`There is no ${name} to draw.`);
  const time = timeAxis(data.dataset.binWidth);
  const bins = spread(T, BINS),
    dimensions = Array.from({ length: Math.min(D, DIMENSIONS) }, (_, d) => d);
  const panels = trials.flatMap((_, b) => dimensions.map((d) => ({ b, d })));
  const take = (values_BTD: Numbers) =>
    panels.flatMap(({ b, d }) =>
      bins.map((t) => ({ b, d, t: time.at(t), value: values_BTD[(b * T + t) * D + d] }))
    );
  const truth = take(truth_BTD);
  const curves = decoders.map(({ role, decoded_BTD }) => ({ role, points: take(decoded_BTD) }));
  const all = [...truth, ...curves.flatMap(({ points }) => points)].map(({ value }) => value);
  const [low, high] = extent(all) ?? [0, 1];
  const pad = 0.06 * (high - low) || 1;
  const scores = decoders.map(({ role, r2, words }) =>
    `${DECODERS[role].name} R² ${decimals(r2)} (${words})`
  ).join(", ");
  const caption = [
    `True and decoded ${name} in ${
      plural(trials.length, "held-out trial")
    }. Ridge regression, fitted to ${
      plural(decoding.trainTrials, "training trial")
    } with its penalty chosen by cross-validation there; over all ${
      plural(decoding.evalTrials, "held-out trial")
    }: ${scores}.`,
    D > DIMENSIONS ? `The first ${DIMENSIONS} of ${D} dimensions.` : "",
    T > BINS ? `Every ${Math.ceil(T / BINS)}th bin.` : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const facet = { fx: "b", fy: "d", x: "t", y: "value" } as const;
  const drawing = draw(caption, {
    width: 1080,
    height: 130 * dimensions.length + 70,
    marginLeft: 60,
    marginRight: 100,
    x: xAxis(time.label, { domain: time.domain(T), ticks: 5 }),
    y: yAxis(name, { domain: [low - pad, high + pad], ticks: 4 }),
    fx: {
      label: null,
      domain: trials.map((_, b) => b),
      tickFormat: (b: number) => `trial ${trials[b]}`,
    },
    fy: {
      label: null,
      domain: dimensions,
      tickFormat: (d: number) => D === 1 ? "" : `dimension ${d + 1}`,
    },
    marks: [
      Plot.ruleY([0], { stroke: ROLES.faint }),
      Plot.line(truth, { ...facet, stroke: ROLES.ink, strokeWidth: 2 }),
      ...curves.toReversed().map(({ role, points }) =>
        Plot.line(points, {
          ...facet,
          stroke: DECODERS[role].color,
          strokeWidth: 2,
          strokeDasharray: DECODERS[role].dashes,
        })
      ),
    ],
  });
  return figure(drawing, caption, {
    wide: true,
    legend: legend([
      { label: name, color: ROLES.ink },
      ...decoders.map(({ role }) => ({
        label: DECODERS[role].name,
        color: DECODERS[role].color,
        mark: DECODERS[role].dashes ? "dashed" as const : "line" as const,
      })),
    ]),
  });
}
