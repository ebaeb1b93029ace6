/**
 * Windows to reconstruct, as lfads-torch has them: counts that go on for longer, or are of more neurons,
 * than what the encoders see. The dataset is that of the whole window, and says what of it is encoded.
 */
import { InputError } from "../errors.ts";
import type { Dataset, DatasetArrays } from "./dataset.ts";
import { corner } from "./formats/rows.ts";
import type { PartArrays } from "./parts.ts";
import { requireSize, type ShapedArray } from "./validate.ts";

/** What of a window the encoders see; each part only where that is not all. */
export interface Encoded {
  /** Bins, from the first on. */
  readonly encodedBins?: number;
  /** Neurons that they do not see, ascending. */
  readonly heldOut?: readonly number[];
}

/** Arrays of the whole window. Bins that were not observed are NaN or in `missing`. */
export type Whole = Omit<DatasetArrays, "recon"> & {
  readonly encoded: Encoded;
  readonly warnings: readonly string[];
};

/**
 * Lays the counts to reconstruct around those that are encoded.
 *
 * @throws InputError where they are smaller, or not the same where both are known
 */
export function wholeWindow(arrays: DatasetArrays, action: string): Whole {
  const { recon, ...rest } = arrays;
  if (!recon) return { ...rest, encoded: {}, warnings: [] };
  const { spikes } = arrays;
  const [trials, T, N] = spikes.shape;
  const { shape } = recon;
  if (shape.length !== 3 || shape[0] !== trials || shape[1] < T || shape[2] < N) {
    throw new InputError(
      `${action}: expected counts to reconstruct of shape [${trials}, at least ${T}, at least ${N}], ` +
        `found [${shape}].`,
    );
  }
  requireSize(spikes, "spikes", action);
  requireSize(recon, "the counts to reconstruct", action);
  const [, bins, neurons] = shape;
  requireSame(recon, spikes, action);
  const { truth, warnings } = truthOf(arrays, shape);
  const { external } = arrays;
  if (external && external.shape.length === 3 && external.shape[1] < bins) {
    warnings.push(
      `External inputs are known in ${
        external.shape[1]
      } of ${bins} bins; in the others they are read as ` +
        `0, as lfads-torch does.`,
    );
  }
  return {
    ...rest,
    ...truth,
    spikes: withGaps(recon, spikes),
    missing: arrays.missing && laidIn(arrays.missing, spikes.shape, shape, 0),
    neurons: arrays.neurons && named(arrays.neurons, N, neurons),
    behaviour: arrays.behaviour && lengthened(arrays.behaviour, bins),
    external: external && longer(external, bins, 0),
    encoded: {
      ...(bins > T ? { encodedBins: T } : {}),
      ...(neurons > N ? { heldOut: Array.from({ length: neurons - N }, (_, i) => N + i) } : {}),
    },
    warnings,
  };
}

/** Visits every encoded entry: its place, and that in the whole window. */
function eachEncoded(
  [trials, T, N]: readonly number[],
  [, bins, neurons]: readonly number[],
  visit: (encoded: number, whole: number) => void,
): void {
  for (let b = 0, i = 0; b < trials; b++) {
    for (let t = 0; t < T; t++) {
      const row = (b * bins + t) * neurons;
      for (let n = 0; n < N; n++) visit(i++, row + n);
    }
  }
}

function requireSame(recon: ShapedArray, spikes: ShapedArray, action: string): void {
  const N = spikes.shape[2], T = spikes.shape[1];
  eachEncoded(spikes.shape, recon.shape, (i, j) => {
    const seen = spikes.data[i], wanted = recon.data[j];
    if (seen === wanted || Number.isNaN(seen) || Number.isNaN(wanted)) return;
    const n = i % N, row = (i - n) / N, t = row % T;
    throw new InputError(
      `${action}: expected the counts to reconstruct to be those that are encoded where both are ` +
        `given, found ${wanted} and ${seen} at [trial, bin, neuron] = [${
          (row - t) / T
        }, ${t}, ${n}].`,
    );
  });
}

/** The counts to reconstruct, missing where those that are encoded are. */
function withGaps(recon: ShapedArray, spikes: ShapedArray): ShapedArray {
  if (!spikes.data.some(Number.isNaN)) return recon;
  const data = Float64Array.from(recon.data);
  eachEncoded(spikes.shape, recon.shape, (i, j) => {
    if (Number.isNaN(spikes.data[i])) data[j] = NaN;
  });
  return { shape: recon.shape, data };
}

