/**
 * Spike counts under plain names: one array of trials, bins and neurons, or a cell array with one
 * matrix for each trial, and beside it what the names in `NAMES` say.
 */
import { InputError } from "../../errors.ts";
import type { DatasetArrays } from "../dataset.ts";
import type { NpyArray } from "../npy.ts";
import { RESERVED_NAMES } from "../parts.ts";
import { largest, least } from "../range.ts";
import type { ShapedArray } from "../validate.ts";
import { orderOf, transpose } from "./axes.ts";
import { type BoundedOptions, type LayoutOptions, requireRoom } from "./options.ts";
import { corner, labels } from "./rows.ts";
import {
  type ArraySource,
  type Entry,
  find,
  leftAside,
  listed,
  optional,
  quote,
  scalar,
  type Understood,
} from "./source.ts";

/** A dataset's arrays, and how the file was understood. */
export interface Layout {
  readonly arrays: Omit<DatasetArrays, "name">;
  readonly warnings: readonly string[];
  readonly understood: Understood;
}

/** A trial's end may be this far from a bin's, in bins. */
const CLOSE = 1e-6;

/** @throws InputError where there are no spikes, or arrays beside them do not fit */
export function readCounts(source: ArraySource, options: BoundedOptions, action: string): Layout {
  refuseForCounts(options, action);
  const { entry, why, warnings } = choose(source, options, action);
  const { spikes, lengths: cellLengths, said } = readSpikes(source, entry, options, action);
  const [trials, T] = spikes.shape;
  const group = entry.name.slice(0, entry.name.lastIndexOf("/") + 1);
  const roles: Record<string, string> = { [entry.name]: "the spikes" };
  /** beside the spikes, or else at the top of the file */
  const pathOf = (name: string): string | null =>
    [`${group}${name}`, name].find((path) => path !== entry.name && find(source, path)) ?? null;
  const take = (name: string, role: string): NpyArray | null => {
    const path = pathOf(name);
    if (path === null) return null;
    roles[path] = role;
    return optional(source, path);
  };
  const text = (name: string, role: string): string[] | null => {
    const path = pathOf(name);
    if (path === null || find(source, path)?.kind !== "text") return null;
    roles[path] = role;
    return source.readText(path).data;
  };

  const widthAt = pathOf("bin_width_s") ?? "bin_width_s";
  if (find(source, widthAt) !== null) roles[widthAt] = "seconds per bin";
  const binWidth = agreedBinWidth(scalar(source, widthAt, action), options, action);
  const words = text("condition", "the condition of each trial");
  const named = words === null ? null : labels(words);
  const train = take("split_train", "trials to train on");
  const evaluation = take("split_evaluation", "trials to evaluate on");
  if ((train === null) !== (evaluation === null)) {
    throw new InputError(
      `${action}: expected both split_train and split_evaluation, or neither, found ` +
        `${train === null ? "split_evaluation" : "split_train"} alone.`,
    );
  }
  const arrays: Omit<DatasetArrays, "name"> = {
    spikes,
    binWidth,
    condition: named?.condition ?? take("condition", "the condition of each trial"),
    conditionNames: named?.names ?? text("condition_names", "names of the conditions"),
    rates: take("rates", "true rates, spikes per bin"),
    latents: take("latents", "true latents"),
    A: take("A", "the true transition matrix"),
    neurons: text("neurons", "names of the neurons"),
    split: train && evaluation && { train: train.data, evaluation: evaluation.data },
    sessions: sessionsOf(take, text, action),
    missing: take("missing", "1 where a bin was not observed"),
    lengths: cellLengths ?? trialLengths(take, T, binWidth),
    recon: take("recon", "counts to reconstruct"),
    external: take("external", "external inputs"),
    behaviour: behaviours(source, group, spikes.shape, roles),
  };
  const cropped = options.crop ? crop(arrays, action) : { arrays, said: [] };
  return {
    arrays: cropped.arrays,
    warnings: [...warnings, ...said, ...cropped.said, ...leftAside(source, roles, trials)],
    understood: { layout: "spike counts", spikes: entry.name, why, roles },
  };
}

/** Several sessions in one file: all three arrays, or none. */
function sessionsOf(
  take: (name: string, role: string) => NpyArray | null,
  text: (name: string, role: string) => string[] | null,
  action: string,
): DatasetArrays["sessions"] {
  const trials = take("session", "the session of each trial");
  const names = text("session_names", "names of the sessions");
  const neurons = take("session_neurons", "neurons of each session");
  if (trials && names && neurons) return { trials: trials.data, names, neurons: neurons.data };
  if (!trials && !names && !neurons) return null;
  throw new InputError(
    `${action}: expected session, session_names and session_neurons, or none of them, found some.`,
  );
}

