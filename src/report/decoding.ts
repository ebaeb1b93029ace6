import * as Plot from "@observablehq/plot";
import type { Numbers, ReportData } from "./data.ts";
import { decimals, number, plural, short } from "./format.ts";
import { figure, type Html, html, legend, nothing, type Section } from "./html.ts";
import { extent, spread } from "./numbers.ts";
import { COLORS, draw, ROLES, timeAxis, xAxis, yAxis } from "./plot.ts";
import type { DecoderView, DecodingsView, DecodingView } from "./recording_data.ts";
import { type Words, wordsOf } from "./words.ts";

/** How much is drawn. */
const DIMENSIONS = 4, BINS = 300;

interface Look {
  readonly name: string;
  readonly color: string;
  readonly dashes?: string;
}

function looks({ inferred, counts }: Words): Record<DecoderView["role"], Look> {
  return {
    model: { name: `from ${inferred}s`, color: ROLES.model },
    counts: { name: `from smoothed ${counts}`, color: COLORS[1], dashes: "5 3" },
  };
}

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
  const { real, inferred } = wordsOf(data.dataset);
  const heading = `Behaviour read from the ${real ? `${inferred}s` : "rates"}`;
  return { id: "decoding", heading, body };
}

function one(data: ReportData, decoding: DecodingsView, behaviour: DecodingView): Html {
  const { name, D, T, trials, truth_BTD, decoders } = behaviour;
  if (D * T * trials.length === 0) return nothing(`There is no ${name} to draw.`);
  const look = looks(wordsOf(data.dataset));
  const time = timeAxis(data.dataset.binWidth);
  const bins = spread(T, BINS),
    dimensions = Array.from({ length: Math.min(D, DIMENSIONS) }, (_, d) => d);
  const scores = decoders.map(({ role, r2, penalty, sigma }) =>
    `R² ${decimals(r2)} ${look[role].name} (${
      sigma === null ? "" : `by a Gaussian of deviation ${short(sigma)} bins, `
    }penalty ${number(penalty)})`
  ).join(", ");
  const caption = [
    `True and decoded ${name} in ${
      plural(trials.length, "held-out trial")
    }. Ridge regression, fitted to ${
      plural(decoding.trainTrials, "training trial")
    } with its penalty${
      decoders.some(({ sigma }) => sigma !== null) ? " and the smoothing" : ""
    } chosen by cross-validation there; over all ${
      plural(decoding.evalTrials, "held-out trial")
    }: ${scores}.`,
    D > DIMENSIONS ? `The first ${DIMENSIONS} of ${D} dimensions.` : "",
    bins.length < T ? `${bins.length} of ${T} bins.` : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const rows = dimensions.map((d) => {
    const take = (values_BTD: Numbers) =>
      trials.flatMap((_, b) =>
        bins.map((t) => ({ b, t: time.at(t), value: values_BTD[(b * T + t) * D + d] }))
      );
    const truth = take(truth_BTD);
    const curves = decoders.map(({ role, decoded_BTD }) => ({ role, points: take(decoded_BTD) }));
    const [low, high] = extent(
      [...truth, ...curves.flatMap(({ points }) => points)].map(({ value }) => value),
    ) ?? [0, 1];
    const pad = 0.06 * (high - low) || 1;
    const facet = { fx: "b", x: "t", y: "value" } as const;
    const title = D === 1 ? name : `${name}, dimension ${d + 1}`;
    const last = d === dimensions.length - 1;
    return html`<div>${
      draw(`True and decoded ${title}`, {
        width: 1080,
        height: last ? 202 : 180,
        marginTop: 38,
        marginBottom: last ? 42 : 20,
        x: xAxis(last ? time.label : "", { domain: time.domain(T), ticks: 4 }),
        y: yAxis(title, { domain: [low - pad, high + pad], ticks: 4 }),
        fx: {
          label: null,
          padding: 0.12,
          domain: trials.map((_, b) => b),
          tickFormat: (b: number) => `trial ${trials[b]}`,
        },
        marks: [
          low <= 0 && high >= 0 ? Plot.ruleY([0], { stroke: ROLES.faint }) : null,
          Plot.line(truth, { ...facet, stroke: ROLES.ink, strokeWidth: 2 }),
          ...curves.toReversed().map(({ role, points }) =>
            Plot.line(points, {
              ...facet,
              stroke: look[role].color,
              strokeWidth: 2,
              strokeDasharray: look[role].dashes,
            })
          ),
          bins.length === 1 ? Plot.dot(truth, { ...facet, fill: ROLES.ink }) : null,
        ],
      })
    }</div>`;
  });
  return figure(html`<div>${rows}</div>`, caption, {
    wide: true,
    legend: legend([
      { label: name, color: ROLES.ink },
      ...decoders.map(({ role }) => ({
        label: look[role].name,
        color: look[role].color,
        mark: look[role].dashes ? "dashed" as const : "line" as const,
      })),
    ]),
  });
}
