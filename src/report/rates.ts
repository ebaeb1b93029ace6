import * as Plot from "@observablehq/plot";
import type { Numbers, RatesView, ReportData } from "./data.ts";
import { percent, plural, short } from "./format.ts";
import { drawHeat, largest } from "./heatmap.ts";
import { figure, type Html, html, legend, nothing, type Section } from "./html.ts";
import { extent, mostModulated, varianceExplained } from "./numbers.ts";
import { draw, ROLES, type TimeAxis, timeAxis, xAxis, yAxis } from "./plot.ts";
import { capital, type Words, wordsOf } from "./words.ts";

/** How much is drawn: more would not be read. */
const NEURONS = 6, TRIALS = 3, ROWS = 150, BINS = 300;

/**
 * Inferred rates against spikes, and against the true rates where they are known; of real numbers, their
 * expected values against the numbers themselves.
 */
export function ratesSection(data: ReportData): Section {
  const { rates } = data;
  const words = wordsOf(data.dataset), { heading } = words;
  if (rates.B * rates.T * rates.N === 0) {
    return {
      id: "rates",
      heading,
      body: nothing(`There are no ${words.real ? `${words.inferred}s` : "rates"} to draw.`),
    };
  }
  const time = timeAxis(data.dataset.binWidth);
  const unit = words.real
    ? { name: "in the data’s unit", scale: 1 }
    : data.dataset.binWidth === null
    ? { name: "spikes/bin", scale: 1 }
    : { name: "spikes/s", scale: 1 / data.dataset.binWidth };
  return {
    id: "rates",
    heading,
    body: html`<div class="figures">${neurons(rates, time, unit, words)}${
      population(rates, time, words)
    }</div>`,
  };
}

/** What a rate is told in, and what turns the expected value of a bin into it. */
interface Unit {
  readonly name: string;
  readonly scale: number;
}

/** A grid of panels: neurons down, trials across. */
function neurons(rates: RatesView, time: TimeAxis, unit: Unit, words: Words): Html {
  const { B, T, N, rates_BTN, counts_BTN, truth_BTN } = rates;
  const chosen = mostModulated(rates_BTN, N, NEURONS);
  const trials = Array.from({ length: Math.min(B, TRIALS) }, (_, b) => b);
  const bins = Array.from({ length: Math.min(T, BINS) }, (_, t) => t);
  const panels = chosen.flatMap((n) => trials.map((b) => ({ n, b })));
  const take = (values_BTN: Numbers) =>
    panels.flatMap(({ n, b }) =>
      bins.map((t) => ({
        n,
        b,
        t: time.at(t),
        rate: values_BTN[(b * T + t) * N + n] * unit.scale,
      }))
    );
  const inferred = take(rates_BTN);
  const truth = truth_BTN ? take(truth_BTN) : [];
  const observed = words.real ? take(counts_BTN) : [];
  const high = largest([...inferred, ...truth].map((point) => point.rate)) || unit.scale;
  // real numbers share the axis of their expected values, and may lie below 0
  const range = extent([...inferred, ...truth, ...observed].map((point) => point.rate)) ?? [0, 1];
  const pad = 0.06 * (range[1] - range[0]) || 1;
  const most = largest(take(counts_BTN).map((point) => point.rate / unit.scale)) || 1;
  // Spikes hang below the axis: one spike in a short bin would dwarf any rate on the rates' own scale.
  const spikes = words.real ? [] : panels.flatMap(({ n, b }) =>
    bins.flatMap((t) => {
      const count = counts_BTN[(b * T + t) * N + n];
      if (!(count > 0)) return [];
      const x = time.at(t);
      return [
        { n, b, t: x, y: -0.06 * high },
        { n, b, t: x, y: -(0.06 + 0.2 * count / most) * high },
        { n, b, t: x, y: NaN },
      ];
    })
  );
  const fit = truth_BTN ? varianceExplained(rates_BTN, truth_BTN) : null;
  const caption = [
    `${capital(words.inferred)}s of the ${chosen.length} most strongly modulated neurons in ${
      trials.length === 1 ? "one trial" : `${trials.length} trials`
    } (${unit.name}).`,
    words.real
      ? "They are averaged over posterior samples; the numbers that were observed are drawn behind them."
      : `Bars below zero are the observed spikes; the tallest counts ${short(most)} in one bin.`,
    fit === null
      ? ""
      : `Over all given trials and neurons the ${words.inferred}s account for ${
        percent(fit)
      } of the variance of the true ones.`,
    T > BINS ? `The first ${BINS} of ${T} bins.` : "",
  ].filter((sentence) => sentence !== "").join(" ");
  const facet = { fx: "b", fy: "n", x: "t" } as const;
  const drawing = draw(caption, {
    width: 1080,
    height: 86 * chosen.length + 70,
    marginLeft: 60,
    marginRight: 76,
    x: xAxis(time.label, { domain: time.domain(bins.length), ticks: 5 }),
    y: yAxis(words.real ? "value" : unit.name, {
      domain: words.real ? [range[0] - pad, range[1] + pad] : [-0.28 * high, high * 1.04],
      ticks: words.real ? 3 : [0, roundDown(high)],
      tickFormat: (tick: number) => String(Number(tick.toPrecision(3))),
    }),
    fx: { label: null, domain: trials, tickFormat: (b: number) => nameOf(rates, b) },
    fy: { label: null, domain: chosen, tickFormat: (n: number) => `neuron ${n}` },
    marks: [
      range[0] <= 0 || !words.real ? Plot.ruleY([0], { stroke: ROLES.faint }) : null,
      Plot.line(observed, { ...facet, y: "rate", stroke: ROLES.muted, strokeWidth: 1 }),
      Plot.line(spikes, { ...facet, y: "y", z: null, stroke: ROLES.muted, strokeWidth: 1.5 }),
      Plot.line(inferred, { ...facet, y: "rate", stroke: ROLES.model, strokeWidth: 2 }),
      Plot.line(truth, {
        ...facet,
        y: "rate",
        stroke: ROLES.truth,
        strokeWidth: 1.5,
        strokeDasharray: "5 3",
      }),
      bins.length === 1
        ? Plot.dot(inferred, { ...facet, y: "rate", fill: ROLES.model, r: 2.5 })
        : null,
    ],
  });
  return figure(drawing, caption, {
    wide: true,
    legend: legend([
      { label: words.inferred, color: ROLES.model },
      ...(truth_BTN ? [{ label: words.truth, color: ROLES.truth, mark: "dashed" as const }] : []),
      words.real
        ? { label: "observed", color: ROLES.muted }
        : { label: "spikes", color: ROLES.muted, mark: "bar" as const },
    ]),
  });
}

