/** What a model is, and how it is taken home. */
import { key, request } from "../api.ts";
import { type Child, h } from "../dom.ts";
import { bytes, count, number, when } from "../format.ts";
import { confirmed } from "../parts/dialogs.ts";
import { keep } from "../parts/keep.ts";
import { facts, linkButton, section } from "../parts/page.ts";
import { button } from "../parts/problem.ts";
import { hyperparameterFacts } from "../parts/settings.ts";
import type { ModelView } from "./model.ts";

export function details({ model, datasets }: Pick<ModelView, "model" | "datasets">): Child {
  const { id, report, run, dataset } = model;
  const path = `/v1/models/${id}`;
  const download = (format: "npz" | "safetensors") =>
    button(`Parameters as .${format}`, async () => {
      const headers = { accept: `application/x-${format}` };
      const answer = await request(`${path}/parameters`, { headers });
      keep(await answer.blob(), `${id}.${format}`);
    });
  const stored = datasets.find((one) => one.id === dataset);
  return [
    h(
      "div",
      { class: "card" },
      h("h2", {}, "Take it home"),
      h(
        "p",
        {},
        "The .npz opens in NumPy; the .safetensors holds all that is known, and can be imported again.",
      ),
      h(
        "div",
        { class: "actions", "data-problems": true },
        download("npz"),
        download("safetensors"),
        report &&
          (key.get() === null
            ? h(
              "a",
              { class: "button", href: `${path}/report`, target: "_blank", rel: "noopener" },
              "Report",
            )
            : button(
              "Report",
              async () => keep(await (await request(`${path}/report`)).blob(), `${id}.html`),
            )),
        button("Generate a dataset", async () => {
          const headers = { accept: "application/json" };
          const answer = await request(`${path}/generate`, { method: "POST", headers, json: {} });
          const made: { id: string } = await answer.json();
          location.hash = `#/data/${made.id}`;
        }),
        button("Delete", async () => {
          if (
            !await confirmed(`Delete ${model.name}?`, "Its run and its dataset stay.", "Delete")
          ) return;
          await request(path, { method: "DELETE" });
          location.hash = "#/models";
        }, { kind: "remove" }),
      ),
      !report &&
        h(
          "p",
          { class: "hint" },
          "There is no report: a run makes one at its end if it is asked to.",
        ),
    ),
    section(
      "Facts",
      facts([
        ["Held-out loss", number(model.score)],
        ["Steps", count(model.step)],
        ["Parameters", count(model.parameters)],
        ["Seed", String(model.seed)],
        ["Bin width", model.binWidth === null ? "not known" : `${number(model.binWidth)} s`],
        ["Made", when(model.created)],
        ["Run", run === null ? "imported" : h("a", { href: `#/runs/${run}` }, "its run")],
        ["Dataset", stored ? h("a", { href: `#/data/${stored.id}` }, stored.name) : "not here"],
        ["File", bytes(model.bytes)],
        ["Id", h("code", {}, id)],
      ]),
      run !== null &&
        h(
          "div",
          { class: "actions" },
          linkButton("Fit again with changes", `#/runs/new?like=${run}`),
        ),
    ),
    section("Hyperparameters", hyperparameterFacts(model.hyperparameters)),
  ];
}
