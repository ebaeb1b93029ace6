/** All models, and a way in for those that were fitted elsewhere. */
import { list, request } from "../api.ts";
import { h } from "../dom.ts";
import { empty, head, linkButton, type Page, section } from "../parts/page.ts";
import { longList, modelRow } from "../parts/rows.ts";
import { filePicker } from "../parts/file_picker.ts";
import { form } from "../parts/form.ts";
import type { Model } from "../types.ts";

export const models: Page = async ({ signal }) => {
  const page = await list<Model>("models", signal);
  return {
    title: "Models",
    body: [
      head({ title: "Models", about: "What runs have left behind, and what was imported." }),
      page.items.length > 0 ? longList("Models", "models", page, modelRow) : empty(
        "No models yet",
        "A run that ends leaves its best model here. One from elsewhere can be imported below.",
        linkButton("Fit a model", "#/runs/new", "primary"),
      ),
      section(
        "Import",
        h(
          "div",
          { class: "card narrow" },
          importForm(),
        ),
      ),
    ],
  };
};

function importForm(): HTMLFormElement {
  const picker = filePicker(
    "A model",
    "model.safetensors, as latentd fit and this page's downloads make it.",
    ".safetensors",
  );
  return form({
    label: "Import",
    fields: new Map(),
    content: picker.element,
    submit: "Import",
    send: async () => {
      const file = picker.file();
      if (!file) return;
      try {
        const name = encodeURIComponent(file.name.replace(/\.safetensors$/, ""));
        const answer = await request(`/v1/models?name=${name}`, {
          method: "POST",
          headers: { "content-type": "application/x-safetensors" },
          body: file,
        });
        const { id }: Model = await answer.json();
        location.hash = `#/models/${id}`;
      } finally {
        picker.say("");
      }
    },
  });
}
