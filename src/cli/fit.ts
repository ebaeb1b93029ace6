/** `latentd fit`: fits LFADS to a dataset, in a run folder that can be resumed. */
import { join, resolve } from "node:path";
import type { Command } from "commander";
import {
  countsSha256,
  type Dataset,
  deviceWords,
  type Executor,
  fitStarts,
  type Hyperparameters,
  InputError,
  MOST_STARTS,
  newRunRecord,
  parseHyperparameters,
  requireFreeFolder,
  RUN_FILES,
  RunDirectory,
  type RunRecord,
  settle,
  type StartsResult,
  type StartsState,
  trialSplit,
} from "../mod.ts";
import { addDataOptions, type DataFlags, layoutOptions } from "./data_options.ts";
import { endingWords } from "./ending.ts";
import { duration, sizes } from "./format.ts";
import { addHyperparameterOptions, givenHyperparameters } from "./hyperparameter_options.ts";
import { readData } from "./inputs.ts";
import { listenForInterrupt } from "./interrupt.ts";
import {
  addComputeOptions,
  type ComputeOptions,
  type Context,
  openDeviceAloud,
  seedOption,
  whole,
} from "./options.ts";
import { Output } from "./output.ts";
import { follow } from "./progress.ts";
import { startsTable } from "./starts.ts";
import { makeReport, printScores } from "./study.ts";

interface FitFlags extends ComputeOptions, DataFlags {
  readonly out?: string;
  readonly seed?: number;
  readonly splitSeed?: number;
  readonly starts?: number;
  readonly resume?: string;
  readonly report: boolean;
}

/** May change when a run that failed goes on: what may keep it from failing again. */
const AFTER_FAILURE: readonly string[] = [
  "stepSize",
  "maxGradNorm",
  "guardFactor",
  "guardRetries",
];

const HELP = `
A run's folder holds run.json, checkpoint.safetensors, model.safetensors (the best evaluation),
losses.csv and report.html. Ctrl-C stops a run after the step in progress, with a checkpoint; a second
one ends it at once, from the last checkpoint.

Bins that were not observed (NaN, or a mask) and bins after a trial's end have no part in fit and scores.
A file's window to reconstruct, held-out neurons and external inputs are taken as they are (latentd inspect
says which there are); real numbers want --observation.

Losses are in nats per trial, without the constant ln x!: in training with the KL terms at the scale of
that step and the L2 penalty, on held-out trials with the KL terms in full. The scores at the end are
negative log-likelihoods with ln x! and without KL terms, so they are other numbers.

--starts N trains N starts side by side on the same trials, with seeds SEED, SEED+1, …, and keeps the
one with the best evaluation: model.safetensors, losses.csv and report.html are that one's, starts.csv
has the losses of all. Each is what --seed SEED+i --split-seed SEED makes alone, bit for bit. A start
whose numbers run away goes back to its last good state, with half its learning rate (guardFactor, at
most guardRetries times); then it is left out. The others go on. One that stops early (earlyStop)
waits for them.

A resumed run goes on with the data, hyperparameters, seed and device of its run.json, to the same bits.
Data that changed are refused, and so are changed hyperparameters, but for more steps, for a later or no
early stop, and, where the run failed, for stepSize, maxGradNorm, guardFactor and guardRetries. --device lets it go on on another device, as when a GPU is gone;
then it rounds differently from there on.`;

export function addFit(program: Command, context: Context): void {
  const command = program.command("fit [data]")
    .description("fit LFADS to spikes [trials, bins, neurons] in a .npz, .npy, HDF5 or NWB file")
    .option("--out <folder>", "the run's folder (default: runs/<data>-<time>)")
    .option("--resume <folder>", "go on with a run; its data are found by themselves")
    .option("--no-report", "leave out the report at the end (inference and fixed points)")
    .addOption(seedOption("decides the start, the split, minibatches and noise"))
    .option(
      "--split-seed <number>",
      "decides which trials train and which evaluate, unless the data say (default: the seed)",
      whole(),
    )
    .option(
      "--starts <number>",
      "train so many starts side by side and keep the best (default: 1)",
      whole(1, MOST_STARTS),
    );
  addHyperparameterOptions(addDataOptions(addComputeOptions(command)))
    .addHelpText("after", HELP)
    .action(async (dataPath: string | undefined, flags: FitFlags) => {
      const output = new Output(context.streams, flags.json ?? false);
      const session = flags.resume === undefined
        ? await begin(dataPath, flags, output)
        : await goOn(flags.resume, dataPath, flags, output);
      context.exitCode = await run(session, flags, output);
    });
}

