/**
 * A fitted model that stays loaded on a device and infers whatever trials it is handed. The buffers are
 * sized once, for the largest batch; how many trials and samples run is said at each run, so that one
 * program serves a single trial of a closed loop and a full batch, with the same bits for each trial.
 */
import { type Executor, type Program, scalars } from "../compute/executor.ts";
import type { Plan } from "../compute/recording.ts";
import type { DataElement, StepOptions } from "../model/choreography.ts";
import { posteriorPlan } from "../model/posterior_plan.ts";
import type { Dims } from "../dims.ts";
import { type Architecture, shapeOf } from "../model/layout.ts";
import { PURPOSES, seedWords } from "../random.ts";

/** What inference needs to know of a model; every `Model` has it. */
export interface PosteriorModel {
  readonly architecture: Architecture;
  readonly hyperparameters: StepOptions;
  readonly params_P: Float64Array;
}

/** What a program is sized for. */
export interface PosteriorSizes {
  /** most trials in one run */
  readonly B: number;
  /** `B * S` decoder rows fit: a run of b trials and s samples needs `b <= B` and `b * s <= B * S` */
  readonly S: number;
  /** trials whose counts stay on the device; `B` by default */
  readonly trials?: number;
  readonly counts: DataElement;
  /** some of the data may be missing (see `MISSING`); false by default */
  readonly gaps?: boolean;
}

/** What is run: `trials_B` are indices into the counts that were written. */
export interface PosteriorRun {
  readonly trials_B: ArrayLike<number>;
  /** posterior samples of each trial; 0 is the posterior mean */
  readonly samples: number;
  readonly seed: number;
  /** the place of the first trial among all that are asked for, which decides the noise */
  readonly firstTrial: number;
}

/** One array that inference yields, and where it stands on the device. */
export interface PosteriorArray {
  /** its name in files and answers */
  readonly name: PosteriorName;
  /** the device's buffer, `[slots][B][width]` */
  readonly buffer: string;
  readonly slots: number;
  readonly width: number;
  /** bins and columns of it that are the array: `[B][bins][n]`, or `[B][n]` where `perTrial` */
  readonly slot: number;
  readonly bins: number;
  readonly skip: number;
  readonly n: number;
  readonly perTrial: boolean;
  /** of a deviation, which is read from a log-variance: the floor of the variance */
  readonly floor?: number;
}

/** The names of what is inferred, in the order in which files hold them; the last five need inputs. */
export const POSTERIOR_NAMES = [
  "rates",
  "log_rates",
  "factors",
  "gen_states",
  "gen_init",
  "ic_mean",
  "ic_logvar",
  "ic_std",
  "gen_inputs",
  "input_mean",
  "input_logvar",
  "input_std",
  "con_states",
] as const;

export type PosteriorName = typeof POSTERIOR_NAMES[number];

/** The names of the arrays that a model yields, in order. */
export function posteriorNames({ U }: Pick<Dims, "U">): PosteriorName[] {
  return POSTERIOR_NAMES.slice(0, U > 0 ? undefined : -5);
}

/**
 * The arrays that a model yields, in order.
 *
 * @param floor of variances, for the deviations
 */
export function posteriorArrays(model: Architecture, floor: number): PosteriorArray[] {
  const { T, N, C, U, I, G, F } = shapeOf(model);
  const bins = (name: PosteriorName, buffer: string, n: number) => ({
    ...{ name, buffer, n, width: n, slots: T, slot: 0, bins: T, skip: 0, perTrial: false },
  });
  const trial = (name: PosteriorName, buffer: string, n: number) => ({
    ...{ name, buffer, n, width: n, slots: 1, slot: 0, bins: 1, skip: 0, perTrial: true },
  });
  return [
    bins("rates", "rates_TBN", N),
    bins("log_rates", "logRates_TBN", N),
    // slot 0 holds the start, before the first bin
    { ...bins("factors", "mean_factors_HBF", F), slots: T + 1, slot: 1 },
    { ...bins("gen_states", "mean_gen_HBG", G), slots: T + 1, slot: 1 },
    { ...trial("gen_init", "mean_gen_HBG", G), slots: T + 1 },
    { ...trial("ic_mean", "ic_B2I", I), width: 2 * I },
    { ...trial("ic_logvar", "ic_B2I", I), width: 2 * I, skip: I },
    { ...trial("ic_std", "ic_B2I", I), width: 2 * I, skip: I, floor },
    ...(U === 0 ? [] : [
      bins("gen_inputs", "mean_inputs_TBU", U),
      { ...bins("input_mean", "mean_inputParams_TB2U", U), width: 2 * U },
      { ...bins("input_logvar", "mean_inputParams_TB2U", U), width: 2 * U, skip: U },
      { ...bins("input_std", "mean_inputParams_TB2U", U), width: 2 * U, skip: U, floor },
      { ...bins("con_states", "mean_con_HBC", C), slots: T + 1, slot: 1 },
    ]),
  ];
}

