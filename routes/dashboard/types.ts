/**
 * What the server answers, as far as the dashboard reads it. Nothing of `src/` is imported here: types
 * of browsers and of the server do not mix. A test compares these with the server's own.
 */

export interface Dataset {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly source: "upload" | "rotation" | "lorenz";
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  readonly binWidth: number | null;
  /** null for real numbers */
  readonly spikes: number | null;
  readonly conditions: number | null;
  readonly truth: boolean;
  readonly warnings: readonly string[];
  readonly bytes: number;
}

/** As far as pages read them by name; a page that lists them reads them all. */
export interface Hyperparameters {
  readonly cell: "vanilla" | "gru";
  readonly nonlinearity: "tanh" | "relu" | "identity";
  readonly generatorUnits: number;
  readonly factors: number;
  readonly inferredInputs: number;
  readonly steps: number;
  /** share of the samples that the fit never sees, and evaluations tell the likelihood of */
  readonly sampleValidation: number;
  readonly observation: "poisson" | "gaussian" | "gamma" | "zero-inflated-gamma";
}

export interface Losses {
  readonly total: number;
  readonly nll: number;
  readonly klIc: number;
  readonly klInputs: number;
  readonly l2: number;
  readonly gradNorm: number;
  readonly klIcScale: number;
  readonly klInputsScale: number;
  readonly learningRate: number;
}

export interface HistoryEntry {
  readonly step: number;
  readonly train: Losses;
  readonly evaluation: Losses;
  readonly hidden: number | null;
  readonly seconds: number;
}

export interface DeviceInfo {
  readonly name: string;
  readonly threads: number;
  readonly arithmetic: string;
  readonly reason: string;
  readonly adapter?: string;
}

export type RunState =
  | "queued"
  | "running"
  | "interrupted"
  | "cancelling"
  | "cancelled"
  | "failed"
  | "completed";

export interface Run {
  readonly id: string;
  readonly created: string;
  readonly dataset: string;
  readonly datasetName: string;
  readonly hyperparameters: Hyperparameters;
  readonly device: string;
  readonly seed: number;
  readonly starts: number;
  readonly reproducible: boolean;
  readonly report: boolean;
  readonly resumeFrom: string | null;
  readonly state: RunState;
  readonly started: string | null;
  readonly finished: string | null;
  readonly step: number;
  readonly checkpoint: number | null;
  readonly stepsPerSecond: number | null;
  readonly secondsLeft: number | null;
  readonly deviceInfo: DeviceInfo | null;
  readonly evaluation: HistoryEntry | null;
  readonly best: { readonly step: number; readonly score: number } | null;
  readonly failedStarts: readonly {
    readonly seed: number;
    readonly step: number;
    readonly term: string;
  }[];
  readonly model: string | null;
  readonly failure: string | null;
  readonly recoveries: readonly Recovery[];
  readonly stoppedEarly: string | null;
}

/** A start went back to its last good state, with a lower learning rate. */
export interface Recovery {
  readonly seed: number;
  readonly step: number;
  readonly term: string;
  readonly slice: string | null;
  readonly to: number;
  readonly factor: number;
}

export interface Model {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly source: "run" | "import";
  readonly run: string | null;
  readonly dataset: string | null;
  readonly T: number;
  readonly N: number;
  readonly binWidth: number | null;
  readonly seed: number;
  readonly step: number;
  readonly score: number | null;
  readonly parameters: number;
  readonly hyperparameters: Hyperparameters;
  readonly report: boolean;
  readonly bytes: number;
}

/** What happens in a run; `id` counts from 1. */
export type RunEvent =
  & { readonly id: number; readonly at: string }
  & (
    | {
      readonly kind: "state";
      readonly state: RunState;
      readonly step: number;
      readonly reason: string | null;
      readonly model: string | null;
    }
    | { readonly kind: "waiting"; readonly reason: string }
    | { readonly kind: "device"; readonly device: DeviceInfo }
    | {
      readonly kind: "step";
      readonly step: number;
      readonly of: number;
      readonly train: Losses;
      readonly stepsPerSecond: number;
      readonly secondsLeft: number;
    }
    | { readonly kind: "evaluation"; readonly entry: HistoryEntry; readonly best: boolean }
    | { readonly kind: "checkpoint"; readonly step: number }
    | {
      readonly kind: "start-failed";
      readonly seed: number;
      readonly step: number;
      readonly term: string;
    }
    | Recovery & { readonly kind: "recovered"; readonly best: Run["best"] }
    | { readonly kind: "report"; readonly made: boolean; readonly reason: string | null }
  );

export interface Eigenvalue {
  readonly re: number;
  readonly im: number;
  readonly modulus: number;
  readonly angle: number;
  readonly hz: number | null;
  readonly timeConstant: number | null;
}

export interface FixedPoint {
  readonly point: readonly number[];
  readonly q: number;
  readonly class: string;
  readonly polish: string;
  readonly members: number;
  readonly eigenvalues: readonly Eigenvalue[];
}

export interface FixedPoints {
  readonly device: { readonly name: string };
  readonly counts: {
    readonly candidates: number;
    readonly notFinite: number;
    readonly tooFast: number;
    readonly polished: number;
    readonly repeats: number;
    readonly outliers: number;
    readonly kept: number;
  };
  readonly iterations: number;
  readonly stoppedEarly: boolean;
  readonly binWidth: number | null;
  readonly fixedPoints: readonly FixedPoint[];
}

export interface Health {
  readonly status: "ok" | "opening" | "unavailable" | "draining";
  readonly version: string;
  readonly device: DeviceInfo | null;
  readonly reason: string;
}