/** A run that is about to train. */
interface Session {
  readonly folder: string;
  readonly data: Dataset;
  readonly hyperparameters: Hyperparameters;
  readonly seed: number;
  readonly splitSeed: number;
  readonly starts: number;
  readonly executor: Executor;
  readonly state?: StartsState;
  /** makes the folder of a new run: not before there is a state to save */
  readonly directory: () => Promise<RunDirectory>;
}

async function begin(path: string | undefined, flags: FitFlags, output: Output): Promise<Session> {
  if (path === undefined) {
    throw new InputError("Cannot fit: expected a data file or --resume FOLDER, found neither.");
  }
  const hyperparameters = parseHyperparameters(await givenHyperparameters({ ...flags }));
  const read = layoutOptions(flags);
  const data = await readData(path, 2, read);
  const folder = flags.out ?? join("runs", `${data.name}-${timestamp()}`);
  await requireFreeFolder(folder);
  describe(data, output);
  const { seed = 0, splitSeed = seed, starts = 1 } = flags;
  const split = trialSplit(data, hyperparameters.evalFraction, splitSeed);
  const executor = await openDeviceAloud(flags, output);
  const record = await newRunRecord({
    seed,
    splitSeed,
    starts,
    hyperparameters,
    device: executor.info,
    reproducible: flags.reproducible ?? false,
    data,
    dataPath: resolve(path),
    read,
    split,
  });
  const directory = () => RunDirectory.create(folder, record);
  return { folder, data, hyperparameters, seed, splitSeed, starts, executor, directory };
}

async function goOn(
  folder: string,
  path: string | undefined,
  flags: FitFlags,
  output: Output,
): Promise<Session> {
  if (flags.out !== undefined) {
    throw new InputError(
      `Cannot resume ${
        JSON.stringify(folder)
      }: expected no --out, since a run stays in its folder, ` +
        `found ${JSON.stringify(flags.out)}.`,
    );
  }
  const directory = await RunDirectory.open(folder);
  try {
    const { record } = directory;
    const { seed, splitSeed, dataset, device } = record;
    const starts = record.starts.length;
    requireAsBegan(folder, "seed", seed, flags.seed);
    requireAsBegan(folder, "split seed", splitSeed, flags.splitSeed);
    requireAsBegan(folder, "number of starts", starts, flags.starts);
    const given = await givenHyperparameters({ ...flags });
    const wanted = parseHyperparameters({ ...record.hyperparameters, ...given });
    const state = await directory.readStarts();
    const asked = layoutOptions(flags);
    const read = Object.keys(asked).length > 0 ? asked : dataset.read ?? {};
    const data = await readData(path ?? dataset.path, 2, read);
    const hyperparameters = asDataDecide(wanted, data);
    const changed = changes(folder, record, hyperparameters);
    await requireSameData(data, path ?? dataset.path, record);
    describe(data, output);
    if (record.failure) output.note(`The run had failed: ${record.failure}`);
    const executor = await openAgain(record, flags, output);
    // what a run that goes on on a GPU was before says nothing of the GPU
    const reproducible = flags.reproducible ??
      (executor.info.name !== "webgpu" && device.reproducible);
    if (deviceWords(executor.info) !== deviceWords(device)) {
      output.note(
        `Warning: the run was computed on ${deviceWords(device)}. From here on it will round ` +
          `differently, so it will not end with the bits that it would have ended with there.`,
      );
    }
    output.note(`Resuming ${folder} at step ${state.step} of ${hyperparameters.steps}.`);
    await directory.resume(state.step, changed, {
      hyperparameters,
      device: { ...executor.info, reproducible },
    });
    return {
      folder,
      data,
      hyperparameters,
      seed,
      splitSeed,
      starts,
      executor,
      state,
      directory: () => Promise.resolve(directory),
    };
  } catch (error) {
    directory.close();
    throw error;
  }
}