/** Options that only spike times can follow. */
export function refuseForCounts(options: LayoutOptions, action: string): void {
  const names = ["align", "window", "overlap", "units", "trials", "area", "behaviour"] as const;
  const asked = names.filter((name) => options[name] !== undefined);
  if (asked.length > 0) {
    throw new InputError(
      `${action}: expected spike times, which ${asked.join(" and ")} select from and bin, found ` +
        `counts that are binned already.`,
    );
  }
  if (options.condition !== undefined) {
    throw new InputError(
      `${action}: expected spike times with a table of trials for condition ${
        quote(options.condition)
      }, found counts, whose conditions are the array "condition".`,
    );
  }
}

/** Names of 3-dimensional arrays that are never the spikes by default. */
const NEVER_SPIKES = RESERVED_NAMES.filter((name) => name !== "spikes");

function choose(
  { entries }: ArraySource,
  { key }: LayoutOptions,
  action: string,
): { entry: Entry; why: string; warnings: string[] } {
  const base = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  if (key !== undefined) {
    const entry = entries.find(({ name }) => name === key);
    if (entry) return { entry, why: "it was asked for", warnings: [] };
    throw new InputError(
      `${action}: expected an array ${quote(key)}, as was asked for, found ${listed(entries)}.`,
    );
  }
  const spikes = entries.find(({ name }) => name === "spikes");
  if (spikes) return { entry: spikes, why: "it has that name", warnings: [] };
  const fits = entries.filter(({ name, shape, kind }) =>
    (kind === "cells" || kind === "numbers" && shape.length === 3) &&
    !NEVER_SPIKES.includes(base(name))
  );
  const whole = fits.filter(({ dtype }) => /[iu]\d$/.test(dtype));
  if (fits.length === 1 || whole.length === 1) {
    const entry = fits.length === 1 ? fits[0] : whole[0];
    const only = entry.kind === "cells"
      ? "cell array"
      : `array of 3 dimensions${fits.length > 1 ? " that holds whole numbers" : ""}`;
    return {
      entry,
      why: `it is the only ${only}`,
      warnings: [`There is no "spikes"; took ${quote(entry.name)} of shape [${entry.shape}].`],
    };
  }
  const which = fits.length > 1 ? " (--key NAME chooses one)" : "";
  throw new InputError(
    `${action}: expected an array "spikes" [trials, bins, neurons], or exactly one of 3 dimensions` +
      `${which}, found ${listed(entries)}.`,
  );
}

interface Spikes {
  readonly spikes: ShapedArray;
  readonly lengths: ShapedArray | null;
  /** how the dimensions were understood, where that is not plain */
  readonly said: string[];
}

function readSpikes(
  source: ArraySource,
  entry: Entry,
  options: BoundedOptions,
  action: string,
): Spikes {
  const { axes } = options;
  if (entry.kind === "cells") return fromCells(source, entry, options, action);
  const array = source.read(entry.name);
  const said = source.matlab
    ? [
      `${quote(entry.name)} is of size ${array.shape.join(" × ")} in MATLAB, read as ` +
      `${axes ? axes.toLowerCase() : "btn"} (b trials, t bins, n neurons).`,
    ]
    : [];
  if (axes === undefined || array.shape.length !== 3) return { spikes: array, lengths: null, said };
  return { spikes: transpose(array, orderOf(axes, "btn", action)), lengths: null, said };
}

/** One matrix for each trial; those that end early are filled with zeros, and their lengths are kept. */
function fromCells(
  source: ArraySource,
  { name }: Entry,
  options: BoundedOptions,
  action: string,
): Spikes {
  const { axes } = options;
  const cells = source.readCells(name);
  const flat = cells.findIndex(({ shape }) => shape.length !== 2);
  if (cells.length === 0 || flat >= 0) {
    throw new InputError(
      `${action}: expected a matrix of bins and neurons in every cell of ${quote(name)}, found ${
        cells.length === 0 ? "no cells" : `shape [${cells[flat].shape}] in cell ${flat}`
      }.`,
    );
  }
  const same = [0, 1].map((axis) =>
    cells.every(({ shape }) => shape[axis] === cells[0].shape[axis])
  );
  const given = axes === undefined ? null : orderOf(axes, "tn", action);
  // neurons are the same in all trials; where bins are too, the matrices are read as in 3 dimensions
  const order = given ?? (same[0] && !same[1] ? [1, 0] : [0, 1]);
  const N = cells[0].shape[order[1]];
  const odd = cells.findIndex(({ shape }) => shape[order[1]] !== N);
  if (odd >= 0) {
    throw new InputError(
      `${action}: expected as many neurons in every cell of ${
        quote(name)
      }, found ${N} in cell 0 and ` +
        `${cells[odd].shape[order[1]]} in cell ${odd} (read as ${order[0] === 0 ? "tn" : "nt"}).`,
    );
  }
  const lengths = Int32Array.from(cells, ({ shape }) => shape[order[0]]);
  const T = largest(lengths);
  requireRoom([cells.length, T, N], 8, options, action);
  const data = new Float64Array(cells.length * T * N);
  cells.forEach((cell, b) => data.set(transpose(cell, order).data, b * T * N));
  return {
    spikes: { shape: [cells.length, T, N], data },
    lengths: { shape: [cells.length], data: lengths },
    said: [
      `Each of the ${cells.length} cells of ${quote(name)} is read as a trial of ${
        order[0] === 0 ? "bins × neurons" : "neurons × bins"
      }${given ? "" : `, as ${same[0] && same[1] ? "in 3 dimensions" : "neurons do not change"}`}.`,
    ],
  };
}

