/** What a report shows of a recording: inputs around events, behaviour, scores beside baselines. */
import type { RecordingView } from "../report/recording_data.ts";
import { decodings } from "./recording/decoding.ts";
import { evaluationView } from "./recording/evaluation.ts";
import { inputsView } from "./recording/inputs.ts";
import type { InputFixedPoints } from "./recording/input_fixed_points.ts";
import { fixedPointView } from "./fixed_point_view.ts";
import type { Study } from "./report.ts";

/** The parts of a report that only some recordings and models have. */
export function recordingView(study: Study): RecordingView {
  const { data, model } = study;
  const { encodedBins = data.T } = model.architecture;
  const decoding = decodings(study);
  return {
    conditionNames: data.conditionNames ?? null,
    heldOut: model.heldOut ?? [],
    encodedBins,
    inputs: inputsView(study),
    decoding: decoding?.view ?? null,
    inputFixedPoints: study.inputFixedPoints
      ? inputFixedPointsView(study.inputFixedPoints, data.binWidth)
      : null,
    evaluation: evaluationView(study, decoding?.rows ?? []),
  };
}

function inputFixedPointsView({ by, groups }: InputFixedPoints, binWidth: number | null) {
  return {
    by,
    groups: groups.map(({ label, condition, result }) => ({
      label,
      condition,
      input: Array.from(result.input_U),
      points: result.points.map((point) => fixedPointView(point, binWidth)),
    })),
  };
}
