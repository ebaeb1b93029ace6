/** Work on arrays that would hold up the thread that serves. */
import {
  type Dataset,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  InputError,
  observedValues,
} from "../../src/server_arrays.ts";

/** A dataset as JSON has it. */
export interface JsonDataset {
  readonly name?: string;
  /** [trials][bins][neurons] */
  readonly spikes: unknown;
  readonly bin_width_s?: number | null;
  /** of each trial */
  readonly condition?: readonly number[] | null;
}

/** What a dataset is inferred from. */
export type Counts = Pick<Dataset, "counts_BTN" | "trials" | "T" | "N" | "binWidth"> & {
  /** an archive of all of it, where it is more than counts; `counts_BTN` is then empty */
  readonly npz: Uint8Array<ArrayBuffer> | null;
};

/** Some trials of a dataset. */
export interface Trials {
  readonly first: number;
  readonly count: number;
}

export class ArrayHost {
  #held: { sha256: string; data: Dataset } | null = null;

  /** A dataset as a .npz archive. */
  toNpz(data: Dataset): Uint8Array<ArrayBuffer> {
    return datasetToBytes(data) as Uint8Array<ArrayBuffer>;
  }

  /**
   * A dataset of nested arrays as a .npz archive.
   *
   * @throws {InputError} naming what is wrong and the first place where it is
   */
  fromJson(
    { name = "spikes", spikes, bin_width_s, condition }: JsonDataset,
  ): Uint8Array<ArrayBuffer> {
    return this.toNpz(datasetFromArrays({
      name,
      spikes: flatten(spikes),
      binWidth: bin_width_s ?? null,
      condition: condition
        ? { shape: [condition.length], data: Float64Array.from(condition) }
        : null,
    }, { action: "Cannot store the dataset" }));
  }

  /** Whether this dataset is the one that is held. */
  holds(sha256: string): boolean {
    return this.#held?.sha256 === sha256;
  }

  /** Reads a stored dataset, and holds it in place of another. */
  hold(sha256: string, bytes: Uint8Array): void {
    this.#held = null;
    this.#held = { sha256, data: datasetFromBytes(bytes, "dataset.npz", { minTrials: 1 }) };
  }

  /** All counts of the dataset that is held. */
  counts(): Counts {
    const { data } = this.#held!;
    const { counts_BTN, trials, T, N, binWidth, missing_BTN, lengths_B, external_BTX } = data;
    const plain = !(counts_BTN instanceof Float32Array || missing_BTN || lengths_B || external_BTX);
    const facts = { trials, T, N, binWidth };
    if (plain) return { ...facts, counts_BTN: counts_BTN.slice(), npz: null };
    // the bin width is said beside the archive
    const npz = this.toNpz({ ...someTrials(data, 0, trials), binWidth: null });
    return { ...facts, counts_BTN: new Uint8Array(), npz };
  }

  /** Some trials of the dataset that is held: as JSON, or as a .npz archive. */
  trials({ first, count }: Trials, format: "json" | "npz"): Uint8Array<ArrayBuffer> {
    const { data } = this.#held!;
    const { trials, T, N } = data;
    const last = first + count;
    if (last > trials) {
      throw new InputError(
        `Cannot send the spikes: expected first_trial and trials within the ${trials} trials of the ` +
          `dataset, found trials ${first} to ${last - 1}.`,
      );
    }
    const some = someTrials(data, first, last);
    if (format === "npz") return this.toNpz(some);
    const { binWidth, condition: chosen } = some;
    const values_BTN = observedValues(some);
    const rows = (b: number) =>
      Array.from({ length: T }, (_, t) => {
        const at = (b * T + t) * N;
        const row = Array.from(values_BTN.subarray(at, at + N));
        return `[${row.map((value) => Number.isNaN(value) ? "null" : value).join(",")}]`;
      });
    const spikes = Array.from({ length: count }, (_, b) => `[${rows(b).join(",")}]`);
    const head = JSON.stringify({
      first_trial: first,
      trials: count,
      bin_width_s: binWidth,
      condition: chosen && Array.from(chosen),
    });
    return new TextEncoder().encode(`${head.slice(0, -1)},"spikes":[${spikes.join(",")}]}`);
  }
}

/** Some trials of a dataset, with what is inferred from them. */
function someTrials(data: Dataset, first: number, last: number): Dataset {
  const { name, counts_BTN, T, N, binWidth, condition, warnings } = data;
  const { missing_BTN, lengths_B, external_BTX, encodedBins, heldOut } = data;
  const from = first * T * N, to = last * T * N;
  const row = external_BTX ? external_BTX.data.length / data.trials : 0;
  return {
    ...{ name, trials: last - first, T, N, binWidth, warnings, truth: null },
    counts_BTN: counts_BTN.slice(from, to),
    condition: condition?.slice(first, last) ?? null,
    ...(missing_BTN ? { missing_BTN: missing_BTN.slice(from, to) } : {}),
    ...(lengths_B ? { lengths_B: lengths_B.slice(first, last) } : {}),
    ...(external_BTX
      ? {
        external_BTX: {
          shape: [last - first, ...external_BTX.shape.slice(1)],
          data: external_BTX.data.slice(first * row, last * row),
        },
      }
      : {}),
    ...(encodedBins === undefined ? {} : { encodedBins }),
    ...(heldOut === undefined ? {} : { heldOut }),
  };
}

/** Nested arrays as one, with their shape. */
function flatten(spikes: unknown): { shape: number[]; data: Float64Array } {
  const list = (
    value: unknown,
    at: readonly number[],
    wanted: string,
    length?: number,
  ): unknown[] => {
    if (Array.isArray(value) && value.length === (length ?? value.length)) return value;
    throw new InputError(
      `Cannot store the dataset: expected spikes${
        at.map((i) => `[${i}]`).join("")
      } to be an array of ${wanted}, found ${
        Array.isArray(value) ? `one of ${value.length}` : typeof value
      }.`,
    );
  };
  const trials = list(spikes, [], "trials");
  const bins = list(trials[0] ?? [], [0], "bins");
  const neurons = list(bins[0] ?? [], [0, 0], "neurons");
  const shape = [trials.length, bins.length, neurons.length];
  const [, T, N] = shape;
  // rows are looked at before memory is reserved for all of them
  trials.forEach((trial, b) =>
    list(trial, [b], `${T} bins`, T).forEach((bin, t) => list(bin, [b, t], `${N} neurons`, N))
  );
  const data = new Float64Array(shape.reduce((product, n) => product * n, 1));
  let at = 0;
  (trials as unknown[][][]).forEach((trial, b) =>
    trial.forEach((bin, t) =>
      bin.forEach((count, n) => {
        // null is a bin that was not observed
        if (typeof count !== "number" && count !== null) {
          throw new InputError(
            `Cannot store the dataset: expected spikes[${b}][${t}][${n}] to be a number, found ` +
              `${typeof count}.`,
          );
        }
        data[at++] = count ?? NaN;
      })
    )
  );
  return { shape, data };
}
