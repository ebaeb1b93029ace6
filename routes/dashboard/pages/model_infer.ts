/** Inference to a file: of a stored dataset, or of spikes that are sent. */
import { request, typeOfFile } from "../api.ts";
import { type Child, h, replace } from "../dom.ts";
import { bytes } from "../format.ts";
import { choice, type Field, field, form } from "../parts/form.ts";
import { keep } from "../parts/keep.ts";
import { shape } from "../parts/rows.ts";
import { filePicker } from "../parts/file_picker.ts";
import { wordsOf } from "../parts/words.ts";
import type { ModelView } from "./model.ts";

/** What the arrays are. */
const OUTPUTS: readonly (readonly [name: string, words: string])[] = [
  ["rates", "expected spikes per bin"],
  ["rates_hz", "spikes per second, where the bin width is known"],
  ["log_rates", "their logarithm"],
  ["factors", "factors"],
  ["gen_states", "states of the generator"],
  ["gen_init", "its initial states"],
  ["ic_mean", "posterior mean of the initial condition"],
  ["ic_logvar", "and its log-variance"],
  ["ic_std", "and its deviation, with the variance's floor"],
];
/** Of a model of real numbers. */
const REAL: ReadonlyMap<string, string> = new Map([
  ["rates", "expected values, in the data's unit"],
  ["log_rates", "the logarithm of a gamma's mean; of a Gaussian its mean"],
]);
const INPUTS: typeof OUTPUTS = [
  ["gen_inputs", "inferred inputs"],
  ["input_mean", "their posterior mean"],
  ["input_logvar", "and log-variance"],
  ["input_std", "and deviation, with the variance's floor"],
  ["con_states", "states of the controller"],
];

export function inferView({ model, datasets }: Pick<ModelView, "model" | "datasets">): Child {
  const { real } = wordsOf(model.hyperparameters.observation);
  const names = [
    ...OUTPUTS
      // expected values of real numbers are no rates
      .filter(([name]) => name !== "rates_hz" || model.binWidth !== null && !real)
      .map(([name, words]) => [name, real && REAL.get(name) || words] as const),
    ...(model.hyperparameters.inferredInputs > 0 ? INPUTS : []),
  ];
  const whole = { type: "integer", minimum: 0 };
  const fields = new Map<string, Field>([
    [
      "samples",
      field("samples", whole, {
        label: "Posterior samples",
        otherwise: "64",
        hint: "averaged; 0 is the posterior mean",
      }),
    ],
    ["seed", field("seed", whole, { otherwise: "0" })],
    [
      "format",
      choice("format", "File", [["npz", ".npz, for NumPy"], ["safetensors", ".safetensors"]]),
    ],
  ]);
  const boxes = names.map(([name, words]) => {
    const box = field(name, { type: "boolean" }, { label: name, hint: words, value: "true" });
    return [name, box] as const;
  });
  const done = h("div", { role: "status" });
  const ask = async (path: string, body?: File) => {
    replace(done);
    const query = new URLSearchParams();
    for (const name of ["samples", "seed"]) {
      const value = fields.get(name)?.read();
      if (value !== undefined) query.set(name, String(value));
    }
    query.set("outputs", boxes.filter(([, box]) => box.read()).map(([name]) => name).join(","));
    const format = String(fields.get("format")?.read());
    const answer = await request(`${path}?${query}`, {
      method: "POST",
      headers: {
        accept: `application/x-${format}`,
        ...(body ? { "content-type": typeOfFile(body.name) } : {}),
      },
      body,
    });
    const data = await answer.blob();
    const name = `rates.${format}`;
    keep(data, name);
    replace(
      done,
      h("p", { class: "done" }, `${name} (${bytes(data.size)}) is in your downloads. `),
    );
  };
  const picker = filePicker(
    real ? "A file of numbers" : "A file of spikes",
    `.npz or .npy: any number of trials of ${model.T} bins and ${model.N} neurons. They are not stored.`,
    ".npz,.npy",
  );
  const base = `/v1/models/${model.id}/infer`;
  const source = choice(
    "dataset",
    "Dataset",
    datasets.map((one) => [one.id, `${one.name}: ${shape(one)}`]),
  );
  return [
    h(
      "div",
      { class: "card" },
      h("h2", {}, "What is wanted"),
      h("div", { class: "fields" }, [...fields.values()].map(({ element }) => element)),
      h(
        "fieldset",
        {},
        h("legend", {}, "Arrays"),
        h("div", { class: "fields checks" }, boxes.map(([, { element }]) => element)),
      ),
    ),
    h(
      "div",
      { class: "columns two" },
      h(
        "div",
        { class: "card" },
        h("h2", {}, "Of a stored dataset"),
        datasets.length === 0
          ? h("p", {}, `None fits: the model takes ${model.T} bins and ${model.N} neurons.`)
          : form({
            label: "Infer from a stored dataset",
            fields,
            content: source.element,
            submit: "Infer and download",
            send: () => ask(`${base}/${source.input.value}`),
          }),
      ),
      h(
        "div",
        { class: "card" },
        h("h2", {}, real ? "Of new numbers" : "Of new spikes"),
        form({
          label: real ? "Infer from new numbers" : "Infer from new spikes",
          fields,
          content: picker.element,
          submit: "Send, infer and download",
          send: async () => {
            const file = picker.file();
            if (!file) return;
            await ask(base, file).finally(() => picker.say(""));
          },
        }),
      ),
    ),
    done,
  ];
}
