/** Fits of one shape on one device: a loaded plan, and the step, the evaluation and the state on it. */
import { type Executor, type Program, type Run, scalars } from "../compute/executor.ts";
import { LOSSES, type Scalars } from "../compute/kernels.ts";
import type { Plan } from "../compute/recording.ts";
import { InputError } from "../errors.ts";
import { type DataArray, roomForMissing } from "../data/arrange.ts";
import { trainingPlan } from "../model/training_plan.ts";
import { type Hyperparameters, stepOptions } from "../model/hyperparameters.ts";
import { initialise } from "../model/initialise.ts";
import { l2Penalties } from "../model/penalties.ts";
import { type Layout, parameterLayout, sliceAt } from "../model/layout.ts";
import { klScale, l2Scale } from "../model/schedules.ts";
import { PURPOSES, seedWords, STREAMS } from "../random.ts";
import { drawMinibatch } from "./batches.ts";
import { momentsOf, readoutStart } from "./moments.ts";
import type { Problem } from "./problem.ts";
import { brokenTerm, type Losses, lossesOf } from "./losses.ts";

/**
 * Training met a number that is not finite. The parameters in memory are lost; the checkpoint on disk
 * is the last good state.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { NonFiniteError } from "latentd";
 *
 * const error = new NonFiniteError(12, "nll", "readout.w_FN");
 * assert.deepEqual([error.step, error.term, error.slice], [12, "nll", "readout.w_FN"]);
 * ```
 */
export class NonFiniteError extends Error {
  override name = "NonFiniteError";
  /**
   * @param slice the first parameters whose gradient is not finite; null where the device had made
   * further steps before the losses were read
   * @param largest all gradients are finite, and `slice` has the largest
   * @param retries how often the start had gone back to a good state before
   */
  constructor(
    readonly step: number,
    readonly term: string,
    readonly slice: string | null,
    readonly largest = false,
    readonly retries = 0,
  ) {
    const blamed = slice === null
      ? ""
      : largest
      ? `, and the largest gradient is that of ${slice}`
      : `, nor is the gradient of ${slice}`;
    super(
      `Cannot go on training: at step ${step} the loss term "${term}" is not finite${blamed}. ` +
        `${retries > 0 ? `It had gone back and lowered its rate ${times(retries)}. ` : ""}` +
        `The last good checkpoint is kept; a smaller stepSize or maxGradNorm may help.`,
    );
  }

