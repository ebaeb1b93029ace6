/** `latentd score`: how good a model is on trials that it was not fitted to, beside simple methods. */
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import {
  countsSha256,
  type Dataset,
  evaluate,
  type Evaluation,
  type Executor,
  fitStarts,
  type Hyperparameters,
  infer,
  InputError,
  isRunFolder,
  type Model,
  MOST_STARTS,
  parseHyperparameters,
  readModel,
  readRunRecord,
  RUN_FILES,
  type Seen,
  testSplit,
} from "../mod.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { duration, number, sizes, table } from "./format.ts";
import { addHyperparameterOptions, givenHyperparameters } from "./hyperparameter_options.ts";
import { readData } from "./inputs.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  real,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";
import { follow } from "./progress.ts";
import { contests, scoreTable, splitLine, wins } from "./score_print.ts";

interface ScoreFlags extends ComputeOptions, DataFlags {
  readonly fit?: boolean;
  readonly splits?: number;
  readonly heldOutTrials?: number;
  readonly samples?: number;
  readonly shots?: number;
  readonly seed?: number;
  readonly starts?: number;
}

const SAMPLES = 64, SPLITS = 10, HELD_OUT_TRIALS = 0.2;

const HELP = `
Scores are those of the Neural Latents Benchmark: bits per spike of the neurons that the model sees, of
those held out (co-bps) and of the bins to come (fp-bps), behaviour by ridge regression, averages over
trials (PSTH R²); and R² to the true rates where they are known. Each stands beside what simple methods
make of the same trials: the average over training trials, the average per condition, and, from counts,
smoothed PCA + Poisson regression (spikes, factors), or smoothed counts (behaviour, PSTH). Those choose
smoothing, components and penalties by cross-validation in the training trials.

Real numbers (--observation gaussian, gamma, zero-inflated-gamma) have no bits per spike. Their scores are
nats per sample (the negative log-likelihood of one number, less is better) beside those of each neuron's
moments over the training trials, and the share of their variance that the expected values explain.

score RUN scores a run on its held-out trials. They chose the run's best step, so the scores are a little
too good.

score DATA --fit fits a model on each of several random splits and scores it on trials that the fit never
saw: a line for each split, the model's score before the baseline's, with + where the model is above.
Split i draws trials and held-out neurons with the seed SEED + i.`;

export function addScore(program: Command, context: Context): void {
  const command = program.command("score <run-or-data> [data]")
    .description(
      "score a run on held-out trials, or fits on several random splits, beside baselines",
    )
    .option("--fit", "fit the data on random splits, and score each")
    .option("--splits <number>", `with --fit: random splits (default: ${SPLITS})`, whole(1, 1000))
    .option(
      "--held-out-trials <share>",
      `with --fit: share of the trials to score on (default: ${HELD_OUT_TRIALS})`,
      share,
    )
    .option(
      "--starts <number>",
      "with --fit: starts of each fit (default: 1)",
      whole(1, MOST_STARTS),
    )
    .option("--samples <number>", `posterior samples per trial (default: ${SAMPLES})`, whole(1))
    .option("--shots <number>", "trials that few-shot regressions see (default: 16)", whole(1))
    .addOption(seedOption("with --fit: of the first split and its fit"));
  addHyperparameterOptions(addDataOptions(addComputeOptions(command)))
    .addHelpText("after", HELP)
    .action(async (first: string, second: string | undefined, flags: ScoreFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      if (flags.fit) await scoreSplits(first, second, flags, output);
      else await scoreRun(first, second, flags, output);
    });
}

