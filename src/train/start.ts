/** One start of a run: what it has come to so far, apart from what its fit holds on the device. */
import { type Losses, lossesFrom, scoreOf, TERMS, termsOf } from "./losses.ts";
import type { FailedStart, HistoryEntry, RunState } from "./run_state.ts";
import type { NonFiniteError, Weights } from "./trainer.ts";

export class Start {
  readonly #history: HistoryEntry[];
  readonly #window: Window;
  #best: RunState["best"];

  constructor(readonly seed: number, params_P: Float64Array, resumed?: RunState) {
    this.#history = [...resumed?.history ?? []];
    this.#window = new Window(resumed?.window);
    this.#best = resumed?.best ?? { step: 0, score: Infinity, params_P };
  }

  get best(): RunState["best"] {
    return this.#best;
  }

  /** A step was made. */
  add(train: Losses): void {
    this.#window.add(train);
  }

  /**
   * An evaluation was made.
   *
   * @param parameters reads them, where they are the best so far
   */
  async evaluated(
    step: number,
    evaluation: Losses,
    seconds: number,
    parameters: () => Promise<Float64Array>,
  ): Promise<HistoryEntry> {
    const entry = { step, train: this.#window.take(), evaluation, seconds };
    this.#history.push(entry);
    const score = scoreOf(evaluation);
    if (score < this.#best.score) this.#best = { step, score, params_P: await parameters() };
    return entry;
  }

  state(run: Pick<RunState, "step" | "splitSeed" | "seconds">, weights: Weights): RunState {
    return {
      ...weights,
      ...run,
      seed: this.seed,
      best: this.#best,
      history: [...this.#history],
      window: this.#window.state(),
    };
  }

  failed({ step, term, slice }: NonFiniteError): FailedStart {
    return { seed: this.seed, step, term, slice, history: [...this.#history] };
  }
}

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
    termsOf(losses).forEach((value, i) => this.#sums[i] += value);
  }

  take(): Losses {
    const means = this.#sums.map((sum) => sum / this.#steps);
    this.#steps = 0;
    this.#sums = TERMS.map(() => 0);
    return lossesFrom(means);
  }

  state(): RunState["window"] {
    return { steps: this.#steps, sums: [...this.#sums] };
  }
}
