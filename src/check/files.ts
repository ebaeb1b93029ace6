/** Checks files with known answers: recognises the format by the content and replays it. */
import { basename } from "node:path";
import type { z } from "zod";
import type { Executor } from "../compute/executor.ts";
import { createReferenceExecutor } from "../compute/reference.ts";
import { readFileOrExplain } from "../data/files.ts";
import { InputError } from "../errors.ts";
import { bitsPerSpikeSchema, checkBitsPerSpike } from "./bits_per_spike.ts";
import { checkFixedPoints, checkLinearisation, fixedPointsSchema } from "./fixed_points.ts";
import { checkLfads, lfadsSchema } from "./lfads.ts";
import { checkSchedules, schedulesSchema } from "./schedules.ts";
import { type CheckReport, type CheckRow, executorLabels, report } from "./table.ts";

/** A format of files with known answers. */
interface Format {
  readonly name: string;
  /** keys that this format has and no other */
  readonly keys: readonly string[];
  readonly schema: z.ZodType;
  check(file: string, content: unknown, executors: readonly Executor[]): Promise<CheckRow[]>;
}

const FORMATS: readonly Format[] = [
  {
    name: "LFADS step",
    keys: ["dims", "params", "spikes_BTN", "grads"],
    schema: lfadsSchema,
    check: (file, content, executors) =>
      onEach(executors, (executor, label) => checkLfads(file, content, executor, label)),
  },
  {
    name: "fixed points",
    keys: ["params", "candidates", "true_fixed_points"],
    schema: fixedPointsSchema,
    check: async (file, content, executors) => {
      const reference = createReferenceExecutor("the yardstick of a check");
      const rows = await onEach(
        executors,
        (executor, label) => checkFixedPoints(file, content, executor, label, reference),
      );
      return [...checkLinearisation(file, content), ...rows];
    },
  },
  {
    name: "schedules",
    keys: ["kl_warmup", "exponential_decay"],
    schema: schedulesSchema,
    check: (file, content) => Promise.resolve(checkSchedules(file, content)),
  },
  {
    name: "bits per spike",
    keys: ["rates_BTN", "cases"],
    schema: bitsPerSpikeSchema,
    check: (file, content) => Promise.resolve(checkBitsPerSpike(file, content)),
  },
];

async function onEach(
  executors: readonly Executor[],
  check: (executor: Executor, label: string) => Promise<CheckRow[]>,
): Promise<CheckRow[]> {
  const labels = executorLabels(executors);
  const rows: CheckRow[] = [];
  for (const [i, executor] of executors.entries()) rows.push(...await check(executor, labels[i]));
  return rows;
}

/** What `checkFile` takes besides a path. */
export interface ParsedFile {
  /** for the rows and messages */
  readonly name: string;
  readonly content: unknown;
}

/**
 * Replays a file with known answers on every executor and compares all that it holds.
 *
 * | format | recognised by | compared |
 * | --- | --- | --- |
 * | LFADS step | `dims`, `params`, `spikes_BTN`, `grads` | outputs, losses, gradient, optimiser steps |
 * | fixed points | `params`, `candidates`, `true_fixed_points` | q and its gradient, Adam's path, Jacobians, search |
 * | schedules | `kl_warmup`, `exponential_decay` | KL scale, learning rate |
 * | bits per spike | `rates_BTN`, `cases` | likelihood, bits per spike |
 *
 * @param file a path to JSON, or the parsed JSON with a name
 * @throws {InputError} when the file cannot be read, is not JSON, is of no known format or does not
 * keep to its format
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkFile, createReferenceExecutor } from "latentd";
 *
 * const content = {
 *   kl_warmup: { start: 0, end: 1000, min: 0.1, max: 1, batch: [0, 500], scale: [0.1, 0.55] },
 *   exponential_decay: {
 *     step_size: 0.01,
 *     decay_steps: 1,
 *     decay_factor: 0.5,
 *     batch: [0, 2],
 *     rate: [0.01, 0.0025],
 *   },
 * };
 * const file = { name: "schedules.json", content }; // or a path
 * const { passed, rows } = await checkFile(file, [createReferenceExecutor()]);
 * assert(passed);
 * assert.equal(rows.length, 2);
 * ```
 */
export async function checkFile(
  file: string | ParsedFile,
  executors: readonly Executor[],
): Promise<CheckReport> {
  const { name, content } = typeof file === "string" ? await readJson(file) : file;
  const format = recognise(name, content);
  const parsed = format.schema.safeParse(content);
  if (!parsed.success) {
    throw new InputError(
      `Cannot check ${name}: expected the format "${format.name}" by its keys, but found ` +
        `${problems(parsed.error)}.`,
    );
  }
  try {
    return report(await format.check(basename(name), content, executors));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`Cannot check ${name} as "${format.name}": ${error.message}`, {
      cause: error,
    });
  }
}

/** The first few problems of a schema, each with its place. */
function problems({ issues }: z.ZodError): string {
  const most = 5;
  const told = issues.slice(0, most).map(({ path, message }) => `${path.join(".")}: ${message}`);
  const rest = issues.length > most ? [`${issues.length - most} more`] : [];
  return [...told, ...rest].join("; ");
}

async function readJson(path: string): Promise<ParsedFile> {
  const text = new TextDecoder().decode(await readFileOrExplain(path));
  try {
    return { name: path, content: JSON.parse(text) };
  } catch (cause) {
    // The parser's own message quotes the file, which may hold anything.
    throw new InputError(
      `Cannot check ${path}: expected JSON (formats known: ${known()}), found text of ` +
        `${text.length} characters that is none.`,
      { cause },
    );
  }
}

function known(): string {
  return FORMATS.map(({ name, keys }) => `"${name}" with keys ${keys.join(", ")}`).join("; ");
}

function recognise(name: string, content: unknown): Format {
  const isObject = typeof content === "object" && content !== null && !Array.isArray(content);
  const keys = isObject ? Object.keys(content) : [];
  const format = FORMATS.find((format) => format.keys.every((key) => keys.includes(key)));
  if (format) return format;
  const found = !isObject
    ? `${Array.isArray(content) ? "a list" : JSON.stringify(content)} instead of an object`
    : keys.length === 0
    ? "an empty object"
    : `keys ${keys.slice(0, 12).join(", ")}${keys.length > 12 ? " …" : ""}`;
  throw new InputError(`Cannot check ${name}: expected one of ${known()}; found ${found}.`);
}
