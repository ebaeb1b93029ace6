/** What a run folder's `run.json` says: what was fitted to what, on what, and how far it has come. */
import { join } from "node:path";
import { z } from "zod";
import type { DeviceInfo } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import { readFileOrExplain } from "../data/files.ts";
import type { LayoutOptions } from "../data/formats/options.ts";
import { InputError } from "../errors.ts";
import { type Hyperparameters, hyperparametersSchema } from "../model/hyperparameters.ts";
import { VERSION } from "../version.ts";
import { recoverySchema } from "./run_state.ts";
import { heldOutOf, settle } from "./problem.ts";
import type { Split } from "./trainer.ts";

const FORMAT = "latentd run 1";
export const RECORD_FILE = "run.json";

const count = z.int().min(0);
const instant = z.iso.datetime();

/** `LayoutOptions`, each only where it was given. */
const layoutSchema = z.strictObject({
  key: z.string(),
  axes: z.string(),
  binWidth: z.number().positive(),
  crop: z.boolean(),
  align: z.string(),
  window: z.tuple([z.number(), z.number()]),
  overlap: z.boolean(),
  units: z.string(),
  trials: z.string(),
  area: z.string(),
  condition: z.string(),
  behaviour: z.array(z.string()),
}).partial();

/** The schema of `run.json`. Unknown keys are refused. */
export const runRecordSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** of latentd, when the run began */
  version: z.string(),
  /** `running` also after a crash, until the run is resumed */
  status: z.enum(["running", "completed", "stopped", "failed"]),
  /** of the first start; the others' follow */
  seed: count,
  /** decides which trials train and which evaluate */
  splitSeed: count,
  /** with what the data decide filled in: see `settle` */
  hyperparameters: hyperparametersSchema,
  device: z.strictObject({
    name: z.enum(["reference", "wasm", "webgpu"]),
    threads: z.int().min(1),
    arithmetic: z.string(),
    reason: z.string(),
    adapter: z.string().optional(),
    /** see `DeviceOptions` */
    reproducible: z.boolean(),
  }),
  dataset: z.strictObject({
    name: z.string(),
    /** where the data were when the run began */
    path: z.string(),
    /** how they were read, where their file leaves something open: see `LayoutOptions` */
    read: layoutSchema.optional(),
    /** of the counts and of what else a fit reads, see `countsSha256` */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    trials: z.int().min(2),
    T: z.int().min(1),
    N: z.int().min(1),
    /** seconds; null where not known */
    binWidth: z.number().positive().nullable(),
    warnings: z.array(z.string()),
  }),
  /** indices of trials, from 0 */
  split: z.strictObject({ train: z.array(count), evaluation: z.array(count) }),
  /** neurons that the encoders never see, from 0, ascending */
  heldOut: z.array(count).default([]),
  /** names of several sessions, and how many neurons each has; null for a single one */
  sessions: z.strictObject({ names: z.array(z.string()), neurons: z.array(count) }).nullable()
    .default(null),
  started: instant,
  finished: instant.nullable(),
  /** why it is over: see `RunEnd`; null while it is not, and where it failed */
  ended: z.enum(["steps", "early-stop", "signal"]).nullable().default(null),
  /** how each start stands at the last checkpoint: `StartSummary`, in the order of their seeds */
  starts: z.array(z.strictObject({
    seed: count,
    best: z.strictObject({ step: count, score: z.number() }).nullable(),
    failure: z.strictObject({ step: count, term: z.string(), slice: z.string().nullable() })
      .nullable(),
    /** where it went back to a good state and lowered its learning rate: `Recovery` */
    recoveries: z.array(recoverySchema).readonly().default([]),
  })).min(1),
  /** optimiser steps in the last checkpoint */
  steps: count,
  /** of training, over all sessions, at the last checkpoint */
  seconds: z.number().min(0),
  /** one entry for each time the run went on */
  resumed: z.array(z.strictObject({
    at: instant,
    step: count,
    /** hyperparameters that changed: their values before and after */
    changed: z.record(z.string(), z.tuple([z.unknown(), z.unknown()])),
    /** the device until then, where the run went on on another: see `deviceWords` */
    deviceBefore: z.string().optional(),
  })),
  /** why the run failed */
  failure: z.string().nullable(),
});

export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;

/**
 * SHA-256, in hexadecimal, of the counts of a dataset, packed as they are in memory, and of what is
 * missing of them and of external inputs where there are some.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { countsSha256 } from "latentd";
 *
 * assert.equal(
 *   await countsSha256({ counts_BTN: Uint8Array.of() }),
 *   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
 * );
 * ```
 */
export async function countsSha256(
  data: Pick<Dataset, "counts_BTN"> & Partial<Dataset>,
): Promise<string> {
  const { counts_BTN, missing_BTN, lengths_B, external_BTX } = data;
  const parts = [counts_BTN, missing_BTN, lengths_B, external_BTX?.data].flatMap((part) =>
    part ? [new Uint8Array(part.buffer, part.byteOffset, part.byteLength)] : []
  );
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}

