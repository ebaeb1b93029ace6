/** Latent trajectories: factors or generator states of all trials, and the factors of one over time. */
import { drawn, figure, legend } from "../charts/frame.ts";
import { lines, timeAxis } from "../charts/lines.ts";
import { plane } from "../charts/plane.ts";
import { byCondition, categorical } from "../charts/theme.ts";
import { inferLatents } from "../data/inference.ts";
import { type Child, freshId, h } from "../dom.ts";
import { count, every, fixed } from "../format.ts";
import { type Coordinates, coordinates, turned } from "../maths/coordinates.ts";
import { choice } from "../parts/form.ts";
import { folded, table } from "../parts/page.ts";
import { stepper } from "../parts/stepper.ts";
import type { ModelView } from "./model.ts";

/** More paths than this hide one another. */
const PATHS = 100;
/** More lines than this cannot be told apart. */
const LINES = 8;

export async function trajectories({ model, trials, samples, signal }: ModelView): Promise<Child> {
  const latents = await inferLatents(trials, model.id, samples);
  if (signal.aborted) return null;
  const { T } = latents;
  const stride = Math.ceil(latents.trials / PATHS);
  const coloring = byCondition(latents.condition_B);
  const sources = {
    factors: { nd: latents.factors_BTF, name: "factor" },
    states: { nd: latents.gen_BTG, name: "generator state" },
  } as const;
  const of = choice("of", "Show", [["factors", "factors"], ["states", "generator states"]]);
  const by = choice("by", "Axes", [["pca", "principal components"], [
    "own",
    "their own dimensions",
  ]]);
  const turnId = freshId("turn");
  const turn = h("input", { id: turnId, type: "range", min: -180, max: 180, step: 5, value: 0 });
  let trial = 0;
  let now: Coordinates;
  const choose = () => {
    const { nd, name } = sources[of.input.value === "states" ? "states" : "factors"];
    now = coordinates(nd.data, nd.shape[2], name, by.input.value === "pca");
    turn.disabled = now.width < 3;
    picture.again();
    numbers.open = false;
  };
  const path = (b: number) => ({
    points: Array.from({ length: T }, (_, t) => turned(now.at(b * T + t), Number(turn.value))),
    color: coloring.color(b),
  });
  const picture = drawn((width) => {
    const drawnTrials = Array.from(
      { length: Math.ceil(latents.trials / stride) },
      (_, k) => k * stride,
    );
    return plane({
      paths: drawnTrials.map(path),
      chosen: path(trial),
      labels: now.labels(Number(turn.value)),
      label: `${now.name}s of ${drawnTrials.length} trials as paths; trial ${trial} stands out`,
    }, Math.min(width, 760));
  }, signal);
  const courses = drawn((width) => {
    const { data, shape: [, , F] } = latents.factors_BTF;
    return lines({
      lines: Array.from({ length: Math.min(F, LINES) }, (_, f) => ({
        values: Array.from({ length: T }, (_, t) => data[(trial * T + t) * F + f]),
        color: categorical(f),
        width: 1.75,
      })),
      time: timeAxis(trials.binWidth ?? model.binWidth),
      yLabel: "factor",
      label: `Factors of trial ${trial} over time`,
      height: 320,
    }, width);
  }, signal);
  const numbers = folded("This trial as a table", () =>
    table(
      `${now.name}s of trial ${trial}`,
      ["bin", ...now.columns],
      Array.from({ length: T }, (_, t) => [
        count(t),
        ...now.at(trial * T + t).map((v) => fixed(v, 4)),
      ]),
    ));
  const pick = stepper("Trial", latents.trials, 0, (to) => {
    trial = to;
    picture.again();
    courses.again();
    numbers.open = false;
  });
  of.input.addEventListener("change", choose);
  by.input.addEventListener("change", choose);
  turn.addEventListener("input", () => picture.again());
  choose();
  const F = latents.factors_BTF.shape[2];
  const some = latents.trials < trials.trials
    ? ` (the first ${count(latents.trials)} of ${count(trials.trials)})`
    : "";
  return [
    h(
      "div",
      { class: "toolbar card slim" },
      of.element,
      by.element,
      h("div", { class: "field" }, h("label", { for: turnId }, "Turn into depth"), turn),
      pick,
    ),
    h(
      "div",
      { class: "columns uneven" },
      h(
        "div",
        { class: "card" },
        h("h2", {}, "Trajectories"),
        figure(
          `A path for ${every(stride)} trial${some}, a dot where it starts. ${coloring.words}`,
          legend([
            ...(coloring.legend.length > 0
              ? coloring.legend
              : [{ label: "trials", color: "var(--model)" }]),
            { label: "the chosen trial", color: "var(--ink)" },
          ]),
          picture,
        ),
      ),
      h(
        "div",
        { class: "card" },
        h("h2", {}, "The chosen trial over time"),
        figure(
          `The ${F > LINES ? `first ${LINES} of ${F} ` : ""}factors, averaged over the posterior.`,
          legend(Array.from({ length: Math.min(F, LINES) }, (_, f) => ({
            label: `factor ${f + 1}`,
            color: categorical(f),
          }))),
          courses,
        ),
        numbers,
      ),
    ),
  ];
}
