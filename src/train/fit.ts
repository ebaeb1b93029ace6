/** The training loop, as an async generator of progress. */
import type { DeviceInfo, Executor } from "../compute/executor.ts";
import { type Dataset, splitTrials } from "../data/dataset.ts";
import { InputError } from "../errors.ts";
import type { Hyperparameters } from "../model/hyperparameters.ts";
import type { Model } from "../model/model.ts";
import type { HistoryEntry, Losses, RunState } from "./run_state.ts";
import { type Split, Trainer } from "./trainer.ts";

export interface FitOptions {
  readonly hyperparameters: Hyperparameters;
  /** decides the start, the split, every minibatch and every draw of noise; 0 … 2^53 - 1 */
  readonly seed: number;
  /** where to go on; its seed must be `seed` */
  readonly resume?: RunState;
  /** receives every checkpoint; the run waits for it */
  readonly checkpoint?: (state: RunState) => Promise<void>;
  /** ends the run after the step in progress, with a checkpoint */
  readonly signal?: AbortSignal;
}

/** What happens during a fit, in order. */
export type Progress =
  | {
    readonly kind: "step";
    /** steps made so far */
    readonly step: number;
    readonly of: number;
    readonly train: Losses;
    readonly stepsPerSecond: number;
    readonly secondsLeft: number;
  }
  | { readonly kind: "evaluation"; readonly entry: HistoryEntry; readonly best: boolean }
  | { readonly kind: "checkpoint"; readonly step: number };

export interface FitResult {
  /** the model at the best evaluation */
  readonly model: Model;
  readonly state: RunState;
  readonly split: Split;
  readonly device: DeviceInfo;
  /** false when the signal ended the run early */
  readonly completed: boolean;
}

const BREATH_MS = 50;

/** Lets timers and signals run: everything a CPU executor awaits is already there. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Fits LFADS to a dataset: Adam on fresh minibatches, an evaluation on all held-out trials every
 * `evaluateEvery` steps, the best parameters by the evaluation's nll + KL (at full scale) kept.
 *
 * The same seed, dataset, hyperparameters and executor give the same bits, in one go or resumed.
 *
 * @throws {InputError} when the dataset or the state to resume from does not fit
 * @throws {NonFiniteError} naming step, loss term and parameters; checkpoints made so far are good
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createReferenceExecutor, fit, parseHyperparameters, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const device = createReferenceExecutor();
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * const { completed, model } = next.value;
 * assert(completed && model.step === 2);
 * ```
 */
export async function* fit(
  data: Dataset,
  executor: Executor,
  options: FitOptions,
): AsyncGenerator<Progress, FitResult, void> {
  const { hyperparameters: h, seed, resume, signal } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(`Cannot fit: expected a seed from 0 to 2^53 - 1, found ${seed}.`);
  }
  if (resume && resume.seed !== seed) {
    throw new InputError(
      `Cannot resume: expected seed ${resume.seed}, as the run began with, found ${seed}.`,
    );
  }
  const split = splitTrials(data.trials, h.evalFraction, seed);
  if (!data.counts_BTN.some((count) => count > 0)) {
    throw new InputError(
      `Cannot fit ${data.name}: expected at least one spike, found ${data.trials} trials of zeros.`,
    );
  }
  const trainer = await Trainer.load(executor, data, h, seed, split);
  try {
    const params_P = resume?.params_P ?? trainer.start();
    const zeros = () => new Float64Array(params_P.length);
    trainer.write({ params_P, m_P: resume?.m_P ?? zeros(), v_P: resume?.v_P ?? zeros() });

    let step = resume?.step ?? 0;
    let best = resume?.best ?? { step: 0, score: Infinity, params_P };
    const history = [...resume?.history ?? []];
    const window = new Window(resume?.window);
    const secondsBefore = resume?.seconds ?? 0;
    const began = performance.now();
    const seconds = () => secondsBefore + (performance.now() - began) / 1000;
    const firstStep = step;

    const state = async (): Promise<RunState> => ({
      ...await trainer.read(),
      step,
      seed,
      best,
      history: [...history],
      seconds: seconds(),
      window: window.state(),
    });
    let saved = -1;
    const save = async () => {
      if (!options.checkpoint || saved === step) return;
      // Parameters can be finite and yet beyond saving: keep only what the next step can start from.
      if (step < h.steps) await trainer.prove(step);
      await options.checkpoint(await state());
      saved = step;
    };
    // The start is the first good state: a run that fails before its first checkpoint keeps it.
    if (!resume) await save();

    let breath = performance.now();
    while (step < h.steps && !signal?.aborted) {
      const train = await trainer.step(step++);
      window.add(train);
      const elapsed = (performance.now() - began) / 1000;
      const stepsPerSecond = (step - firstStep) / elapsed;
      yield {
        kind: "step",
        step,
        of: h.steps,
        train,
        stepsPerSecond,
        secondsLeft: (h.steps - step) / stepsPerSecond,
      };
      if (step % h.evaluateEvery === 0 || step === h.steps) {
        const evaluation = await trainer.evaluate(step);
        const entry = { step, train: window.take(), evaluation, seconds: seconds() };
        history.push(entry);
        const score = evaluation.nll + evaluation.klIc + evaluation.klInputs;
        const isBest = score < best.score;
        if (isBest) best = { step, score, params_P: await trainer.parameters() };
        yield { kind: "evaluation", entry, best: isBest };
      }
      if (step % h.checkpointEvery === 0 && step < h.steps) {
        await save();
        yield { kind: "checkpoint", step };
      }
      if (performance.now() - breath > BREATH_MS) {
        await breathe();
        breath = performance.now();
      }
    }
    await save();
    const last = await state();
    const model: Model = {
      architecture: trainer.model,
      hyperparameters: h,
      params_P: best.score < Infinity ? best.params_P : last.params_P,
      binWidth: data.binWidth,
      seed,
      step: best.score < Infinity ? best.step : step,
    };
    return { model, state: last, split, device: executor.info, completed: step >= h.steps };
  } finally {
    trainer.free();
  }
}

const TERMS = ["total", "nll", "klIc", "klInputs", "l2", "gradNorm", "klScale"] as const;

/** Means of the training losses since the last entry of the history. */
class Window {
  #steps: number;
  #sums: number[];

  constructor(state?: RunState["window"]) {
    this.#steps = state?.steps ?? 0;
    this.#sums = state ? [...state.sums] : TERMS.map(() => 0);
  }

  add(losses: Losses): void {
    this.#steps++;
    for (let i = 0; i < TERMS.length; i++) this.#sums[i] += losses[TERMS[i]];
  }

  take(): Losses {
    const [total, nll, klIc, klInputs, l2, gradNorm, klScale] = this.#sums.map((sum) =>
      sum / this.#steps
    );
    this.#steps = 0;
    this.#sums = TERMS.map(() => 0);
    return { total, nll, klIc, klInputs, l2, gradNorm, klScale };
  }

  state(): RunState["window"] {
    return { steps: this.#steps, sums: [...this.#sums] };
  }
}
