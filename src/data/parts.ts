/**
 * What a recording holds besides counts, bin width, condition and truth. These parts are kept with a
 * dataset and survive its file.
 */
import { InputError } from "../errors.ts";
import type { Sessions } from "./sessions.ts";
import { indexOf, requireFinite, requireShape, requireSize, type ShapedArray } from "./validate.ts";

/** Which trials train and which evaluate, where the file says so: indices of trials, ascending. */
export interface GivenSplit {
  readonly train: Uint32Array;
  readonly evaluation: Uint32Array;
}

/** Parts of a dataset, each only where it is known. */
export interface DatasetParts {
  /** The name of each condition: `condition[b]` is an index into it. */
  readonly conditionNames?: readonly string[];
  /** What the file calls each neuron. */
  readonly neurons?: readonly string[];
  /** The file's own split. `fit` takes it in place of a random one. */
  readonly split?: GivenSplit;
  /** 1 where a bin was not observed; the count there is 0 and says nothing. */
  readonly missing_BTN?: Uint8Array;
  /** Several sessions in one: whose trials and neurons these are. */
  readonly sessions?: Sessions;
  /** Bins of each trial that belong to it; those after it are missing for every neuron. */
  readonly lengths_B?: Int32Array;
  /** Bins, from the first on, that the encoders see: those after them are predicted. */
  readonly encodedBins?: number;
  /** Neurons that the encoders do not see, ascending. */
  readonly heldOut?: readonly number[];
  /** External inputs [trials, T or more, inputs]. */
  readonly external_BTX?: ShapedArray;
  /** Behaviour by its name in the file, each [trials, T or more, dimensions]. NaN: not measured. */
  readonly behaviour_BTD?: Readonly<Record<string, ShapedArray>>;
}

/** Arrays that make the parts of a dataset; null is as good as nothing. */
export interface PartArrays {
  /** One for each value of the condition, which then counts from 0. */
  readonly conditionNames?: readonly string[] | null;
  /** One for each neuron. */
  readonly neurons?: readonly string[] | null;
  /** Indices of trials; some may be in neither. */
  readonly split?: {
    readonly train: ArrayLike<number>;
    readonly evaluation: ArrayLike<number>;
  } | null;
  /** Names, neurons of each (blocks in this order), and the session of each trial. */
  readonly sessions?: {
    readonly names: readonly string[];
    readonly neurons: ArrayLike<number>;
    readonly trials: ArrayLike<number>;
  } | null;
  /** [trials, bins, neurons], 0 or 1. */
  readonly missing?: ShapedArray | null;
  /** [trials], in bins. */
  readonly lengths?: ShapedArray | null;
  /**
   * Counts to reconstruct, [trials, bins or more, neurons or more]: forward bins and held-out neurons come
   * last, and the dataset is that of all of them.
   */
  readonly recon?: ShapedArray | null;
  readonly external?: ShapedArray | null;
  readonly behaviour?: Readonly<Record<string, ShapedArray>> | null;
}

/** The keys of a dataset's own file that are no behaviour. */
export const RESERVED_NAMES: readonly string[] = [
  "spikes",
  "bin_width_s",
  "condition",
  "condition_names",
  "rates",
  "latents",
  "A",
  "neurons",
  "split_train",
  "split_evaluation",
  "missing",
  "trial_lengths",
  "recon",
  "external",
  "session",
  "session_names",
  "session_neurons",
];

interface Sizes {
  readonly trials: number;
  readonly T: number;
  readonly N: number;
}

/**
 * Checks the parts of a dataset.
 *
 * @param condition the dataset's, already checked
 * @throws InputError naming the part, what was wanted and what was found
 */
