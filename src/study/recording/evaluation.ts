/** Scores of a study's held-out trials beside the simple baselines. */
import type { EvaluationRow, EvaluationView } from "../../report/recording_data.ts";
import { evaluate } from "../evaluation/evaluate.ts";
import type { Study } from "../report.ts";

/** null where nothing was held out but trials, and no behaviour was decoded. */
export function evaluationView(
  { data, model, split, posterior }: Study,
  behaviour: readonly EvaluationRow[],
): EvaluationView | null {
  const heldOut = model.heldOut ?? [];
  const { encodedBins = data.T, observation = "poisson" } = model.architecture;
  const hides = heldOut.length > 0 || encodedBins < data.T;
  if (!hides && behaviour.length === 0) return null;
  const spikes = observation === "poisson"
    ? evaluate(
      // behaviour is decoded apart, once
      { ...data, behaviour_BTD: undefined },
      { ...split, heldOut, encodedBins },
      posterior,
      { brief: true },
    )
    : { rows: [], left: [] };
  return {
    rows: [
      ...spikes.rows.map(({ metric, of, model, oracle, baselines }) => ({
        ...{ metric, of, model, oracle, baselines },
      })),
      ...behaviour,
    ],
    left: spikes.left,
  };
}
