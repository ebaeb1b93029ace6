/** A run to start: what matters most in front, everything else below. */
import { getJson, list, postJson } from "../api.ts";
import { h } from "../dom.ts";
import { count, plural } from "../format.ts";
import { choice, type Field, field, form } from "../parts/form.ts";
import { empty, head, linkButton, type Page } from "../parts/page.ts";
import { shape } from "../parts/rows.ts";
import { type Schema, schemaOf, splitDefault } from "../schema.ts";
import type { Dataset, Run } from "../types.ts";

const MODEL = ["cell", "generatorUnits", "factors", "inferredInputs", "controllerUnits"];
const TRAINING = ["steps", "batchSize", "stepSize"];
/** The rest, by what it is about; what is in no group is shown last. */
const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ["Architecture", ["encoderUnits", "nonlinearity"]],
  ["Regularisation", ["keepRate", "generatorKeepRate", "l2", "varMin"]],
  ["Priors", ["icPriorVar", "inputPriorTau", "inputPriorNoiseVar"]],
  ["Start", ["generatorStart", "startIdentity", "startNoise", "readoutStart"]],
  ["KL schedule", ["klMin", "klMax", "klStart", "klEnd"]],
  ["Optimiser", ["adamB1", "adamB2", "adamEps", "maxGradNorm"]],
  [
    "Learning rate",
    ["schedule", "decayFactor", "decaySteps", "plateauFactor", "plateauPatience", "minStepSize"],
  ],
  ["Early stop and going back", ["earlyStop", "guardFactor", "guardRetries"]],
  ["Evaluation", ["evalFraction", "evaluateEvery", "checkpointEvery"]],
];
const PREFIX = "hyperparameters.";

export const newRun: Page = async ({ query, signal }) => {
  const from = query.get("from"), like = query.get("like") ?? from;
  const [request, { items }, model] = await Promise.all([
    schemaOf("/v1/runs"),
    list<Dataset>("datasets", signal, { limit: 1000 }),
    like === null ? null : getJson<Run>(`/v1/runs/${encodeURIComponent(like)}`, signal),
  ]);
  const place = {
    title: from === null ? "New run" : "Go on with a run",
    trail: [["Runs", "#/runs"]],
  } as const;
  if (items.length === 0 && from === null) {
    const nothing = empty(
      "No data to fit",
      "A run needs a dataset. Upload spike counts or simulate some first.",
      linkButton("Add data", "#/data", "primary"),
    );
    return { title: place.title, body: [head(place), nothing] };
  }
  const fields = new Map<string, Field>();
  const properties = request.properties ?? {};
  const add = (name: string, field: Field) => {
    fields.set(name, field);
    return field.element;
  };
  const top = (name: string, value?: string, hint?: string) =>
    add(name, field(name, properties[name] ?? {}, { value, hint }));
  const given = model?.hyperparameters as Readonly<Record<string, unknown>> | undefined;
  const hyper = (names: readonly string[]) =>
    names.filter((name) => known[name]).map((name) =>
      add(`${PREFIX}${name}`, hyperparameter(name, known[name], from === null, given?.[name]))
    );
  const known = properties.hyperparameters?.properties ?? {};
  const dataset = from === null
    ? add(
      "dataset",
      choice(
        "dataset",
        "Dataset",
        items.map((one) => [one.id, `${one.name}: ${shape(one)}`]),
        { value: query.get("dataset") ?? model?.dataset ?? items[0].id },
      ),
    )
    : h("p", {}, `The data are those of the earlier run: ${model?.datasetName}.`);
  const shown = new Set([...MODEL, ...TRAINING, ...GROUPS.flatMap(([, names]) => names)]);
  const others = Object.keys(known).filter((name) => !shown.has(name));
  const groups = [...GROUPS, ...(others.length > 0 ? [["Others", others] as const] : [])];

  const content = h(
    "div",
    { class: "stack" },
    group("Data and device", [
      dataset,
      h("div", { class: "fields" }, top("device", model?.device), top("seed"), top("starts")),
    ]),
    group("Model", h("div", { class: "fields" }, hyper(MODEL))),
    group("Training", h("div", { class: "fields" }, hyper(TRAINING))),
    h(
      "details",
      { class: "card" },
      h(
        "summary",
        {},
        `More: ${
          plural(Object.keys(known).length - MODEL.length - TRAINING.length, "hyperparameter")
        }`,
      ),
      groups.map(([title, names]) =>
        h("fieldset", {}, h("legend", {}, title), h("div", { class: "fields" }, hyper(names)))
      ),
      h(
        "fieldset",
        {},
        h("legend", {}, "Run"),
        h(
          "div",
          { class: "fields" },
          top("reproducible", "false", "the same bits on every machine; somewhat slower"),
          top("report", "true", "a page of figures about the model, made at the end"),
        ),
      ),
    ),
  );
  return {
    title: place.title,
    body: [
      head({
        ...place,
        about: from === null
          ? "Empty fields take the default that they show."
          : `It begins at the last checkpoint, step ${
            count(model?.checkpoint ?? 0)
          }. Empty fields stay as they were.`,
      }),
      form({
        label: place.title,
        fields,
        content,
        submit: "Start the run",
        beside: linkButton("Cancel", from === null ? "#/runs" : `#/runs/${from}`),
        send: async () => {
          const run = await postJson<Run>("/v1/runs", asked(fields, from));
          location.hash = `#/runs/${run.id}`;
        },
      }),
    ],
  };
};

function group(title: string, ...content: readonly (Node | readonly Node[])[]): HTMLElement {
  return h("fieldset", { class: "card" }, h("legend", {}, title), content);
}

/** Takes over another run's value where it is not the default; an earlier run's own are its defaults. */
function hyperparameter(name: string, schema: Schema, fresh: boolean, given: unknown): Field {
  const { otherwise } = splitDefault(schema.description);
  if (given === undefined) return field(name, schema);
  if (!fresh) return field(name, schema, { otherwise: String(given) });
  return field(name, schema, String(given) === otherwise ? {} : { value: String(given) });
}

/** What the fields ask for, as the server wants it. */
function asked(fields: ReadonlyMap<string, Field>, from: string | null): Record<string, unknown> {
  const request: Record<string, unknown> = from === null ? {} : { resumeFrom: from };
  const hyperparameters: Record<string, unknown> = {};
  for (const [name, field] of fields) {
    const value = field.read();
    if (value === undefined) continue;
    if (name.startsWith(PREFIX)) hyperparameters[name.slice(PREFIX.length)] = value;
    else request[name] = value;
  }
  return Object.keys(hyperparameters).length > 0 ? { ...request, hyperparameters } : request;
}
