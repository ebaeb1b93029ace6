/** Datasets: uploaded or simulated, and what is known of them. */
import { list, postJson } from "../api.ts";
import { announce, h, replace } from "../dom.ts";
import { choice, type Field, field, form } from "../parts/form.ts";
import { empty, head, linkButton, type Page, section } from "../parts/page.ts";
import { datasetAbout, longList, row, warnings } from "../parts/rows.ts";
import { type Schema, schemaOf } from "../schema.ts";
import type { Dataset } from "../types.ts";
import { uploadForm } from "./data_upload.ts";

export const data: Page = async ({ signal }) => {
  const stored = h("div", {});
  const load = async (fresh?: Dataset) => {
    const page = await list<Dataset>("datasets", signal);
    replace(
      stored,
      page.items.length === 0
        ? empty("No data yet", "Upload spike counts or simulate a dataset; it appears here.")
        : longList("Datasets", "datasets", page, datasetRow),
    );
    if (!fresh) return;
    announce(`${fresh.name} is stored.`);
    const made = stored.querySelector<HTMLElement>(`a[href="#/data/${fresh.id}"]`);
    made?.closest("li")?.classList.add("fresh");
    made?.focus();
  };
  const [simulation, uploading] = await Promise.all([
    schemaOf("/v1/datasets"),
    uploadForm(load),
    load(),
  ]);
  return {
    title: "Data",
    body: [
      head({
        title: "Data",
        about: "Spike counts, or real numbers: trials × time bins × neurons.",
      }),
      h(
        "div",
        { class: "columns two" },
        h("div", { class: "card" }, h("h2", {}, "Upload"), uploading),
        h("div", { class: "card" }, h("h2", {}, "Simulate"), simulate(simulation, load)),
      ),
      section("Stored", stored),
    ],
  };
};

function datasetRow(dataset: Dataset): HTMLLIElement {
  return row({
    title: dataset.name,
    href: `#/data/${dataset.id}`,
    about: [datasetAbout(dataset), warnings(dataset)],
    side: linkButton("Fit a model", `#/runs/new?dataset=${dataset.id}`),
  });
}

/** Labels, hints and defaults of the simulators' options; an option that is not here gets its name. */
const OPTIONS: Readonly<Record<string, { label?: string; hint?: string; otherwise?: string }>> = {
  name: { label: "Name", otherwise: "the simulator's" },
  trials: { label: "Trials" },
  T: { label: "Time bins" },
  N: { label: "Neurons" },
  seed: { label: "Seed", otherwise: "0", hint: "the same seed makes the same spikes" },
  w: { label: "Rotation", otherwise: "0.2", hint: "sine of the angle turned in each bin" },
  binWidth: { label: "Bin width (s)" },
  conditions: { label: "Conditions", otherwise: "65", hint: "different starting states" },
  dt: { label: "Euler step", otherwise: "0.006", hint: "in the system's own time" },
  speed: { label: "Speed", otherwise: "6", hint: "the system's own time per second" },
  baseRate: { label: "Base rate", otherwise: "5", hint: "spikes per second at the mean state" },
  gain: { label: "Gain", otherwise: "1", hint: "how far the state moves log-rates" },
  burnIn: { label: "Burn-in", otherwise: "1000", hint: "Euler steps before a trial" },
};
const SIZES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rotation: { trials: "200", T: "50", N: "100", binWidth: "none" },
  lorenz: { trials: "1300", T: "100", N: "30", binWidth: "0.01" },
};
const BASIC = ["trials", "T", "N", "seed"];

function simulate(schema: Schema, done: (dataset: Dataset) => Promise<void>): HTMLFormElement {
  const kinds = (schema.oneOf ?? []).flatMap((one) => one.oneOf ?? [one]).flatMap((one) =>
    (one.properties?.kind?.enum ?? []).map((name) => [name, one] as const)
  );
  const fields = new Map<string, Field>();
  const options = h("div", { class: "stack" });
  const kind = choice("kind", "System", kinds.map(([name]) => [name, name]), {
    hint: "rotation: a point on a circle, the tutorial's data; lorenz: the chaotic attractor",
  });
  const show = () => {
    const name = kind.input.value;
    fields.clear();
    fields.set("kind", kind);
    for (const [option, described] of Object.entries(new Map(kinds).get(name)?.properties ?? {})) {
      if (option === "kind") continue;
      const plain = Array.isArray(described.type)
        ? { ...described, type: described.type[0] }
        : described;
      const otherwise = SIZES[name]?.[option];
      fields.set(
        option,
        field(option, { ...plain, description: undefined }, {
          ...OPTIONS[option],
          ...(otherwise === undefined ? {} : { otherwise }),
        }),
      );
    }
    const element = ([name, { element }]: [string, Field]) => name === "kind" ? null : element;
    const basic = [...fields].filter(([name]) => BASIC.includes(name));
    const others = [...fields].filter(([name]) => !BASIC.includes(name));
    replace(
      options,
      h("div", { class: "fields" }, basic.map(element)),
      h(
        "details",
        {},
        h("summary", {}, "More options"),
        h("div", { class: "fields" }, others.map(element)),
      ),
    );
  };
  kind.input.addEventListener("change", show);
  show();
  return form({
    label: "Simulate",
    fields,
    content: [kind.element, options],
    submit: "Simulate",
    send: async () => {
      const asked = Object.fromEntries([...fields].map(([name, field]) => [name, field.read()]));
      await done(await postJson<Dataset>("/v1/datasets", asked));
    },
  });
}
