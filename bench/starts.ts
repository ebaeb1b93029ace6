/** Many starts side by side: what a step of all of them costs beside a step of one. */
import {
  density,
  type Executor,
  initialise,
  type Program,
  scalars,
  stepOptions,
  trainingPlan,
} from "../src/mod.ts";
import { modelCase } from "./model_case.ts";
import type { Shape } from "./shapes.ts";
import { Disagreement } from "./verify.ts";

/** About how long a turn lasts, in milliseconds. */
const TURN = 300;

export interface StartsTimes {
  readonly starts: number;
  /** milliseconds of one step of all starts, the fastest of some turns */
  readonly ms: number;
}

/**
 * Times one start and `starts` starts, in turns.
 *
 * @throws {Disagreement} when the first of many starts loses other than it does alone
 */
export async function benchStarts(
  shape: Shape,
  executor: Executor,
  starts: number,
  seconds: number,
): Promise<StartsTimes[]> {
  const one = await Runner.load(shape, executor, 1);
  try {
    const many = await Runner.load(shape, executor, starts);
    try {
      const [alone, beside] = [await one.steps(2), await many.steps(2)];
      if (alone.some((loss, step) => !Object.is(loss, beside[step]))) {
        throw new Disagreement(
          `Cannot time ${starts} starts: expected the first to lose ${alone}, as it does alone, ` +
            `found ${beside}.`,
        );
      }
      const end = performance.now() + 1000 * seconds;
      for (let turn = 0; turn < 3 || performance.now() < end; turn++) {
        for (const runner of [one, many]) await runner.turn();
      }
      return [one, many].map(({ starts, ms }) => ({ starts, ms }));
    } finally {
      many.free();
    }
  } finally {
    one.free();
  }
}

/** Starts that make steps side by side. */
class Runner {
  ms = Infinity;
  #step = 0;
  #count = 1;

  private constructor(
    readonly starts: number,
    private readonly program: Program,
    private readonly shape: Shape,
    private readonly most: number,
  ) {}

  static async load(shape: Shape, executor: Executor, starts: number): Promise<Runner> {
    const { data, model } = modelCase(shape);
    const h = shape.hyperparameters;
    const counts = data.counts_BTN instanceof Uint16Array ? "u16" : "u8";
    const sizes = {
      B: h.batchSize,
      S: 1,
      trials: data.trials,
      counts,
      density: density(data.counts_BTN),
    } as const;
    const mean_N = new Float64Array(data.N).fill(0.1);
    const program = await executor.load(trainingPlan(model, stepOptions(h), sizes), starts);
    program.write("counts", data.counts_BTN);
    for (let fit = 0; fit < starts; fit++) {
      program.write("params_P", initialise(model, h, fit, mean_N), 0, fit);
    }
    return new Runner(starts, program, shape, executor.runsAtOnce);
  }

  /** Makes steps; returns the first start's total loss at each. */
  async steps(count: number): Promise<number[]> {
    const { trials, hyperparameters: { batchSize: B } } = this.shape;
    const trials_B = Uint32Array.from({ length: B }, (_, b) => b % trials);
    const runs = Array.from({ length: count }, () => {
      const step = this.#step++;
      const own = (fit: number) =>
        scalars({ B, seedLo: fit, step, count: step + 1, learningRate: 1e-3 });
      return {
        scalars: Array.from({ length: this.starts }, (_, fit) => own(fit)),
        writes: { trials_B },
      };
    });
    const losses = await this.program.sequence("step", runs, "losses");
    return losses.map(([[total]]) => total);
  }

  /** Makes as many steps as fill a turn. */
  async turn(): Promise<void> {
    const start = performance.now();
    await this.steps(this.#count);
    const took = performance.now() - start;
    this.ms = Math.min(this.ms, took / this.#count);
    this.#count = Math.max(1, Math.min(this.most, Math.round(this.#count * TURN / took)));
  }

  free(): void {
    this.program.free();
  }
}
