/** Behaviour read from inferred rates, and from smoothed counts. */
import { decodeFromCounts, WIDE_PENALTIES } from "../../analysis/baselines/smoothed_ridge.ts";
import { columnRSquared } from "../../analysis/r_squared.ts";
import { fitRidge, predictRidge, type RidgeFit, searchRidge } from "../../analysis/ridge.ts";
import { smoothTrials } from "../../analysis/smoothing.ts";
import { otherColumns, takeTrials } from "../../analysis/take.ts";
import { InputError } from "../../errors.ts";
import type {
  DecoderView,
  DecodingsView,
  DecodingView,
  EvaluationRow,
} from "../../report/recording_data.ts";
import type { Study } from "../report.ts";
import { trialsToShow } from "./groups.ts";
import { countsWithGaps, cutOut } from "../evaluation/scored.ts";

/** How much is drawn. */
const TRIALS = 4, BEHAVIOURS = 3, DIMENSIONS = 8;
/** Multiplications of the largest regression: training trials are left out, evenly, to stay below. */
const WORK = 1e8;

/** Behaviour of a study's held-out trials, and the scores of it; null where none was recorded. */
export function decodings(
  study: Study,
): { readonly view: DecodingsView; readonly rows: readonly EvaluationRow[] } | null {
  const { data, split } = study;
  const recorded = Object.entries(data.behaviour_BTD ?? {});
  if (recorded.length === 0) return null;
  const train = fewer(study);
  const behaviours: DecodingView[] = [], left: string[] = [], rows: EvaluationRow[] = [];
  for (const [name, { shape: [, , D] }] of recorded) {
    if (D > DIMENSIONS || behaviours.length === BEHAVIOURS) {
      left.push(`${name} (${D} dimensions) is not decoded here.`);
      continue;
    }
    try {
      const { view, row } = decoding(study, name, train);
      behaviours.push(view);
      rows.push(row);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      left.push(`${name}: ${error.message}`);
    }
  }
  const { length: evalTrials } = split.evaluation;
  return { view: { trainTrials: train.length, evalTrials, behaviours, left }, rows };
}

/** The training trials, or so many of them that a regression stays quick. */
function fewer({ data: { T, N }, split: { train } }: Study): Uint32Array {
  const most = Math.max(5, Math.floor(WORK / (T * N * N)));
  if (train.length <= most) return train;
  return Uint32Array.from({ length: most }, (_, i) => train[Math.floor(i * train.length / most)]);
}

/** Features of trials, and the bins of the encoders. */
interface Part {
  readonly x_XF: Float64Array;
  readonly y_XD: Float64Array;
}

function decoding(
  { data, model, split, posterior }: Study,
  name: string,
  train: Uint32Array,
): { view: DecodingView; row: EvaluationRow } {
  const { T, N, behaviour_BTD = {} } = data;
  const { shape: [, bins, D], data: values } = behaviour_BTD[name];
  const { encodedBins = T } = model.architecture;
  const heldOut = model.heldOut ?? [];
  const { evaluation } = split;
  const y = (trials: ArrayLike<number>) =>
    cutOut(takeTrials(values, trials, bins * D), { T: bins, N: D }, {
      from: 0,
      to: encodedBins,
      neurons: otherColumns(D, []),
    });
  const features =
    (from_BTN: ArrayLike<number>, neurons: readonly number[]) => (trials: Uint32Array) =>
      cutOut(takeTrials(from_BTN, trials, T * N), { T, N }, { from: 0, to: encodedBins, neurons });
  const all = otherColumns(N, []), seen = otherColumns(N, heldOut);
  const rates = features(posterior.rates_BTN, all);
  const counts = features(countsWithGaps(data), seen);
  const part = (x: (trials: Uint32Array) => Float64Array, trials: Uint32Array): Part => ({
    x_XF: x(trials),
    y_XD: y(trials),
  });
  const shown = trialsToShow(data, evaluation, TRIALS);
  const decoder = (
    role: DecoderView["role"],
    sigma: number | null,
    fit: RidgeFit,
    F: number,
    x: (trials: Uint32Array) => Float64Array,
  ): DecoderView => ({
    role,
    sigma,
    penalty: fit.penalty,
    r2: r2Of(predictRidge(x(evaluation), F, fit), y(evaluation), D),
    decoded_BTD: predictRidge(x(shown), F, fit),
  });
  const fromRates = part(rates, train);
  const { fit } = searchRidge({ ...known(fromRates, N, D), F: N, D }, WIDE_PENALTIES);
  const decoders = [decoder("model", null, fit, N, rates)];
  try {
    const S = seen.length, shape = { T: encodedBins, F: S, D };
    const decodable = (trials: Uint32Array) => {
      const { x_XF: rates_XF, y_XD: behaviour_XD } = part(counts, trials);
      return { rates_XF, behaviour_XD };
    };
    const chosen = decodeFromCounts(decodable(train), decodable(evaluation), shape, WIDE_PENALTIES);
    const smooth = (trials: Uint32Array) =>
      smoothTrials(counts(trials), { T: encodedBins, N: S }, chosen.sigma);
    const [smoothed] = fitRidge(
      { ...known(part(smooth, train), S, D), F: S, D },
      [chosen.penalty],
    );
    decoders.push(decoder("counts", chosen.sigma, smoothed, S, smooth));
  } catch (error) {
    // counts that are missing cannot be decoded from; rates can
    if (!(error instanceof InputError)) throw error;
  }
  const [ours, theirs] = decoders;
  return {
    view: {
      name,
      D,
      T: encodedBins,
      trials: Array.from(shown),
      truth_BTD: y(shown),
      decoders,
    },
    row: {
      metric: "behaviour R²",
      of: name,
      model: ours.r2,
      oracle: null,
      baselines: theirs ? { "smoothed counts": theirs.r2 } : {},
    },
  };
}

/** The bins whose behaviour was measured. */
function known({ x_XF, y_XD }: Part, F: number, D: number): Part {
  const rows = Uint32Array.from({ length: y_XD.length / D }, (_, row) => row)
    .filter((row) => !Number.isNaN(y_XD[row * D]));
  return { x_XF: takeTrials(x_XF, rows, F), y_XD: takeTrials(y_XD, rows, D) };
}

function r2Of(decoded_XD: Float64Array, truth_XD: Float64Array, D: number): number {
  const { x_XF, y_XD } = known({ x_XF: decoded_XD, y_XD: truth_XD }, D, D);
  const r2_D = columnRSquared(x_XF, y_XD, D);
  return r2_D.reduce((sum, r2) => sum + r2, 0) / D;
}
