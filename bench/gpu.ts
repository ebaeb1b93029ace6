/**
 * Where a train step's time goes on a GPU: every dispatch by the device's own clock, with what it
 * achieves of the device's limits, which are measured first.
 */
import { density, type Executor, isTimed, scalars, stepOptions, trainingPlan } from "../src/mod.ts";
import { type GpuLimits, measureLimits } from "./gpu_limits.ts";
import { modelCase } from "./model_case.ts";
import type { Shape } from "./shapes.ts";

/** Repeats, and milliseconds after which there are no more. */
const REPEATS = 20;
const LONGEST = 5000;

/** One dispatch, or the sum of all. */
interface Line {
  readonly kernels: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Times the dispatches of a step and returns the table as Markdown. */
export async function benchGpu(shape: Shape, executor: Executor): Promise<string> {
  const limits = await measureLimits();
  const lines = await dispatchTimes(shape, executor);
  const sum = (pick: (line: Line) => number) =>
    lines.reduce((total, line) => total + pick(line), 0);
  const all: Line = {
    kernels: "all",
    microseconds: sum((line) => line.microseconds),
    flops: sum((line) => line.flops),
    bytes: sum((line) => line.bytes),
  };
  return [
    `Limits measured on ${executor.info.adapter}: ${number(limits.gflops)} GFLOP/s of float32 ` +
    `multiply-adds, ${number(limits.gigabytes)} GB/s of copying.`,
    "",
    "| dispatch | µs | GFLOP/s | of the limit | GB/s | of the limit |",
    "| --- | --- | --- | --- | --- | --- |",
    ...[...lines, all].map((line) => row(line, limits)),
    "",
  ].join("\n");
}

async function dispatchTimes(shape: Shape, executor: Executor): Promise<Line[]> {
  const { data, model, start_P } = modelCase(shape);
  const h = shape.hyperparameters, B = h.batchSize;
  const counts = data.counts_BTN instanceof Uint16Array ? "u16" : "u8";
  const sizes = {
    B,
    S: 1,
    trials: data.trials,
    counts,
    density: density(data.counts_BTN),
  } as const;
  const program = await executor.load(trainingPlan(model, stepOptions(h), sizes));
  try {
    if (!isTimed(program)) throw new Error("Cannot time dispatches: the device has no clock.");
    program.write("params_P", start_P);
    program.write("counts", data.counts_BTN);
    program.write("trials_B", Array.from({ length: B }, (_, b) => b));
    const s = scalars({ B, learningRate: 0 });
    let best: Line[] = [];
    const end = performance.now() + LONGEST;
    for (let i = 0; i < REPEATS && (i < 2 || performance.now() < end); i++) {
      const times = await program.timed("step", s);
      if (!times) throw new Error("Cannot time dispatches: the adapter has no timestamps.");
      best = times.map(({ kernels, microseconds, flops, bytes }, at) => ({
        kernels,
        microseconds: Math.min(microseconds, best[at]?.microseconds ?? Infinity),
        flops,
        bytes,
      }));
    }
    return best;
  } finally {
    program.free();
  }
}

const number = (x: number) => x >= 100 ? x.toFixed(0) : x.toPrecision(3);

function row({ kernels, microseconds, flops, bytes }: Line, limits: GpuLimits): string {
  const gflops = flops / microseconds / 1000, gigabytes = bytes / microseconds / 1000;
  const share = (part: number, whole: number) => `${(100 * part / whole).toFixed(1)} %`;
  return `| ${kernels} | ${number(microseconds)} | ${number(gflops)} | ` +
    `${share(gflops, limits.gflops)} | ${number(gigabytes)} | ` +
    `${share(gigabytes, limits.gigabytes)} |`;
}