  /** The same error, of a start that had gone back before. */
  after(retries: number): NonFiniteError {
    return new NonFiniteError(this.step, this.term, this.slice, this.largest, retries);
  }
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** Trials that train and trials that evaluate. */
export interface Split {
  readonly train: Uint32Array;
  readonly evaluation: Uint32Array;
}

/**
 * The share of counts that are not zero.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { density } from "latentd";
 *
 * assert.equal(density(Uint8Array.of(0, 3, 0, 1)), 0.5);
 * ```
 */
export function density(counts: DataArray): number {
  let some = 0;
  for (const count of counts) if (count > 0) some++;
  return some / counts.length;
}

/** What a fit holds on the device. */
export interface Weights {
  readonly params_P: Float64Array;
  readonly m_P: Float64Array;
  readonly v_P: Float64Array;
}

/** What one fit made of what was asked: losses up to the first that is not finite. */
export interface Outcome {
  readonly losses: readonly Losses[];
  /** of an evaluation: the nll of hidden samples, where there are some */
  readonly hidden: number | null;
  readonly failure: NonFiniteError | null;
}

/** A start's own learning rate at a step. */
export type Rate = (step: number) => number;

/** Parameters before the first step, of a start of each seed. */
export function initialWeights(
  { model, hyperparameters: h, data, sessionStart }: Problem,
  seeds: readonly number[],
  split: Split,
): Weights[] {
  // where nothing is missing, the number for what is missing is a count
  const targets = data.gaps ? data.targets : roomForMissing(data.targets);
  const moments = momentsOf(targets, model.dims, split.train);
  const start = readoutStart(moments, model.observation ?? "poisson", h.observationFloor);
  const sessions = sessionStart(split.train);
  return seeds.map((seed) => {
    const params_P = initialise(model, h, seed, start, sessions);
    const zeros = () => new Float64Array(params_P.length);
    return { params_P, m_P: zeros(), v_P: zeros() };
  });
}

/** How many trials of a step run at once. */
function partSize({ microBatch, batchSize }: Hyperparameters): number {
  return microBatch === 0 ? batchSize : Math.min(microBatch, batchSize);
}

/** @param B trials that run at once */
function planOf({ model, hyperparameters: h, data, trials }: Problem, B: number): Plan {
  return trainingPlan(model, stepOptions(h), {
    B,
    S: 1,
    trials,
    counts: data.element,
    density: data.element === "real" ? 1 : density(data.encoded ?? data.targets),
    gaps: data.gaps,
    encoded: data.encoded !== null,
    validation: data.validation !== null,
    inputScale: 1 / (1 - h.sampleValidation),
    accumulate: B < h.batchSize,
  });
}

/** How many trials at once the device has memory for: half as many, a quarter, …; null where not one. */
async function largestPart(
  executor: Executor,
  problem: Problem,
  B: number,
  fits: number,
): Promise<number | null> {
  for (let part = Math.floor(B / 2); part >= 1; part = Math.floor(part / 2)) {
    try {
      (await executor.load(planOf(problem, part), fits)).free();
      return part;
    } catch {
      // still too many
    }
  }
  return null;
}

/** Fits that train side by side, one for each seed; each computes the bits that it computes alone. */
export class Trainer {
  readonly layout: Layout;
  readonly #seeds: readonly { seedLo: number; seedHi: number }[];

  private constructor(
    private readonly program: Program,
    /** runs that the device takes in a row */
    private readonly runsAtOnce: number,
    private readonly problem: Problem,
    readonly seeds: readonly number[],
    readonly split: Split,
  ) {
    const { model, hyperparameters, data, external_BTX } = problem;
    this.layout = parameterLayout(model);
    this.#seeds = seeds.map(seedWords);
    program.write("counts", data.targets);
    if (data.encoded) program.write("encoded", data.encoded);
    if (data.validation) program.write("validation", data.validation);
    if (external_BTX) program.write("external", external_BTX);
    const l2_P = l2Penalties(model, hyperparameters);
    seeds.forEach((_, fit) => program.write("l2_P", l2_P, 0, fit));
  }

  get h(): Hyperparameters {
    return this.problem.hyperparameters;
  }

  /** most trials that run at once */
  get #part(): number {
    return partSize(this.h);
  }