/** An array of the encoded window in the whole one, with `fill` around it; one of the whole as it is. */
function laidIn(
  array: ShapedArray,
  encoded: readonly number[],
  whole: readonly number[],
  fill: number,
): ShapedArray {
  if (array.shape.join() !== encoded.join() || encoded.join() === whole.join()) return array;
  const data = new Float64Array(whole[0] * whole[1] * whole[2]).fill(fill);
  eachEncoded(encoded, whole, (i, j) => data[j] = array.data[i]);
  return { shape: whole, data };
}

/** The names of all neurons, where only those that are encoded have some. */
function named(names: readonly string[], N: number, neurons: number): readonly string[] {
  if (names.length !== N) return names;
  return [...names, ...Array.from({ length: neurons - N }, (_, i) => `held out ${i}`)];
}

/** Behaviour that was measured in the encoded bins alone goes on without numbers. */
function lengthened(
  behaviour: NonNullable<PartArrays["behaviour"]>,
  bins: number,
): Record<string, ShapedArray> {
  return Object.fromEntries(
    Object.entries(behaviour).map(([name, array]) => [name, longer(array, bins, NaN)]),
  );
}

/** An array of trials, bins and columns with at least so many bins. */
export function longer(array: ShapedArray, bins: number, fill: number): ShapedArray {
  const { shape } = array;
  if (shape.length !== 3 || shape[1] >= bins) return array;
  return laidIn(array, shape, [shape[0], bins, shape[2]], fill);
}

/** A truth of the encoded window alone says nothing of what is to be reconstructed. */
function truthOf(
  { rates, latents, spikes }: DatasetArrays,
  [trials, bins, neurons]: readonly number[],
): { truth: Pick<DatasetArrays, "rates" | "latents" | "A">; warnings: string[] } {
  const small = rates?.shape.join() === spikes.shape.join() &&
    rates.shape.join() !== [trials, bins, neurons].join();
  if (small) {
    return {
      truth: { rates: null, latents: null, A: null },
      warnings: [
        `The true rates are left out: they are of the ${spikes.shape[1]} bins and ${
          spikes.shape[2]
        } neurons that are encoded, not of all ${bins} and ${neurons}.`,
      ],
    };
  }
  const short = latents && latents.shape.length === 3 && latents.shape[1] < bins;
  return {
    truth: short ? { latents: null, A: null } : {},
    warnings: short ? [`The true latents are left out: they have fewer than ${bins} bins.`] : [],
  };
}

/**
 * What the encoders see of a dataset's numbers, `[trials, bins, neurons]`, where its file has more to
 * reconstruct; null where they see all.
 */
export function encodedPart(
  { trials, T, N, encodedBins = T, heldOut = [] }: Dataset,
  data: ShapedArray["data"],
): ShapedArray | null {
  if (encodedBins === T && heldOut.length === 0) return null;
  return corner({ shape: [trials, T, N], data }, encodedBins, N - heldOut.length);
}

/** A dataset without what the encoders do not see. */
export function encodedOnly(dataset: Dataset): Dataset {
  const { encodedBins, heldOut, ...kept } = dataset;
  const T = encodedBins ?? dataset.T, N = dataset.N - (heldOut?.length ?? 0);
  const { trials, truth, lengths_B } = dataset;
  const cut = (data: ShapedArray["data"], columns: number, left: number) =>
    corner({ shape: [trials, dataset.T, columns], data }, T, left).data;
  return {
    ...kept,
    ...{ T, N },
    counts_BTN: cut(dataset.counts_BTN, dataset.N, N) as Dataset["counts_BTN"],
    truth: truth && {
      ...truth,
      rates_BTN: cut(truth.rates_BTN, dataset.N, N) as Float64Array,
      latents_BTL: cut(truth.latents_BTL, truth.L, truth.L) as Float64Array,
    },
    ...(dataset.neurons ? { neurons: dataset.neurons.slice(0, N) } : {}),
    ...(dataset.missing_BTN
      ? { missing_BTN: cut(dataset.missing_BTN, dataset.N, N) as Uint8Array }
      : {}),
    ...(lengths_B ? { lengths_B: lengths_B.map((length) => Math.min(length, T)) } : {}),
  };
}
