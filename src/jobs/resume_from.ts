/** Going on with a run in another: which hyperparameters may change, and what is copied. */
import { join } from "node:path";
import { makeFolderOrExplain, readFileOrExplain, writeFileAtomic } from "../data/files.ts";
import { type Hyperparameters, parseHyperparameters } from "../model/hyperparameters.ts";
import { RUN_FILES } from "../train/run_directory.ts";
import { isRunFolder, readRunRecord } from "../train/run_record.ts";
import { ConflictError, withStorageErrors } from "./errors.ts";
import { isFile } from "./files.ts";
import type { StoredDataset, StoredRun } from "./records.ts";

/** May change when a run that failed goes on: what may keep it from failing again. */
const AFTER_FAILURE: readonly string[] = [
  "stepSize",
  "maxGradNorm",
  "guardFactor",
  "guardRetries",
];

/** Hyperparameters that differ: their values before and after. */
export function changedHyperparameters(
  before: Hyperparameters,
  after: Hyperparameters,
): Record<string, [unknown, unknown]> {
  const names = Object.keys(after) as (keyof Hyperparameters)[];
  return Object.fromEntries(
    names.filter((name) => after[name] !== before[name])
      .map((name) => [name, [before[name], after[name]]]),
  );
}

/**
 * The hyperparameters of a run that goes on from another: more steps, a later early stop or none, and
 * where that one failed, another stepSize, maxGradNorm, guardFactor and guardRetries.
 *
 * @throws {ConflictError} naming one that may not change
 */
export function hyperparametersToGoOn(
  from: StoredRun,
  given: Readonly<Record<string, unknown>>,
): Hyperparameters {
  const before = from.hyperparameters;
  const after = parseHyperparameters({ ...before, ...given });
  const failed = from.state === "failed";
  for (const [name, [old, found]] of Object.entries(changedHyperparameters(before, after))) {
    if (name === "steps" && after.steps > before.steps) continue;
    if (name === "earlyStop" && isLater(after.earlyStop, before.earlyStop)) continue;
    if (failed && AFTER_FAILURE.includes(name)) continue;
    const wanted = name === "steps" ? `at least ${old} steps` : `${name} ${old}, as it has`;
    throw new ConflictError(
      `Cannot go on from the run ${from.id}: expected ${wanted}, found ${found}.`,
    );
  }
  return after;
}

/** Whether one early stop comes after another: 0 never does. */
function isLater(after: number, before: number): boolean {
  return before > 0 && (after === 0 || after > before);
}

/**
 * Copies what a run goes on from.
 *
 * @throws {ConflictError} where the run has no checkpoint, or the data are others
 */
export async function copyRun(
  id: string,
  from: string,
  to: string,
  data: StoredDataset,
): Promise<void> {
  if (!await isRunFolder(from) || !await isFile(join(from, RUN_FILES.checkpoint))) {
    throw new ConflictError(
      `Cannot go on from the run ${id}: expected a checkpoint, found none: it was over before the ` +
        `first one.`,
    );
  }
  const { sha256, trials, T, N } = (await readRunRecord(from)).dataset;
  const alike = trials === data.trials && T === data.T && N === data.N;
  if (!alike || sha256 !== data.countsSha256) {
    throw new ConflictError(
      `Cannot go on from the run ${id}: expected the counts that it was fitted to (${trials} trials, ` +
        `${T} bins, ${N} neurons, SHA-256 ${sha256.slice(0, 12)}…), found others in the dataset ` +
        `${data.id} (SHA-256 ${data.countsSha256.slice(0, 12)}…).`,
    );
  }
  await withStorageErrors("Cannot queue the run", async () => {
    await makeFolderOrExplain(to);
    const { checkpoint, model, losses, starts, record } = RUN_FILES;
    for (const file of [checkpoint, model, losses, starts, record]) {
      if (!await isFile(join(from, file))) continue;
      await writeFileAtomic(join(to, file), await readFileOrExplain(join(from, file)));
    }
  });
}