/**
 * The device that a run began on, or the one that is asked for in its place.
 *
 * @throws {InputError} where there is none such; where it is the run's own, with what else would do
 */
async function openAgain(
  { device }: RunRecord,
  flags: FitFlags,
  output: Output,
): Promise<Executor> {
  const { threads, reproducible } = flags;
  if (flags.device !== undefined) {
    const keeps = flags.device !== "webgpu" && device.reproducible;
    return await openDeviceAloud({
      device: flags.device,
      threads,
      reproducible: reproducible ?? keeps,
    }, output);
  }
  const wasm = device.name === "wasm";
  try {
    return await openDeviceAloud({
      device: device.name,
      threads: threads ?? (wasm ? device.threads : undefined),
      reproducible: reproducible ?? device.reproducible,
      reason: "the run began on it",
    }, output);
  } catch (error) {
    if (!(error instanceof InputError) || device.name !== "webgpu") throw error;
    throw new InputError(
      `${error.message} The run goes on on another device with --device wasm; it then rounds ` +
        `differently from there on.`,
    );
  }
}

/** @throws {InputError} where a flag asks for something else than the run began with */
function requireAsBegan(folder: string, what: string, began: number, asked?: number): void {
  if (asked === undefined || asked === began) return;
  throw new InputError(
    `Cannot resume ${JSON.stringify(folder)}: expected ${what} ${began}, as the run began with, ` +
      `found ${asked}.`,
  );
}

/** What is left to the data (--external-inputs -1, --encoded-bins 0) as they decide it: a record has that. */
function asDataDecide(wanted: Hyperparameters, data: Dataset): Hyperparameters {
  const { externalInputs, encodedBins } = settle(parseHyperparameters({}), data);
  return {
    ...wanted,
    externalInputs: wanted.externalInputs < 0 ? externalInputs : wanted.externalInputs,
    encodedBins: wanted.encodedBins || encodedBins,
  };
}

/**
 * Which hyperparameters a resumed run changes.
 *
 * @throws {InputError} naming those that may not change
 */
function changes(
  folder: string,
  { hyperparameters: before, status }: RunRecord,
  after: Hyperparameters,
): Record<string, [unknown, unknown]> {
  const names = (Object.keys(after) as (keyof Hyperparameters)[])
    .filter((name) => after[name] !== before[name]);
  for (const name of names) {
    if (name === "steps" && after.steps > before.steps) continue;
    if (name === "earlyStop" && isLater(after.earlyStop, before.earlyStop)) continue;
    if (status === "failed" && AFTER_FAILURE.includes(name)) continue;
    const wanted = name === "steps"
      ? `at least ${before.steps} steps`
      : name === "earlyStop"
      ? `earlyStop ${before.earlyStop}, as in its record${
        before.earlyStop > 0 ? ", more, or 0" : ""
      }`
      : AFTER_FAILURE.includes(name)
      ? `${name} ${before[name]}, as in its record (only a failed run may change it)`
      : `${name} ${before[name]}, as in its record`;
    throw new InputError(
      `Cannot resume ${JSON.stringify(folder)}: expected ${wanted}, found ${after[name]}.`,
    );
  }
  return Object.fromEntries(names.map((name) => [name, [before[name], after[name]]]));
}

/** Whether one early stop comes after another: 0 never does. */
function isLater(after: number, before: number): boolean {
  return before > 0 && (after === 0 || after > before);
}

