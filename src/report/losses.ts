import * as Plot from "@observablehq/plot";
import type { HistoryEntry, ReportData } from "./data.ts";
import { count, short } from "./format.ts";
import { figure, type Html, html, legend, nothing, type Section } from "./html.ts";
import { runMeans } from "./numbers.ts";
import { COLORS, draw, ROLES, xAxis, yAxis } from "./plot.ts";
import { wordsOf } from "./words.ts";

/** More points than this would not be told apart in a drawing. */
const POINTS = 300;

/** One quantity over the steps. */
interface Curve {
  readonly label: string;
  readonly color: string;
  readonly dashed?: boolean;
  /** The entries that have it, thinned by `thin`. */
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

/** The losses over the steps of the fit. */
export function lossesSection(data: ReportData): Section {
  const heading = "Training";
  if (data.history.length === 0) {
    return { id: "training", heading, body: nothing("No training history was kept.") };
  }
  const { history } = data;
  const { data: what, real } = wordsOf(data.dataset);
  const mean = Math.ceil(history.length / POINTS);
  const note = mean > 1 ? ` Each point is the mean of ${mean} neighbouring entries.` : "";
  const nll = both(history, (entry) => entry.nll);
  const total = both(history, (entry) => entry.total);
  const first = history[0].step, last = history[history.length - 1].step;
  const quarter = first + (last - first) / 4;
  const late = nll.map((curve) => ({
    ...curve,
    points: curve.points.filter(({ step }) => step >= quarter),
  }));
  const inputs = data.trial.U > 0;
  const train = (value: (entry: HistoryEntry["train"]) => number, size = mean) =>
    thin(history.map((entry) => ({ step: entry.step, value: value(entry.train) })), size);
  const kl: Curve[] = [
    {
      label: "initial condition",
      color: COLORS[0],
      points: train((entry) => entry.klIc),
    },
    ...(inputs
      ? [{
        label: "inferred inputs",
        color: COLORS[2],
        points: train((entry) => entry.klInputs),
      }]
      : []),
    {
      label: inputs
        ? "their sum, scaled, as it enters the total"
        : "scaled, as it enters the total",
      color: COLORS[3],
      dashed: true,
      points: train((entry) =>
        entry.klIcScale * entry.klIc + (inputs ? entry.klInputsScale * entry.klInputs : 0)
      ),
    },
  ];
  const hidden: Curve[] = [{
    label: "hidden samples",
    color: COLORS[6],
    points: thin(
      history.flatMap(({ step, hidden }) => hidden == null ? [] : [{ step, value: hidden }]),
      mean,
    ),
  }];
  const l2: Curve[] = [
    { label: "L2 penalty", color: COLORS[4], points: train((entry) => entry.l2) },
  ];
  const norm: Curve[] = [
    { label: "gradient norm", color: COLORS[7], points: train((entry) => entry.gradNorm) },
  ];
  const rate: Curve[] = [
    { label: "learning rate", color: COLORS[5], points: train((entry) => entry.learningRate) },
  ];
  const body = html`${happened(data)}<div class="figures">${[
    curves(
      nll,
      [first, last],
      "nats per trial",
      `Negative log-likelihood of the ${what} over all steps${
        real ? "" : " (without ln x!, which does not depend on the model)"
      }.${note}`,
    ),
    history.length >= 20 && late[0].points.length > 2
      ? curves(
        late,
        [quarter, last],
        "nats per trial",
        `Negative log-likelihood of the ${what}, without the first quarter of the steps.`,
      )
      : null,
    hidden[0].points.length > 0
      ? curves(
        hidden,
        [first, last],
        "nats per trial",
        `Negative log-likelihood of the evaluation trials’ hidden samples, which neither the encoder nor the loss sees: where it rises while the training loss falls, the fit overfits.${note}`,
      )
      : null,
    curves(
      kl,
      [first, last],
      "nats per trial",
      `KL divergence of the posterior from the prior, on the training trials, before and after scaling.${note}`,
    ),
    curves(
      total,
      [first, last],
      "nats per trial",
      `Total loss: likelihood, scaled KL and L2.${note}`,
    ),
    curves(l2, [first, last], "nats", `L2 penalty on all parameters.${note}`),
    curves(
      norm,
      [first, last],
      "norm (log scale)",
      `Global norm of the gradient before clipping.${note}`,
      true,
    ),
    curves(rate, [first, last], "learning rate (log scale)", `Learning rate.${note}`, true),
  ]}</div>`;
  return { id: "training", heading, body };
}

/** Where training went back, and why it ended before its last step. */
function happened({ recoveries = [], ended, history }: ReportData): Html | null {
  const last = history[history.length - 1].step;
  const sentences = [
    ...recoveries.map(({ step, term, slice, to, factor }) =>
      `At step ${count(step)} the loss term “${term}” was not finite${
        slice === null ? "" : ` (parameters ${slice})`
      }: training went back to step ${count(to)} and on with ${short(factor)} of its learning rate.`
    ),
    ...(ended === "early-stop"
      ? [`Training stopped early, at step ${count(last)}: its evaluations no longer improved.`]
      : []),
    ...(ended === "signal" ? [`Training was stopped at step ${count(last)} or later.`] : []),
  ];
  if (sentences.length === 0) return null;
  return html`
    <ul class="note">${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>
  `;
}

/** A quantity on the training batches, thinned, and on the evaluation trials, as often as it was taken. */
function both(
  history: readonly HistoryEntry[],
  value: (entry: NonNullable<HistoryEntry["evaluation"]>) => number,
): Curve[] {
  const evaluated = history.flatMap((entry) =>
    entry.evaluation ? [{ step: entry.step, value: value(entry.evaluation) }] : []
  );
  const trained = history.map((entry) => ({ step: entry.step, value: value(entry.train) }));
  return [
    {
      label: "training batches",
      color: ROLES.train,
      points: thin(trained, Math.ceil(history.length / POINTS)),
    },
    ...(evaluated.length > 0
      ? [{
        label: "evaluation trials",
        color: ROLES.evaluation,
        points: thin(evaluated, Math.ceil(evaluated.length / POINTS)),
      }]
      : []),
  ];
}

function thin(points: Curve["points"], size: number): Curve["points"] {
  if (size <= 1) return points;
  const values = runMeans(points.map((point) => point.value), size);
  return runMeans(points.map((point) => point.step), size)
    .map((step, i) => ({ step, value: values[i] }));
}

function curves(
  list: readonly Curve[],
  steps: readonly [number, number],
  unit: string,
  caption: string,
  log = false,
): Html {
  const shown = (value: number) => log && !(value > 0) ? NaN : value;
  const some = list.some((curve) => curve.points.some((point) => isFinite(shown(point.value))));
  if (!some) return nothing(`${caption} There is no finite value to draw.`);
  const drawing = draw(caption, {
    height: 260,
    marginLeft: 64,
    x: xAxis("step", { ticks: Math.max(1, Math.min(6, steps[1] - steps[0])), domain: [...steps] }),
    y: yAxis(unit, {
      nice: true,
      ...(log ? { type: "log", ticks: 4, tickFormat: "~g" } : { ticks: 6 }),
    }),
    marks: list.flatMap((curve) => {
      const points = curve.points.map(({ step, value }) => ({ step, value: shown(value) }));
      return [
        Plot.line(points, {
          x: "step",
          y: "value",
          stroke: curve.color,
          strokeWidth: 1.75,
          strokeDasharray: curve.dashed ? "5 3" : undefined,
        }),
        points.length <= 40
          ? Plot.dot(points, { x: "step", y: "value", fill: curve.color, r: 2 })
          : null,
      ];
    }),
  });
  const entries = list.map(({ label, color, dashed }) => ({
    label,
    color,
    mark: dashed ? "dashed" as const : "line" as const,
  }));
  return figure(drawing, caption, { legend: legend(entries) });
}
