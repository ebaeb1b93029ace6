/** Inference: the posterior mean, or all samples of all trials in one call of `infer`. */
import {
  type Executor,
  infer,
  type Model,
  posteriorPlan,
  scalars,
  stepOptions,
  type Tensor,
  tensor,
} from "../src/mod.ts";
import { config, firstTrials, modelCase, parameterTensors, SEED } from "./model_case.ts";
import { normals } from "./random.ts";
import type { Shape } from "./shapes.ts";
import { float32Tolerance, type Task, type Verified } from "./task.ts";

/** With explicit noise a few samples show all that many would, and fit in memory at every shape. */
const MOST_VERIFIED_SAMPLES = 4;

/** What is timed is the library's whole call, spikes in, averaged outputs out. */
export function inferTask(shape: Shape, executor: Executor): Task {
  const c = modelCase(shape);
  const { samples } = shape;
  const { data, model, layout, moved_P } = c;
  const h = shape.hyperparameters;
  const B = h.batchSize;
  const { T, N, E, C, U, G, F } = model.dims;
  const counts_BTN = firstTrials(data, B);
  const verified = Math.min(samples, MOST_VERIFIED_SAMPLES);
  const S = Math.max(1, verified), R = B * S;

  const noise: Record<string, Tensor> = verified === 0 ? {} : {
    epsIc_RI: tensor([R, G], normals("epsIc", R * G)),
    ...(U > 0 && { epsInputs_TRU: tensor([T, R, U], normals("epsInputs", T * R * U)) }),
  };

  async function verify(): Promise<Verified> {
    const program = await executor.load(posteriorPlan(model, stepOptions(h), {
      B,
      S,
      trials: B,
      counts: counts_BTN instanceof Uint16Array ? "u16" : "u8",
      explicitNoise: true,
    }));
    try {
      program.write("params_P", moved_P);
      program.write("counts", counts_BTN);
      program.write("trials_B", Array.from({ length: B }, (_, b) => b));
      for (const [name, { data }] of Object.entries(noise)) program.write(name, data);
      await program.run(verified > 0 ? "sample" : "mean", scalars({ B, S }));
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

  const started: Model = {
    architecture: model,
    hyperparameters: h,
    params_P: moved_P,
    binWidth: null,
    seed: SEED,
    step: 0,
  };
  let call = 0;
  async function run(steps: number): Promise<number[]> {
    const figures: number[] = [];
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      const options = { samples, seed: call++ };
      await infer(executor, started, { counts_BTN, trials: B, T, N }, options);
      figures.push(performance.now() - start);
    }
    return figures;
  }

  const spikes_BTN = tensor([B, T, N], counts_BTN);
  const tensors = { ...parameterTensors(layout, moved_P), spikes_BTN };
  const shared = { ...config(c), task: "infer" };
  return {
    name: "infer",
    device: executor.info,
    unit: samples > 0 ? `${samples} samples of ${B} trials` : `the posterior mean of ${B} trials`,
    timed: { tensors, config: { ...shared, S: samples } },
    explicit: { tensors: { ...tensors, ...noise }, config: { ...shared, S: verified } },
    tolerance: float32Tolerance(T, Math.max(E, C, G)),
    verify,
    run,
    close: () => {},
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
