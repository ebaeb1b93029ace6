import type { ReportData } from "./data.ts";
import { html, type Section } from "./html.ts";
import { timeAxis } from "./plot.ts";
import { timeCourses } from "./time_courses.ts";

/** Factors, generator states and inferred inputs of one trial. */
export function trialSection(data: ReportData): Section {
  const { trial } = data;
  const time = timeAxis(data.dataset.binWidth);
  const { T, F, G, U } = trial;
  const factors = timeCourses({
    values_TK: trial.factors_TF,
    T,
    K: F,
    name: "factor",
    axis: "factor (a.u.)",
    caption: `Factors of trial ${trial.index}.`,
  }, time);
  const states = timeCourses({
    values_TK: trial.gen_TG,
    T,
    K: G,
    name: "unit",
    axis: "generator state (a.u.)",
    caption: `Generator states of trial ${trial.index}.`,
  }, time);
  const inputs = U > 0 && trial.inputs_TU !== null
    ? timeCourses({
      values_TK: trial.inputs_TU,
      T,
      K: U,
      name: "input",
      axis: "inferred input (a.u.)",
      caption: `Inferred inputs of trial ${trial.index}: what the controller had to add.`,
    }, time)
    : html`
      <p
        class="note">The model has no inferred inputs: each trial follows from its initial condition alone.</p>
    `;
  return {
    id: "trial",
    heading: "One trial",
    body: html`<div class="figures">${factors}${states}${inputs}</div>`,
  };
}
