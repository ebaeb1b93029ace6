/** One start of a run: what it has come to so far. */
import type { Hyperparameters } from "../model/hyperparameters.ts";
import { learningRate } from "../model/schedules.ts";
import { type Losses, lossesFrom, scoreOf, TERMS, termsOf } from "./losses.ts";
import { type Patience, patienceAfter, patienceOf } from "./patience.ts";
import type { FailedStart, GoodState, HistoryEntry, Recovery, RunState } from "./run_state.ts";
import type { NonFiniteError, Weights } from "./trainer.ts";

export class Start {
  readonly #h: Hyperparameters;
  #history: HistoryEntry[];
  #window: Window;
  #best: RunState["best"];
  #step: number;
  #patience: Patience;
  /** null until the first step is shown to be possible */
  #good: GoodState | null;
  readonly #recoveries: Recovery[];
  /** as they were when they were last on the device: see `Loaded` */
  weights: Weights;

  constructor(
    readonly seed: number,
    h: Hyperparameters,
    weights: Weights,
    resumed?: RunState,
  ) {
    this.#h = h;
    this.weights = weights;
    this.#history = [...resumed?.history ?? []];
    this.#window = new Window(resumed?.window);
    this.#best = resumed?.best ?? { step: 0, score: Infinity, params_P: weights.params_P };
    this.#step = resumed?.step ?? 0;
    this.#patience = patienceOf(h, this.#history);
    this.#recoveries = [...resumed?.recoveries ?? []];
    this.#good = resumed ? resumed.good ?? this.#snapshot() : null;
  }

  /** A start as it was. */
  static resumed(h: Hyperparameters, state: RunState): Start {
    const { seed, params_P, m_P, v_P } = state;
    return new Start(seed, h, { params_P, m_P, v_P }, state);
  }

  /** steps made */
  get step(): number {
    return this.#step;
  }

  get best(): RunState["best"] {
    return this.#best;
  }

  /** Steps were made since the last evaluation. */
  get trained(): boolean {
    return !this.#window.empty;
  }

  /** The evaluations have not improved for as long as `earlyStop` lets them. */
  get stoppedEarly(): boolean {
    return this.#h.earlyStop > 0 && this.#patience.without >= this.#h.earlyStop;
  }

  /** Nothing is left to do: every step is made and evaluated, or it stopped early. */
  get over(): boolean {
    return this.stoppedEarly || this.#step > this.#h.steps ||
      (this.#step === this.#h.steps && !this.trained);
  }

  /** The next step from here is known to be possible. */
  get proven(): boolean {
    return this.#good?.step === this.#step;
  }

  /** The learning rate of a step, as long as no evaluation comes before it. */
  rate(step: number): number {
    return this.#factor * learningRate(this.#h, step, this.#patience.plateaus);
  }

  /** A step was made. */
  add(train: Losses): void {
    this.#step++;
    this.#window.add(train);
  }

  /**
   * An evaluation was made.
   *
   * @param hidden the nll of hidden samples; null without any
   * @param parameters reads them, where they are the best so far
   */
  async evaluated(
    evaluation: Losses,
    hidden: number | null,
    seconds: number,
    parameters: () => Promise<Float64Array>,
  ): Promise<void> {
    const entry = { step: this.#step, train: this.#window.take(), evaluation, hidden, seconds };
    this.#history.push(entry);
    this.#patience = patienceAfter(this.#h, this.#patience, entry);
    const score = scoreOf(evaluation);
    if (score < this.#best.score) {
      this.#best = { step: this.#step, score, params_P: await parameters() };
    }
  }

  /** The evaluation at a step, if there was one. */
  entryAt(step: number): HistoryEntry | undefined {
    return this.#history.findLast((entry) => entry.step === step);
  }

  /** The next step is possible: this is what to go back to from here on. */
  keep(): void {
    this.#good = this.#snapshot();
  }

  /**
   * Goes back to the last good state, with a lower learning rate. Null where it cannot: it has gone
   * back too often, or it would make the same step again, which no learning rate changes.
   */
  goBack({ step, term, slice }: NonFiniteError): Recovery | null {
    const good = this.#good;
    if (!good || step <= good.step || this.#recoveries.length >= this.#h.guardRetries) return null;
    const factor = this.#factor * this.#h.guardFactor;
    const recovery = { step, term, slice, to: good.step, factor };
    this.#recoveries.push(recovery);
    this.weights = { params_P: good.params_P, m_P: good.m_P, v_P: good.v_P };
    this.#step = good.step;
    this.#best = good.best;
    this.#history = this.#history.slice(0, good.entries);
    this.#window = new Window(good.window);
    this.#patience = patienceOf(this.#h, this.#history);
    return recovery;
  }

  state(run: Pick<RunState, "splitSeed" | "seconds">): RunState {
    return {
      ...this.weights,
      ...run,
      step: this.#step,
      seed: this.seed,
      best: this.#best,
      history: [...this.#history],
      window: this.#window.state(),
      recoveries: [...this.#recoveries],
      good: this.proven ? null : this.#good,
    };
  }

  failed({ step, term, slice }: NonFiniteError): FailedStart {
    return {
      seed: this.seed,
      step,
      term,
      slice,
      history: [...this.#history],
      recoveries: [...this.#recoveries],
    };
  }

  get #factor(): number {
    return this.#recoveries.at(-1)?.factor ?? 1;
  }

  #snapshot(): GoodState {
    return {
      ...this.weights,
      step: this.#step,
      best: this.#best,
      entries: this.#history.length,
      window: this.#window.state(),
    };
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

  get empty(): boolean {
    return this.#steps === 0;
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
