/** One run on one device: a loaded plan, and the step, the evaluation and the state on it. */
import { type Executor, type Program, scalars } from "../compute/executor.ts";
import { LOSSES } from "../compute/kernels.ts";
import type { Dataset } from "../data/dataset.ts";
import { trainingPlan } from "../model/choreography.ts";
import { architecture, type Hyperparameters, stepOptions } from "../model/hyperparameters.ts";
import { initialise } from "../model/initialise.ts";
import { type Architecture, type Layout, parameterLayout, sliceAt } from "../model/layout.ts";
import { klScale, learningRate } from "../model/schedules.ts";
import { PURPOSES, seedWords, STREAMS } from "../random.ts";
import { drawMinibatch } from "./batches.ts";
import type { Losses } from "./run_state.ts";

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
   * @param slice the first parameters whose gradient is not finite
   * @param largest all gradients are finite, and `slice` has the largest
   */
  constructor(
    readonly step: number,
    readonly term: string,
    readonly slice: string,
    readonly largest = false,
  ) {
    super(
      `Cannot go on training: at step ${step} the loss term "${term}" is not finite, and ` +
        (largest
          ? `the largest gradient is that of ${slice}. `
          : `nor is the gradient of ${slice}. `) +
        `The last good checkpoint is kept; a smaller stepSize or maxGradNorm may help.`,
    );
  }
}

/** Trials that train and trials that evaluate. */
export interface Split {
  readonly train: Uint32Array;
  readonly evaluation: Uint32Array;
}

/** Each neuron's mean count per bin over some trials. */
export function meanCounts(data: Dataset, trials: Uint32Array): Float64Array {
  const { T, N, counts_BTN } = data;
  const mean_N = new Float64Array(N);
  for (const trial of trials) {
    for (let i = 0; i < T * N; i++) mean_N[i % N] += counts_BTN[trial * T * N + i];
  }
  return mean_N.map((sum) => sum / (trials.length * T));
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
export function density(counts: Uint8Array | Uint16Array): number {
  let some = 0;
  for (const count of counts) if (count > 0) some++;
  return some / counts.length;
}

export class Trainer {
  readonly layout: Layout;
  readonly #program: Program;
  readonly #seed: { seedLo: number; seedHi: number };
  readonly #batch: Uint32Array;

  private constructor(
    program: Program,
    readonly model: Architecture,
    readonly data: Dataset,
    readonly h: Hyperparameters,
    readonly seed: number,
    readonly split: Split,
  ) {
    this.layout = parameterLayout(model);
    this.#seed = seedWords(seed);
    this.#batch = new Uint32Array(h.batchSize);
    this.#program = program;
    this.#program.write("counts", data.counts_BTN);
  }

  static async load(
    executor: Executor,
    data: Dataset,
    h: Hyperparameters,
    seed: number,
    split: Split,
  ): Promise<Trainer> {
    const model = architecture(h, data.T, data.N);
    const program = await executor.load(trainingPlan(model, stepOptions(h), {
      B: h.batchSize,
      S: 1,
      trials: data.trials,
      counts: data.counts_BTN instanceof Uint16Array ? "u16" : "u8",
      density: density(data.counts_BTN),
    }));
    return new Trainer(program, model, data, h, seed, split);
  }

  /** Parameters before the first step. */
  start(): Float64Array {
    return initialise(this.model, this.h, this.seed, meanCounts(this.data, this.split.train));
  }

  write(state: { params_P: Float64Array; m_P: Float64Array; v_P: Float64Array }): void {
    this.#program.write("params_P", state.params_P);
    this.#program.write("m_P", state.m_P);
    this.#program.write("v_P", state.v_P);
  }

  /** Parameters as they stand. */
  parameters(): Promise<Float64Array> {
    return this.#program.read("params_P");
  }

  async read(): Promise<{ params_P: Float64Array; m_P: Float64Array; v_P: Float64Array }> {
    return {
      params_P: await this.parameters(),
      m_P: await this.#program.read("m_P"),
      v_P: await this.#program.read("v_P"),
    };
  }

  /** Makes step number `step` (from 0) on a fresh minibatch. */
  step(step: number): Promise<Losses> {
    return this.#run("step", step);
  }

  /**
   * Shows that step number `step` can be made from here: its losses and gradients, without the update.
   *
   * @throws {NonFiniteError} where it cannot; a state that fails here is not worth a checkpoint
   */
  async prove(step: number): Promise<void> {
    await this.#run("gradient", step);
  }

  async #run(recording: "step" | "gradient", step: number): Promise<Losses> {
    const at = { ...this.#seed, step, stream: STREAMS.minibatch };
    this.#program.write("trials_B", drawMinibatch(at, this.split.train, this.#batch));
    const scale = klScale(this.h, step);
    await this.#program.run(
      recording,
      scalars({
        B: this.h.batchSize,
        ...this.#seed,
        step,
        purpose: PURPOSES.train,
        count: step + 1,
        klScale: scale,
        learningRate: learningRate(this.h, step),
      }),
    );
    const losses = await this.#losses(scale);
    await this.#refuseNonFinite(losses, step);
    return losses;
  }

  /** Losses of all evaluation trials, once each, without dropout; the same noise every time. */
  async evaluate(step: number): Promise<Losses> {
    const { evaluation } = this.split;
    const scale = klScale(this.h, step);
    const sums = new Float64Array(LOSSES.length);
    for (let first = 0; first < evaluation.length; first += this.h.batchSize) {
      const trials = evaluation.subarray(first, first + this.h.batchSize);
      this.#program.write("trials_B", trials);
      await this.#program.run(
        "evaluate",
        scalars({
          B: trials.length,
          ...this.#seed,
          purpose: PURPOSES.evaluate,
          firstTrial: first,
          klScale: scale,
        }),
      );
      const values = await this.#program.read("losses");
      for (let i = 0; i < sums.length; i++) sums[i] += values[i] * trials.length;
    }
    const losses = named(sums.map((sum) => sum / evaluation.length), scale);
    await this.#refuseNonFinite(losses, step);
    return losses;
  }

  async #losses(scale: number): Promise<Losses> {
    return named(await this.#program.read("losses"), scale);
  }

  async #refuseNonFinite(losses: Losses, step: number): Promise<void> {
    const sum = losses.total + losses.gradNorm;
    if (Number.isFinite(sum)) return;
    const terms = ["nll", "klIc", "klInputs", "l2", "total", "gradNorm"] as const;
    const term = terms.find((name) => !Number.isFinite(losses[name])) ?? "total";
    const grads_P = await this.#program.read("grads_P");
    // Where only the norm overflows, every gradient is finite: the largest is to blame.
    const broken = grads_P.findIndex((g) => !Number.isFinite(g));
    const largest = grads_P.reduce((at, g, i) => Math.abs(g) > Math.abs(grads_P[at]) ? i : at, 0);
    const slice = sliceAt(this.layout, broken < 0 ? largest : broken)?.name ?? "padding";
    throw new NonFiniteError(step, term, slice, broken < 0);
  }

  free(): void {
    this.#program.free();
  }
}

function named(values: ArrayLike<number>, klScale: number): Losses {
  const at = (name: typeof LOSSES[number]) => values[LOSSES.indexOf(name)];
  return {
    total: at("total"),
    nll: at("nll"),
    klIc: at("klIc"),
    klInputs: at("klInputs"),
    l2: at("l2"),
    gradNorm: at("gradNorm"),
    klScale,
  };
}
