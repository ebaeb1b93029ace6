/** Inference: the posterior mean, or all samples of all trials in one batched call. */
import { type Executor, type Program, scalars } from "../src/compute/executor.ts";
import { type Tensor, tensor } from "../src/data/safetensors.ts";
import { posteriorPlan } from "../src/model/choreography.ts";
import { stepOptions } from "../src/model/hyperparameters.ts";
import { PURPOSES, seedWords, STREAMS } from "../src/random.ts";
import { config, firstTrials, modelCase, normals, parameterTensors, SEED } from "./model_case.ts";
import type { Shape } from "./shapes.ts";
import { float32Tolerance, type Task, type Verified } from "./task.ts";

/**
 * @param samples posterior samples of each trial; 0 is the posterior mean
 */
export function inferTask(shape: Shape, executor: Executor, samples: number): Task {
  const c = modelCase(shape);
  const { data, model, layout, moved_P } = c;
  const h = shape.hyperparameters;
  const B = h.batchSize, S = Math.max(1, samples), R = B * S;
  const { T, N, E, C, U, G, F } = model.dims;
  const recording = samples > 0 ? "sample" : "mean";

  function load(explicitNoise: boolean): Program {
    const program = executor.load(posteriorPlan(model, stepOptions(h), {
      B,
      S,
      trials: B,
      counts: data.counts_BTN instanceof Uint16Array ? "u16" : "u8",
      explicitNoise,
    }));
    program.write("params_P", moved_P);
    program.write("counts", firstTrials(data, B));
    program.write("trials_B", Uint32Array.from({ length: B }, (_, b) => b));
    return program;
  }

  const noise: Record<string, Tensor> = samples === 0 ? {} : {
    epsIc_RG: tensor([R, G], normals(STREAMS.epsIc, R * G)),
    ...(U > 0 && { epsInputs_TRU: tensor([T, R, U], normals(STREAMS.epsInputs, T * R * U)) }),
  };

  async function verify(): Promise<Verified> {
    const program = load(true);
    try {
      for (const [name, { data }] of Object.entries(noise)) program.write(name, data);
      await program.run(recording, scalars({ B, S, purpose: PURPOSES.posterior }));
      const read = async (buffer: string, slot: number, n: number, width = n, skip = 0) =>
        trialsFirst(await program.read(buffer), { slot, T, B, n, width, skip });
      const params = "mean_inputParams_TB2U";
      const arrays: Record<string, Float64Array> = {
        rates: await read("rates_TBN", 0, N),
        logRates: await read("logRates_TBN", 0, N),
        factors: await read("mean_factors_HBF", 1, F),
        gen: await read("mean_gen_HBG", 1, G),
        ...(U > 0 && {
          inputs: await read("mean_inputs_TBU", 0, U),
          inputMean: await read(params, 0, U, 2 * U),
          inputLogVar: await read(params, 0, U, 2 * U, U),
        }),
      };
      const meanRate = arrays.rates.reduce((sum, rate) => sum + rate, 0) / arrays.rates.length;
      return { losses: { meanRate }, arrays };
    } finally {
      program.free();
    }
  }

  let program: Program | null = null;
  let call = 0;
  async function run(steps: number): Promise<number[]> {
    program ??= load(false);
    const figures: number[] = [];
    for (let i = 0; i < steps; i++) {
      const at = { ...seedWords(SEED), step: call++, purpose: PURPOSES.posterior };
      const start = performance.now();
      await program.run(recording, scalars({ B, S, ...at }));
      figures.push(performance.now() - start);
    }
    return figures;
  }

  const spikes_BTN = tensor([B, T, N], firstTrials(data, B));
  const tensors = { ...parameterTensors(layout, moved_P), spikes_BTN };
  return {
    name: "infer",
    device: executor.info,
    unit: samples > 0 ? `${samples} samples of ${B} trials` : `the posterior mean of ${B} trials`,
    timed: { tensors, config: { ...config(c), task: "infer", S: samples } },
    explicit: {
      tensors: { ...tensors, ...noise },
      config: { ...config(c), task: "infer", S: samples },
    },
    tolerance: float32Tolerance(T, Math.max(E, C, G)),
    verify,
    run,
    close: () => program?.free(),
  };
}

/** `[T][B][width]` from `slot` on, columns `skip … skip + n`, as `[B][T][n]`. */
function trialsFirst(
  values: Float64Array,
  { slot, T, B, n, width, skip }: Record<"slot" | "T" | "B" | "n" | "width" | "skip", number>,
): Float64Array {
  const out = new Float64Array(B * T * n);
  for (let t = 0; t < T; t++) {
    for (let b = 0; b < B; b++) {
      const from = ((t + slot) * B + b) * width + skip;
      out.set(values.subarray(from, from + n), (b * T + t) * n);
    }
  }
  return out;
}
