/** Where one starts: what there is, and what comes next. */
import { list } from "../api.ts";
import { type Child, freshId, h } from "../dom.ts";
import { empty, head, linkButton, type Page } from "../parts/page.ts";
import { meanRate, modelRow, row, rows, runRow, shape } from "../parts/rows.ts";
import type { Dataset, Model, Run } from "../types.ts";

const SHOWN = 4;

export const overview: Page = async ({ signal }) => {
  const few = { limit: SHOWN };
  const [datasets, runs, models] = await Promise.all([
    list<Dataset>("datasets", signal, few),
    list<Run>("runs", signal, few),
    list<Model>("models", signal, few),
  ]);
  const lead =
    "From spike counts to single-trial firing rates, latent trajectories and the fixed points of the dynamics that produced them.";
  if (datasets.items.length + runs.items.length + models.items.length === 0) {
    return { title: "Welcome", body: [head({ title: "Welcome", about: lead }), firstSteps()] };
  }
  return {
    title: "Overview",
    body: [
      head({ title: "Overview", about: lead }),
      h(
        "div",
        { class: "columns" },
        part(
          "Data",
          "#/data",
          datasets.items.map((dataset) =>
            row({
              title: dataset.name,
              href: `#/data/${dataset.id}`,
              about: `${shape(dataset)} · ${meanRate(dataset)}`,
            })
          ),
          empty(
            "No data",
            "Upload spike counts or simulate some.",
            linkButton("Add data", "#/data", "primary"),
          ),
        ),
        part(
          "Runs",
          "#/runs",
          runs.items.map((run) => runRow(run, signal)),
          empty(
            "No runs",
            "A run fits a model to a dataset.",
            linkButton("Fit a model", "#/runs/new", "primary"),
          ),
        ),
        part(
          "Models",
          "#/models",
          models.items.map(modelRow),
          empty("No models yet", "A run that ends leaves its best model here."),
        ),
      ),
    ],
  };
};

function part(title: string, href: string, items: readonly Child[], nothing: Child): HTMLElement {
  const id = freshId("part");
  return h(
    "section",
    { class: "card", "aria-labelledby": id },
    h(
      "div",
      { class: "card-head" },
      h("h2", { id }, title),
      h("a", { href }, `All ${title.toLowerCase()}`),
    ),
    items.length > 0 ? rows(title, items) : nothing,
  );
}

function firstSteps(): HTMLElement {
  const step = (title: string, text: Child, action: Child) =>
    h("li", { class: "card" }, h("h2", {}, title), h("p", {}, text), action);
  return h(
    "ol",
    { class: "steps" },
    step(
      "Bring data",
      [
        "Spike counts as a ",
        h("code", {}, ".npz"),
        " with one array ",
        h("code", {}, "spikes"),
        " of trials × bins × neurons. Or simulate a rotation or a Lorenz system, whose truth is known.",
      ],
      linkButton("Add data", "#/data", "primary"),
    ),
    step(
      "Fit a model",
      "Sensible defaults are filled in. The run survives closed tabs and restarts, and its losses arrive as they are made.",
      linkButton("Fit a model", "#/runs/new"),
    ),
    step(
      "Look at the dynamics",
      "Rates of every trial over its spikes, trajectories, fixed points with their eigenvalues; all of it downloads as NumPy files.",
      linkButton("Models", "#/models"),
    ),
  );
}
