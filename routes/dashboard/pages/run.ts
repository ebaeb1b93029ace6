/** A run as it goes on: its state, its device, its losses. */
import { getJson, request } from "../api.ts";
import { lossCharts } from "../charts/losses.ts";
import { happened, newProgress, type Progress, went } from "../data/progress.ts";
import { announce, h, replace } from "../dom.ts";
import { follow, isFinal } from "../events.ts";
import { count, duration, number, when } from "../format.ts";
import { confirmed } from "../parts/dialogs.ts";
import {
  empty,
  facts,
  folded,
  head,
  linkButton,
  type Page,
  section,
  table,
} from "../parts/page.ts";
import { button, problemBox } from "../parts/problem.ts";
import { settings } from "../parts/settings.ts";
import { stateBadge } from "../parts/rows.ts";
import type { DeviceInfo, Run } from "../types.ts";

export const run: Page = async ({ params: [id], signal }) => {
  const progress = newProgress(await getJson<Run>(`/v1/runs/${id}`, signal));
  const { run } = progress;
  const actions = h("div", { class: "actions", "data-problems": true });
  const state = h("div", { class: "run-state card" });
  const charts = lossCharts(run.hyperparameters, signal);
  const none = empty("No losses yet", "They appear with the first step.");
  const connection = h("p", { class: "connection", role: "status", hidden: true });

  const numbers = folded("Evaluations as a table", () => evaluations(progress));
  let acting = "", evaluated = 0;
  const draw = () => {
    const { run } = progress;
    replace(state, stateOf(progress));
    const nothing = progress.steps.length + progress.history.length === 0;
    charts.element.hidden = nothing;
    none.hidden = !nothing;
    charts.update(progress);
    if (progress.history.length !== evaluated) numbers.again();
    evaluated = progress.history.length;
    // buttons stay where they are while nothing changes what can be done
    const now = `${run.state} ${run.model} ${run.checkpoint !== null}`;
    if (now !== acting) replace(actions, actionsOf(run));
    acting = now;
  };
  let due = false;
  const drawSoon = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      if (!signal.aborted) draw();
    });
  };
  const lost = (wait: number | null) => {
    connection.hidden = wait === null;
    connection.textContent = wait === null
      ? ""
      : `The connection is lost. Tries again in ${
        duration(Math.ceil(wait / 1000))
      }; nothing is missed.`;
  };
  const listen = async () => {
    try {
      let told = 0;
      for await (const event of follow(id, signal, lost)) {
        const before = progress.run.state;
        happened(progress, event);
        drawSoon();
        // the past is no news
        if (Date.now() - Date.parse(event.at) > 10_000) continue;
        if (event.kind === "state" && event.state !== before) {
          announce(`The run is ${event.state}.`);
        } else if (event.kind === "evaluation" && Date.now() - told > 10_000) {
          told = Date.now();
          const { step, evaluation } = event.entry;
          announce(`Step ${step}: held-out negative log-likelihood ${number(evaluation.nll)}.`);
        }
      }
      // the record knows what events do not tell
      if (!signal.aborted) progress.run = await getJson<Run>(`/v1/runs/${id}`, signal);
      drawSoon();
    } catch (error) {
      if (!signal.aborted) connection.after(problemBox(error));
    }
  };
  draw();
  void listen();
  return {
    title: `Run of ${run.datasetName}`,
    body: [
      head({
        title: run.datasetName,
        trail: [["Runs", "#/runs"]],
        about: [
          "Run ",
          h("code", {}, id),
          ` of ${when(run.created)}, on `,
          h("a", { href: `#/data/${run.dataset}` }, "its dataset"),
          run.resumeFrom !== null &&
          [", after ", h("a", { href: `#/runs/${run.resumeFrom}` }, "an earlier run")],
        ],
        actions,
      }),
      connection,
      state,
      section(
        "Losses",
        none,
        charts.element,
        numbers,
      ),
      section("Settings", settings(run)),
    ],
  };
};

