/**
 * A dataset as a device holds it: what the encoders see beside what the fit explains. Whatever is not
 * observed, or is hidden from one of the two, is marked as missing (see `MISSING`).
 */
import { MISSING } from "../compute/kernels.ts";
import type { Dataset } from "./dataset.ts";
import type { ShapedArray } from "./validate.ts";

/** Counts, or real numbers, `[trials][T][N]`. */
export type DataArray = Uint8Array | Uint16Array | Float32Array;

/** What the encoders see of the data. */
export interface View {
  /** neurons that they never see */
  readonly heldOut: readonly number[];
  /** bins, from the first on, that they see */
  readonly encodedBins: number;
  /** `[trials][T][N]`, 1 where a sample is hidden from the fit; null: none is */
  readonly hidden_BTN: Uint8Array | null;
}

/** What a plan reads. */
export interface Arrangement {
  readonly element: "u8" | "u16" | "real";
  /** what the fit explains */
  readonly targets: DataArray;
  /** what the encoders see; null where that is `targets` */
  readonly encoded: DataArray | null;
  /** hidden samples alone; null where there are none */
  readonly validation: DataArray | null;
  /** some entries are missing */
  readonly gaps: boolean;
}

/** How an array's numbers are stored on a device. */
export function elementOf(data: DataArray): Arrangement["element"] {
  return data instanceof Float32Array ? "real" : data instanceof Uint16Array ? "u16" : "u8";
}

/** Whether the encoders see all neurons in all bins. */
function seesAll({ heldOut, encodedBins, hidden_BTN }: View, T: number): boolean {
  return heldOut.length === 0 && encodedBins >= T && hidden_BTN === null;
}

/** Arranges a dataset for a fit. Nothing is copied where nothing is hidden or missing. */
export function arrange(data: Dataset, view: View): Arrangement {
  const { trials, T, N } = data;
  const missing_BTN = missingOf(data);
  const whole = seesAll(view, T);
  const { counts_BTN } = data;
  if (whole && missing_BTN === null) {
    return {
      element: elementOf(counts_BTN),
      targets: counts_BTN,
      encoded: null,
      validation: null,
      gaps: false,
    };
  }
  const { heldOut, encodedBins, hidden_BTN } = view;
  const source = roomForMissing(counts_BTN);
  const element = elementOf(source), missing = MISSING[element];
  const targets = source.slice(), validation = hidden_BTN && source.slice();
  for (let i = 0; i < trials * T * N; i++) {
    const absent = missing_BTN?.[i] === 1, hidden = hidden_BTN?.[i] === 1;
    if (absent || hidden) targets[i] = missing;
    if (validation && (absent || !hidden)) validation[i] = missing;
  }
  if (whole) return { element, targets, encoded: null, validation, gaps: true };
  const encoded = hide(targets.slice(), { trials, T, N }, heldOut, encodedBins);
  return { element, targets, encoded, validation, gaps: true };
}

/** Marks held-out neurons, and bins that the encoders do not see, in place. */
export function hide<A extends DataArray>(
  data: A,
  { trials, T, N }: { readonly trials: number; readonly T: number; readonly N: number },
  heldOut: readonly number[],
  encodedBins: number,
): A {
  const missing = MISSING[elementOf(data)];
  for (let b = 0; b < trials; b++) {
    for (const n of heldOut) {
      for (let t = 0; t < T; t++) data[(b * T + t) * N + n] = missing;
    }
    data.fill(missing, (b * T + encodedBins) * N, (b + 1) * T * N);
  }
  return data;
}

/** External inputs of the first `T` bins: `[trials][T][X]`. */
export function externalInputs(
  { shape: [trials, bins, X], data }: ShapedArray,
  T: number,
): Float64Array {
  const cut = new Float64Array(trials * T * X);
  for (let b = 0; b < trials; b++) {
    for (let i = 0; i < T * X; i++) cut[b * T * X + i] = data[b * bins * X + i];
  }
  return cut;
}

/** The same numbers in a type that has a number to spare for what is missing. */
export function roomForMissing(data: DataArray): DataArray {
  if (data instanceof Uint8Array && data.includes(MISSING.u8)) return Uint16Array.from(data);
  if (data instanceof Uint16Array && data.includes(MISSING.u16)) return Float32Array.from(data);
  return data;
}

/** 1 where an entry was not observed, of trials that end early too; null where all were. */
export function missingOf(
  { trials, T, N, missing_BTN, lengths_B }: Pick<
    Dataset,
    "trials" | "T" | "N" | "missing_BTN" | "lengths_B"
  >,
): Uint8Array | null {
  if (!missing_BTN && !lengths_B) return null;
  const mask = missing_BTN?.slice() ?? new Uint8Array(trials * T * N);
  lengths_B?.forEach((length, b) => mask.fill(1, (b * T + length) * N, (b + 1) * T * N));
  return mask;
}
