/** One train step: minibatch, masks and noise, forward, backward, clip, Adam. */
import { type Executor, scalars } from "../src/compute/executor.ts";
import { LOSSES } from "../src/compute/kernels.ts";
import { type Tensor, tensor } from "../src/data/safetensors.ts";
import { trainingPlan } from "../src/model/choreography.ts";
import { stepOptions } from "../src/model/hyperparameters.ts";
import { STREAMS } from "../src/random.ts";
import { Trainer } from "../src/train/trainer.ts";
import {
  byName,
  config,
  firstTrials,
  mask,
  modelCase,
  normals,
  parameterTensors,
  SEED,
} from "./model_case.ts";
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
  const all = Uint32Array.from({ length: data.trials }, (_, i) => i);
  const wide = data.counts_BTN instanceof Uint16Array;

  const noise: Record<string, Tensor> = {
    keepSpikes_BTN: tensor([B, T, N], mask(STREAMS.keepSpikes, h.keepRate, B * T * N)),
    keepEnds_B2E: tensor([B, 2 * E], mask(STREAMS.keepEnds, h.keepRate, B * 2 * E)),
    keepGen_RTG: tensor([B, T, G], mask(STREAMS.keepGen, h.generatorKeepRate, B * T * G)),
    epsIc_RG: tensor([B, G], normals(STREAMS.epsIc, B * G)),
    ...(U > 0 && {
      keepEnc_BT2E: tensor([B, T, 2 * E], mask(STREAMS.keepEnc, h.keepRate, B * T * 2 * E)),
      epsInputs_TRU: tensor([T, B, U], normals(STREAMS.epsInputs, T * B * U)),
    }),
  };

  async function verify(): Promise<Verified> {
    const program = executor.load(trainingPlan(model, stepOptions(h), {
      B,
      S: 1,
      trials: B,
      counts: wide ? "u16" : "u8",
      explicitNoise: true,
    }));
    try {
      program.write("params_P", moved_P);
      program.write("counts", firstTrials(data, B));
      program.write("trials_B", all.subarray(0, B));
      for (const [name, { data }] of Object.entries(noise)) program.write(name, data);
      await program.run("gradient", scalars({ B, klScale: KL_SCALE }));
      const losses = await program.read("losses");
      return {
        losses: Object.fromEntries(LOSSES.map((name, i) => [name, losses[i]])),
        arrays: byName(layout, await program.read("grads_P")),
      };
    } finally {
      program.free();
    }
  }

  let trainer: Trainer | null = null;
  let step = 0;
  async function run(steps: number): Promise<number[]> {
    if (!trainer) {
      trainer = new Trainer(executor, data, h, SEED, { train: all, evaluation: all });
      const zeros = new Float64Array(layout.length);
      trainer.write({ params_P: start_P, m_P: zeros, v_P: zeros });
    }
    const figures: number[] = [];
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      await trainer.step(step++);
      figures.push(performance.now() - start);
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
    close: () => trainer?.free(),
  };
}
