/** Recordings that are sent to the server. */
import { request, typeOfFile } from "../api.ts";
import { h } from "../dom.ts";
import { filePicker } from "../parts/file_picker.ts";
import { type Field, field, form } from "../parts/form.ts";
import { type Parameter, queryOf } from "../schema.ts";
import type { Dataset } from "../types.ts";

/** Labels of what a file may leave open; a parameter that is not here gets its name. */
const LABELS: Readonly<Record<string, string>> = {
  name: "Name",
  key: "Array of spikes",
  axes: "Order of its dimensions",
  bin_width_s: "Bin width in seconds",
  crop: "Cut to the shortest trial",
  align: "Align to",
  window: "Window",
  overlap: "Overlapping windows",
  units: "Which units",
  trials: "Which trials",
  area: "Area",
  condition: "Column of conditions",
  behaviour: "Behaviour",
};

/** What an archive may hold. */
const ARRAYS = [
  ["spikes", "whole counts [trials, bins, neurons]; needed"],
  ["bin_width_s", "seconds of a bin, for rates in spikes per second"],
  ["condition", "a number for each trial, which colours trajectories"],
  ["rates", "true rates [trials, bins, neurons], where they are known"],
] as const;

export async function uploadForm(done: (dataset: Dataset) => Promise<void>): Promise<HTMLElement> {
  const parameters = await queryOf("/v1/datasets");
  const picker = filePicker(
    "A file of spikes",
    "Drop a file here or choose one: NumPy (.npz, .npy), HDF5 as lfads-torch and MATLAB write it, NWB.",
    ".npz,.npy,.h5,.hdf5,.mat,.nwb",
  );
  const options = new Map(parameters.map(({ name, schema }) => [
    name,
    field(name, schema.type === "boolean" ? { ...schema, enum: undefined } : schema, {
      label: LABELS[name],
    }),
  ]));
  const checks = ({ schema }: Parameter) => schema.type === "boolean";
  const elements = (wanted: readonly Parameter[]) =>
    wanted.map(({ name }) => options.get(name)?.element);
  return h(
    "div",
    { class: "stack" },
    form({
      label: "Upload",
      fields: new Map<string, Field>(options),
      content: [
        picker.element,
        h(
          "details",
          {},
          h("summary", {}, "What the file leaves open"),
          h(
            "div",
            { class: "fields" },
            elements(parameters.filter((one) => !checks(one))),
            elements(parameters.filter(checks)),
          ),
        ),
      ],
      submit: "Upload",
      send: async () => {
        const file = picker.file();
        if (!file) return;
        try {
          const query = new URLSearchParams({ name: file.name });
          for (const [name, option] of options) {
            const value = option.read();
            if (value !== undefined && value !== false) query.set(name, String(value));
          }
          const answer = await request(`/v1/datasets?${query}`, {
            method: "POST",
            headers: { "content-type": typeOfFile(file.name) },
            body: file,
          });
          picker.input.value = "";
          await done(await answer.json());
        } finally {
          picker.say("");
        }
      },
    }),
    h(
      "details",
      {},
      h("summary", {}, "What a NumPy archive may hold"),
      h(
        "dl",
        { class: "arrays" },
        ARRAYS.map(([name, words]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, words)]),
      ),
      h(
        "p",
        { class: "hint" },
        "In Python: ",
        h("code", {}, 'numpy.savez("data.npz", spikes=counts, bin_width_s=0.01)'),
      ),
    ),
  );
}
