/** A run's losses, as they come. */
import { type Column, columns, type Progress } from "../data/progress.ts";
import { h } from "../dom.ts";
import type { Hyperparameters, Losses } from "../types.ts";
import { type Live, liveChart } from "./live.ts";

const TRAIN = "--color-1", EVALUATION = "--color-2", THIRD = "--color-3", FOURTH = "--color-4";

interface LossChart {
  readonly live: Live;
  /** of each of its lines */
  readonly columns: readonly Column[];
}

export interface LossCharts {
  readonly element: HTMLElement;
  update(progress: Progress): void;
}

export function lossCharts(hyperparameters: Hyperparameters, signal: AbortSignal): LossCharts {
  const inputs = hyperparameters.inferredInputs > 0;
  const hidden = hyperparameters.sampleValidation > 0;
  const charts: readonly LossChart[] = [
    {
      live: liveChart({
        title: "Negative log-likelihood (nats per trial)",
        height: 300,
        signal,
        lines: [
          { name: "training", color: TRAIN, width: 1.5 },
          { name: "held out", color: EVALUATION, dots: true },
        ],
      }),
      columns: [
        { of: "train", value: ({ nll }) => nll },
        { of: "evaluation", value: ({ nll }) => nll },
      ],
    },
    // of fewer numbers than the losses above, so on an axis of its own
    ...(hidden
      ? [{
        live: liveChart({
          title: "Negative log-likelihood of hidden samples (nats per trial)",
          signal,
          lines: [{ name: "held out, hidden", color: EVALUATION, dots: true }],
        }),
        columns: [{ of: "hidden" } as const],
      }]
      : []),
    {
      live: liveChart({
        title: "KL divergence, before scaling (nats per trial)",
        signal,
        lines: [
          { name: "initial condition", color: TRAIN, width: 1.5 },
          { name: "held out", color: EVALUATION, dots: true },
          ...(inputs
            ? [
              { name: "inferred inputs", color: THIRD, width: 1.5 },
              { name: "held out", color: FOURTH, dots: true },
            ]
            : []),
        ],
      }),
      columns: [
        { of: "train", value: ({ klIc }) => klIc },
        { of: "evaluation", value: ({ klIc }) => klIc },
        ...(inputs
          ? [
            { of: "train", value: ({ klInputs }: Losses) => klInputs } as const,
            { of: "evaluation", value: ({ klInputs }: Losses) => klInputs } as const,
          ]
          : []),
      ],
    },
    {
      live: liveChart({
        title: "Learning rate and KL scale",
        signal,
        lines: [
          { name: "learning rate", color: TRAIN },
          { name: "KL scale", color: EVALUATION, right: true },
          ...(inputs ? [{ name: "of the inputs", color: THIRD, right: true }] : []),
        ],
      }),
      columns: [
        { of: "train", value: ({ learningRate }) => learningRate },
        { of: "train", value: ({ klIcScale }) => klIcScale },
        ...(inputs
          ? [{ of: "train", value: ({ klInputsScale }: Losses) => klInputsScale } as const]
          : []),
      ],
    },
    {
      live: liveChart({
        title: "Gradient norm, before clipping",
        signal,
        log: true,
        lines: [{ name: "gradient norm", color: TRAIN, width: 1.5 }],
      }),
      columns: [{ of: "train", value: ({ gradNorm }) => gradNorm > 0 ? gradNorm : null }],
    },
  ];
  const [first, ...others] = charts.map(({ live }) => live.element);
  return {
    element: h("div", { class: "figures thirds" }, h("div", { class: "wide" }, first), others),
    update: (progress) => {
      for (const { live, columns: lines } of charts) live.update(columns(progress, lines));
    },
  };
}
