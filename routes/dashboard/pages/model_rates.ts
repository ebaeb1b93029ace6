/** Single-trial rates over the spikes that they were inferred from. */
import { drawn, figure, legend } from "../charts/frame.ts";
import { heat, MOST_MARKS } from "../charts/heat.ts";
import { lines, timeAxis } from "../charts/lines.ts";
import { scale } from "../charts/scale.ts";
import { type Child, h, replace } from "../dom.ts";
import { count, number } from "../format.ts";
import { inferPart } from "../data/inference.ts";
import { choice } from "../parts/form.ts";
import { folded, section, table } from "../parts/page.ts";
import { isLeft, problemBox } from "../parts/problem.ts";
import { stepper } from "../parts/stepper.ts";
import { wordsOf } from "../parts/words.ts";
import type { ModelView } from "./model.ts";

interface Shown {
  readonly trial: number;
  readonly rates_TN: ArrayLike<number>;
  readonly counts_TN: ArrayLike<number>;
  readonly truth_TN: ArrayLike<number> | null;
}

export async function rates({ model, trials, samples, signal }: ModelView): Promise<Child> {
  const { T, N, binWidth } = trials;
  const words = wordsOf(model.hyperparameters.observation);
  const time = timeAxis(binWidth ?? model.binWidth);
  const load = async (trial: number): Promise<Shown> => {
    const wanted = { model: model.id, samples, outputs: ["rates"] };
    const part = await trials.part(trial, 1);
    const rates = (await inferPart(trials, part, trial, wanted, signal)).get("rates");
    if (!rates) throw new Error("The answer lacks rates.");
    return { trial, rates_TN: rates.data, counts_TN: part.counts_BTN, truth_TN: null };
  };
  let shown = await load(0),
    neuron = words.real ? 0 : busiest(shown.counts_TN, T, N),
    sorting = "index";

  const maps = drawn((width) => {
    const { rates_TN, counts_TN, truth_TN, trial } = shown;
    const values = [...Array.from(rates_TN), ...Array.from(truth_TN ?? [])];
    const full = quantile(values, 0.995);
    // counts of spikes begin at 0, real numbers where they begin
    const low = words.real ? Math.min(quantile(values, 0.005), full) : 0;
    const order = orderOf(sorting, rates_TN, T, N);
    const beside = truth_TN !== null && width > 860;
    const each = beside ? Math.floor((width - 20) / 2) : width;
    const part = (values: ArrayLike<number>, counts: ArrayLike<number> | null, name: string) =>
      heat({
        T,
        N,
        rates_TN: values,
        counts_TN: words.real ? null : counts,
        order,
        low,
        full,
        time,
        selected: neuron,
        label: `${name} of ${N} neurons in trial ${trial}, from ${number(low, 3)} to ${
          number(full, 3)
        }${words.unit}`,
        choose: (n) => choose.set(n),
      }, each);
    return h(
      "div",
      { class: beside ? "beside" : "stack" },
      h(
        "div",
        {},
        h("h2", { class: "small" }, words.heading),
        part(rates_TN, counts_TN, `${words.Inferred}s`),
      ),
      truth_TN &&
        h(
          "div",
          {},
          h("h2", { class: "small" }, `${words.Truth}s`),
          part(truth_TN, null, `${words.Truth}s`),
        ),
      scale(low, full, words.unit),
    );
  }, signal);
  const trace = drawn((width) => {
    const column = (values: ArrayLike<number>) =>
      Array.from({ length: T }, (_, t) => values[t * N + neuron]);
    const { rates_TN, counts_TN, truth_TN, trial } = shown;
    const drawing = lines({
      lines: [
        ...(truth_TN ? [{ values: column(truth_TN), color: "var(--truth)", dashed: true }] : []),
        ...(words.real ? [{ values: column(counts_TN), color: "var(--stem)", width: 1 }] : []),
        { values: column(rates_TN), color: "var(--model)", width: 2.5 },
      ],
      stems: words.real ? undefined : column(counts_TN),
      time,
      yLabel: words.real ? "value" : "spikes per bin",
      label: `Neuron ${neuron} in trial ${trial}: ${words.data} and ${words.inferred}`,
      fromZero: !words.real,
    }, width);
    const truth = { label: words.truth, color: "var(--truth)", mark: "dash" as const };
    return [
      legend([
        { label: words.inferred, color: "var(--model)" },
        words.real
          ? { label: words.data, color: "var(--stem)" }
          : { label: words.data, color: "var(--stem)", mark: "stem" },
        ...(truth_TN ? [truth] : []),
      ]),
      drawing,
    ];
  }, signal);
  const numbers = folded("This neuron as a table", () =>
    table(
      `Neuron ${neuron} in trial ${shown.trial}`,
      [time.label, words.data, words.inferred, ...(shown.truth_TN ? [words.truth] : [])],
      Array.from({ length: T }, (_, t) => {
        const at = t * N + neuron;
        const truth = shown.truth_TN ? [number(shown.truth_TN[at])] : [];
        return [
          number(time.at(t)),
          words.real ? number(shown.counts_TN[at]) : count(shown.counts_TN[at]),
          number(shown.rates_TN[at]),
          ...truth,
        ];
      }),
    ));
  const again = () => {
    maps.again();
    trace.again();
    numbers.open = false;
  };
  const problems = h("div", {});
  const complain = (error: unknown) => isLeft(error) || replace(problems, problemBox(error));
  let wanted = 0;
  const show = async (loading: Promise<Shown>) => {
    const loaded = await loading;
    // who steps quickly sees the last
    if (loaded.trial !== wanted) return;
    shown = loaded;
    again();
    // these take longer, and are no reason to wait
    const truth_TN = await trials.truth(loaded.trial);
    if (truth_TN === null || shown.trial !== loaded.trial) return;
    shown = { ...shown, truth_TN };
    again();
  };
  const pick = stepper("Trial", trials.trials, 0, (trial) => {
    wanted = trial;
    replace(problems);
    show(load(trial)).catch(complain);
  });
  show(Promise.resolve(shown)).catch(complain);
  const choose = stepper("Neuron", N, neuron, (n) => {
    neuron = n;
    again();
  });
  const sort = choice("sort", "Order of neurons", [
    ["index", "as in the data"],
    ["peak", `time of the highest ${words.real ? "value" : "rate"}`],
    ["mean", words.real ? "mean value" : "mean rate"],
  ]);
  sort.input.addEventListener("change", () => {
    sorting = sort.input.value;
    maps.again();
  });
  const spikes = shown.counts_TN.length;
  return [
    h(
      "div",
      { class: "card" },
      h("div", { class: "toolbar" }, pick, sort.element),
      problems,
      figure(
        `A row for each neuron: colour is the ${words.inferred}${
          words.real ? "" : ", marks are the spikes, four at most in a bin"
        }. Click a row to see the neuron below.${
          spikes > MOST_MARKS && !words.real
            ? " Where there are too many spikes they are left out."
            : ""
        }`,
        maps,
      ),
    ),
    section(
      "One neuron",
      h(
        "div",
        { class: "card" },
        h("div", { class: "toolbar" }, choose),
        figure(
          words.real
            ? "The numbers as they came, and what the model expects of them from the whole trial and all neurons."
            : "Spikes as they came, and the rate that the model inferred from the whole trial and all neurons.",
          trace,
        ),
        numbers,
      ),
    ),
  ];
}

/** The neuron with the most spikes: the one that says most. */
function busiest(counts_TN: ArrayLike<number>, T: number, N: number): number {
  const sums = Array.from({ length: N }, (_, n) => {
    let sum = 0;
    for (let t = 0; t < T; t++) sum += counts_TN[t * N + n];
    return sum;
  });
  return sums.indexOf(Math.max(...sums));
}

function orderOf(by: string, rates_TN: ArrayLike<number>, T: number, N: number): number[] {
  const order = Array.from({ length: N }, (_, n) => n);
  if (by === "index") return order;
  const key = order.map((n) => {
    let sum = 0, peak = 0;
    for (let t = 0; t < T; t++) {
      sum += rates_TN[t * N + n];
      if (rates_TN[t * N + n] > rates_TN[peak * N + n]) peak = t;
    }
    return by === "peak" ? peak : -sum;
  });
  return order.sort((a, b) => key[a] - key[b]);
}

/** A value that this share is not above: a single peak would leave all else pale. */
function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] || 1;
}
