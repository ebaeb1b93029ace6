/** What a dataset must be, checked before anything is computed from it. */
import { InputError } from "../errors.ts";
import type { NumericArray } from "./elements.ts";

/** Numbers with a shape, in C order. */
export interface ShapedArray {
  readonly shape: readonly number[];
  readonly data: NumericArray;
}

/** Spike counts, packed; or real numbers. */
export interface Counts {
  readonly counts_BTN: Uint8Array | Uint16Array | Float32Array;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
}

/** Neurons named in one warning. */
const MAX_NAMED = 20;

/** Where element `i` of a row-major array of `shape` stands: `[trial, bin, neuron]`. */
export function indexOf(i: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

/**
 * Numbers [trials, bins, neurons] from an array of any number type. Whole numbers from 0 to 65 535 are
 * spike counts, packed to bytes where every one fits; anything else is kept as real numbers.
 *
 * @param action what is being done: `Cannot read "a.npz"`
 * @param minTrials 2 to fit (one to train on, one to evaluate), 1 to infer
 * @throws InputError naming the first value that is no number, by [trial, bin, neuron]
 */
export function validateValues(
  spikes: ShapedArray,
  action: string,
  minTrials: 1 | 2 = 2,
): Counts {
  const [trials, T, N] = requireTrials(spikes, action, minTrials);
  const { shape, data } = spikes;
  if (data instanceof Uint8Array) return { counts_BTN: data.slice(), trials, T, N };
  let most = 0, whole = true;
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!(Math.abs(value) <= LARGEST)) {
      throw new InputError(
        `${action}: expected spikes to be finite numbers${
          Number.isFinite(value) ? ` of at most ${LARGEST}` : ""
        }, found ${value} at ${placeOf(i, shape)}.`,
      );
    }
    whole &&= isCount(value);
    if (value > most) most = value;
  }
  const counts_BTN = !whole
    ? Float32Array.from(data)
    : most > 255
    ? Uint16Array.from(data)
    : Uint8Array.from(data);
  return { counts_BTN, trials, T, N };
}

/** Real numbers below the negative of this are missing ones (see `MISSING`). */
const LARGEST = 1e37;

/** A shape of trials, bins and neurons, none of them without any. */
function requireTrials(
  spikes: ShapedArray,
  action: string,
  minTrials: 1 | 2,
): readonly number[] {
  const { shape } = spikes;
  const fail = (wanted: string, found: string): never => {
    throw new InputError(`${action}: expected ${wanted}, found ${found}.`);
  };
  if (shape.length !== 3) {
    fail("spikes with 3 dimensions [trials, bins, neurons]", `${shape.length}: [${shape}]`);
  }
  const [trials, T, N] = shape;
  if (trials === 0) fail("spikes of at least one trial", `none: shape [${shape}]`);
  if (trials < minTrials) {
    throw new InputError(
      `${action}: fit needs at least 2 trials: one to train on, one to evaluate, found 1: shape ` +
        `[${shape}] is read as [trials, bins, neurons].`,
    );
  }
  if (T === 0) fail("spikes of at least one time bin", `none: shape [${shape}]`);
  if (N === 0) fail("spikes of at least one neuron", `none: shape [${shape}]`);
  requireSize(spikes, "spikes", action);
  return shape;
}

/** `[trial, bin, neuron] = [0, 1, 2]` */
export function placeOf(i: number, shape: readonly number[]): string {
  return `[trial, bin, neuron] = [${indexOf(i, shape).join(", ")}]`;
}

/** False for NaN too. */
function isCount(value: number): boolean {
  return value >= 0 && value <= 65_535 && Number.isInteger(value);
}

/** What a number should be that is no count, in words; null for a count. */
export function countWanted(found: number): string | null {
  if (isCount(found)) return null;
  if (!Number.isFinite(found)) return "finite counts";
  if (found < 0) return "counts of at least 0";
  if (!Number.isInteger(found)) return "whole counts (not rates)";
  return "counts of at most 65535";
}

/** @throws InputError where a shape and its data disagree */
export function requireSize({ shape, data }: ShapedArray, what: string, action: string): void {
  const count = shape.reduce((product, length) => product * length, 1);
  if (count !== data.length) {
    throw new InputError(
      `${action}: expected ${count} elements in ${what} of shape [${shape}], found ${data.length}.`,
    );
  }
}

/** @throws InputError where an array is not of exactly this shape */
export function requireShape(
  array: ShapedArray,
  wanted: readonly number[],
  meaning: string,
  what: string,
  action: string,
): void {
  if (array.shape.length !== wanted.length || array.shape.some((n, axis) => n !== wanted[axis])) {
    throw new InputError(
      `${action}: expected ${what} of shape [${wanted}] ${meaning}, found [${array.shape}].`,
    );
  }
  requireSize(array, what, action);
}

/** @throws InputError naming the first value that is NaN or infinite or, if asked, negative */
export function requireFinite(
  { shape, data }: ShapedArray,
  what: string,
  action: string,
  { negative = true } = {},
): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]) || !negative && data[i] < 0) {
      throw new InputError(
        `${action}: expected ${what} to be finite${negative ? "" : " and at least 0"}, found ${
          data[i]
        } at [${indexOf(i, shape).join(", ")}].`,
      );
    }
  }
}

/**
 * Seconds per bin: null where not known.
 *
 * @throws InputError where it is not positive and finite
 */
export function validateBinWidth(seconds: number | null, action: string): number | null {
  if (seconds !== null && !(seconds > 0 && Number.isFinite(seconds))) {
    throw new InputError(
      `${action}: expected a bin width above 0 seconds, found ${seconds}.`,
    );
  }
  return seconds;
}

/**
 * The condition of each trial, as whole numbers.
 *
 * @throws InputError where there is not exactly one for every trial or one is not a whole number of 32 bits
 */
export function validateCondition(
  condition: ShapedArray,
  trials: number,
  action: string,
): Int32Array {
  requireShape(condition, [trials], "(one for every trial)", "condition", action);
  const { data } = condition;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== (data[i] | 0)) {
      throw new InputError(
        `${action}: expected condition to be whole numbers of 32 bits, found ${
          data[i]
        } at trial ${i}.`,
      );
    }
  }
  return Int32Array.from(data);
}

/** What is unusual about counts but no reason to refuse them. */
export function warningsAbout({ counts_BTN, T, N }: Counts): string[] {
  const warnings: string[] = [];
  const real = counts_BTN instanceof Float32Array;
  if (T === 1) {
    warnings.push("There is one time bin per trial, so there are no dynamics to learn.");
  }
  const fires = new Uint8Array(N);
  for (let i = 0; i < counts_BTN.length; i++) if (counts_BTN[i] !== 0) fires[i % N] = 1;
  const silent = Array.from(fires.keys()).filter((n) => fires[n] === 0);
  if (silent.length > 0) {
    const named = silent.slice(0, MAX_NAMED).join(", ");
    const more = silent.length > MAX_NAMED ? ` and ${silent.length - MAX_NAMED} more` : "";
    warnings.push(
      silent.length === 1
        ? `Neuron ${named} (counted from 0) ${real ? "is always 0" : "never fires"}.`
        : `${silent.length} neurons (counted from 0) ${
          real ? "are always 0" : "never fire"
        }: ${named}${more}.`,
    );
  }
  return warnings;
}
