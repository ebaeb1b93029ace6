/** Fits of one shape on one device: a loaded plan, and the step, the evaluation and the state on it. */
import { type Executor, type Program, type Run, scalars } from "../compute/executor.ts";
import { LOSSES, type Scalars } from "../compute/kernels.ts";
import type { DataArray } from "../data/arrange.ts";
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
  readonly failure: NonFiniteError | null;
}

/** A start's own learning rate at a step. */
export type Rate = (step: number) => number;

/** Parameters before the first step, of a start of each seed. */
export function initialWeights(
  { model, hyperparameters: h, data }: Problem,
  seeds: readonly number[],
  split: Split,
): Weights[] {
  const moments = momentsOf(data.targets, model.dims, split.train);
  const start = readoutStart(moments, model.observation ?? "poisson", h.observationFloor);
  return seeds.map((seed) => {
    const params_P = initialise(model, h, seed, start);
    const zeros = () => new Float64Array(params_P.length);
    return { params_P, m_P: zeros(), v_P: zeros() };
  });
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

  /** Loads the training plan, for a fit of each seed. */
  static async load(
    executor: Executor,
    problem: Problem,
    seeds: readonly number[],
    split: Split,
  ): Promise<Trainer> {
    const { model, hyperparameters: h, data, trials } = problem;
    const plan = trainingPlan(model, stepOptions(h), {
      B: h.batchSize,
      S: 1,
      trials,
      counts: data.element,
      density: data.element === "real" ? 1 : density(data.encoded ?? data.targets),
      gaps: data.gaps,
      encoded: data.encoded !== null,
      validation: data.validation !== null,
      inputScale: 1 / (1 - h.sampleValidation),
    });
    const program = await executor.load(plan, seeds.length);
    return new Trainer(program, executor.runsAtOnce, problem, seeds, split);
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
    const scales = steps.map((step) => klScale(this.h, step));
    const collected = await this.#sequence(
      recording,
      steps.map((step, i) => ({
        writes: {
          trials_B: this.#seeds.map((seed) =>
            drawMinibatch(
              { ...seed, step, stream: STREAMS.minibatch },
              this.split.train,
              new Uint32Array(this.h.batchSize),
            )
          ),
        },
        scalars: this.#scalars((fit) => ({
          B: this.h.batchSize,
          step,
          purpose: PURPOSES.train,
          count: step + 1,
          klIcScale: scales[i] * this.h.klIcScale,
          klInputsScale: scales[i] * this.h.klInputsScale,
          l2Scale: l2Scale(this.h, step),
          learningRate: rates[fit](step),
        })),
      })),
    );
    return Promise.all(this.seeds.map(async (_, fit) => {
      const losses = collected.map((values, i) =>
        lossesOf(values[fit], { klScale: scales[i], learningRate: rates[fit](steps[i]) })
      );
      const end = losses.findIndex((one) => brokenTerm(one) !== null);
      if (end < 0) return { losses, failure: null };
      const failure = await this.#explain(losses[end], steps[end], fit, end === count - 1);
      return { losses: losses.slice(0, end), failure };
    }));
  }

  /** Losses of all evaluation trials, once each, without dropout; the same noise every time. */
  async evaluate(step: number): Promise<Outcome[]> {
    const { evaluation } = this.split;
    const scale = klScale(this.h, step);
    const batches: Uint32Array[] = [];
    for (let first = 0; first < evaluation.length; first += this.h.batchSize) {
      batches.push(evaluation.subarray(first, first + this.h.batchSize));
    }
    const collected = await this.#sequence(
      "evaluate",
      batches.map((trials_B, i) => ({
        writes: { trials_B },
        scalars: this.#scalars(() => ({
          B: trials_B.length,
          purpose: PURPOSES.evaluate,
          firstTrial: i * this.h.batchSize,
          klIcScale: scale * this.h.klIcScale,
          klInputsScale: scale * this.h.klInputsScale,
          l2Scale: l2Scale(this.h, step),
        })),
      })),
    );
    return Promise.all(this.seeds.map(async (_, fit) => {
      const sums = new Float64Array(LOSSES.length);
      collected.forEach((values, batch) => {
        const { length } = batches[batch];
        for (let i = 0; i < sums.length; i++) sums[i] += values[fit][i] * length;
      });
      const losses = lossesOf(sums.map((sum) => sum / evaluation.length), {
        klScale: scale,
        learningRate: 0,
      });
      const failure = await this.#explain(losses, step, fit, true);
      return { losses: failure ? [] : [losses], failure };
    }));
  }

  /** Each fit's scalars: its own seed, and what is given for it. */
  #scalars(given: (fit: number) => Partial<Scalars>): Scalars[] {
    return this.#seeds.map((seed, fit) => scalars({ ...seed, ...given(fit) }));
  }

  /** Runs a recording in as few sequences as the device takes; `[run][fit]`: the losses. */
  async #sequence(recording: string, runs: readonly Run[]): Promise<Float64Array[][]> {
    const collected: Float64Array[][] = [];
    for (let from = 0; from < runs.length; from += this.runsAtOnce) {
      const some = runs.slice(from, from + this.runsAtOnce);
      collected.push(...await this.program.sequence(recording, some, "losses"));
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
    const grads_P = await this.program.read("grads_P", 0, undefined, fit);
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
