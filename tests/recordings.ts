/** Recordings for tests: files that h5py wrote, and files that the tests make. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { DatasetArrays } from "../src/data/dataset.ts";
import type { Attributes, Hdf5Tree } from "../src/data/formats/hdf5/tree.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { writeHdf5 } from "../src/data/formats/hdf5/write.ts";
import { textArray } from "../src/data/formats/arrays_of.ts";
import { type NpyArray, npyArray, type NpyText } from "../src/data/npy.ts";
import { InputError } from "../src/errors.ts";
import { findProgram } from "./programs.ts";

/** The same numbers as `count` in fixtures/write_recordings.py. */
export const count = (b: number, t: number, n: number) =>
  (7 * b + 3 * t + 5 * n + (b * t * n) % 11) % 4;

/** `count` of these trials, bins and neurons, in C order. */
export function counts(
  trials: readonly number[],
  bins: readonly number[],
  neurons: readonly number[],
): number[] {
  return trials.flatMap((b) => bins.flatMap((t) => neurons.map((n) => count(b, t, n))));
}

/** 0, 1, …, n - 1. */
export const upTo = (n: number, from = 0): number[] =>
  Array.from({ length: n }, (_, i) => from + i);

export const fixture = (name: string) => new URL(`./fixtures/${name}`, import.meta.url).pathname;

export const FIXTURES = [
  "recording_lfads_torch.h5",
  "recording_plain.h5",
  "recording_matlab.mat",
  "recording.nwb",
] as const;

/** An array with a value for each place. */
export function numbers(
  shape: readonly number[],
  at: (i: number) => number = (i) => i,
): NpyArray {
  const length = shape.reduce((product, size) => product * size, 1);
  return npyArray(shape, Float64Array.from({ length }, (_, i) => at(i)));
}

/** What stands at a path of a file that a test writes. */
export type Content = NpyArray | NpyText | readonly string[] | number;

/** A file of these arrays, in the groups that their paths name. */
export function treeOf(
  contents: Readonly<Record<string, Content>>,
  attributes: Readonly<Record<string, Attributes>> = {},
): Hdf5Tree {
  const groups = new Set<string>();
  for (const path of Object.keys(contents)) {
    const parts = path.split("/").slice(0, -1);
    parts.forEach((_, i) => groups.add(parts.slice(0, i + 1).join("/")));
  }
  const array = (content: Content): NpyArray | NpyText => {
    if (typeof content === "number") return npyArray([], Float64Array.of(content));
    return "shape" in content ? content : textArray(content);
  };
  return {
    groups: [
      { path: "", attributes: attributes[""] },
      ...[...groups].sort().map((path) => ({ path, attributes: attributes[path] })),
    ],
    datasets: Object.entries(contents).map(([path, content]) => ({
      path,
      array: array(content),
      attributes: attributes[path],
    })),
  };
}

/** The bytes of such a file. */
export async function hdf5(
  contents: Readonly<Record<string, Content>>,
  attributes?: Readonly<Record<string, Attributes>>,
): Promise<Uint8Array> {
  return writeHdf5(await loadH5wasm(), treeOf(contents, attributes), '"made.h5"');
}

/** The message of the InputError that a call ends with: one paragraph. */
export async function refusal(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    assert(error instanceof InputError, `expected an InputError, found ${error}`);
    assert(!error.message.includes("\n"), "one paragraph");
    assert.match(error.message, /^Cannot .*expected .*found .*\.$/);
    return error.message;
  }
  assert.fail("expected a refusal");
}

/** A Python that has h5py: the one that PYTHON names, or python3. */
export function findH5py(): Promise<string | null> {
  return findProgram(Deno.env.get("PYTHON") ?? "python3", ["-c", "import h5py, numpy"]);
}

/** Real recordings beside the repository; null where they are absent. */
export function realRecording(name: string): string | null {
  const path = new URL(`../../shared/data/${name}`, import.meta.url).pathname;
  try {
    return Deno.statSync(path).isFile ? path : null;
  } catch {
    return null;
  }
}

const array = (value: fc.Arbitrary<number>, shape: readonly number[]) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return fc.array(value, { minLength: length, maxLength: length })
    .map((data): NpyArray => npyArray(shape, Float64Array.from(data)));
};

/** Counts to reconstruct, which are those that are encoded where both are given. */
function around({ shape: [trials, T, N], data }: NpyArray, recon: NpyArray): NpyArray {
  const [, bins, neurons] = recon.shape;
  const whole = Float64Array.from(recon.data);
  for (let b = 0, i = 0; b < trials; b++) {
    for (let t = 0; t < T; t++) {
      for (let n = 0; n < N; n++) whole[(b * bins + t) * neurons + n] = data[i++];
    }
  }
  return npyArray(recon.shape, whole);
}

/** Datasets with any of the parts that a file can hold; every trial is in a part of the split. */
export const recordings: fc.Arbitrary<DatasetArrays> = fc.record({
  trials: fc.integer({ min: 2, max: 5 }),
  T: fc.integer({ min: 1, max: 4 }),
  N: fc.integer({ min: 1, max: 4 }),
  more: fc.integer({ min: 0, max: 2 }),
}).chain(({ trials, T, N, more }) => {
  const real = fc.double({ noNaN: true, noDefaultInfinity: true });
  const positive = fc.double({ min: 0, max: 1e6, noNaN: true });
  const texts = (length: number) =>
    fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5, unit: "grapheme-ascii" }), {
      minLength: length,
      maxLength: length,
    }).map((words) => words.map((word) => word.trim() || "x").map((word, i) => `${word}${i}`));
  const chosen = fc.shuffledSubarray(upTo(trials), { minLength: 1, maxLength: trials - 1 });
  const splits = chosen.map((evaluation) => ({
    train: upTo(trials).filter((b) => !evaluation.includes(b)),
    evaluation,
  }));
  return fc.record({
    spikes: array(fc.oneof(fc.nat(3), fc.nat(65_535)), [trials, T, N]),
    real: fc.option(fc.float({ noNaN: true, min: -9, max: 9 }).filter((x) => !Object.is(x, -0))),
    binWidth: fc.option(fc.double({ min: 1e-6, max: 10, noNaN: true })),
    labelled: fc.option(fc.record({
      condition: array(fc.nat(2), [trials]),
      conditionNames: fc.option(texts(3)),
    })),
    truth: fc.option(fc.record({
      rates: array(positive, [trials, T + more, N + more]),
      latents: fc.option(array(real, [trials, T + more, 2])),
    })),
    neurons: fc.option(texts(N)),
    split: fc.option(splits),
    missing: fc.option(array(fc.nat(1), [trials, T, N])),
    lengths: fc.option(array(fc.integer({ min: 1, max: T }), [trials])),
    recon: fc.option(array(fc.nat(9), [trials, T + more, N + more])),
    external: fc.option(array(real, [trials, T + more, 2])),
    behaviour: fc.option(
      fc.record({
        hand_vel: array(fc.oneof(real, fc.constant(NaN)), [trials, T, 2]),
        "eye.x": array(real, [trials, T, 1]),
      }),
    ),
  }).map(({ labelled, truth, real, recon, ...rest }): DatasetArrays => {
    const { shape, data } = rest.spikes;
    const spikes = real === null
      ? rest.spikes
      : npyArray(shape, Float32Array.from(data, (count) => count + real));
    const whole = recon && around(spikes, recon);
    // a truth of what is encoded alone is none of what is to be reconstructed
    const known = whole || more === 0 ? truth : null;
    return { name: "data", ...rest, spikes, recon: whole, ...labelled, ...known };
  });
});
