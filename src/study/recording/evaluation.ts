/** Scores of a study's held-out trials beside the simple baselines. */
import type { EvaluationRow, EvaluationView } from "../../report/recording_data.ts";
import { evaluate } from "../evaluation/evaluate.ts";
import type { Study } from "../report.ts";

/** Counts of a recording that a report still compares with smoothed PCA and Poisson regression. */
const COUNTS = 5e5;

/** null where nothing was held out but trials, and no behaviour was decoded. */
export function evaluationView(
  { data, model, split, posterior }: Study,
  behaviour: readonly EvaluationRow[],
): EvaluationView | null {
  const heldOut = model.heldOut ?? [];
  const { encodedBins = data.T, observation = "poisson" } = model.architecture;
  const hides = heldOut.length > 0 || encodedBins < data.T;
  if (!hides && behaviour.length === 0) return null;
  const regression = data.counts_BTN.length <= COUNTS;
  const spikes = observation === "poisson"
    ? evaluate(
      // behaviour is decoded apart, once
      { ...data, behaviour_BTD: undefined },
      { ...split, heldOut, encodedBins },
      posterior,
      { brief: true, regression },
    )
    : { rows: [], left: [] };
  return {
    rows: [
      ...spikes.rows.map(({ metric, of, model, oracle, baselines }) => ({
        ...{ metric, of, model, oracle, baselines },
      })),
      ...behaviour,
    ],
    left: [
      ...spikes.left,
      ...(heldOut.length > 0 && !regression
        ? ["co-bps by smoothed PCA and Poisson regression, which takes long: latentd score has it."]
        : []),
    ],
  };
}
