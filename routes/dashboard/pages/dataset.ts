/** One dataset: what is known of it, and its spikes. */
import { getJson, request } from "../api.ts";
import { drawn, extent, figure } from "../charts/frame.ts";
import { heat } from "../charts/heat.ts";
import { timeAxis } from "../charts/lines.ts";
import { scale } from "../charts/scale.ts";
import { h, replace } from "../dom.ts";
import { bytes, count, number, when } from "../format.ts";
import { datasetTrials, type Trials } from "../data/trials.ts";
import { confirmed } from "../parts/dialogs.ts";
import { keep } from "../parts/keep.ts";
import { facts, head, linkButton, type Page, section } from "../parts/page.ts";
import { stepper } from "../parts/stepper.ts";
import { button, problemBox } from "../parts/problem.ts";
import { meanRate, shape, warnings } from "../parts/rows.ts";
import type { Dataset } from "../types.ts";

export const dataset: Page = async ({ params: [id], signal }) => {
  const dataset = await getJson<Dataset>(`/v1/datasets/${id}`, signal);
  const spikes = await raster(await datasetTrials(id), dataset.spikes === null, signal);
  return {
    title: dataset.name,
    body: [
      head({
        title: dataset.name,
        trail: [["Data", "#/data"]],
        about: [shape(dataset), " · ", h("code", {}, id)],
        actions: [
          linkButton("Fit a model", `#/runs/new?dataset=${id}`, "primary"),
          button("Download", async () => {
            keep(await (await request(`/v1/datasets/${id}/file`)).blob(), `${id}.npz`);
          }),
          button("Delete", async () => {
            const text =
              "Its runs and models stay. Runs that are not finished need it and end without it.";
            if (!await confirmed(`Delete ${dataset.name}?`, text, "Delete")) return;
            await request(`/v1/datasets/${id}`, { method: "DELETE" });
            location.hash = "#/data";
          }, { kind: "remove" }),
        ],
      }),
      warnings(dataset),
      facts([
        ...(dataset.spikes === null
          ? [["Data", "real numbers, no counts of spikes"] as const]
          : [["Mean rate", meanRate(dataset)], ["Spikes", count(dataset.spikes)]] as const),
        ["Bin width", dataset.binWidth === null ? "not known" : `${number(dataset.binWidth)} s`],
        ["Conditions", dataset.conditions === null ? "none" : count(dataset.conditions)],
        ["True rates", dataset.truth ? "known" : "not known"],
        ["Source", dataset.source],
        ["Stored", `${bytes(dataset.bytes)}, ${when(dataset.created)}`],
      ]),
      section(dataset.spikes === null ? "Numbers" : "Spikes", spikes),
    ],
  };
};

/** Marks for spikes, colours for real numbers. */
async function raster(trials: Trials, real: boolean, signal: AbortSignal): Promise<HTMLElement> {
  const { T, N } = trials;
  const order = Array.from({ length: N }, (_, n) => n);
  const load = async (trial: number) => ({
    trial,
    counts_TN: (await trials.part(trial, 1)).counts_BTN,
  });
  let shown = await load(0);
  const place = drawn((width) => {
    const { counts_TN, trial } = shown;
    const [low, full] = real ? extent(counts_TN) ?? [0, 1] : [0, 1];
    const map = heat({
      T,
      N,
      rates_TN: real ? counts_TN : null,
      counts_TN: real ? null : counts_TN,
      order,
      low,
      full,
      time: timeAxis(trials.binWidth),
      selected: -1,
      label: `${real ? "Numbers" : "Spikes"} of ${N} neurons in trial ${trial}`,
    }, width);
    return real ? [map, scale(low, full, "")] : map;
  }, signal);
  const problems = h("div", {});
  let wanted = 0;
  const picker = stepper("Trial", trials.trials, 0, (trial) => {
    wanted = trial;
    replace(problems);
    load(trial).then((loaded) => {
      // who steps quickly sees the last
      if (loaded.trial !== wanted) return;
      shown = loaded;
      place.again();
    }).catch((error) => replace(problems, problemBox(error)));
  });
  return h(
    "div",
    { class: "card" },
    h("div", { class: "toolbar" }, picker),
    problems,
    figure(
      real
        ? "Each row is a neuron; no colour is the trial's least number, full colour its largest."
        : "Each row is a neuron, each mark a spike, four at most in a bin.",
      place,
    ),
  );
}
