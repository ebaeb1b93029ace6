/**
 * Where a training step's time goes, on the wasm executor: the step is cut after each dispatch, and a
 * dispatch costs what it adds. So every kernel finds the numbers (and the caches) that it finds in a
 * step. Times are minima, so that other work on the machine counts little.
 *
 *     deno run --allow-read --allow-env --allow-sys bench/kernels.ts S M --threads=2
 */
import { parseArgs } from "node:util";
import { scalars } from "../src/compute/executor.ts";
import type { Dispatch } from "../src/compute/recording.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { trainingPlan } from "../src/model/training_plan.ts";
import { architecture, stepOptions } from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import { density } from "../src/train/trainer.ts";
import { type ShapeName, SHAPES, spikes } from "./shapes.ts";

/** Seconds to spend on each cut. */
const BUDGET = 1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" }, reproducible: { type: "boolean" } },
});
const threads = Number(values.threads), reproducible = values.reproducible ?? false;

async function profile(name: ShapeName): Promise<void> {
  const { title, trials, T, N, hyperparameters: h } = SHAPES[name];
  const { counts_BTN } = spikes(SHAPES[name]);
  const share = density(counts_BTN);
  const B = h.batchSize, model = architecture(h, T, N);
  const sizes = { B, S: 1, trials, counts: "u8", density: share } as const;
  const plan = trainingPlan(model, stepOptions(h), sizes);
  const step = plan.recordings.step;
  const recordings: Record<string, readonly Dispatch[]> = { step };
  step.forEach((_, i) => recordings[`${i}`] = step.slice(0, i + 1));

  const executor = await createWasmExecutor({ threads, reproducible });
  const program = await executor.load({ buffers: plan.buffers, recordings });
  const noise = fillNormal(
    { ...seedWords(3), stream: STREAMS.initialise },
    0,
    new Float64Array(parameterLayout(model).length),
  );
  program.write("params_P", noise.map((x) => 0.1 * x));
  program.write("counts", counts_BTN);
  program.write("trials_B", Array.from({ length: B }, (_, b) => b));
  const s = scalars({ B, ...seedWords(1), learningRate: 0 });

  /** Milliseconds of the fastest run. */
  const time = async (recording: string) => {
    let best = Infinity;
    const end = performance.now() + 1000 * BUDGET;
    for (let i = 0; i < 3 || performance.now() < end; i++) {
      const start = performance.now();
      await program.run(recording, s);
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };

  console.log(`${name}  ${title}; ${executor.info.arithmetic}; ${threads} threads`);
  console.log(`   density of the spikes ${share.toFixed(2)}`);
  let before = 0;
  for (const [i, { kernel }] of step.entries()) {
    const ms = await time(`${i}`);
    console.log(`${(ms - before).toFixed(3).padStart(10)} ms  ${kernel}`);
    before = ms;
  }
  console.log(`${before.toFixed(3).padStart(10)} ms  a step\n`);
  program.free();
  executor.close();
}

for (const name of positionals.length ? positionals as ShapeName[] : ["S", "M", "L"] as const) {
  await profile(name);
}