function stateOf({ run, words }: Progress): readonly HTMLElement[] {
  const { steps } = run.hyperparameters;
  const { deviceInfo, best, evaluation, failure, failedStarts, recoveries, stoppedEarly } = run;
  const running = run.state === "running";
  return [
    h(
      "div",
      { class: "run-line" },
      stateBadge(run.state),
      h("progress", { max: steps, value: run.step, "aria-label": "Steps made" }),
      h("span", { class: "figure-text" }, `${count(run.step)} of ${count(steps)} steps`),
      running && run.stepsPerSecond !== null &&
        h(
          "span",
          { class: "hint" },
          `${number(run.stepsPerSecond, 3)} a second, ${duration(run.secondsLeft)} left`,
        ),
    ),
    h(
      "div",
      {},
      words !== null && h("p", {}, words),
      failure !== null && h("p", { class: "field-problem" }, failure),
      stoppedEarly !== null && words === null && h("p", {}, `It ${stoppedEarly}.`),
      recoveries.length > 0 && h("ul", {}, recoveries.map((one) => h("li", {}, went(one)))),
      run.state === "queued" && h("p", {}, "It waits for its turn on the device."),
    ),
    facts([
      ["Held-out nll", number(evaluation?.evaluation.nll)],
      ["Training nll", number(evaluation?.train.nll)],
      ["Best held-out loss", best ? `${number(best.score)} at step ${count(best.step)}` : "–"],
      ["Last checkpoint", run.checkpoint === null ? "–" : `step ${count(run.checkpoint)}`],
      ["Device", deviceInfo?.name ?? "not chosen yet"],
      ...(run.starts > 1
        ? [
          [
            "Starts",
            `${run.starts}, of which ${
              failedStarts.length === 0 ? "none" : failedStarts.length
            } left out`,
          ] as const,
        ]
        : []),
    ]),
    h("p", { class: "hint" }, deviceInfo ? deviceWords(deviceInfo) : ""),
  ];
}

/** What computes, and why it is not another. */
function deviceWords({ name, adapter, threads, arithmetic, reason }: DeviceInfo): string {
  const on = adapter ?? (threads > 1 ? `${threads} threads` : "one thread");
  return `${name}: ${on}, ${arithmetic}. ${reason[0].toUpperCase()}${reason.slice(1)}.`;
}

function actionsOf(run: Run): readonly (Node | false)[] {
  const { id, state, model, checkpoint } = run;
  const final = isFinal(state);
  return [
    model !== null && linkButton("Open the model", `#/models/${model}`, "primary"),
    !final && state !== "cancelling" && button("Cancel the run", async () => {
      const text = "It saves what it has as a model, if it has trained to a checkpoint.";
      if (!await confirmed("Cancel this run?", text, "Cancel the run")) return;
      await request(`/v1/runs/${id}/cancel`, { method: "POST", json: {} });
    }),
    final && checkpoint !== null && linkButton("Go on", `#/runs/new?from=${id}`),
    linkButton("Fit again with changes", `#/runs/new?like=${id}`),
    final && button("Delete", async () => {
      if (!await confirmed("Delete this run?", "Its model stays.", "Delete")) return;
      await request(`/v1/runs/${id}`, { method: "DELETE" });
      location.hash = "#/runs";
    }, { kind: "remove" }),
  ];
}

function evaluations({ history, run }: Progress): HTMLElement {
  const hides = run.hyperparameters.sampleValidation > 0;
  return table(
    "Evaluations, the latest first: losses in nats per trial",
    [
      "step",
      "nll, training",
      "nll, held out",
      ...(hides ? ["nll, hidden samples"] : []),
      "KL initial condition",
      "KL inputs",
      "KL scale",
      "gradient norm",
    ],
    [...history].reverse().slice(0, 200).map(({ step, train, evaluation, hidden }) => [
      count(step),
      number(train.nll),
      number(evaluation.nll),
      ...(hides ? [number(hidden)] : []),
      number(evaluation.klIc),
      number(evaluation.klInputs),
      number(train.klIcScale, 3),
      number(train.gradNorm),
    ]),
  );
}
