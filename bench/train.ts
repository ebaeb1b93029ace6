/** One train step: minibatch, masks and noise, forward, backward, clip, Adam; losses read back. */
import {
  density,
  type Executor,
  klScale,
  learningRate,
  LOSSES,
  type Program,
  scalars,
  stepOptions,
  type Tensor,
  tensor,
  trainingPlan,
} from "../src/mod.ts";
import { byName, config, firstTrials, modelCase, parameterTensors, SEED } from "./model_case.ts";
import { mask, normals, uniforms } from "./random.ts";
import type { Shape } from "./shapes.ts";
import { float32Tolerance, type Task, type Verified } from "./task.ts";

/** The KL terms' scale in the explicit case. */
const KL_SCALE = 0.5;

export function trainTask(shape: Shape, executor: Executor): Task {
  const c = modelCase(shape);
  const { data, model, layout, start_P, moved_P } = c;
  const h = shape.hyperparameters;
  const B = h.batchSize;
  const { T, N, E, C, U, G } = model.dims;
  const counts = data.counts_BTN instanceof Uint16Array ? "u16" : "u8";

  const noise: Record<string, Tensor> = {
    keepSpikes_BTN: tensor([B, T, N], mask("keepSpikes", h.keepRate, B * T * N)),
    keepEnds_B2E: tensor([B, 2 * E], mask("keepEnds", h.keepRate, B * 2 * E)),
    keepGen_RTG: tensor([B, T, G], mask("keepGen", h.generatorKeepRate, B * T * G)),
    epsIc_RI: tensor([B, G], normals("epsIc", B * G)),
    ...(U > 0 && {
      keepEnc_BT2E: tensor([B, T, 2 * E], mask("keepEnc", h.keepRate, B * T * 2 * E)),
      epsInputs_TRU: tensor([T, B, U], normals("epsInputs", T * B * U)),
    }),
  };

  async function verify(): Promise<Verified> {
    const sizes = { B, S: 1, trials: B, counts, explicitNoise: true } as const;
    const program = await executor.load(trainingPlan(model, stepOptions(h), sizes));
    try {
      program.write("params_P", moved_P);
      program.write("counts", firstTrials(data, B));
      program.write("trials_B", Array.from({ length: B }, (_, b) => b));
      for (const [name, { data }] of Object.entries(noise)) program.write(name, data);
      await program.run("gradient", scalars({ B, klIcScale: KL_SCALE, klInputsScale: KL_SCALE }));
      const losses = await program.read("losses");
      return {
        losses: Object.fromEntries(LOSSES.map((name, i) => [name, losses[i]])),
        arrays: byName(layout, await program.read("grads_P")),
      };
    } finally {
      program.free();
    }
  }

  async function load(): Promise<Program> {
    const sizes = {
      B,
      S: 1,
      trials: data.trials,
      counts,
      density: density(data.counts_BTN),
    } as const;
    const program = await executor.load(trainingPlan(model, stepOptions(h), sizes));
    program.write("params_P", start_P);
    program.write("counts", data.counts_BTN);
    return program;
  }

  let program: Program | null = null;
  let step = 0;
  const next = uniforms(SEED);
  /** What `fit` does: a step at a time, or as many as the device gains from. */
  async function makeSteps(program: Program, count: number): Promise<void> {
    const runs = Array.from({ length: count }, () => {
      const trials_B = Uint32Array.from({ length: B }, () => Math.floor(next() * data.trials));
      const run = scalars({
        B,
        seedLo: SEED,
        step,
        count: step + 1,
        klIcScale: klScale(h, step),
        klInputsScale: klScale(h, step),
        learningRate: learningRate(h, step),
      });
      step++;
      return { scalars: run, writes: { trials_B } };
    });
    for (const [[total]] of await program.sequence("step", runs, "losses")) {
      if (!Number.isFinite(total)) throw new Error(`Cannot time a step: its loss is ${total}.`);
    }
  }

  async function run(steps: number): Promise<number[]> {
    program ??= await load();
    const figures: number[] = [];
    while (figures.length < steps) {
      const count = Math.min(executor.runsAtOnce, steps - figures.length);
      const start = performance.now();
      await makeSteps(program, count);
      const ms = (performance.now() - start) / count;
      for (let i = 0; i < count; i++) figures.push(ms);
    }
    return figures;
  }

  return {
    name: "train",
    device: executor.info,
    unit: "one train step",
    timed: {
      tensors: {
        ...parameterTensors(layout, start_P),
        spikes_BTN: tensor([data.trials, T, N], data.counts_BTN),
      },
      config: { ...config(c), task: "train" },
    },
    explicit: {
      tensors: {
        ...parameterTensors(layout, moved_P),
        ...noise,
        spikes_BTN: tensor([B, T, N], firstTrials(data, B)),
      },
      config: { ...config(c), task: "train", klScale: KL_SCALE },
    },
    tolerance: float32Tolerance(T, Math.max(E, C, G)),
    verify,
    run,
    close: () => program?.free(),
  };
}
