/** All models, and a way in for those that were fitted elsewhere. */
import { list, request } from "../api.ts";
import { h } from "../dom.ts";
import { empty, head, linkButton, type Page, section } from "../parts/page.ts";
import { longList, modelRow } from "../parts/rows.ts";
import { upload } from "../parts/upload.ts";
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
          upload({
            label: "A model",
            hint: "model.safetensors, as latentd fit and this page's downloads make it.",
            accept: ".safetensors",
            take: async (file) => {
              const name = encodeURIComponent(file.name.replace(/\.safetensors$/, ""));
              const answer = await request(`/v1/models?name=${name}`, {
                method: "POST",
                headers: { "content-type": "application/x-safetensors" },
                body: file,
              });
              const { id }: Model = await answer.json();
              location.hash = `#/models/${id}`;
            },
          }),
        ),
      ),
    ],
  };
};
