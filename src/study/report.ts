/** Gathers what a report shows from a fit. */
import { compareWithWeights } from "../analysis/linearise.ts";
import { step } from "../analysis/cell.ts";
import { magnitude } from "../analysis/complex.ts";
import { eigen } from "../analysis/eigen.ts";
import type { FixedPointResult } from "../analysis/fixed_points.ts";
import { takeTrials } from "../analysis/take.ts";
import type { DeviceInfo } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import { observedValues } from "../data/observed.ts";
import type { Posterior } from "../inference/posterior.ts";
import type { Model } from "../model/model.ts";
import type { FieldArrow, RecipeView, ReportData, ScoreView, TruthView } from "../report/data.ts";
import type { RunEnd } from "../train/loop.ts";
import type { HistoryEntry, Recovery } from "../train/run_state.ts";
import type { Split } from "../train/trainer.ts";
import { generatorCell } from "./dynamics.ts";
import { fixedPointView } from "./fixed_point_view.ts";
import { recordingView } from "./recording.ts";
import { trialsToShow } from "./recording/groups.ts";
import type { InputFixedPoints } from "./recording/input_fixed_points.ts";
import type { Scores } from "./scores.ts";

/** A fit and everything that was made from it. */
export interface Study {
  readonly data: Dataset;
  readonly model: Model;
  readonly split: Split;
  readonly device: DeviceInfo;
  readonly history: readonly HistoryEntry[];
  readonly recoveries: readonly Recovery[];
  readonly ended: RunEnd | null;
  /** of every trial, in the dataset's order */
  readonly posterior: Posterior;
  readonly scores: Scores;
  readonly fixedPoints: FixedPointResult;
  /** at the inputs that the generator had; null or left out where it has none */
  readonly inputFixedPoints?: InputFixedPoints | null;
}

/** An eigenvalue of a Jacobian in a report's terms. */
/**
 * The dynamics that made the data, where a linear simulator did.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { simulateRotation, truthView } from "latentd";
 *
 * const truth = truthView(simulateRotation({ trials: 2, T: 5, N: 3, w: 0.2 }));
 * assert.equal(truth?.modulus.toFixed(3), "1.000");
 * assert.equal(truth?.angle.toFixed(3), "0.201");
 * ```
 */
export function truthView(data: Dataset): TruthView | null {
  const A = data.truth?.A;
  if (!A) return null;
  const eigenvalues = eigen(Float64Array.from(A.flat()), A.length).pairs.map((p) => p.value);
  const [slowest] = eigenvalues;
  return {
    eigenvalues,
    modulus: magnitude(slowest),
    angle: Math.abs(Math.atan2(slowest.im, slowest.re)),
  };
}

function scoreViews({ per, nll, bitsPerSpike, explained }: Scores): ScoreView[] {
  const views: ScoreView[] = [{
    name: "null",
    role: "null",
    nll: nll.null,
    per,
    bitsPerSpike: bitsPerSpike && 0,
    explained: explained === null ? null : 0,
    note: per === "sample"
      ? "each neuron's mean and variance over the training trials"
      : "each neuron's mean rate over the training trials",
  }];
  if (nll.oracle !== null) {
    views.push({
      name: "oracle",
      role: "oracle",
      nll: nll.oracle,
      per,
      bitsPerSpike: bitsPerSpike && bitsPerSpike.oracle,
      explained: explained === null ? null : 1,
      note: "the true rates",
    });
  }
  views.push({
    name: "model",
    role: "model",
    nll: nll.model,
    per,
    bitsPerSpike: bitsPerSpike && bitsPerSpike.model,
    explained,
    note: per === "sample"
      ? "outputs averaged over posterior samples"
      : "rates averaged over posterior samples",
  });
  return views;
}

const ARROWS = 15;

