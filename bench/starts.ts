/** Many starts side by side: what a step of all of them costs beside a step of one. */
import {
  density,
  type Executor,
  initialise,
  scalars,
  stepOptions,
  trainingPlan,
} from "../src/mod.ts";
import { modelCase } from "./model_case.ts";
import type { Shape } from "./shapes.ts";

const STEPS = 256;

export interface StartsTimes {
  readonly starts: number;
  /** milliseconds of one step of all starts, the fastest of some turns */
  readonly ms: number;
}

/** Times one start and `starts` starts, in turns. */
export async function benchStarts(
  shape: Shape,
  executor: Executor,
  starts: number,
  seconds: number,
): Promise<StartsTimes[]> {
  const { data, model } = modelCase(shape);
  const h = shape.hyperparameters, B = h.batchSize;
  const counts = data.counts_BTN instanceof Uint16Array ? "u16" : "u8";
  const sizes = {
    B,
    S: 1,
    trials: data.trials,
    counts,
    density: density(data.counts_BTN),
  } as const;
  const mean_N = new Float64Array(data.N).fill(0.1);
  const found: StartsTimes[] = [];
  for (const fits of [1, starts]) {
    const program = await executor.load(trainingPlan(model, stepOptions(h), sizes), fits);
    try {
      program.write("counts", data.counts_BTN);
      for (let fit = 0; fit < fits; fit++) {
        program.write("params_P", initialise(model, h, fit, mean_N), 0, fit);
      }
      const trials_B = Uint32Array.from({ length: B }, (_, b) => b % data.trials);
      const count = Math.min(executor.runsAtOnce, STEPS);
      let step = 0, ms = Infinity;
      const end = performance.now() + 1000 * seconds;
      for (let turn = 0; turn < 3 || performance.now() < end; turn++) {
        const runs = Array.from({ length: count }, () => {
          const at = step++;
          return {
            scalars: Array.from(
              { length: fits },
              (_, fit) => scalars({ B, seedLo: fit, step: at, count: at + 1, learningRate: 1e-3 }),
            ),
            writes: { trials_B },
          };
        });
        const start = performance.now();
        await program.sequence("step", runs, "losses");
        // the first turn warms up
        if (turn > 0) ms = Math.min(ms, (performance.now() - start) / count);
      }
      found.push({ starts: fits, ms });
    } finally {
      program.free();
    }
  }
  return found;
}
