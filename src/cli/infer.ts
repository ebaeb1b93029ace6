/** `latentd infer`: single-trial rates and latents from a fitted model. */
import type { Command } from "commander";
import {
  bitsPerSpike,
  type Dataset,
  infer,
  InputError,
  type Model,
  type NpyArray,
  npyArray,
  nullRates,
  poissonNll,
  type Posterior,
  repeatRates,
  rSquared,
  writeFileAtomic,
  writeNpz,
} from "../mod.ts";
import { number, sizes, table } from "./format.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { readData, readModelOrRun, readOptions } from "./inputs.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";

interface InferFlags extends ComputeOptions, DataFlags {
  readonly samples?: number;
  readonly mean?: boolean;
  readonly out?: string;
  readonly seed?: number;
}

const SAMPLES = 64;

const HELP = `
Arrays in FILE.npz, trials first; B trials, T bins, N neurons, F factors, G generator units, U inputs:
  rates [B, T, N]          expected spikes per bin, averaged over the samples
  rates_hz [B, T, N]       the same per second, where the bin width is known
  log_rates [B, T, N]      ln(expected spikes per bin), averaged over the samples
  factors [B, T, F]
  gen_states [B, T, G]     generator states after each bin
  gen_init [B, G]          sampled initial states, averaged
  ic_mean, ic_logvar [B, G]         posterior of the initial condition
  gen_inputs [B, T, U]              inferred inputs; only with a controller, like the next two
  input_mean, input_logvar [B, T, U]  their posterior`;

export function addInfer(program: Command, context: Context): void {
  const command = program.command("infer <model> <data>")
    .description("infer rates and latents of every trial with a model file or a run's folder")
    .option("--samples <number>", `posterior samples per trial (default: ${SAMPLES})`, whole(1))
    .option("--mean", "use the posterior mean, one deterministic pass, in place of samples")
    .option("--out <file.npz>", "write every array there (default: print a summary only)")
    .addOption(seedOption("decides the samples"));
  addDataOptions(addComputeOptions(command))
    .addHelpText("after", HELP)
    .action(async (modelPath: string, dataPath: string, flags: InferFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      if (flags.mean && flags.samples !== undefined) {
        throw new InputError(
          `Cannot infer: expected --mean or --samples, found both (--samples ${flags.samples}).`,
        );
      }
      const model = await readModelOrRun(modelPath);
      const read = await readOptions(modelPath, dataPath, layoutOptions(flags));
      const data = await readData(dataPath, 1, read);
      output.warnings(data.warnings);
      const executor = await openDeviceAloud(flags, output);
      try {
        const posterior = await infer(executor, model, data, {
          samples: flags.mean ? 0 : flags.samples ?? SAMPLES,
          seed: flags.seed ?? 0,
        });
        const wide = executor.info.name === "reference";
        if (flags.out !== undefined) {
          const arrays = posteriorArrays(posterior, model, data, wide);
          await writeFileAtomic(flags.out, writeNpz(arrays, { what: JSON.stringify(flags.out) }));
        }
        summarise(posterior, data, flags.out ?? null, output);
        output.json({
          device: executor.info,
          samples: posterior.samples,
          seed: flags.seed ?? 0,
          trials: data.trials,
          T: data.T,
          N: data.N,
          ...scores(posterior, data),
          out: flags.out ?? null,
          warnings: data.warnings,
        });
      } finally {
        executor.close();
      }
    });
}

/** The arrays as a file names them, as wide as they were computed. */
function posteriorArrays(
  posterior: Posterior,
  model: Model,
  data: Dataset,
  wide: boolean,
): Record<string, NpyArray> {
  const { B } = posterior;
  const { T, N, U, G, F } = model.architecture.dims;
  const binWidth = data.binWidth ?? model.binWidth;
  const array = (shape: number[], values: Float64Array) =>
    npyArray(shape, wide ? values : Float32Array.from(values));
  return {
    rates: array([B, T, N], posterior.rates_BTN),
    ...(binWidth === null
      ? {}
      : { rates_hz: array([B, T, N], posterior.rates_BTN.map((rate) => rate / binWidth)) }),
    log_rates: array([B, T, N], posterior.logRates_BTN),
    factors: array([B, T, F], posterior.factors_BTF),
    gen_states: array([B, T, G], posterior.gen_BTG),
    gen_init: array([B, G], posterior.g0_BG),
    ic_mean: array([B, G], posterior.icMean_BG),
    ic_logvar: array([B, G], posterior.icLogVar_BG),
    ...(U === 0 ? {} : {
      gen_inputs: array([B, T, U], posterior.inputs_BTU),
      input_mean: array([B, T, U], posterior.inputMean_BTU),
      input_logvar: array([B, T, U], posterior.inputLogVar_BTU),
    }),
  };
}

/** How well the rates fit the spikes that they were inferred from. */
function scores({ rates_BTN }: Posterior, { counts_BTN, trials, T, N, truth }: Dataset) {
  const null_N = nullRates(counts_BTN, N);
  const silent = counts_BTN.every((count) => count === 0);
  return {
    nll: {
      null: poissonNll(repeatRates(null_N, trials * T), counts_BTN, { trials }),
      model: poissonNll(rates_BTN, counts_BTN, { trials }),
    },
    bitsPerSpike: silent ? null : bitsPerSpike(rates_BTN, counts_BTN, N),
    rateR2: truth && rSquared(rates_BTN, truth.rates_BTN, N),
  };
}

function summarise(posterior: Posterior, data: Dataset, out: string | null, output: Output): void {
  const { samples, rates_BTN } = posterior;
  const { nll, bitsPerSpike, rateR2 } = scores(posterior, data);
  const mean = (values: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i];
    return number(sum / values.length);
  };
  output.result(
    `Inferred ${sizes(data)}: ${
      samples === 0 ? "posterior mean" : `${samples} posterior samples of each trial`
    }.`,
  );
  output.result(table(["", "spikes per bin", "nats per trial"], [
    ["data, mean rates", mean(data.counts_BTN), number(nll.null)],
    ["model", mean(rates_BTN), number(nll.model)],
  ]));
  if (bitsPerSpike !== null) {
    output.result(
      `${
        number(bitsPerSpike)
      } bits per spike over mean rates, of the spikes that were inferred from.`,
    );
  }
  if (rateR2 !== null) output.result(`R² of the rates to the true ones: ${number(rateR2)}.`);
  output.result(out === null ? "Nothing was written: --out FILE.npz keeps it." : `Wrote ${out}`);
}