  get #accumulates(): boolean {
    return this.#part < this.h.batchSize;
  }

  /**
   * Loads the training plan, for a fit of each seed.
   *
   * @throws {InputError} where a whole batch does not fit on the device, but a part of it would
   */
  static async load(
    executor: Executor,
    problem: Problem,
    seeds: readonly number[],
    split: Split,
  ): Promise<Trainer> {
    const { batchSize } = problem.hyperparameters;
    const B = partSize(problem.hyperparameters);
    try {
      const program = await executor.load(planOf(problem, B), seeds.length);
      return new Trainer(program, executor.runsAtOnce, problem, seeds, split);
    } catch (error) {
      const smaller = await largestPart(executor, problem, B, seeds.length);
      if (smaller === null) throw error;
      throw new InputError(
        `Cannot fit ${batchSize} trials a step, ${B} at once: expected as many as the device has ` +
          `memory for, found too many (${error instanceof Error ? error.message : error}). ` +
          `With microBatch ${smaller} they fit: a step is then made in parts, and comes to the same.`,
        { cause: error },
      );
    }
  }

  write(fit: number, { params_P, m_P, v_P }: Weights): void {
    this.program.write("params_P", params_P, 0, fit);
    this.program.write("m_P", m_P, 0, fit);
    this.program.write("v_P", v_P, 0, fit);
  }

  /** A fit's parameters as they stand. */
  parameters(fit: number): Promise<Float64Array> {
    return this.program.read("params_P", 0, undefined, fit);
  }

  /** What every fit holds. */
  read(): Promise<Weights[]> {
    return Promise.all(this.seeds.map(async (_, fit) => {
      const [params_P, m_P, v_P] = await Promise.all(
        ["params_P", "m_P", "v_P"].map((name) => this.program.read(name, 0, undefined, fit)),
      );
      return { params_P, m_P, v_P };
    }));
  }

  /**
   * Makes steps number `first … first + count - 1` (from 0), each on a fresh minibatch.
   *
   * @param rates each fit's
   */
  steps(first: number, count: number, rates: readonly Rate[]): Promise<Outcome[]> {
    return this.#train("step", first, count, rates);
  }

  /**
   * Shows that step number `step` can be made from here: its losses and gradients, without the update.
   * A state that fails here is not worth a checkpoint.
   */
  prove(step: number): Promise<Outcome[]> {
    return this.#train("gradient", step, 1, this.seeds.map(() => () => 0));
  }

  async #train(
    recording: "step" | "gradient",
    first: number,
    count: number,
    rates: readonly Rate[],
  ): Promise<Outcome[]> {
    const steps = Array.from({ length: count }, (_, i) => first + i);
    const collected = this.#accumulates
      ? await this.#inParts(recording, steps, rates)
      : await this.#sequence(
        recording,
        steps.map((step) => ({
          writes: { trials_B: this.#minibatches(step) },
          scalars: this.#scalars((fit) => this.#ofStep(step, rates[fit])),
        })),
      );
    return Promise.all(this.seeds.map(async (_, fit) => {
      const losses = collected.map((values, i) =>
        lossesOf(values[fit], { ...this.#scales(steps[i]), learningRate: rates[fit](steps[i]) })
      );
      const end = losses.findIndex((one) => brokenTerm(one) !== null);
      if (end < 0) return { losses, hidden: null, failure: null };
      const failure = await this.#explain(losses[end], steps[end], fit, end === count - 1);
      return { losses: losses.slice(0, end), hidden: null, failure };
    }));
  }

  /**
   * Makes steps whose gradients are the sums of those of their minibatches' parts, each weighted with
   * its share of the trials; noise and masks are those of the whole minibatch.
   */
  async #inParts(
    recording: "step" | "gradient",
    steps: readonly number[],
    rates: readonly Rate[],
  ): Promise<Float64Array[][]> {
    const { batchSize } = this.h;
    const collected: Float64Array[][] = [];
    for (const step of steps) {
      const batches = this.#minibatches(step);
      const parts: Run[] = [];
      for (let from = 0; from < batchSize; from += this.#part) {
        const B = Math.min(this.#part, batchSize - from);
        parts.push({
          writes: { trials_B: batches.map((trials_B) => trials_B.subarray(from, from + B)) },
          scalars: this.#scalars((fit) => ({
            ...this.#ofStep(step, rates[fit]),
            B,
            firstTrial: from,
            share: B / batchSize,
            accumulated: parts.length,
          })),
        });
      }
      collected.push((await this.#sequence("accumulate", parts, "sums")).at(-1)!);
      if (recording === "gradient") continue;
      await this.program.run("update", this.#scalars((fit) => this.#ofStep(step, rates[fit])));
    }
    return collected;
  }

  /** Each fit's trials of a step. */
  #minibatches(step: number): Uint32Array[] {
    return this.#seeds.map((seed) =>
      drawMinibatch(
        { ...seed, step, stream: STREAMS.minibatch },
        this.split.train,
        new Uint32Array(this.h.batchSize),
      )
    );
  }

  #ofStep(step: number, rate: Rate): Partial<Scalars> {
    return {
      B: this.h.batchSize,
      step,
      purpose: PURPOSES.train,
      count: step + 1,
      ...this.#scales(step),
      l2Scale: l2Scale(this.h, step),
      learningRate: rate(step),
    };
  }

  /** What multiplies each KL at a step. */
  #scales(step: number): { readonly klIcScale: number; readonly klInputsScale: number } {
    const scale = klScale(this.h, step);
    return {
      klIcScale: scale * this.h.klIcScale,
      klInputsScale: scale * this.h.klInputsScale,
    };
  }

  /** Losses of all evaluation trials, once each, without dropout; the same noise every time. */
  async evaluate(step: number): Promise<Outcome[]> {
    const means = await this.#evaluations("evaluate", step);
    const hidden = this.problem.data.validation ? await this.#evaluations("validate", step) : null;
    return Promise.all(this.seeds.map(async (_, fit) => {
      const losses = lossesOf(means[fit], { ...this.#scales(step), learningRate: 0 });
      const failure = await this.#explain(losses, step, fit, true);
      const nll = hidden?.[fit][LOSSES.indexOf("nll")] ?? null;
      return {
        losses: failure ? [] : [losses],
        hidden: nll !== null && Number.isFinite(nll) ? nll : null,
        failure,
      };
    }));
  }

  /** Each fit's losses by a recording, as means over the evaluation trials. */
  async #evaluations(recording: "evaluate" | "validate", step: number): Promise<Float64Array[]> {
    const { evaluation } = this.split;
    const batches: Uint32Array[] = [];
    for (let first = 0; first < evaluation.length; first += this.#part) {
      batches.push(evaluation.subarray(first, first + this.#part));
    }
    const collected = await this.#sequence(
      recording,
      batches.map((trials_B, i) => ({
        writes: { trials_B },
        scalars: this.#scalars(() => ({
          B: trials_B.length,
          purpose: PURPOSES.evaluate,
          firstTrial: i * this.#part,
          ...this.#scales(step),
          l2Scale: l2Scale(this.h, step),
        })),
      })),
    );
    return this.seeds.map((_, fit) => {
      const sums = new Float64Array(LOSSES.length);
      collected.forEach((values, batch) => {
        const { length } = batches[batch];
        for (let i = 0; i < sums.length; i++) sums[i] += values[fit][i] * length;
      });
      return sums.map((sum) => sum / evaluation.length);
    });
  }

  /** Each fit's scalars: its own seed, and what is given for it. */
  #scalars(given: (fit: number) => Partial<Scalars>): Scalars[] {
    return this.#seeds.map((seed, fit) => scalars({ ...seed, ...given(fit) }));
  }

  /** Runs a recording in as few sequences as the device takes; `[run][fit]`: the losses. */
  async #sequence(
    recording: string,
    runs: readonly Run[],
    collect = "losses",
  ): Promise<Float64Array[][]> {
    const collected: Float64Array[][] = [];
    for (let from = 0; from < runs.length; from += this.runsAtOnce) {
      const some = runs.slice(from, from + this.runsAtOnce);
      collected.push(...await this.program.sequence(recording, some, collect));
    }
    return collected;
  }

  /** @param last the fit's gradient is still that of these losses */
  async #explain(
    losses: Losses,
    step: number,
    fit: number,
    last: boolean,
  ): Promise<NonFiniteError | null> {
    const term = brokenTerm(losses);
    if (term === null) return null;
    if (!last) return new NonFiniteError(step, term, null);
    const grads = this.#accumulates ? "sum_P" : "grads_P";
    const grads_P = await this.program.read(grads, 0, undefined, fit);
    // Where only the norm overflows, every gradient is finite: the largest is to blame.
    const broken = grads_P.findIndex((g) => !Number.isFinite(g));
    const largest = grads_P.reduce((at, g, i) => Math.abs(g) > Math.abs(grads_P[at]) ? i : at, 0);
    const slice = sliceAt(this.layout, broken < 0 ? largest : broken)?.name ?? "padding";
    return new NonFiniteError(step, term, slice, broken < 0);
  }

  free(): void {
    this.program.free();
  }
}
