/** `latentd infer`: single-trial rates and latents from a fitted model. */
import { extname } from "node:path";
import { type Command, Option } from "commander";
import {
  bitsPerSpike,
  countsSha256,
  type Dataset,
  infer,
  inModelShape,
  InputError,
  isRunFolder,
  type Model,
  nullRates,
  observedValues,
  OUTPUT_FORMATS,
  outputEncoder,
  type OutputFormat,
  placeSession,
  poissonNll,
  type Posterior,
  readRunRecord,
  repeatRates,
  rSquared,
  scoreReal,
  writeFileAtomic,
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
  readonly session?: string;
  readonly samples?: number;
  readonly mean?: boolean;
  readonly out?: string;
  readonly to?: string;
  readonly seed?: number;
}

const SAMPLES = 64;

const FORMATS = Object.keys(OUTPUT_FORMATS) as OutputFormat[];

const HELP = `
Formats, by --to or by FILE's ending (.npz; .h5 and .hdf5: lfads-torch; .nwb):
${FORMATS.map((format) => `  ${format.padEnd(12)} ${OUTPUT_FORMATS[format]}`).join("\n")}

Arrays in FILE.npz, trials first; B trials, T bins, N neurons, F factors, G generator units, U inputs:
  rates [B, T, N]          expected spikes per bin, averaged over the samples
  rates_hz [B, T, N]       the same per second, where the bin width is known
  log_rates [B, T, N]      ln(expected spikes per bin), averaged over the samples
  factors [B, T, F]
  gen_states [B, T, G]     generator states after each bin
  gen_init [B, G]          sampled initial states, averaged
  ic_mean, ic_logvar, ic_std [B, I]   posterior of the initial condition, of I dimensions (G by default)
  gen_inputs [B, T, U]     inferred inputs; only with a controller, like the next four
  input_mean, input_logvar, input_std [B, T, U]   their posterior
  con_states [B, T, C]     states of the controller after each bin
  trial_lengths [B]        bins of each trial, where some end early: rates after them are predictions
  missing [B, T, N]        1 where a bin was not observed, where some were not

A model of several sessions takes the data of one with --session NAME; its rates are of all neurons.
Data may be of all bins and neurons that the model was fitted to, or of those alone that its encoders see.
Deviations have the variances' floor, log-variances do not: std = sqrt(exp(logvar) + varMin).
lfads-torch's names: output_params are rates, co_means and co_stds are input_mean and input_std; each array
stands once with train_ and once with valid_, by the split of the run, beside the data themselves.`;

export function addInfer(program: Command, context: Context): void {
  const command = program.command("infer <model> <data>")
    .description("infer rates and latents of every trial with a model file or a run's folder")
    .option("--samples <number>", `posterior samples per trial (default: ${SAMPLES})`, whole(1))
    .option("--mean", "use the posterior mean, one deterministic pass, in place of samples")
    .option("--out <file>", "write every array there (default: print a summary only)")
    .addOption(
      new Option("--to <format>", "the format (default: by FILE's ending)").choices(FORMATS),
    )
    .option("--session <name>", "of a model of several sessions: which the data are of")
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
      const found = await readData(dataPath, 1, read);
      output.warnings(found.warnings);
      const data = asFitted(model, ofSession(model, found, flags), output);
      const format = flags.out === undefined ? null : formatOf(flags);
      const split = format === "lfads-torch" ? await knownSplit(modelPath, data, output) : null;
      const executor = await openDeviceAloud(flags, output);
      try {
        const wide = executor.info.name === "reference";
        // before anything is inferred: whether the format can hold it
        const encode = format && await outputEncoder(model, data, format, { split, wide });
        const posterior = await infer(executor, model, data, {
          samples: flags.mean ? 0 : flags.samples ?? SAMPLES,
          seed: flags.seed ?? 0,
        });
        if (encode && flags.out !== undefined) {
          await writeFileAtomic(flags.out, await encode(posterior));
        }
        summarise(model, posterior, data, flags.out ?? null, output);
        output.json({
          device: executor.info,
          samples: posterior.samples,
          seed: flags.seed ?? 0,
          trials: data.trials,
          T: data.T,
          N: data.N,
          ...scores(model, posterior, data),
          out: flags.out ?? null,
          format,
          warnings: data.warnings,
        });
      } finally {
        executor.close();
      }
    });
}

/** The format of a file, by its ending or as it was asked for. */
function formatOf({ out, to }: InferFlags): OutputFormat {
  const known = FORMATS.find((format) => format === to);
  if (known !== undefined) return known;
  switch (extname(out ?? "").toLowerCase()) {
    case ".npz":
      return "npz";
    case ".h5":
    case ".hdf5":
      return "lfads-torch";
    case ".nwb":
      return "nwb";
  }
  throw new InputError(
    `Cannot write ${
      JSON.stringify(out)
    }: expected a name that ends in .npz, .h5, .hdf5 or .nwb, or ` +
      `--to FORMAT, found ${JSON.stringify(extname(out ?? ""))}.`,
  );
}

