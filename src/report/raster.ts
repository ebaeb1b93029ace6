import type { RatesView, ReportData } from "./data.ts";
import { plural } from "./format.ts";
import { drawHeat, largest, type Lines } from "./heatmap.ts";
import { figure, html, legend, type LegendEntry, type Section } from "./html.ts";
import { ROLES, timeAxis } from "./plot.ts";
import { wordsOf } from "./words.ts";

/** How much is drawn: more would not be read. */
const TRIALS = 3, ROWS = 72, BINS = 300;
/** Of the full colour: spikes must stand out from it. */
const STRONGEST = 0.6;
/** Ticks of one bin: more do not fit. */
const TICKS = 4;

/** The spikes of a few held-out trials over the inferred rates; null where there are none, or no counts. */
export function rasterSection(data: ReportData): Section | null {
  const { rates, recording } = data;
  if (wordsOf(data.dataset).real || rates.B === 0 || rates.N < 2 || rates.T < 2) return null;
  // real numbers have no ticks
  const counted = Array.from(rates.counts_BTN)
    .every((value) => Number.isNaN(value) || (Number.isInteger(value) && value >= 0));
  if (!counted) return null;
  const time = timeAxis(data.dataset.binWidth);
  const hidden = new Set(recording?.heldOut ?? []);
  const { rows, seen } = neuronRows(rates, hidden);
  const columns = Math.min(rates.T, BINS);
  const encoded = Math.min(recording?.encodedBins ?? rates.T, columns);
  const trials = Array.from({ length: Math.min(rates.B, TRIALS) }, (_, b) => b);
  const full_N = largestRates(rates, trials);
  const panels = trials.map((b) => {
    const title = nameOf(rates, b);
    const drawing = drawHeat(
      `Spikes over inferred rates, ${title}`,
      {
        rows: rows.length,
        columns,
        full: 1 / STRONGEST,
        value: (row, t) =>
          countAt(rates, b, t, rows[row]) === null
            ? NaN
            : rates.rates_BTN[(b * rates.T + t) * rates.N + rows[row]] / full_N[rows[row]],
      },
      time,
      "neuron, ordered by its peak",
      {
        width: 370,
        height: 70 + 6 * rows.length,
        missing: "var(--missing)",
        over: [
          { path: ticks(rates, b, rows, columns), color: ROLES.ink, width: 1.25 },
          ...borders(rows.length, columns, seen, encoded),
        ],
      },
    );
    return html`<div class="panel"><p class="panel-title">${title}</p>${drawing}</div>`;
  });
  const gaps = trials.some((b) =>
    rows.some((n) =>
      Array.from({ length: columns }, (_, t) => countAt(rates, b, t, n)).includes(null)
    )
  );
  const entries: LegendEntry[] = [
    { label: "spikes", color: ROLES.ink, mark: "bar" },
    { label: "inferred rate", color: ROLES.model },
    ...(gaps ? [{ label: "not observed", color: "var(--missing)" }] : []),
  ];
  const caption = [
    `Spikes over inferred rates in ${
      plural(trials.length, "held-out trial")
    }: neurons in the order of the time of their largest mean rate over these trials, the strongest colour for each one’s largest rate in them.`,
    rows.length < rates.N ? `${rows.length} of ${rates.N} neurons.` : "",
    rates.T > columns ? `The first ${columns} of ${rates.T} bins.` : "",
    seen < rows.length
      ? `Below the line: ${
        plural(rows.length - seen, "neuron")
      } that the model never saw, whose rates it infers from the others.`
      : "",
    encoded < columns ? "Right of the line the model forecasts: it saw no spike there." : "",
    `A bin shows at most ${TICKS} spikes of a neuron.`,
  ].filter((sentence) => sentence !== "").join(" ");
  return {
    id: "raster",
    heading: "Spikes and rates of single trials",
    body: figure(panels, caption, { wide: true, legend: legend(entries) }),
  };
}

/** A count, or null where it was not observed. */
function countAt(rates: RatesView, b: number, t: number, n: number): number | null {
  const value = rates.counts_BTN[(b * rates.T + t) * rates.N + n];
  return Number.isFinite(value) ? value : null;
}

function nameOf({ trials }: RatesView, b: number): string {
  return trials ? `trial ${trials[b]}` : `example ${b + 1}`;
}

/** Neurons that the model saw, then the others: each by its peak, an even choice where there are many. */
function neuronRows(rates: RatesView, hidden: ReadonlySet<number>) {
  const { B, T, N, rates_BTN } = rates;
  const mean_TN = new Float64Array(T * N);
  for (let i = 0; i < B * T * N; i++) mean_TN[i % (T * N)] += rates_BTN[i] / B;
  const peak_N = Array.from({ length: N }, (_, n) => {
    let best = 0;
    for (let t = 1; t < T; t++) if (mean_TN[t * N + n] > mean_TN[best * N + n]) best = t;
    return best;
  });
  const order = peak_N.map((_, n) => n).sort((a, b) =>
    Number(hidden.has(a)) - Number(hidden.has(b)) || peak_N[a] - peak_N[b] || a - b
  );
  const many = Math.min(N, ROWS);
  const rows = Array.from({ length: many }, (_, i) => order[Math.floor(i * N / many)]);
  return { rows, seen: rows.filter((n) => !hidden.has(n)).length };
}

function largestRates({ T, N, rates_BTN }: RatesView, trials: readonly number[]): Float64Array {
  return Float64Array.from(
    { length: N },
    (_, n) =>
      largest(
        trials.flatMap((b) => Array.from({ length: T }, (_, t) => rates_BTN[(b * T + t) * N + n])),
      ) || 1,
  );
}

/** A tick for each spike, evenly placed in its bin. */
function ticks(
  rates: RatesView,
  b: number,
  rows: readonly number[],
  columns: number,
): string {
  let path = "";
  rows.forEach((n, row) => {
    for (let t = 0; t < columns; t++) {
      const many = Math.min(TICKS, countAt(rates, b, t, n) ?? 0);
      for (let k = 1; k <= many; k++) {
        path += `M${Math.round(100 * (t + k / (many + 1))) / 100} ${row + 0.1}v.8`;
      }
    }
  });
  return path;
}

/** Lines between what the model saw and what it did not. */
function borders(rows: number, columns: number, seen: number, encoded: number): Lines[] {
  const lines = { color: ROLES.truth, width: 2 };
  return [
    ...(seen < rows && seen > 0 ? [{ ...lines, path: `M0 ${seen}h${columns}` }] : []),
    ...(encoded < columns ? [{ ...lines, path: `M${encoded} 0v${rows}` }] : []),
  ];
}
