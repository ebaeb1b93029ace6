/** What a run's process does: trains in the run's folder, from its last checkpoint, and reports. */
import { join } from "node:path";
import { openDevice } from "../compute/devices.ts";
import type { Executor } from "../compute/executor.ts";
import { type Dataset, datasetFromBytes, trialSplit } from "../data/dataset.ts";
import { makeFolderOrExplain, writeFileAtomic } from "../data/files.ts";
import { readModel } from "../data/model_file.ts";
import type { Model } from "../model/model.ts";
import { fitStarts, type RunEnd } from "../train/fit.ts";
import { settle } from "../train/problem.ts";
import { RunDirectory } from "../train/run_directory.ts";
import { isRunFolder, newRunRecord } from "../train/run_record.ts";
import { scoreOf } from "../train/losses.ts";
import { type HistoryEntry, leader, type Recovery, type StartsState } from "../train/run_state.ts";
import type { Split } from "../train/trainer.ts";
import { storageError } from "./errors.ts";
import { isFile, readStored, tryLock, waitForLock } from "./files.ts";
import { PROCESS_LOCK } from "./folder.ts";
import type { LastWord, Line, Order } from "./protocol.ts";
import { changedHyperparameters } from "./resume_from.ts";

/** Tells the server. */
type Say = (line: Line) => void;

/** A run that is trained to its end. */
interface Trained {
  readonly model: Model;
  readonly split: Split;
  readonly history: readonly HistoryEntry[];
  readonly recoveries: readonly Recovery[];
  readonly ended: RunEnd | null;
}

/**
 * Does what is ordered. Only one process at a time works in a run's folder: this one waits for another
 * to leave it.
 *
 * @param signal ends the run after the step in progress, with a checkpoint
 */
export async function train(order: Order, say: Say, signal: AbortSignal): Promise<LastWord> {
  await makeFolderOrExplain(order.folder);
  const path = join(order.folder, PROCESS_LOCK);
  let lock = await tryLock(path);
  if (!lock) {
    say({ kind: "waiting", reason: "an earlier process of this run is about to end" });
    lock = await waitForLock(path, signal);
  }
  if (!lock) return { kind: "end", outcome: "stopped", step: 0, reason: null };
  try {
    return await trainAlone(order, say, signal);
  } finally {
    lock.close();
  }
}

async function trainAlone(order: Order, say: Say, signal: AbortSignal): Promise<LastWord> {
  const { path, name, sha256 } = order.data;
  const bytes = await readStored(path, sha256, `the dataset ${JSON.stringify(name)}`);
  const data = { ...datasetFromBytes(bytes, `${name}.npz`), name };
  let directory = await isRunFolder(order.folder) ? await RunDirectory.open(order.folder) : null;
  let executor: Executor | null = null;
  try {
    executor = await open(order, directory);
    say({ kind: "device", device: executor.info });
    directory ??= await create(order, data, executor);
    const result = isOver(order, directory)
      ? await readTrained(directory, say)
      : await goOn(order, data, executor, directory, say, signal);
    const step = directory.record.steps;
    if (!result) return { kind: "end", outcome: "stopped", step, reason: null };
    if (order.report) await report(executor, data, directory, result, say);
    const { earlyStop } = order.hyperparameters;
    const reason = result.ended === "early-stop"
      ? `stopped early: ${earlyStop} evaluation${earlyStop === 1 ? "" : "s"} in a row no better`
      : null;
    return { kind: "end", outcome: "completed", step, reason };
  } finally {
    executor?.close();
    directory?.close();
  }
}

/** A run that has begun goes on where it was, to the same bits. */
function open(order: Order, begun: RunDirectory | null): Promise<Executor> {
  const known = begun?.record.device;
  const device = known?.name ?? order.device;
  const reproducible = known?.reproducible ?? order.reproducible;
  const threads = order.threads ?? undefined;
  return openDevice({
    device,
    ...(device === "wasm" || device === "auto" ? { threads, reproducible } : {}),
    ...(known ? { reason: "the run began on it" } : {}),
  });
}

async function create(order: Order, data: Dataset, executor: Executor): Promise<RunDirectory> {
  const { folder, hyperparameters, seed, starts, reproducible } = order;
  return await RunDirectory.create(
    folder,
    await newRunRecord({
      seed,
      starts,
      hyperparameters,
      device: executor.info,
      reproducible,
      data,
      dataPath: order.data.path,
      split: trialSplit(data, hyperparameters.evalFraction, seed),
    }),
  );
}

function isOver({ hyperparameters }: Order, { record }: RunDirectory): boolean {
  if (record.status !== "completed") return false;
  const changed = Object.keys(changedHyperparameters(record.hyperparameters, hyperparameters));
  return record.steps >= hyperparameters.steps || changed.length === 0;
}

