/** The dynamics that a model learned: its phase portrait, fixed points and their eigenvalues. */
import { postJson, request } from "../api.ts";
import { beyond, eigenvalues } from "../charts/eigenvalues.ts";
import { drawn, figure, legend } from "../charts/frame.ts";
import { markOf, plane } from "../charts/plane.ts";
import { byCondition, categorical } from "../charts/theme.ts";
import { inferLatents, type Latents } from "../data/inference.ts";
import { readSafetensors } from "../data/safetensors.ts";
import { announce, type Child, h, replace } from "../dom.ts";
import { count, every, plural } from "../format.ts";
import { generatorStep, type Step } from "../maths/cell.ts";
import { coordinates } from "../maths/coordinates.ts";
import { empty, section } from "../parts/page.ts";
import { searchForm } from "../parts/search_form.ts";
import type { FixedPoint, FixedPoints, Model } from "../types.ts";
import { modesTable, pointsTable } from "./fixed_points.ts";
import type { ModelView } from "./model.ts";

/** More paths than this hide the fixed points. */
const PATHS = 120;
/** Fixed points with a colour of their own. */
const COLORED = 8;

/** What was found of each model, as long as the page is open. */
const found = new Map<string, FixedPoints>();

export async function dynamics(view: ModelView): Promise<Child> {
  const { model, trials, samples, signal } = view;
  const name = `${model.id} ${trials.dataset}`;
  const [latents, step] = await Promise.all([
    inferLatents(trials, model.id, samples),
    model.hyperparameters.generatorUnits === 2 ? loadStep(model, signal) : null,
  ]);
  if (signal.aborted) return null;
  const results = h("div", { class: "stack" });
  const show = (points: FixedPoints | undefined) =>
    replace(results, portrait(view, latents, step, points));
  show(found.get(name));
  const search = await searchForm(async (asked) => {
    const body = trials.dataset === null ? asked : { dataset: trials.dataset, samples, ...asked };
    const points = await postJson<FixedPoints>(`/v1/models/${model.id}/fixed-points`, body, signal);
    found.set(name, points);
    show(points);
    announce(`${plural(points.fixedPoints.length, "fixed point")} found.`);
  });
  return [h("div", { class: "card" }, h("h2", {}, "Search for fixed points"), search), results];
}

async function loadStep(model: Model, signal: AbortSignal): Promise<Step> {
  const headers = { accept: "application/x-safetensors" };
  const answer = await request(`/v1/models/${model.id}/parameters`, { headers, signal });
  return generatorStep(model, readSafetensors(await answer.arrayBuffer()));
}

function portrait(
  { signal }: ModelView,
  latents: Latents,
  step: Step | null,
  result: FixedPoints | undefined,
): Child {
  const { T } = latents;
  const points = result?.fixedPoints ?? [];
  const G = latents.gen_BTG.shape[2];
  const plot = coordinates(latents.gen_BTG.data, G, "generator state", true);
  const coloring = byCondition(latents.condition_B);
  const stride = Math.ceil(latents.trials / PATHS);
  const two = ([x = 0, y = 0]: readonly number[]) => [x, y] as const;
  let chosen = 0;
  const picture = drawn((width) =>
    plane({
      paths: Array.from({ length: Math.ceil(latents.trials / stride) }, (_, k) => ({
        points: Array.from({ length: T }, (_, t) => two(plot.at(k * stride * T + t))),
        color: coloring.color(k * stride),
      })),
      labels: plot.labels(0),
      fixed: points.map((point, k) => ({
        at: two(plot.of(point.point)),
        mark: markOf(point),
        color: k === chosen ? "var(--accent)" : "var(--ink)",
      })),
      flow: step ? (at) => two(step(at).map((next, i) => next - at[i])) : undefined,
      label: `Generator states of ${latents.trials} trials, and ${
        plural(points.length, "fixed point")
      }`,
      ratio: 0.98,
    }, Math.min(width, 600)), signal);
  const spectrum = drawn((width) =>
    eigenvalues(
      points.slice(0, COLORED).map(({ eigenvalues }, k) => ({
        values: eigenvalues,
        color: categorical(k),
        chosen: k === chosen,
        name: `Fixed point ${k + 1}`,
      })),
      `Eigenvalues at ${
        plural(Math.min(points.length, COLORED), "fixed point")
      }, and the unit circle`,
      width,
    ), signal);
  const modes = h("div", {});
  const showModes = () =>
    points[chosen] && replace(modes, modesTable(points[chosen], chosen, result?.binWidth ?? null));
  const choose = (k: number) => {
    chosen = k;
    picture.again();
    spectrum.again();
    showModes();
  };
  showModes();
  const far = beyond(
    points.slice(0, COLORED).map((point) => ({
      values: point.eigenvalues,
      color: "",
      chosen: false,
      name: "",
    })),
  );
  return [
    h(
      "div",
      { class: "figures" },
      h(
        "div",
        { class: "card" },
        h("h2", {}, "Phase portrait"),
        figure(
          `States of the generator in ${every(stride)} trial, a dot where it starts. ${
            step ? "Arrows: the change in one bin without input. " : ""
          }${coloring.words}`,
          legend([
            ...(coloring.legend.length > 0
              ? coloring.legend
              : [{ label: "trials", color: "var(--model)" }]),
            ...marks(points),
          ]),
          picture,
        ),
      ),
      h(
        "div",
        { class: "card" },
        h("h2", {}, "Eigenvalues"),
        points.length === 0 ? empty("No fixed points yet", "Search for them above.") : figure(
          `Of the Jacobian at each fixed point. Inside the unit circle a mode decays, outside it grows; its angle is the turn in one bin.${
            far > 0 ? ` ${plural(far, "eigenvalue")} beyond the frame.` : ""
          }`,
          legend(
            points.slice(0, COLORED).map((_, k) => ({
              label: `fixed point ${k + 1}`,
              color: categorical(k),
              mark: "dot",
            })),
          ),
          spectrum,
        ),
      ),
    ),
    result && section(
      "Fixed points",
      h("div", { class: "card" }, summary(result), pointsTable(result, choose), modes),
    ),
  ];
}

function marks(points: readonly FixedPoint[]) {
  const kinds = new Set(points.map(markOf));
  const color = "var(--ink)";
  return [
    ...(kinds.has("dot") ? [{ label: "stable", color, mark: "dot" as const }] : []),
    ...(kinds.has("ring") ? [{ label: "unstable or neutral", color, mark: "ring" as const }] : []),
    ...(kinds.has("diamond") ? [{ label: "saddle", color, mark: "diamond" as const }] : []),
  ];
}

/** What became of the candidates. */
function summary({ counts, iterations, device }: FixedPoints): HTMLElement {
  const { candidates, kept, tooFast, repeats, outliers, notFinite } = counts;
  const parts = [
    `${count(kept)} kept`,
    `${count(repeats)} repeats`,
    `${count(tooFast)} too fast`,
    `${count(outliers)} outliers`,
    notFinite > 0 && `${count(notFinite)} not finite`,
  ].filter((part) => part !== false);
  const words = `From ${count(candidates)} candidates in ${count(iterations)} iterations on ` +
    `${device.name}: ${parts.join(", ")}.`;
  if (kept > 0) return h("p", {}, words);
  return empty(
    "No fixed point",
    `${words} More iterations, or larger tolerances for speed and for outliers, may keep some.`,
  );
}
