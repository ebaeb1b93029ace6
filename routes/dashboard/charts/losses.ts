/** A run's losses, as they come. */
import { columns, type Progress } from "../data/progress.ts";
import { h } from "../dom.ts";
import { number } from "../format.ts";
import type { Hyperparameters, Losses } from "../types.ts";
import { type Live, liveChart } from "./live.ts";

const TRAIN = "--color-1", EVALUATION = "--color-2", THIRD = "--color-3", FOURTH = "--color-4";

/** The learning rate of a step (docs/model.md, section 2). */
export function learningRate(
  { stepSize, decayFactor, decaySteps }: Pick<
    Hyperparameters,
    "stepSize" | "decayFactor" | "decaySteps"
  >,
  step: number,
): number {
  return stepSize * decayFactor ** (step / decaySteps);
}

export interface LossCharts {
  readonly element: HTMLElement;
  update(progress: Progress): void;
}

export function lossCharts(hyperparameters: Hyperparameters, signal: AbortSignal): LossCharts {
  const inputs = hyperparameters.inferredInputs > 0;
  const nll = liveChart({
    title: "Negative log-likelihood (nats per trial)",
    height: 300,
    signal,
    lines: [
      { name: "training", color: TRAIN, width: 1.5 },
      { name: "held out", color: EVALUATION, dots: true },
    ],
  });
  const kl = liveChart({
    title: "KL divergence, before scaling (nats per trial)",
    signal,
    lines: [
      { name: "initial condition", color: TRAIN, width: 1.5 },
      ...(inputs ? [{ name: "inferred inputs", color: THIRD, width: 1.5 }] : []),
      { name: "initial condition, held out", color: EVALUATION, dots: true },
      ...(inputs ? [{ name: "inferred inputs, held out", color: FOURTH, dots: true }] : []),
    ],
  });
  const schedule = liveChart({
    title: "Learning rate and KL scale",
    signal,
    lines: [
      { name: "learning rate", color: TRAIN },
      { name: "KL scale", color: EVALUATION, right: true },
    ],
  });
  const gradient = liveChart({
    title: "Gradient norm, before clipping",
    signal,
    log: true,
    lines: [{ name: "gradient norm", color: TRAIN, width: 1.5 }],
  });
  const klOf = ({ klIc, klInputs }: Losses) => inputs ? [klIc, klInputs] : [klIc];
  const charts: readonly [Live, (progress: Progress) => void][] = [
    [nll, (progress) => {
      const last = progress.history.at(-1);
      nll.update(
        columns(progress, ({ nll }) => [nll], ({ nll }) => [nll]),
        last
          ? `At step ${last.step}: training ${number(last.train.nll)}, held out ${number(last.evaluation.nll)}.`
          : "No evaluation yet.",
      );
    }],
    [kl, (progress) => {
      const last = progress.history.at(-1);
      kl.update(
        columns(progress, klOf, klOf),
        last ? `At step ${last.step}: ${number(last.train.klIc)} in training.` : "No evaluation yet.",
      );
    }],
    [schedule, (progress) => {
      const rate = ({ klScale }: Losses, step: number) => [learningRate(hyperparameters, step), klScale];
      const { step } = progress.run;
      schedule.update(
        columns(progress, rate, () => []),
        `At step ${step}: learning rate ${number(learningRate(hyperparameters, step))}.`,
      );
    }],
    [gradient, (progress) => {
      const positive = ({ gradNorm }: Losses) => [gradNorm > 0 ? gradNorm : null];
      const last = progress.steps.at(-1);
      gradient.update(
        columns(progress, positive, () => []),
        last ? `At step ${last.step}: ${number(last.train.gradNorm)}.` : "No step yet.",
      );
    }],
  ];
  return {
    element: h(
      "div",
      { class: "figures" },
      h("div", { class: "wide" }, nll.element),
      kl.element,
      schedule.element,
      gradient.element,
    ),
    update: (progress) => {
      for (const [, update] of charts) update(progress);
    },
  };
}