function share(text: string): number {
  const value = real(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a number between 0 and 1.");
}

/** What a model saw of the data, but for the trials. */
function seenBy(model: Model): Omit<Seen, "train" | "evaluation"> {
  const { dims: { T }, encodedBins = T } = model.architecture;
  return { heldOut: model.heldOut ?? [], encodedBins };
}

async function scoreModel(
  executor: Executor,
  model: Model,
  data: Dataset,
  trials: Pick<Seen, "train" | "evaluation">,
  { samples = SAMPLES, shots }: ScoreFlags,
  brief = false,
): Promise<Evaluation> {
  const inferred = await infer(executor, model, data, { samples, seed: model.seed });
  return evaluate(data, { ...trials, ...seenBy(model) }, inferred, { shots, brief, model });
}

async function scoreRun(
  run: string,
  given: string | undefined,
  flags: ScoreFlags,
  output: Output,
): Promise<void> {
  if (!await isRunFolder(run)) {
    throw new InputError(
      `Cannot score ${
        JSON.stringify(run)
      }: expected the folder of a run, or data together with --fit, ` +
        `found neither.`,
    );
  }
  const misplaced = Object.keys(await givenHyperparameters({ ...flags }));
  const options = (["splits", "heldOutTrials", "starts", "seed"] as const)
    .filter((name) => flags[name] !== undefined);
  if (misplaced.length + options.length > 0) {
    throw new InputError(
      `Cannot score a run: expected ${
        [...options, ...misplaced].join(", ")
      } only with --fit, found it ` +
        `with the folder of a run.`,
    );
  }
  const record = await readRunRecord(run);
  const model = await readModel(join(run, RUN_FILES.model));
  const path = given ?? record.dataset.path;
  const asked = layoutOptions(flags);
  const data = await readData(path, 2, Object.keys(asked).length > 0 ? asked : record.dataset.read);
  if (await countsSha256(data) !== record.dataset.sha256) {
    throw new InputError(
      `Cannot score ${
        JSON.stringify(run)
      }: expected the counts that it was fitted to, found others in ` +
        `${JSON.stringify(path)}.`,
    );
  }
  const executor = await openDeviceAloud(flags, output);
  try {
    const split = {
      train: Uint32Array.from(record.split.train),
      evaluation: Uint32Array.from(record.split.evaluation),
    };
    const { train, evaluation } = split;
    const scored = await scoreModel(executor, model, data, split, flags);
    output.result(
      `${run} on ${evaluation.length} trials held out, after ${train.length} that trained:`,
    );
    output.result(scoreTable(scored));
    output.json({
      run,
      device: executor.info,
      step: model.step,
      trials: { train: train.length, evaluation: evaluation.length },
      ...scored,
    });
  } finally {
    executor.close();
  }
}

async function scoreSplits(
  path: string,
  second: string | undefined,
  flags: ScoreFlags,
  output: Output,
): Promise<void> {
  if (second !== undefined || await isRunFolder(path)) {
    throw new InputError(
      `Cannot score fits: expected --fit with one data file, found ${
        second === undefined ? "the folder of a run" : "two paths"
      }.`,
    );
  }
  const { seed = 0, splits = SPLITS } = flags;
  const hyperparameters = parseHyperparameters(await givenHyperparameters({ ...flags }));
  const data = await readData(path, 2, layoutOptions(flags));
  output.note(`Data: ${data.name}, ${sizes(data)}.`);
  output.warnings(data.warnings);
  const { fit, test } = splitOf(data, hyperparameters, seed, flags);
  const executor = await openDeviceAloud(flags, output);
  try {
    output.note(
      `Each split: ${fit.train.length} trials train, ${fit.evaluation.length} choose the best step, ` +
        `${test.length} are scored.`,
    );
    const done = [];
    for (let i = 0; i < splits; i++) {
      const one = await scoreSplit(executor, data, hyperparameters, seed + i, flags, output);
      output.result(splitLine(seed + i, contests(one.rows), duration(one.seconds)));
      done.push(one);
    }
    const summary = wins(done.map(({ rows }) => contests(rows)));
    output.result(table(
      ["mean", "model", "baseline", "model is above in", ""],
      summary.map(({ name, baseline, wins, splits, ours, theirs }) => [
        name,
        number(ours),
        number(theirs),
        `${wins} of ${splits} splits`,
        baseline,
      ]),
    ));
    if (summary.length === 0) {
      for (const why of done[0].left) output.result(`Not scored: ${why}`);
    }
    output.json({ data: path, device: executor.info, hyperparameters, summary, splits: done });
  } finally {
    executor.close();
  }
}

function splitOf(
  { trials }: Dataset,
  { evalFraction }: Hyperparameters,
  seed: number,
  { heldOutTrials = HELD_OUT_TRIALS }: ScoreFlags,
) {
  return testSplit(trials, heldOutTrials, evalFraction, seed);
}

/** Fits on one split and scores on the trials that the fit never saw. */
async function scoreSplit(
  executor: Executor,
  data: Dataset,
  hyperparameters: Hyperparameters,
  seed: number,
  flags: ScoreFlags,
  output: Output,
) {
  const { starts = 1 } = flags;
  const { fit, test } = splitOf(data, hyperparameters, seed, flags);
  const began = performance.now();
  const run = fitStarts({ ...data, split: fit }, executor, {
    hyperparameters,
    seed,
    splitSeed: seed,
    starts,
  });
  const { model } = await follow(run, output, { among: `Split ${seed}` });
  const seconds = (performance.now() - began) / 1000;
  const train = Uint32Array.from([...fit.train, ...fit.evaluation]).sort();
  const scored = await scoreModel(executor, model, data, { train, evaluation: test }, flags, true);
  return { seed, step: model.step, seconds, ...scored };
}