/** The flow F(h) - h on a grid over the states that were visited; for two units only. */
function flow(model: Model, gen_BTG: Float64Array): FieldArrow[] | undefined {
  if (model.architecture.dims.G !== 2) return undefined;
  const cell = generatorCell(model);
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  gen_BTG.forEach((value, i) => {
    low[i % 2] = Math.min(low[i % 2], value);
    high[i % 2] = Math.max(high[i % 2], value);
  });
  const input_U = new Float64Array(cell.U);
  const arrows: FieldArrow[] = [];
  for (let i = 0; i < ARROWS; i++) {
    for (let j = 0; j < ARROWS; j++) {
      const h0 = low[0] + (high[0] - low[0]) * i / (ARROWS - 1);
      const h1 = low[1] + (high[1] - low[1]) * j / (ARROWS - 1);
      const next = step(cell, [h0, h1], input_U);
      arrows.push({ h0, h1, dx: next[0] - h0, dy: next[1] - h1 });
    }
  }
  return arrows;
}

const RATE_TRIALS = 4;

/** NaN after the end of each trial: what was inferred there is no part of it. */
function withinTrials({ lengths_B, T }: Dataset, values_BTn: Float64Array, n: number) {
  if (!lengths_B) return values_BTn;
  const within = values_BTn.slice();
  lengths_B.forEach((length, b) => within.fill(NaN, (b * T + length) * n, (b + 1) * T * n));
  return within;
}

/** A G × G matrix as rows. */
function rows(matrix: Float64Array, G: number): number[][] {
  return Array.from({ length: G }, (_, i) => Array.from(matrix.subarray(i * G, (i + 1) * G)));
}

/**
 * Everything that `renderReport` shows of a study.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   fit,
 *   parseHyperparameters,
 *   reportData,
 *   simulateRotation,
 *   study,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { model, split } = next.value;
 * const whole = await study(device, data, model, split, { samples: 2 });
 *
 * const shown = reportData(whole, { title: "Test", created: "2026-01-01T00:00:00Z" });
 * assert.deepEqual(shown.scores.map(({ name }) => name), ["null", "oracle", "model"]);
 * ```
 */
export function reportData(
  study: Study,
  about: { title: string; created: string; recipes?: RecipeView[] },
): ReportData {
  const { data, model, split, posterior, fixedPoints } = study;
  const { T, N, U, G, F } = model.architecture.dims;
  const example = split.evaluation[0];
  const trial = (values: Float64Array, n: number) =>
    values.subarray(example * T * n, (example + 1) * T * n);
  const shown = trialsToShow(data, split.evaluation, RATE_TRIALS);
  const first = fixedPoints.points[0];
  const comparison = model.architecture.cell === "vanilla" && first
    ? compareWithWeights(generatorCell(model), first.point_G, fixedPoints.input_U)
    : null;
  return {
    ...about,
    device: study.device,
    seed: model.seed,
    hyperparameters: model.hyperparameters,
    dataset: {
      name: data.name,
      ...(model.architecture.observation ? { observation: model.architecture.observation } : {}),
      trials: data.trials,
      T,
      N,
      binWidth: data.binWidth,
      trainTrials: split.train.length,
      evalTrials: split.evaluation.length,
      warnings: data.warnings,
    },
    history: study.history,
    recoveries: study.recoveries,
    ended: study.ended,
    trial: {
      index: example,
      T,
      F,
      G,
      U,
      factors_TF: trial(posterior.factors_BTF, F),
      gen_TG: trial(posterior.gen_BTG, G),
      inputs_TU: U > 0 ? trial(posterior.inputs_BTU, U) : null,
    },
    trajectories: {
      B: posterior.B,
      T,
      G,
      F,
      states_BTG: withinTrials(data, posterior.gen_BTG, G),
      factors_BTF: withinTrials(data, posterior.factors_BTF, F),
      condition: data.condition,
    },
    rates: {
      trials: shown,
      B: shown.length,
      T,
      N,
      rates_BTN: takeTrials(posterior.rates_BTN, shown, T * N),
      counts_BTN: takeTrials(observedValues(data), shown, T * N),
      truth_BTN: data.truth && takeTrials(data.truth.rates_BTN, shown, T * N),
    },
    fixedPoints: fixedPoints.points.map((point) => fixedPointView(point, data.binWidth)),
    field: flow(model, posterior.gen_BTG),
    truth: truthView(data),
    scores: scoreViews(study.scores),
    recording: recordingView(study),
    jacobianVsA: comparison
      ? {
        A: rows(comparison.A_GG, G),
        J: rows(comparison.J_GG, G),
        difference: comparison.difference,
        words: comparison.words,
      }
      : undefined,
  };
}