function nameOf(rates: RatesView, b: number): string {
  return rates.trials ? `trial ${rates.trials[b]}` : `example ${b + 1}`;
}

/** The largest of 1, 2, 5 × a power of ten that is not above `value`. */
function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [5, 2, 1].find((factor) => factor * power <= value) ?? 1;
  return step * power;
}

/** The whole population in the first trial: what was observed, what was inferred, what is true. */
function population(rates: RatesView, time: TimeAxis, words: Words): Html | null {
  const { T, N, rates_BTN, counts_BTN, truth_BTN } = rates;
  if (T < 2 || N < 2) return null;
  const order = byPeak(rates_BTN, T, N).slice(0, ROWS);
  const columns = Math.min(T, BINS);
  // Each neuron on its own scale, the same for inferred and true: a few fast neurons would hide the rest.
  const ranges = Array.from({ length: N }, (_, n) => {
    const of = (values_BTN: Numbers | null) =>
      values_BTN ? Array.from({ length: T }, (_, t) => values_BTN[t * N + n]) : [];
    const shown = [...of(rates_BTN), ...of(truth_BTN)];
    // real numbers have no zero that means nothing: colours go from the least to the largest
    const [low, high] = words.real
      ? extent([...shown, ...of(counts_BTN)]) ?? [0, 1]
      : [0, largest(shown)];
    return { low, full: high - low || 1 };
  });
  const most = largest(Array.from({ length: T * N }, (_, i) => counts_BTN[i]));
  const panel = (title: string, values_BTN: Numbers, color: string, full?: number) =>
    html`<div class="panel"><p class="panel-title">${title}</p>${
      drawHeat(
        `${title}, neurons over time`,
        {
          rows: order.length,
          columns,
          full: 1,
          value: (row, t) => {
            const n = order[row], value = values_BTN[t * N + n];
            return full === undefined ? (value - ranges[n].low) / ranges[n].full : value / full;
          },
        },
        time,
        "neuron, ordered by its peak",
        { width: truth_BTN ? 370 : 550, height: 300, color, missing: "var(--missing)" },
      )
    }</div>`;
  const caption = `The population in ${nameOf(rates, 0)}${
    N > ROWS ? ` (${ROWS} of ${N} neurons)` : ""
  }${
    T > BINS ? `, the first ${BINS} of ${T} bins` : ""
  }, ordered by the time of the largest ${words.inferred}. ${
    words.real
      ? "No colour is a neuron’s least value in this trial, full colour its largest, observed or expected"
      : `No colour is zero; full colour is ${
        plural(most, "spike")
      } in one bin, or a neuron’s largest rate in this trial`
  }${truth_BTN ? words.real ? " or true" : ", inferred or true" : ""}.${
    Array.from({ length: T * N }, (_, i) => counts_BTN[i]).some(Number.isNaN)
      ? ` Shaded ${words.data} were not observed.`
      : ""
  }`;
  return figure(
    [
      panel(
        words.real ? "Observed numbers" : "Spikes",
        counts_BTN,
        ROLES.ink,
        words.real ? undefined : most,
      ),
      panel(`${capital(words.inferred)}s`, rates_BTN, ROLES.model),
      truth_BTN ? panel(`${capital(words.truth)}s`, truth_BTN, ROLES.truth) : null,
    ],
    caption,
    { wide: true },
  );
}

/** Neurons in the order of the bin of their largest rate in the first trial. */
function byPeak(rates_TN: Numbers, T: number, N: number): number[] {
  const peak = Array.from({ length: N }, (_, n) => {
    let best = 0;
    for (let t = 1; t < T; t++) if (rates_TN[t * N + n] > rates_TN[best * N + n]) best = t;
    return best;
  });
  return peak.map((_, n) => n).sort((a, b) => peak[a] - peak[b] || a - b);
}