async function readTrained(directory: RunDirectory, say: Say): Promise<Trained> {
  const { train, evaluation } = directory.record.split;
  const state = await directory.readStarts();
  const { history, recoveries } = leader(state.going);
  tellAgain(state, say);
  return {
    model: await readModel(directory.path("model")),
    split: { train: Uint32Array.from(train), evaluation: Uint32Array.from(evaluation) },
    history,
    recoveries,
    ended: directory.record.ended,
  };
}

/** What a server that was killed may not have heard; what it has heard, it leaves out. */
function tellAgain({ step, going, failed }: StartsState, say: Say): void {
  const { best } = leader(going);
  const known = best.score < Infinity ? { step: best.step, score: best.score } : null;
  for (const { seed, recoveries } of [...going, ...failed]) {
    for (const recovery of recoveries) say({ kind: "recovered", seed, ...recovery, best: known });
  }
  for (const { seed, step, term } of failed) say({ kind: "start-failed", seed, step, term });
  const entries = Map.groupBy(
    [...going, ...failed].flatMap(({ history }) => history),
    ({ step }) => step,
  );
  let least = Infinity;
  for (const [, all] of [...entries].sort(([a], [b]) => a - b)) {
    const entry = all.reduce((best, one) =>
      scoreOf(one.evaluation) < scoreOf(best.evaluation) ? one : best
    );
    const score = scoreOf(entry.evaluation);
    say({ kind: "evaluation", entry, best: score < least });
    least = Math.min(least, score);
  }
  say({ kind: "checkpoint", step });
}

/** Trains from the last checkpoint, or from the start. Null when the signal ended it early. */
async function goOn(
  order: Order,
  data: Dataset,
  executor: Executor,
  directory: RunDirectory,
  say: Say,
  signal: AbortSignal,
): Promise<Trained | null> {
  const { seed, starts } = order;
  const hyperparameters = settle(order.hyperparameters, data);
  // a process that was killed at once leaves a record without a checkpoint
  const resume: StartsState | undefined = await isFile(directory.path("checkpoint"))
    ? await directory.readStarts()
    : undefined;
  if (resume) {
    const changed = changedHyperparameters(directory.record.hyperparameters, hyperparameters);
    const device = { ...executor.info, reproducible: directory.record.device.reproducible };
    await directory.resume(resume.step, changed, { hyperparameters, device });
    tellAgain(resume, say);
  }
  const checkpoint = async (state: StartsState) => {
    await directory.save(state);
    say({ kind: "checkpoint", step: state.step });
  };
  try {
    const options = { hyperparameters, seed, starts, resume, checkpoint, signal };
    const progress = fitStarts(data, executor, options);
    const due = new Pace();
    let next = await progress.next();
    for (; !next.done; next = await progress.next()) {
      const { value } = next;
      if (value.kind === "evaluation") say(value);
      if (value.kind === "step" && due.now(value.step === value.of)) say(value);
      if (value.kind === "failed") {
        const { seed, step, term } = value.start;
        say({ kind: "start-failed", seed, step, term });
      }
      if (value.kind === "recovered") say({ kind: "recovered", ...value.start, best: value.best });
    }
    const { model, split, completed, ended, best: { history, recoveries } } = next.value;
    await directory.finish(ended, model);
    return completed ? { model, split, history, recoveries, ended } : null;
  } catch (error) {
    const reason = storageError("Cannot save the run", error);
    // the first error is the one to tell, whether or not it can be recorded
    await directory.fail(reason instanceof Error ? reason.message : String(reason)).catch(() => {});
    throw reason;
  }
}

/** Infers, scores, finds fixed points, writes the page. A run without a report is a run all the same. */
async function report(
  executor: Executor,
  data: Dataset,
  directory: RunDirectory,
  { model, split, ...told }: Trained,
  say: Say,
): Promise<void> {
  const made = () => say({ kind: "report", made: true, reason: null });
  if (await isFile(directory.path("report"))) return made();
  try {
    // what draws the page is not needed to train
    const { study } = await import("../study/study.ts");
    const { reportData } = await import("../study/report.ts");
    const { renderReport } = await import("../report/report.ts");
    const done = await study(executor, data, model, split, told);
    const about = { title: `LFADS fit to ${data.name}`, created: new Date().toISOString() };
    const page = new TextEncoder().encode(await renderReport(reportData(done, about)));
    await writeFileAtomic(directory.path("report"), page);
    made();
  } catch (error) {
    const reason = storageError("Cannot write the report", error);
    say({
      kind: "report",
      made: false,
      reason: reason instanceof Error ? reason.message : String(reason),
    });
  }
}

const SHORTEST_MS = 250, LONGEST_MS = 10_000, SHARE = 500;

/** When a step is told: often at first, less often in a long run, so that events stay few. */
class Pace {
  readonly #began = performance.now();
  #last = -Infinity;

  now(always: boolean): boolean {
    const time = performance.now();
    const gap = Math.max(SHORTEST_MS, Math.min(LONGEST_MS, (time - this.#began) / SHARE));
    if (!always && time - this.#last < gap) return false;
    this.#last = time;
    return true;
  }
}
