import type { Observation } from "../dims.ts";
import type { RecordingView } from "./recording_data.ts";

/** Plain numbers in row-major order, the last letter of the name contiguous (see `dims.ts`). */
export type Numbers = ArrayLike<number>;

/**
 * Everything that a report shows, as plain values: whoever calls `renderReport` has done the fitting.
 * Numbers may be NaN or infinite; the page says so. Strings may hold anything; they arrive as text.
 */
export interface ReportData {
  readonly title: string;
  /** When the page was made, as an ISO 8601 string. */
  readonly created: string;
  readonly device: DeviceView;
  readonly seed: number;
  /** Flat or nested: nested names are joined with a dot. */
  readonly hyperparameters: Readonly<Record<string, unknown>>;
  readonly dataset: DatasetView;
  /** In the order of the steps. */
  readonly history: readonly HistoryEntry[];
  /** Where the fit met a number that is not finite, and went back. */
  readonly recoveries?: readonly RecoveryView[];
  /** Why the fit is over; null where that is not known. */
  readonly ended?: "steps" | "early-stop" | "signal" | null;
  readonly trial: TrialView;
  readonly trajectories: TrajectoriesView;
  readonly rates: RatesView;
  /** Slowest (smallest q) first. */
  readonly fixedPoints: readonly FixedPointView[];
  /** The flow F(h) - h on a grid of the state plane. Drawn where G = 2, the only case with such a plane. */
  readonly field?: readonly FieldArrow[];
  /** What generated the data, where that is known. */
  readonly truth: TruthView | null;
  readonly scores: readonly ScoreView[];
  readonly recipes?: readonly RecipeView[];
  readonly jacobianVsA?: JacobianView;
  /** What only some recordings and models have. */
  readonly recording?: RecordingView;
}

/** What computed the fit, and why it was chosen. */
export interface DeviceView {
  readonly name: string;
  /** of the processor */
  readonly threads: number | null;
  readonly arithmetic: string;
  readonly reason: string;
  /** the GPU, where one computed */
  readonly adapter?: string;
}

/** The data that were fitted. `binWidth` is in seconds; null: time is counted in bins. */
export interface DatasetView {
  /** What the model takes the data for; counts of spikes, `poisson`, where it is left out. */
  readonly observation?: Observation;
  readonly name: string;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  readonly binWidth: number | null;
  readonly trainTrials: number;
  readonly evalTrials: number;
  readonly warnings: readonly string[];
}

/** The loss, in nats per trial; the KL terms before scaling. */
export interface LossTerms {
  readonly total: number;
  readonly nll: number;
  readonly klIc: number;
  readonly klInputs: number;
  readonly l2: number;
}

/** One line of the training history. */
export interface HistoryEntry {
  readonly step: number;
  /** `gradNorm` is the global norm before clipping, the scales multiply the KL terms in the total. */
  readonly train: LossTerms & {
    readonly gradNorm: number;
    readonly klIcScale: number;
    readonly klInputsScale: number;
    readonly learningRate: number;
  };
  readonly evaluation: LossTerms | null;
  /** The negative log-likelihood of hidden samples, where there are some. */
  readonly hidden?: number | null;
}

/** At `step` the loss term was not finite: training went on from step `to` with `factor` of its rate. */
export interface RecoveryView {
  readonly step: number;
  readonly term: string;
  readonly slice: string | null;
  readonly to: number;
  readonly factor: number;
}

/** What the model made of one trial. `inputs_TU` is null, or U is 0, where nothing was inferred. */
export interface TrialView {
  readonly index: number;
  readonly T: number;
  readonly F: number;
  readonly G: number;
  readonly U: number;
  readonly factors_TF: Numbers;
  readonly gen_TG: Numbers;
  readonly inputs_TU: Numbers | null;
}

/** Generator states and factors of many trials, averaged over the posterior. */
export interface TrajectoriesView {
  readonly B: number;
  readonly T: number;
  readonly G: number;
  readonly F: number;
  readonly states_BTG: Numbers;
  readonly factors_BTF: Numbers;
  /** A label of each trial, B of them. */
  readonly condition: Numbers | null;
}

/** Expected and observed spikes, or real numbers, per bin. A few trials are enough. */
export interface RatesView {
  /** Which trials of the dataset these are, B of them, where the caller can tell. */
  readonly trials?: Numbers;
  readonly B: number;
  readonly T: number;
  readonly N: number;
  readonly rates_BTN: Numbers;
  /** NaN where it was not observed. */
  readonly counts_BTN: Numbers;
  readonly truth_BTN: Numbers | null;
}

/** An eigenvalue λ of a Jacobian. */
export interface EigenvalueView {
  readonly re: number;
  readonly im: number;
  readonly modulus: number;
  /** arg λ in radians per bin. */
  readonly angle: number;
  /** Rotations per second; null without a bin width. */
  readonly hz: number | null;
  /** -dt / ln|λ|, in seconds, or in bins without a bin width; negative where the mode grows. */
  readonly timeConstant: number | null;
}

/** A fixed point of the generator, its eigenvalues largest first. */
export interface FixedPointView {
  /** The state, G numbers. */
  readonly point: readonly number[];
  /** Mean over dimensions of (F(h) - h)². */
  readonly q: number;
  readonly class: string;
  readonly eigenvalues: readonly EigenvalueView[];
}

/** One arrow of the vector field: at the state (h0, h1), pointing along F(h) - h = (dx, dy). */
export interface FieldArrow {
  readonly h0: number;
  readonly h1: number;
  readonly dx: number;
  readonly dy: number;
}

/** The dynamics that generated the data; modulus and angle (radians per bin) of its slowest mode. */
export interface TruthView {
  readonly eigenvalues: readonly { readonly re: number; readonly im: number }[];
  readonly modulus: number;
  readonly angle: number;
}

/** How well something predicts the held-out spikes. */
export interface ScoreView {
  readonly name: string;
  /** null: mean rates only. oracle: the rates that generated the spikes. model: what this report is about. */
  readonly role: "null" | "oracle" | "model" | "other";
  /** Negative log-likelihood of the held-out data, in nats per trial or, of real numbers, per sample. */
  readonly nll: number;
  /** `trial` by default. */
  readonly per?: "trial" | "sample";
  readonly bitsPerSpike: number | null;
  /** Share of the way from the null model (0) to the oracle (1). */
  readonly explained: number | null;
  readonly note: string;
}

/** One way to start the fit, and where it led. */
export interface RecipeView {
  readonly name: string;
  readonly explained: number | null;
  /** How many fixed points were found. */
  readonly fixedPoints: number | null;
  /** Of the leading eigenvalue, in radians per bin. */
  readonly angle: number | null;
  readonly modulus: number | null;
  readonly note: string;
}

/** The generator's matrix beside its Jacobian at the slowest fixed point, both as rows. */
export interface JacobianView {
  readonly A: readonly (readonly number[])[];
  readonly J: readonly (readonly number[])[];
  /** A norm of J - A; `words` says which, and what it means. */
  readonly difference: number;
  readonly words: string;
}
