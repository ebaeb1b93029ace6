/** The tutorial, end to end: simulate the rotation, fit, infer, find the fixed points, report. */
import type { DeviceInfo, Executor } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import { simulateRotation } from "../data/simulate.ts";
import type { FixedPointView, ReportData } from "../report/data.ts";
import { fitStarts, type RunEnd, type StartsProgress, type StartsResult } from "../train/fit.ts";
import { recipe, type RecipeName } from "./recipes.ts";
import { measuredRecipes } from "./recipes_measured.ts";
import { fixedPointView } from "./fixed_point_view.ts";
import { reportData, type Study, truthView } from "./report.ts";
import { study } from "./study.ts";

export interface TutorialOptions {
  /** of the simulated data and of the fit */
  readonly seed: number;
  readonly recipe?: RecipeName;
  /** of which the best is kept: see `fitStarts`; 1 by default */
  readonly starts?: number;
  /** fewer or more optimiser steps than the recipe's */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  /** when the report was made, ISO 8601 */
  readonly created: string;
}

/** What the tutorial found, as `demo --json` prints it (with `report`, the page's path, added). */
export interface TutorialSummary {
  readonly device: DeviceInfo;
  readonly seed: number;
  readonly steps: number;
  /** why the fit is over: its steps are made, or it stopped early */
  readonly ended: RunEnd;
  readonly trainSeconds: number;
  readonly nll: { readonly null: number; readonly oracle: number; readonly model: number };
  readonly explained: number;
  readonly fixedPoints: readonly FixedPointView[];
  readonly truth: { readonly modulus: number; readonly angle: number };
}

export interface TutorialResult {
  readonly summary: TutorialSummary;
  readonly data: Dataset;
  readonly fit: StartsResult;
  readonly study: Study;
  readonly report: ReportData;
}

/**
 * Runs the tutorial, yielding the fit's progress.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, tutorial } from "latentd";
 *
 * const run = tutorial(createReferenceExecutor(), { seed: 0, created: "2026-01-01T00:00:00Z" });
 * for await (const progress of run) {
 *   assert(progress.kind === "step" && progress.train.nll > 0);
 *   break; // or go on: at its end the run returns summary, study and report
 * }
 * ```
 */
export async function* tutorial(
  executor: Executor,
  options: TutorialOptions,
): AsyncGenerator<StartsProgress, TutorialResult, void> {
  const { seed, starts = 1, signal } = options;
  const name = options.recipe ?? "default";
  const planned = recipe(name);
  const hyperparameters = { ...planned, steps: options.steps ?? planned.steps };
  const data = simulateRotation({ seed });
  const fitted = yield* fitStarts(data, executor, { hyperparameters, seed, starts, signal });
  const { model, split, best: state } = fitted;
  const whole = await study(executor, data, model, split, {
    history: state.history,
    recoveries: state.recoveries,
    ended: fitted.ended,
  });
  const truth = truthView(data);
  const { nll, explained } = whole.scores;
  if (!truth || nll.oracle === null || explained === null) {
    throw new Error("Cannot sum up the tutorial: its simulator must keep the truth.");
  }
  const fixedPoints = whole.fixedPoints.points.map((p) => fixedPointView(p, data.binWidth));
  const leading = fixedPoints[0]?.eigenvalues[0];
  const summary: TutorialSummary = {
    device: executor.info,
    seed,
    steps: state.step,
    ended: fitted.ended,
    trainSeconds: state.seconds,
    nll: { null: nll.null, oracle: nll.oracle, model: nll.model },
    explained,
    fixedPoints,
    truth: { modulus: truth.modulus, angle: truth.angle },
  };
  const report = reportData(whole, {
    title: "The tutorial's rotation",
    created: options.created,
    recipes: [
      {
        name: `this run: ${name}`,
        explained,
        fixedPoints: fixedPoints.length,
        angle: leading ? Math.abs(leading.angle) : null,
        modulus: leading?.modulus ?? null,
        note: (starts > 1 ? `best of ${starts} starts: ` : "") +
          `seed ${model.seed}, ${state.step} steps`,
      },
      ...measuredRecipes(),
    ],
  });
  return { summary, data, fit: fitted, study: whole, report };
}
