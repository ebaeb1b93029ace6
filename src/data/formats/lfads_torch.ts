/**
 * lfads-torch's HDF5 files: every array once with the prefix `train_` and once with `valid_`.
 *
 * https://github.com/arsedler9/lfads-torch: `encod_data` is what the encoder sees, `recon_data` what is to
 * be reconstructed; the bins and the neurons that it has more come last. `truth / conversion_factor` are
 * rates in spikes per bin.
 */
import { InputError } from "../../errors.ts";
import type { NpyArray } from "../npy.ts";
import { RESERVED_NAMES } from "../parts.ts";
import { least } from "../range.ts";
import type { ShapedArray } from "../validate.ts";
import { agreedBinWidth, type Layout, refuseForCounts } from "./counts.ts";
import type { LayoutOptions } from "./options.ts";
import { concatenated, corner, placed } from "./rows.ts";
import { type ArraySource, type Entry, find, listed, quote, scalar } from "./source.ts";

const PREFIXES = ["train_", "valid_"] as const;

/** Names of the encoded data: lfads-torch's, and those of the files for LFADS in TensorFlow. */
const ENCODED = ["encod_data", "data"] as const;

/** The name of the encoded data without its prefix; null where a file has none. */
function encodedKey({ entries }: ArraySource): string | null {
  const names = entries.map(({ name }) => name);
  return ENCODED.find((key) => PREFIXES.some((prefix) => names.includes(prefix + key))) ?? null;
}

export function isLfadsTorch(source: ArraySource): boolean {
  return encodedKey(source) !== null;
}

/** @throws InputError where train and valid do not fit each other, or an array is missing */
export function readLfadsTorch(
  source: ArraySource,
  options: LayoutOptions,
  action: string,
): Layout {
  refuseForCounts(options, action);
  if (options.axes !== undefined) {
    throw new InputError(
      `${action}: expected no axes for lfads-torch's arrays, which are trials, bins, neurons, found ` +
        `${quote(options.axes)}.`,
    );
  }
  const encoded = encodedKey(source) ?? ENCODED[0];
  for (const prefix of PREFIXES) {
    if (find(source, prefix + encoded) === null) {
      throw new InputError(
        `${action}: expected both "train_${encoded}" and "valid_${encoded}", found ${
          listed(source.entries)
        }.`,
      );
    }
  }
  const roles: Record<string, string> = {};
  const warnings: string[] = [];
  const [trainTrials, validTrials] = PREFIXES.map((prefix) =>
    find(source, prefix + encoded)?.shape[0] ?? 0
  );
  const trials = trainTrials + validTrials;
  const order = originalPlaces(source, trainTrials, validTrials, roles);
  if (typeof order === "string") warnings.push(order);
  const places = typeof order === "string"
    ? Uint32Array.from({ length: trials }, (_, i) => i)
    : order;

  /** both parts of an array, in the order of the trials */
  const both = (key: string, role: string): ShapedArray | null => {
    const entries = PREFIXES.map((prefix) => find(source, prefix + key));
    if (entries.every((entry) => entry === null)) return null;
    const [train, valid] = entries;
    if (!train || !valid) {
      throw new InputError(
        `${action}: expected both "train_${key}" and "valid_${key}", found ${
          quote(train?.name ?? valid?.name ?? "")
        } alone.`,
      );
    }
    requireAlike(train, valid, [trainTrials, validTrials], action);
    const parts = [train, valid].map(({ name }) => {
      roles[name] = role;
      return source.read(name);
    });
    return placed(concatenated(parts[0], parts[1]), places);
  };

  const spikes = both(encoded, "the spikes that the encoder sees");
  if (spikes === null || trials === 0 || spikes.shape.length !== 3) {
    throw new InputError(
      `${action}: expected "train_${encoded}" of shape [trials, bins, neurons], found ${
        listed(source.entries)
      }.`,
    );
  }
  const [, T] = spikes.shape;
  const recon = both("recon_data", "the counts to reconstruct");
  const truth = both("truth", "true rates times conversion_factor");
  if (find(source, "conversion_factor") !== null) roles.conversion_factor = "scale of the truth";
  if (find(source, "bin_width_s") !== null) roles.bin_width_s = "seconds per bin";
  const conditionNames = textOf(source, "condition_names", roles);
  const neurons = textOf(source, "neurons", roles);
  const rates = truth &&
    trueRates(source, truth, spikes.shape, recon?.shape ?? spikes.shape, warnings, action);
  const external = both("ext_input", "external inputs");
  const condition = both("condition", "the condition of each trial");
  const behaviour: Record<string, ShapedArray> = {};
  for (const key of behaviourKeys(source, roles, T)) {
    const array = both(key, "behaviour");
    if (array) behaviour[key] = { shape: [...array.shape, 1].slice(0, 3), data: array.data };
  }
  const aside = source.entries.filter(({ name, kind, shape }) =>
    !Object.hasOwn(roles, name) && kind !== "other" && shape.length > 0
  );
  if (aside.length > 0) warnings.push(`Left aside: ${listed(aside)}.`);
  const split = {
    train: places.subarray(0, trainTrials),
    evaluation: places.subarray(trainTrials),
  };
  return {
    arrays: {
      spikes,
      binWidth: agreedBinWidth(scalar(source, "bin_width_s", action), options, action),
      condition,
      conditionNames,
      neurons,
      rates,
      split,
      recon,
      external,
      behaviour,
    },
    warnings,
    understood: {
      layout: "lfads-torch's train and valid arrays",
      spikes: `train_${encoded}`,
      why: `with "valid_${encoded}" it is what lfads-torch's encoder sees`,
      roles,
    },
  };
}

