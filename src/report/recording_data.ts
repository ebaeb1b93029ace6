/** What a report shows of a recording besides what it shows of any fit, as plain values. */
import type { FixedPointView, Numbers } from "./data.ts";

/** Each part is null where the data or the model have no such thing. */
export interface RecordingView {
  /** The name of each condition: the condition of a trial is an index into it. */
  readonly conditionNames: readonly string[] | null;
  /** Neurons that the encoders never see. */
  readonly heldOut: readonly number[];
  /** Bins, from the first on, that the encoders see. */
  readonly encodedBins: number;
  readonly inputs: InputsView | null;
  readonly decoding: DecodingsView | null;
  readonly inputFixedPoints: InputFixedPointsView | null;
  readonly evaluation: EvaluationView | null;
}

/** Trials that are averaged together: those of one condition, or all. */
export interface GroupView {
  readonly condition: number | null;
  /** How many there are. */
  readonly trials: number;
}

/** The inputs of the generator around events. */
export interface InputsView {
  /** inferred */
  readonly U: number;
  /** external */
  readonly X: number;
  readonly groups: readonly GroupView[];
  readonly events: readonly AlignedView[];
}

/** Means and standard deviations over the trials of each group; NaN in bins that few trials have. */
export interface AlignedView {
  /** Such as "start of the trial". */
  readonly event: string;
  /** How the event was found; empty where that needs no words. */
  readonly words: string;
  /** Bins of the first column after the event; below 0 before it. */
  readonly from: number;
  readonly bins: number;
  /** [groups, bins, U + X]: inferred inputs, then external ones */
  readonly mean_KTI: Numbers;
  readonly deviation_KTI: Numbers;
}

/** Behaviour beside what is read from rates. */
export interface DecodingsView {
  readonly trainTrials: number;
  readonly evalTrials: number;
  readonly behaviours: readonly DecodingView[];
  /** Behaviour that was not decoded, and why: sentences. */
  readonly left: readonly string[];
}

/** One behaviour of a few held-out trials. */
export interface DecodingView {
  readonly name: string;
  readonly D: number;
  readonly T: number;
  /** Which trials of the dataset are drawn. */
  readonly trials: readonly number[];
  /** NaN where it was not measured. */
  readonly truth_BTD: Numbers;
  readonly decoders: readonly DecoderView[];
}

/** What one decoder makes of the trials that are drawn. */
export interface DecoderView {
  readonly role: "model" | "counts";
  /** Over all held-out trials, averaged over dimensions. */
  readonly r2: number;
  readonly decoded_BTD: Numbers;
  /** Of the ridge regression. */
  readonly penalty: number;
  /** Standard deviation of the smoothing in time, in bins; null where nothing was smoothed. */
  readonly sigma: number | null;
}

/** Fixed points with the generator's inputs held still at several values. */
export interface InputFixedPointsView {
  /** What the values are, as in "the mean input of each condition". */
  readonly by: string;
  readonly groups: readonly {
    readonly label: string;
    /** null: the value is no condition's */
    readonly condition: number | null;
    /** inferred inputs, then external ones */
    readonly input: readonly number[];
    /** slowest first */
    readonly points: readonly FixedPointView[];
  }[];
}

/** Scores beside the simple baselines. */
export interface EvaluationView {
  readonly rows: readonly EvaluationRow[];
  /** What was not scored, and why: sentences. */
  readonly left: readonly string[];
}

/** One score. 0 is to know no more than the mean. */
export interface EvaluationRow {
  readonly metric: string;
  readonly of: string;
  readonly model: number;
  readonly oracle: number | null;
  readonly baselines: Readonly<Record<string, number>>;
}
