/** Lists of datasets, runs and models: a row for each, with its name, what is known, and what can be done. */
import { getJson, list } from "../api.ts";
import { type Child, h, replace } from "../dom.ts";
import { isFinal } from "../events.ts";
import { bytes, count, number, plural, when } from "../format.ts";
import type { Dataset, Hyperparameters, Model, Run } from "../types.ts";
import { button } from "./problem.ts";

export interface Row {
  readonly title: string;
  readonly href: string;
  readonly about: Child;
  readonly side?: Child;
}

export function row({ title, href, about, side }: Row): HTMLLIElement {
  return h(
    "li",
    { class: "row", "data-problems": true },
    h("div", { class: "row-main" }, h("a", { class: "row-title", href }, title), h("p", {}, about)),
    side !== undefined && h("div", { class: "row-side" }, side),
  );
}

export function rows(label: string, items: readonly Child[]): HTMLUListElement {
  return h("ul", { class: "rows", "aria-label": label }, items);
}

/** A list that is longer than its first part: a button brings the next. */
export function longList<T extends { readonly id: string }>(
  label: string,
  kind: "datasets" | "runs" | "models",
  first: { readonly items: readonly T[]; readonly next: string | null },
  show: (item: T) => Child,
): HTMLElement {
  const element = rows(label, first.items.map(show));
  let next = first.next;
  const more = button("Show older ones", async () => {
    const page = await list<T>(kind, undefined, { before: next });
    for (const item of page.items) element.append(show(item) as Node);
    next = page.next;
    if (next === null) more.remove();
  });
  return h("div", {}, element, next !== null && h("div", { class: "actions" }, more));
}

/** "200 trials × 50 bins × 100 neurons" */
export function shape({ trials, T, N }: Pick<Dataset, "trials" | "T" | "N">): string {
  return `${plural(trials, "trial")} × ${plural(T, "bin")} × ${plural(N, "neuron")}`;
}

/** Spikes of a neuron per second, or per bin where no bin width is known. */
export function meanRate({ spikes, trials, T, N, binWidth }: Dataset): string {
  if (spikes === null) return "real numbers";
  const perBin = spikes / (trials * T * N);
  return binWidth === null
    ? `${number(perBin, 3)} spikes per bin`
    : `${number(perBin / binWidth, 3)} spikes/s`;
}

/** A run or a model in few words. */
export function architecture(
  { cell, generatorUnits, factors, inferredInputs }: Hyperparameters,
): string {
  const inputs = inferredInputs > 0 ? `, ${plural(inferredInputs, "inferred input")}` : "";
  const kind = cell === "gru" ? "GRU" : "vanilla";
  return `${kind} generator of ${plural(generatorUnits, "unit")}, ${
    plural(factors, "factor")
  }${inputs}`;
}

export function datasetAbout(dataset: Dataset): Child {
  const { binWidth, conditions, source, truth, bytes: size, created } = dataset;
  return [
    [
      shape(dataset),
      meanRate(dataset),
      binWidth === null ? "bin width not known" : `${number(binWidth * 1000)} ms bins`,
      conditions !== null && plural(conditions, "condition"),
      source === "upload" ? "uploaded" : `simulated ${source}`,
      truth && "true rates known",
      bytes(size),
      when(created),
    ].filter((part) => part !== false).join(" · "),
  ];
}

/** What is unusual about a dataset. */
export function warnings(dataset: Dataset): HTMLElement | null {
  if (dataset.warnings.length === 0) return null;
  return h(
    "div",
    { class: "warning" },
    h("p", { class: "warning-title" }, `${plural(dataset.warnings.length, "warning")}`),
    h("ul", {}, dataset.warnings.map((text) => h("li", {}, text))),
  );
}

const TONES: Readonly<Record<Run["state"], string>> = {
  queued: "calm",
  running: "busy",
  interrupted: "odd",
  cancelling: "odd",
  cancelled: "calm",
  failed: "bad",
  completed: "good",
};

export function stateBadge(state: Run["state"]): HTMLElement {
  return h("span", { class: `badge ${TONES[state]}` }, state);
}

export function runAbout(run: Run): string {
  const { hyperparameters, step, best, created } = run;
  return [
    architecture(hyperparameters),
    `step ${count(step)} of ${count(hyperparameters.steps)}`,
    best && `held-out loss ${number(best.score)}`,
    run.starts > 1 && `${run.starts} starts`,
    run.deviceInfo ? run.deviceInfo.name : run.device,
    when(created),
  ].filter((part) => part !== false && part !== null).join(" · ");
}

/** How often a run that goes on is looked at, in milliseconds. */
const LOOK_MS = 2000;

/** A run's row; while the run goes on it is kept up to date. */
export function runRow(run: Run, signal: AbortSignal): HTMLLIElement {
  const about = h("span", {}), side = h("div", { class: "row-side" });
  const show = (run: Run) => {
    const { datasetName, hyperparameters: { steps }, step, state } = run;
    about.textContent = runAbout(run);
    const label = `Progress of ${datasetName}`;
    replace(
      side,
      state === "running" && h("progress", { max: steps, value: step, "aria-label": label }),
      stateBadge(state),
    );
  };
  const look = async () => {
    try {
      const now = await getJson<Run>(`/v1/runs/${run.id}`, signal);
      show(now);
      if (isFinal(now.state)) return;
    } catch {
      // a page that was left, or a server that is gone for a while: the row stays as it is
      if (signal.aborted) return;
    }
    setTimeout(() => void look(), LOOK_MS);
  };
  show(run);
  if (!isFinal(run.state)) setTimeout(() => void look(), LOOK_MS);
  return row({ title: run.datasetName, href: `#/runs/${run.id}`, about, side });
}

export function modelAbout(model: Model): string {
  const { T, N, parameters, score, step, source, created, hyperparameters } = model;
  return [
    architecture(hyperparameters),
    `${plural(T, "bin")} × ${plural(N, "neuron")}`,
    plural(parameters, "parameter"),
    score !== null && `held-out loss ${number(score)}`,
    source === "import" ? "imported" : `step ${count(step)}`,
    when(created),
  ].filter((part) => part !== false).join(" · ");
}

export function modelRow(model: Model): HTMLLIElement {
  return row({ title: model.name, href: `#/models/${model.id}`, about: modelAbout(model) });
}