/** What a new run begins with. */
export interface RunStart {
  readonly seed: number;
  /** `seed` by default */
  readonly splitSeed?: number;
  /** 1 by default */
  readonly starts?: number;
  readonly hyperparameters: Hyperparameters;
  readonly device: DeviceInfo;
  readonly reproducible: boolean;
  readonly data: Dataset;
  /** where the data were read from */
  readonly dataPath: string;
  /** how they were read, where their file leaves something open */
  readonly read?: LayoutOptions;
  readonly split: Split;
}

/**
 * The record of a run that is about to begin.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   newRunRecord,
 *   parseHyperparameters,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 * assert.deepEqual([record.status, record.steps, record.dataset.N], ["running", 0, 3]);
 * ```
 */
export async function newRunRecord(start: RunStart): Promise<RunRecord> {
  const { seed, splitSeed = seed, starts = 1, device, data, split } = start;
  const hyperparameters = settle(start.hyperparameters, data);
  const { name, trials, T, N, binWidth, warnings } = data;
  const sha256 = await countsSha256(data);
  return {
    format: FORMAT,
    version: VERSION,
    status: "running",
    seed,
    splitSeed,
    hyperparameters,
    device: { ...device, reproducible: start.reproducible },
    dataset: {
      name,
      path: start.dataPath,
      ...(start.read && Object.keys(start.read).length > 0 ? { read: layoutOf(start.read) } : {}),
      sha256,
      trials,
      T,
      N,
      binWidth,
      warnings: [...warnings],
    },
    split: { train: [...split.train], evaluation: [...split.evaluation] },
    heldOut: heldOutOf(data, hyperparameters.heldOutNeurons, splitSeed),
    sessions: data.sessions
      ? { names: [...data.sessions.names], neurons: [...data.sessions.neurons] }
      : null,
    started: new Date().toISOString(),
    finished: null,
    ended: null,
    starts: Array.from({ length: starts }, (_, i) => ({
      seed: seed + i,
      best: null,
      failure: null,
      recoveries: [],
    })),
    steps: 0,
    seconds: 0,
    resumed: [],
    failure: null,
  };
}

/** The options as lists that may change, for JSON. */
function layoutOf({ window, behaviour, ...rest }: LayoutOptions): z.infer<typeof layoutSchema> {
  return {
    ...rest,
    ...(window ? { window: [window[0], window[1]] } : {}),
    ...(behaviour ? { behaviour: [...behaviour] } : {}),
  };
}

/** The bytes of `run.json`. Lists of trials stay on one line each. */
export function recordToBytes(record: RunRecord): Uint8Array {
  const line = (list: readonly number[]) => `[${list.join(", ")}]`;
  const { train, evaluation } = record.split;
  const marks = {
    ...record,
    split: { train: "<train>", evaluation: "<evaluation>" },
    heldOut: "<held out>",
  };
  const text = JSON.stringify(marks, null, 2)
    .replace('"train": "<train>"', () => `"train": ${line(train)}`)
    .replace('"evaluation": "<evaluation>"', () => `"evaluation": ${line(evaluation)}`)
    .replace('"heldOut": "<held out>"', () => `"heldOut": ${line(record.heldOut)}`);
  return new TextEncoder().encode(text + "\n");
}

/**
 * Reads the record of a run.
 *
 * @param folder the run's folder
 * @throws {InputError} when the folder is no run, or its record is damaged
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createReferenceExecutor,
 *   newRunRecord,
 *   parseHyperparameters,
 *   readRunRecord,
 *   RunDirectory,
 *   simulateRotation,
 *   splitTrials,
 * } from "latentd";
 *
 * const data = simulateRotation({ trials: 10, T: 5, N: 3 });
 * const small = { encoderUnits: 2, generatorUnits: 2, factors: 2, steps: 2 };
 * const hyperparameters = parseHyperparameters(small);
 * const device = createReferenceExecutor();
 * const record = await newRunRecord({
 *   seed: 0,
 *   hyperparameters,
 *   device: device.info,
 *   reproducible: true,
 *   data,
 *   dataPath: "rotation.npz",
 *   split: splitTrials(data.trials, hyperparameters.evalFraction, 0),
 * });
 *
 * const folder = await Deno.makeTempDir();
 * (await RunDirectory.create(folder, record)).close();
 * assert.deepEqual(await readRunRecord(folder), record);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function readRunRecord(folder: string): Promise<RunRecord> {
  const what = JSON.stringify(folder);
  if (!await isRunFolder(folder)) {
    throw new InputError(
      `Cannot open the run ${what}: expected a run's folder, with a ${RECORD_FILE}, found none.`,
    );
  }
  const bytes = await readFileOrExplain(join(folder, RECORD_FILE));
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new InputError(
      `Cannot open the run ${what}: expected JSON in its ${RECORD_FILE}, found something else.`,
    );
  }
  const result = runRecordSchema.safeParse(found);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) =>
    `${issue.path.join(".") || "the record"}: ${issue.message}`
  );
  throw new InputError(
    `Cannot open the run ${what}: expected a record of latentd ${VERSION} in its ${RECORD_FILE}, ` +
      `found ${problems.join("; ")}.`,
  );
}

/**
 * Whether a path is the folder of a run.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isRunFolder } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * assert.equal(await isRunFolder(folder), false);
 * await Deno.writeTextFile(`${folder}/run.json`, "{}");
 * assert.equal(await isRunFolder(folder), true);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function isRunFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(join(path, RECORD_FILE))).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