async function requireSameData(data: Dataset, path: string, record: RunRecord): Promise<void> {
  const { dataset } = record;
  const found = { ...dataset, trials: data.trials, T: data.T, N: data.N };
  const sha256 = await countsSha256(data);
  if (sha256 === dataset.sha256 && sizes(found) === sizes(dataset)) {
    return requireSameSplit(data, path, record);
  }
  throw new InputError(
    `Cannot resume with the data ${JSON.stringify(path)}: expected the counts that the run began ` +
      `with (${sizes(dataset)}, SHA-256 ${dataset.sha256.slice(0, 12)}…), found ${sizes(found)}, ` +
      `SHA-256 ${sha256.slice(0, 12)}….`,
  );
}

/** The counts alone do not say which trials they are split into. */
function requireSameSplit(data: Dataset, path: string, record: RunRecord): void {
  const { evaluation } = trialSplit(data, record.hyperparameters.evalFraction, record.splitSeed);
  if (evaluation.join() === record.split.evaluation.join()) return;
  throw new InputError(
    `Cannot resume with the data ${
      JSON.stringify(path)
    }: expected the trials that the run evaluates ` +
      `on (${record.split.evaluation.length} of ${data.trials}), found another split` +
      `${data.split ? " in the file" : ""}.`,
  );
}

/** Trains, saves, reports. Returns the exit code. */
async function run(session: Session, flags: FitFlags, output: Output): Promise<number> {
  const { data, executor, folder } = session;
  const interrupt = listenForInterrupt(output);
  try {
    const result = await train(session, interrupt.signal, output).finally(interrupt.end);
    const { state, best, model, completed, ended, starts } = result;
    if (starts.length > 1) output.result(startsTable(starts));
    output.result(
      `${endingWords(ended, state.step, session.hyperparameters)}, ` +
        `${duration(state.seconds)} of training. The model is that ` +
        `of step ${model.step}${starts.length > 1 ? ` of seed ${model.seed}` : ""}: ` +
        join(folder, RUN_FILES.model),
    );
    if (!completed) output.result(`Go on with: latentd fit --resume ${folder}`);
    const studied = completed && flags.report
      ? await makeReport(session.executor, {
        data,
        model,
        split: result.split,
        history: best.history,
        recoveries: best.recoveries,
        ended,
        title: `LFADS fit to ${data.name}`,
        path: join(folder, RUN_FILES.report),
      })
      : null;
    if (studied) printScores(studied, output);
    const last = best.history.at(-1);
    output.json({
      status: completed ? "completed" : "stopped",
      ended,
      run: folder,
      device: result.device,
      seed: session.seed,
      steps: state.step,
      trainSeconds: state.seconds,
      model: {
        path: join(folder, RUN_FILES.model),
        step: model.step,
        seed: model.seed,
        score: best.best.score,
      },
      starts,
      losses: last ? { train: last.train, evaluation: last.evaluation } : null,
      scores: studied?.study.scores ?? null,
      report: studied?.path ?? null,
      warnings: data.warnings,
    });
    return completed ? 0 : interrupt.code() ?? 0;
  } finally {
    executor.close();
  }
}

async function train(session: Session, signal: AbortSignal, output: Output): Promise<StartsResult> {
  const { data, hyperparameters, seed, splitSeed, starts, state, executor } = session;
  let directory: RunDirectory | null = state ? await session.directory() : null;
  if (starts > 1) {
    output.note(
      `Training ${starts} starts, seeds ${seed} to ${seed + starts - 1}, on the split of seed ` +
        `${splitSeed}.`,
    );
  }
  try {
    const progress = fitStarts(data, executor, {
      hyperparameters,
      seed,
      splitSeed,
      starts,
      resume: state,
      signal,
      checkpoint: async (state) => {
        directory ??= await session.directory();
        await directory.save(state);
      },
    });
    const result = await follow(progress, output, { from: state?.step });
    await directory?.finish(result.ended, result.model);
    return result;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // the first error is the one to tell, whether or not it can be recorded
    await directory?.fail(reason).catch((second: unknown) =>
      output.note(`The failure could not be recorded in ${session.folder}: ${second}`)
    );
    throw error;
  } finally {
    directory?.close();
  }
}

function describe(data: Dataset, output: Output): void {
  output.note(`Data: ${data.name}, ${sizes(data)}.`);
  output.warnings(data.warnings);
}

/** "20260131-235959", in UTC. */
function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
}
