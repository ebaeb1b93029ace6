/** What a run or a model was made with. */
import { h } from "../dom.ts";
import { number, words } from "../format.ts";
import { facts, folded } from "./page.ts";
import type { Hyperparameters, Run } from "../types.ts";

export function hyperparameterFacts(hyperparameters: Hyperparameters): HTMLElement {
  return facts(
    Object.entries(hyperparameters).map(([name, value]) => [
      words(name),
      typeof value === "number" ? number(value) : String(value),
    ]),
  );
}

export function settings(run: Run): HTMLElement {
  const { device, seed, starts, reproducible, report, hyperparameters } = run;
  return h(
    "div",
    { class: "card" },
    facts([
      ["Device", device],
      ["Seed", String(seed)],
      ["Starts", String(starts)],
      ["Reproducible", reproducible ? "yes" : "no"],
      ["Report", report ? "yes" : "no"],
    ]),
    folded("All hyperparameters", () => hyperparameterFacts(hyperparameters)),
  );
}