export function validateParts(
  arrays: PartArrays,
  sizes: Sizes,
  condition: Int32Array | null,
  action: string,
): DatasetParts {
  const { conditionNames, neurons, split, missing, lengths, external, behaviour } = arrays;
  return {
    ...(conditionNames ? { conditionNames: names(conditionNames, condition, action) } : {}),
    ...(neurons ? { neurons: neuronNames(neurons, sizes, action) } : {}),
    ...(split ? { split: validateSplit(split, sizes.trials, action) } : {}),
    ...(arrays.sessions ? { sessions: validateSessions(arrays.sessions, sizes, action) } : {}),
    ...(missing ? missingBins(missing, sizes, action) : {}),
    ...(lengths ? lengthsOf(lengths, sizes, action) : {}),
    ...(external ? { external_BTX: externalInputs(external, sizes, action) } : {}),
    ...(behaviour && Object.keys(behaviour).length > 0
      ? { behaviour_BTD: behaviours(behaviour, sizes, action) }
      : {}),
  };
}

function names(
  given: readonly string[],
  condition: Int32Array | null,
  action: string,
): readonly string[] {
  if (condition === null) {
    throw new InputError(
      `${action}: expected names of conditions together with a condition for each trial, found ` +
        `${given.length} names alone.`,
    );
  }
  const at = condition.findIndex((value) => value < 0 || value >= given.length);
  if (at >= 0) {
    throw new InputError(
      `${action}: expected conditions from 0 to ${
        given.length - 1
      }, as there are ${given.length} ` +
        `names, found ${condition[at]} at trial ${at}.`,
    );
  }
  return [...given];
}

function neuronNames(given: readonly string[], { N }: Sizes, action: string): readonly string[] {
  if (given.length === N) return [...given];
  throw new InputError(
    `${action}: expected a name for each of ${N} neurons, found ${given.length}.`,
  );
}

/** @throws InputError where the trials are not distinct, or nothing is left to train or to evaluate on */
export function validateSplit(
  split: { readonly train: ArrayLike<number>; readonly evaluation: ArrayLike<number> },
  trials: number,
  action: string,
): GivenSplit {
  const seen = new Uint8Array(trials);
  const part = (name: "train" | "evaluation"): Uint32Array => {
    const indices = Array.from(split[name]);
    if (indices.length === 0) {
      throw new InputError(`${action}: expected a split with trials to ${name}, found none.`);
    }
    for (const index of indices) {
      if (!(Number.isInteger(index) && index >= 0 && index < trials)) {
        throw new InputError(
          `${action}: expected a split of trials 0 to ${trials - 1}, found ${index} in ${name}.`,
        );
      }
      if (seen[index]++ > 0) {
        throw new InputError(
          `${action}: expected a split with every trial once, found trial ${index} twice.`,
        );
      }
    }
    return Uint32Array.from(indices).sort();
  };
  return { train: part("train"), evaluation: part("evaluation") };
}

/** @throws InputError where blocks are not all neurons, or a trial is of no session */
function validateSessions(
  { names, neurons, trials }: NonNullable<PartArrays["sessions"]>,
  sizes: Sizes,
  action: string,
): Sessions {
  const counts = Array.from(neurons);
  const whole = counts.every((count) => Number.isInteger(count) && count > 0);
  const sum = counts.reduce((sum, count) => sum + count, 0);
  if (!whole || counts.length !== names.length || sum !== sizes.N) {
    throw new InputError(
      `${action}: expected the neurons of ${names.length} sessions, ${sizes.N} in all, found ` +
        `${counts.join(", ")}.`,
    );
  }
  const session_B = Int32Array.from(trials);
  const at = session_B.findIndex((s) => s < 0 || s >= names.length);
  if (session_B.length !== sizes.trials || at >= 0) {
    throw new InputError(
      `${action}: expected a session from 0 to ${names.length - 1} for each of ${sizes.trials} ` +
        `trials, found ${at >= 0 ? `${session_B[at]} at trial ${at}` : session_B.length}.`,
    );
  }
  return { names: [...names], neurons: counts, session_B };
}