function textOf(
  source: ArraySource,
  name: string,
  roles: Record<string, string>,
): string[] | null {
  if (find(source, name)?.kind !== "text") return null;
  roles[name] = "names";
  return source.readText(name).data;
}

/** Arrays of the two parts may differ in the number of trials, and in nothing else. */
function requireAlike(
  train: Entry,
  valid: Entry,
  [trainTrials, validTrials]: readonly number[],
  action: string,
): void {
  const shapes =
    `${quote(train.name)} of shape [${train.shape}] and ${quote(valid.name)} of shape ` +
    `[${valid.shape}]`;
  if (train.shape[0] !== trainTrials || valid.shape[0] !== validTrials) {
    throw new InputError(
      `${action}: expected a row for each of ${trainTrials} trials in ${
        quote(train.name)
      } and of ` +
        `${validTrials} in ${quote(valid.name)}, found ${shapes}.`,
    );
  }
  const rest = (shape: readonly number[]) => shape.slice(1).join();
  if (rest(train.shape) === rest(valid.shape)) return;
  const neurons = train.shape.length === 3 && valid.shape.length === 3 &&
    train.shape[2] !== valid.shape[2];
  throw new InputError(
    `${action}: expected the same ${
      neurons ? "neurons" : "bins"
    } in both parts of the data, found ` +
      `${shapes}.`,
  );
}

/** Where each trial stood before the split, if the file says so: `train_inds` and `valid_inds`. */
function originalPlaces(
  source: ArraySource,
  trainTrials: number,
  validTrials: number,
  roles: Record<string, string>,
): Uint32Array | string {
  const trials = trainTrials + validTrials;
  const found = PREFIXES.map((prefix) => {
    const entry = find(source, `${prefix}inds`);
    return entry?.kind === "numbers" ? source.read(entry.name) : null;
  });
  const inOrder = Uint32Array.from({ length: trials }, (_, i) => i);
  if (found.every((array) => array === null)) return inOrder;
  for (const prefix of PREFIXES) roles[`${prefix}inds`] = "where each trial stood before the split";
  const [train, valid] = found as (NpyArray | null)[];
  const indices = [...(train?.data ?? []), ...(valid?.data ?? [])];
  // MATLAB counts from 1
  const first = least(indices);
  const places = indices.map((index) => index - (first === 1 ? 1 : 0));
  const each = train?.data.length === trainTrials && valid?.data.length === validTrials &&
    new Set(places).size === trials &&
    places.every((place) => Number.isInteger(place) && place >= 0 && place < trials);
  if (each) return Uint32Array.from(places);
  return `The trials of train come first, then those of valid: train_inds and valid_inds are not the ` +
    `places of ${trials} trials.`;
}

/** Rates in spikes per bin, of the bins and neurons that are to be reconstructed, or else encoded. */
function trueRates(
  source: ArraySource,
  truth: ShapedArray,
  encoded: readonly number[],
  whole: readonly number[],
  warnings: string[],
  action: string,
): ShapedArray {
  const factor = scalar(source, "conversion_factor", action);
  if (factor === null) {
    warnings.push(`There is no "conversion_factor"; the truth is taken as spikes per bin.`);
  } else if (!(factor > 0 && Number.isFinite(factor))) {
    throw new InputError(`${action}: expected a conversion_factor above 0, found ${factor}.`);
  }
  const { shape } = truth;
  const [, T, N] = shape.length === 3 && shape[1] >= whole[1] && shape[2] >= whole[2]
    ? whole
    : encoded;
  if (shape.length !== 3 || shape[1] < T || shape[2] < N) {
    throw new InputError(
      `${action}: expected truth of shape [${shape[0]}, ${T}, ${N}] like the encoded data, found ` +
        `[${shape}].`,
    );
  }
  if (shape[1] > T || shape[2] > N) {
    warnings.push(`The truth is kept for ${T} bins and ${N} neurons, of [${shape}].`);
  }
  const { shape: cut, data } = corner(truth, T, N);
  return { shape: cut, data: Float64Array.from(data, (rate) => rate / (factor ?? 1)) };
}

/** Real numbers with a row for each trial and bin that are nothing else. */
function behaviourKeys(
  { entries }: ArraySource,
  roles: Readonly<Record<string, string>>,
  T: number,
): string[] {
  return entries.filter(({ name, shape, dtype, kind }) =>
    name.startsWith("train_") && kind === "numbers" && /f\d$/.test(dtype) &&
    !Object.hasOwn(roles, name) && (shape.length === 3 || shape.length === 2) && shape[1] >= T &&
    entries.some((entry) => entry.name === `valid_${name.slice(6)}`)
  ).map(({ name }) => name.slice(6))
    .filter((key) => !RESERVED_NAMES.includes(key) && /^[\w.-]+$/.test(key));
}
