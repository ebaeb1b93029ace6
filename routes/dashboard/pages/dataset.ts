/** One dataset: what is known of it, and its spikes. */
import { getJson, request } from "../api.ts";
import { drawn, figure, legend } from "../charts/frame.ts";
import { heat } from "../charts/heat.ts";
import { timeAxis } from "../charts/lines.ts";
import { h, replace } from "../dom.ts";
import { bytes, count, number, when } from "../format.ts";
import { datasetTrials, type Trials, trialOf } from "../data/trials.ts";
import { confirmed } from "../parts/dialogs.ts";
import { keep } from "../parts/keep.ts";
import { facts, head, linkButton, type Page, section } from "../parts/page.ts";
import { stepper } from "../parts/stepper.ts";
import { button, work } from "../parts/problem.ts";
import { meanRate, shape, warnings } from "../parts/rows.ts";
import type { Dataset } from "../types.ts";

/** More spikes than this are only loaded when one asks for it. */
const LARGE = 50_000_000;

export const dataset: Page = async ({ params: [id], signal }) => {
  const dataset = await getJson<Dataset>(`/v1/datasets/${id}`, signal);
  const spikes = h("div", {});
  const load = async () => replace(spikes, raster(await datasetTrials(id), signal));
  if (dataset.trials * dataset.T * dataset.N <= LARGE) await load();
  else {
    const start = h("button", { type: "button" }, `Load ${bytes(dataset.bytes)} of spikes`);
    start.addEventListener("click", () => void work(start, load));
    replace(spikes, h("div", { class: "actions" }, start));
  }
  return {
    title: dataset.name,
    body: [
      head({
        title: dataset.name,
        trail: [["Data", "#/data"]],
        about: shape(dataset),
        actions: [
          linkButton("Fit a model", `#/runs/new?dataset=${id}`, "primary"),
          button("Download", async () => {
            keep(await (await request(`/v1/datasets/${id}/file`)).blob(), `${id}.npz`);
          }),
          button("Delete", async () => {
            const text = "Its runs and models stay. Runs that are not finished need it and end without it.";
            if (!await confirmed(`Delete ${dataset.name}?`, text, "Delete")) return;
            await request(`/v1/datasets/${id}`, { method: "DELETE" });
            location.hash = "#/data";
          }),
        ],
      }),
      warnings(dataset),
      facts([
        ["Mean rate", meanRate(dataset)],
        ["Spikes", count(dataset.spikes)],
        ["Bin width", dataset.binWidth === null ? "not known" : `${number(dataset.binWidth)} s`],
        ["Conditions", dataset.conditions === null ? "none" : count(dataset.conditions)],
        ["True rates", dataset.truth ? "known" : "not known"],
        ["Source", dataset.source],
        ["Stored", `${bytes(dataset.bytes)}, ${when(dataset.created)}`],
        ["Id", h("code", {}, id)],
      ]),
      section("Spikes", spikes),
    ],
  };
};

function raster(trials: Trials, signal: AbortSignal): HTMLElement {
  const { T, N, counts_BTN } = trials;
  const order = Array.from({ length: N }, (_, n) => n);
  let trial = 0;
  const place = drawn(
    (width) =>
      heat({
        T,
        N,
        rates_TN: null,
        counts_TN: trialOf(counts_BTN, trial, T * N),
        order,
        full: 1,
        time: timeAxis(trials.binWidth),
        selected: -1,
        label: `Spikes of ${N} neurons in trial ${trial}`,
      }, width),
    signal,
  );
  const picker = stepper("Trial", trials.trials, 0, (to) => {
    trial = to;
    place.again();
  });
  return h(
    "div",
    { class: "card" },
    h("div", { class: "toolbar" }, picker),
    figure(
      "Each row is a neuron, each mark a spike.",
      legend([{ label: "spike", color: "var(--spike)", mark: "stem" }]),
      place,
    ),
  );
}