/** @throws InputError where the mask is not of 0 and 1, one for every count */
export function missingBins(
  missing: ShapedArray,
  { trials, T, N }: Sizes,
  action: string,
): { missing_BTN?: Uint8Array } {
  requireShape(missing, [trials, T, N], "like spikes", "missing", action);
  const { data, shape } = missing;
  let any = false;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0 && data[i] !== 1) {
      throw new InputError(
        `${action}: expected missing to be 0 or 1, found ${data[i]} at [${
          indexOf(i, shape).join(", ")
        }].`,
      );
    }
    any ||= data[i] === 1;
  }
  return any ? { missing_BTN: Uint8Array.from(data) } : {};
}

/** @throws InputError where a trial has no length within the bins */
export function lengthsOf(
  lengths: ShapedArray,
  { trials, T }: Sizes,
  action: string,
): { lengths_B?: Int32Array } {
  requireShape(lengths, [trials], "(one for every trial)", "trial_lengths", action);
  const { data } = lengths;
  for (let i = 0; i < trials; i++) {
    if (!(Number.isInteger(data[i]) && data[i] >= 1 && data[i] <= T)) {
      throw new InputError(
        `${action}: expected lengths of trials from 1 to ${T} bins, found ${
          data[i]
        } at trial ${i}.`,
      );
    }
  }
  return data.some((length) => length < T) ? { lengths_B: Int32Array.from(data) } : {};
}

/** [trials, at least T, anything] */
function requireAlongTrials(
  array: ShapedArray,
  what: string,
  { trials, T }: Sizes,
  action: string,
): void {
  const { shape } = array;
  if (shape.length !== 3 || shape[0] !== trials || shape[1] < T) {
    throw new InputError(
      `${action}: expected ${what} of shape [${trials}, at least ${T}, …], found [${shape}].`,
    );
  }
  requireSize(array, what, action);
}

/** @throws InputError where they are not finite, or too few */
export function externalInputs(external: ShapedArray, sizes: Sizes, action: string): ShapedArray {
  requireAlongTrials(external, "external inputs", sizes, action);
  requireFinite(external, "external inputs", action);
  return { shape: [...external.shape], data: Float64Array.from(external.data) };
}

function behaviours(
  given: Readonly<Record<string, ShapedArray>>,
  sizes: Sizes,
  action: string,
): Record<string, ShapedArray> {
  const behaviour: Record<string, ShapedArray> = {};
  // formats differ in the order that they keep
  for (const name of Object.keys(given).sort()) {
    const array = given[name];
    if (RESERVED_NAMES.includes(name) || !/^[\w.-]+$/.test(name)) {
      throw new InputError(
        `${action}: expected behaviour with a name of letters, digits and underscores that is not ` +
          `taken, found ${JSON.stringify(name)}.`,
      );
    }
    requireAlongTrials(array, name, sizes, action);
    const at = array.data.findIndex((value) => value === Infinity || value === -Infinity);
    if (at >= 0) {
      throw new InputError(
        `${action}: expected ${name} to be finite or NaN, found ${array.data[at]} at [${
          indexOf(at, array.shape).join(", ")
        }].`,
      );
    }
    behaviour[name] = { shape: [...array.shape], data: Float64Array.from(array.data) };
  }
  return behaviour;
}

/**
 * Spikes where NaN says that a bin was not observed, as counts and a mask.
 *
 * @returns the array itself where it has no NaN
 */
export function separateMissing(
  spikes: ShapedArray,
): { spikes: ShapedArray; missing: ShapedArray | null } {
  const { shape, data } = spikes;
  if (!(data instanceof Float64Array || data instanceof Float32Array) || !data.some(Number.isNaN)) {
    return { spikes, missing: null };
  }
  const missing = Uint8Array.from(data, (count) => Number.isNaN(count) ? 1 : 0);
  const counts = data.slice();
  for (let i = 0; i < counts.length; i++) if (missing[i]) counts[i] = 0;
  return { spikes: { shape, data: counts }, missing: { shape, data: missing } };
}