/** The split of the run where the data are the run's, else the data's own; null where there is none. */
async function knownSplit(modelPath: string, data: Dataset, output: Output) {
  if (await isRunFolder(modelPath)) {
    const { dataset, split } = await readRunRecord(modelPath);
    if (dataset.sha256 === await countsSha256(data)) {
      return {
        train: Uint32Array.from(split.train),
        evaluation: Uint32Array.from(split.evaluation),
      };
    }
  }
  if (!data.split) {
    output.note("These are not the trials of a run, nor have they a split: all stand in valid_.");
  }
  return data.split ?? null;
}

/** One session's data among the neurons of all; as they are where no session is named. */
function ofSession({ sessions }: Model, data: Dataset, { session }: InferFlags): Dataset {
  if (session === undefined) {
    if (!sessions?.neurons.includes(data.N)) return data;
    throw new InputError(
      `Cannot infer: expected --session, one of ${
        sessions.names.join(", ")
      }, for data of ${data.N} ` +
        `neurons, since the model is of several sessions, found none.`,
    );
  }
  if (sessions) return placeSession(data, sessions, session);
  throw new InputError(
    `Cannot infer: expected no --session, since the model is of a single one, found ` +
      `${JSON.stringify(session)}.`,
  );
}

/** The data as the model takes them; what they lack is missing, and inferred. */
function asFitted(model: Model, data: Dataset, output: Output): Dataset {
  const whole = inModelShape(model, data);
  if (whole === data) return data;
  output.note(
    `The data are of ${data.T} bins and ${data.N} neurons, which the model's encoders see; all of its ` +
      `${whole.T} bins and ${whole.N} neurons are inferred.`,
  );
  const { neurons: _names, encodedBins: _bins, heldOut: _held, ...kept } = whole;
  return { ...kept, truth: null };
}

/** How well the rates fit the data that they were inferred from, in bins that were observed. */
function scores(model: Model, posterior: Posterior, data: Dataset) {
  const { rates_BTN } = posterior;
  const { trials, T, N, truth } = data;
  const rateR2 = truth && rSquared(rates_BTN, truth.rates_BTN, N);
  const { observation = "poisson" } = model.architecture;
  if (observation !== "poisson") {
    const all = Uint32Array.from({ length: trials }, (_, b) => b);
    const { per, nll } = scoreReal(data, { train: all, evaluation: all }, model, posterior);
    return { per, nll: { null: nll.null, model: nll.model }, bitsPerSpike: null, rateR2 };
  }
  const values_BTN = observedValues(data);
  const null_N = nullRates(values_BTN, N).map((rate) => rate || 0);
  const silent = !values_BTN.some((count) => count > 0);
  return {
    per: "trial" as const,
    nll: {
      null: poissonNll(repeatRates(null_N, trials * T), values_BTN, { trials }),
      model: poissonNll(rates_BTN, values_BTN, { trials }),
    },
    bitsPerSpike: silent ? null : bitsPerSpike(rates_BTN, values_BTN, N, null_N),
    rateR2,
  };
}

function summarise(
  model: Model,
  posterior: Posterior,
  data: Dataset,
  out: string | null,
  output: Output,
): void {
  const { samples, rates_BTN } = posterior;
  const { per, nll, bitsPerSpike, rateR2 } = scores(model, posterior, data);
  const values_BTN = observedValues(data);
  const mean = (values: ArrayLike<number>) => {
    let sum = 0, seen = 0;
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values_BTN[i])) continue;
      sum += values[i];
      seen++;
    }
    return number(sum / seen);
  };
  output.result(
    `Inferred ${sizes(data)}: ${
      samples === 0 ? "posterior mean" : `${samples} posterior samples of each trial`
    }.`,
  );
  const unit = per === "trial" ? "spikes per bin" : "value";
  output.result(table(["", unit, `nats per ${per}`], [
    ["data, mean rates", mean(values_BTN), number(nll.null)],
    ["model", mean(rates_BTN), number(nll.model)],
  ]));
  let predicted = 0;
  for (const value of values_BTN) if (Number.isNaN(value)) predicted++;
  if (predicted > 0) {
    output.result(
      `${predicted} of ${values_BTN.length} bins of single neurons were not observed: there the rates ` +
        `are predictions, which nothing here compares. Files say where ("missing", "trial_lengths").`,
    );
  }
  if (bitsPerSpike !== null) {
    output.result(
      `${
        number(bitsPerSpike)
      } bits per spike over mean rates, of the spikes that were inferred from.`,
    );
  }
  if (rateR2 !== null) output.result(`R² of the rates to the true ones: ${number(rateR2)}.`);
  output.result(out === null ? "Nothing was written: --out FILE keeps it." : `Wrote ${out}`);
}