/** Numbers that one trial of `S` samples keeps on the device, at most: a test compares it with plans. */
export function numbersPerTrial(model: Architecture, S: number): number {
  const { T, N, E, V, C, U, X, I, G, F, W } = shapeOf(model);
  const generator = model.cell === "gru" ? 5 * G : 2 * G;
  const encoders = 10 * E + (V > 0 ? 10 * V + N : 0);
  const controller = U > 0 ? 2 * (V || E) + 4 * C + 3 * U : 0;
  const external = X > 0 ? 2 * X + W : 0;
  // states have a slot more than bins
  const trial = (T + 1) * (3 * N + encoders + G + F + controller + external) + 4 * I + 2 * E;
  const sample = (T + 1) * (generator + F + (U > 0 ? 5 * C + 4 * U : 0)) + 2 * I + 2;
  return trial + S * sample;
}

/** Bytes that a plan's buffers take, `real` being 4 or 8 of them. */
export function planBytes(plan: Plan, real: 4 | 8): number {
  const size = { real, u8: 1, u16: 2, u32: 4 } as const;
  return plan.buffers.reduce((sum, { length, element }) => sum + length * size[element], 0);
}

/** What a device's buffers held after a run, by name. */
export type Fetched = ReadonlyMap<string, Float64Array>;

/** Loads a model's program and its parameters. */
export async function loadPosterior(
  executor: Executor,
  model: PosteriorModel,
  sizes: PosteriorSizes,
): Promise<PosteriorProgram> {
  const { B, S, counts, trials = B, gaps = false } = sizes;
  const all = { B, S, trials, counts, gaps };
  const plan = posteriorPlan(model.architecture, model.hyperparameters, all);
  const program = await executor.load(plan);
  program.write("params_P", model.params_P);
  const bytes = planBytes(plan, executor.info.name === "reference" ? 8 : 4);
  const { varMin } = model.hyperparameters;
  return new PosteriorProgram(program, model.architecture, varMin, all, bytes);
}

/** A loaded model. */
export class PosteriorProgram {
  readonly arrays: readonly PosteriorArray[];

  constructor(
    private readonly program: Program,
    private readonly model: Architecture,
    varMin: number,
    readonly sizes: Required<PosteriorSizes>,
    /** on the device */
    readonly bytes: number,
  ) {
    this.arrays = posteriorArrays(model, varMin);
  }

  /** Whether a run of `b` trials with `samples` each fits. */
  fits(b: number, samples: number): boolean {
    const { B, S } = this.sizes;
    return b <= B && b * Math.max(1, samples) <= B * S;
  }

  /** Writes counts `[trials][T][N]`, from trial `at` on. */
  write(counts_BTN: Uint8Array | Uint16Array | Float32Array, at = 0): void {
    const { T, N } = this.model.dims;
    this.program.write("counts", counts_BTN, at * T * N);
  }

  /** Writes external inputs `[trials][T][X]`, from trial `at` on. */
  writeExternal(external_BTX: Float32Array | Float64Array, at = 0): void {
    const { T, X } = shapeOf(this.model);
    this.program.write("external", external_BTX, at * T * X);
  }

  async run({ trials_B, samples, seed, firstTrial }: PosteriorRun): Promise<void> {
    this.program.write("trials_B", trials_B);
    await this.program.run(
      samples > 0 ? "sample" : "mean",
      scalars({
        B: trials_B.length,
        S: Math.max(1, samples),
        ...seedWords(seed),
        purpose: PURPOSES.posterior,
        firstTrial,
      }),
    );
  }

  /** What the arrays of the last run, of `B` trials, are taken from: each buffer once, side by side. */
  async fetch(arrays: readonly PosteriorArray[], B: number): Promise<Fetched> {
    const wanted = new Map(arrays.map((array) => [array.buffer, array.slots * B * array.width]));
    return new Map(
      await Promise.all(
        [...wanted].map(async ([buffer, length]) =>
          [buffer, await this.program.read(buffer, 0, length)] as const
        ),
      ),
    );
  }

  free(): void {
    this.program.free();
  }
}

/**
 * Moves trials `first … first + count` of a run of `B` out of the device's order `[slots][B][width]`
 * into an array, trials first, from its trial `at` on.
 */
export function takeTrials(
  fetched: Fetched,
  { buffer, slot, bins, width, skip, n, floor }: PosteriorArray,
  B: number,
  first: number,
  count: number,
  to: Float32Array | Float64Array,
  at: number,
): void {
  const values = fetched.get(buffer);
  if (!values) throw new Error(`Cannot take ${buffer}: it was not fetched.`);
  let target = at * bins * n;
  if (B === 1 && width === n) {
    to.set(values.subarray(slot * n, (slot + bins) * n), target);
    return;
  }
  for (let b = first; b < first + count; b++) {
    for (let t = slot; t < slot + bins; t++) {
      const from = (t * B + b) * width + skip;
      if (floor === undefined) { for (let i = 0; i < n; i++) to[target++] = values[from + i]; }
      else for (let i = 0; i < n; i++) to[target++] = Math.sqrt(Math.exp(values[from + i]) + floor);
    }
  }
}
