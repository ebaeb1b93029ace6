/** A model: what its views have in common, and the way between them. */
import { getJson, list } from "../api.ts";
import { datasetTrials, generatedTrials, type Trials } from "../data/trials.ts";
import { add, type Child, h, replace } from "../dom.ts";
import { choice } from "../parts/form.ts";
import { head, type Page, type PageContext } from "../parts/page.ts";
import { isLeft, problemBox } from "../parts/problem.ts";
import { modelAbout, shape } from "../parts/rows.ts";
import type { Dataset, Model } from "../types.ts";
import { details } from "./model_details.ts";
import { dynamics } from "./model_dynamics.ts";
import { inferView } from "./model_infer.ts";
import { rates } from "./model_rates.ts";
import { trajectories } from "./model_trajectories.ts";

/** What a view of a model works with. */
export interface ModelView {
  readonly model: Model;
  /** stored datasets that fit the model */
  readonly datasets: readonly Dataset[];
  readonly trials: Trials;
  /** posterior samples of each trial; 0 is the posterior mean */
  readonly samples: number;
  readonly signal: AbortSignal;
}

interface Tab {
  readonly name: string;
  readonly title: string;
  /** of trials, or of the model alone */
  readonly show:
    | { readonly trials: (view: ModelView) => Child | Promise<Child> }
    | { readonly alone: (view: Omit<ModelView, "trials" | "samples">) => Child };
}

const TABS: readonly Tab[] = [
  { name: "", title: "Rates", show: { trials: rates } },
  { name: "trajectories", title: "Trajectories", show: { trials: trajectories } },
  { name: "dynamics", title: "Dynamics", show: { trials: dynamics } },
  { name: "infer", title: "Infer", show: { alone: inferView } },
  { name: "details", title: "Details", show: { alone: details } },
];

const GENERATED = "generated";
const SAMPLES = ["0", "16", "64", "256"];

export const model: Page = async (context) => {
  const { params: [id, name = ""], signal, query } = context;
  const [model, { items }] = await Promise.all([
    getJson<Model>(`/v1/models/${id}`, signal),
    list<Dataset>("datasets", signal, { limit: 1000 }),
  ]);
  const datasets = items.filter(({ T, N }) => T === model.T && N === model.N);
  const tab = TABS.find((one) => one.name === name) ?? TABS[0];
  const kept = query.size > 0 ? `?${query}` : "";
  const body = h("div", { class: "tab" });
  if ("alone" in tab.show) add(body, tab.show.alone({ model, datasets, signal }));
  else withTrials(body, model, datasets, tab.show.trials, context);
  return {
    title: `${model.name}: ${tab.title}`,
    body: [
      head({ title: model.name, trail: [["Models", "#/models"]], about: modelAbout(model) }),
      h(
        "nav",
        { "aria-label": "Views of the model", class: "tabs" },
        h(
          "ul",
          {},
          TABS.map((one) =>
            h(
              "li",
              {},
              h("a", {
                href: `#/models/${id}${one.name === "" ? "" : `/${one.name}`}${kept}`,
                "aria-current": one === tab && "page",
              }, one.title),
            )
          ),
        ),
      ),
      body,
    ],
  };
};

/** A view of trials, and the choice of which. */
function withTrials(
  body: HTMLElement,
  model: Model,
  datasets: readonly Dataset[],
  show: (view: ModelView) => Child | Promise<Child>,
  { query, signal }: PageContext,
): void {
  const wanted = query.get("data");
  const own = datasets.find(({ id }) => id === (wanted ?? model.dataset)) ?? datasets[0];
  const start = wanted === GENERATED || !own ? GENERATED : own.id;
  const samples = SAMPLES.find((one) => one === query.get("samples")) ?? "16";
  const source = choice("source", "Trials", [
    ...datasets.map((one) => [one.id, `${one.name}: ${shape(one)}`] as const),
    [GENERATED, "100 that the model generates"],
  ], { value: start });
  source.element.classList.add("long");
  const drawn = choice("samples", "Posterior", [
    ["0", "mean, one pass"],
    ...SAMPLES.slice(1).map((one) => [one, `${one} samples`] as const),
  ], { value: samples });
  const place = h("div", { class: "stack" });
  let current = new AbortController();
  const load = async () => {
    current.abort();
    current = new AbortController();
    const now = AbortSignal.any([signal, current.signal]);
    body.setAttribute("aria-busy", "true");
    try {
      const id = source.input.value;
      const trials =
        await (id === GENERATED ? generatedTrials(model.id, model.binWidth) : datasetTrials(id));
      const content = await show({
        model,
        datasets,
        trials,
        samples: Number(drawn.input.value),
        signal: now,
      });
      if (!now.aborted) replace(place, content);
    } catch (error) {
      if (!now.aborted && !isLeft(error)) replace(place, problemBox(error));
    } finally {
      if (!now.aborted) body.removeAttribute("aria-busy");
    }
  };
  const changed = () => {
    const address = new URLSearchParams({ data: source.input.value, samples: drawn.input.value });
    const [path] = location.hash.split("?");
    // without a new page: the choice stays where it is, and the other views get it too
    history.replaceState(null, "", `${path}?${address}`);
    for (const link of document.querySelectorAll<HTMLAnchorElement>(".tabs a")) {
      link.hash = `${link.hash.split("?")[0]}?${address}`;
    }
    void load();
  };
  source.input.addEventListener("change", changed);
  drawn.input.addEventListener("change", changed);
  add(body, h("div", { class: "toolbar card slim" }, source.element, drawn.element), place);
  replace(place, h("p", { class: "hint", role: "status" }, "Inferring …"));
  void load();
}