/** @throws InputError where the file and the options contradict each other */
export function agreedBinWidth(
  inFile: number | null,
  { binWidth }: LayoutOptions,
  action: string,
): number | null {
  if (binWidth === undefined) return inFile;
  if (inFile !== null && Math.abs(binWidth - inFile) > CLOSE * inFile) {
    throw new InputError(
      `${action}: expected the bin width of ${inFile} s that the file gives for its counts, found ` +
        `${binWidth} s asked for.`,
    );
  }
  return inFile ?? binWidth;
}

/** Bins of each trial, where the file gives them in bins, milliseconds or seconds. */
function trialLengths(
  take: (name: string, role: string) => NpyArray | null,
  T: number,
  binWidth: number | null,
): ShapedArray | null {
  const role = "how long each trial is";
  for (const name of ["trial_lengths", "trial_length_bins"]) {
    const found = take(name, role);
    if (found) return found;
  }
  if (binWidth === null) return null;
  for (const [name, unit] of [["trial_length_ms", 1000], ["trial_length_s", 1]] as const) {
    const found = take(name, role);
    if (found === null) continue;
    const data = Float64Array.from(
      found.data,
      (length) => Math.min(T, Math.floor(length / unit / binWidth + CLOSE)),
    );
    return { shape: found.shape, data };
  }
  return null;
}

/** Real numbers with a row for each trial and bin are behaviour. */
function behaviours(
  source: ArraySource,
  group: string,
  [trials, T]: readonly number[],
  roles: Record<string, string>,
): Record<string, ShapedArray> {
  const found: Record<string, ShapedArray> = {};
  for (const { name, shape, dtype, kind } of source.entries) {
    if (Object.hasOwn(roles, name) || kind !== "numbers" || !name.startsWith(group)) continue;
    const base = name.slice(group.length);
    const along = shape[0] === trials && shape[1] >= T &&
      (shape.length === 2 || shape.length === 3);
    if (!along || !/f\d$/.test(dtype) || !/^[\w.-]+$/.test(base)) continue;
    if (RESERVED_NAMES.includes(base)) continue;
    const array = source.read(name);
    found[base] = { shape: [...shape, 1].slice(0, 3), data: array.data };
    roles[name] = "behaviour";
  }
  return found;
}

/** Every trial cut to the shortest. */
function crop(
  arrays: Omit<DatasetArrays, "name">,
  action: string,
): { arrays: Omit<DatasetArrays, "name">; said: string[] } {
  const { spikes, lengths, missing, rates, latents, recon } = arrays;
  const [trials, T, N] = spikes.shape;
  const shortest = lengths ? least(lengths.data) : T;
  if (!(shortest >= 1 && shortest < T)) return { arrays, said: [] };
  if (recon) {
    throw new InputError(
      `${action}: expected no counts to reconstruct where trials are cut to the shortest, found some.`,
    );
  }
  const cut = (array: ShapedArray | null | undefined) =>
    array?.shape.length === 3 ? corner(array, shortest, array.shape[2]) : array;
  const behaviour = Object.fromEntries(
    Object.entries(arrays.behaviour ?? {}).map((
      [name, array],
    ) => [name, corner(array, shortest, array.shape[2])]),
  );
  return {
    arrays: {
      ...arrays,
      spikes: corner(spikes, shortest, N),
      lengths: null,
      missing: cut(missing),
      rates: cut(rates),
      latents: cut(latents),
      external: cut(arrays.external),
      behaviour,
    },
    said: [`Cut ${trials} trials of up to ${T} bins to the shortest, ${shortest} bins.`],
  };
}
