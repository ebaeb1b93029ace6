/** Work on arrays that would hold up the thread that serves. */
import {
  type Dataset,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  InputError,
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
export type Counts = Pick<Dataset, "counts_BTN" | "trials" | "T" | "N" | "binWidth">;

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
    const { counts_BTN, trials, T, N, binWidth } = this.#held!.data;
    return { counts_BTN: counts_BTN.slice(), trials, T, N, binWidth };
  }

  /** Some trials of the dataset that is held: as JSON, or as a .npz archive. */
  trials({ first, count }: Trials, format: "json" | "npz"): Uint8Array<ArrayBuffer> {
    const { data } = this.#held!;
    const { trials, T, N, binWidth, condition } = data;
    const last = first + count;
    if (last > trials) {
      throw new InputError(
        `Cannot send the spikes: expected first_trial and trials within the ${trials} trials of the ` +
          `dataset, found trials ${first} to ${last - 1}.`,
      );
    }
    const counts_BTN = data.counts_BTN.slice(first * T * N, last * T * N);
    const chosen = condition?.slice(first, last) ?? null;
    if (format === "npz") {
      const { name, warnings } = data;
      const facts = {
        name,
        trials: count,
        T,
        N,
        binWidth,
        condition: chosen,
        truth: null,
        warnings,
      };
      return this.toNpz({ ...facts, counts_BTN });
    }
    const rows = (b: number) =>
      Array.from({ length: T }, (_, t) => {
        const at = (b * T + t) * N;
        return `[${counts_BTN.subarray(at, at + N).join(",")}]`;
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
        if (typeof count !== "number") {
          throw new InputError(
            `Cannot store the dataset: expected spikes[${b}][${t}][${n}] to be a number, found ` +
              `${count === null ? "null" : typeof count}.`,
          );
        }
        data[at++] = count;
      })
    )
  );
  return { shape, data };
}
