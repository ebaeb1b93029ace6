/** MATLAB's v7.3 files: HDF5 with MATLAB's own bytes in front, and dimensions in MATLAB's order. */
import assert from "node:assert/strict";
import {
  type Dataset,
  readDataset,
  readDatasetBytes,
  type ReadDatasetOptions,
} from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { readHdf5 } from "../src/data/formats/hdf5/read.ts";
import { inspectFile } from "../src/data/inspect.ts";
import { counts, fixture, refusal, upTo } from "./recordings.ts";

const path = fixture("recording_matlab.mat");
const { module, File } = await loadH5wasm();

/** A MATLAB variable: its size as MATLAB shows it, its values column by column. */
interface Variable {
  readonly size: readonly number[];
  readonly data: readonly number[];
}

/** A MATLAB file: variables, and cell arrays of variables. */
function mat(
  variables: Readonly<Record<string, Variable>>,
  cells: Readonly<Record<string, readonly Variable[]>> = {},
): Uint8Array {
  const file = new File("/made.mat", "w");
  const write = (group: typeof file, name: string, { size, data }: Variable) => {
    const dataset = group.create_dataset({
      name,
      data: Float64Array.from(data),
      shape: [...size].reverse(),
    });
    dataset.create_attribute("MATLAB_class", "double");
    return dataset;
  };
  for (const [name, variable] of Object.entries(variables)) write(file, name, variable);
  const refs = file.create_group("#refs#") as unknown as typeof file;
  for (const [name, values] of Object.entries(cells)) {
    const references = values.map((value, i) =>
      write(refs, `${name}${i}`, value).create_reference()
    );
    file.create_dataset({
      name,
      data: references,
      shape: [references.length, 1],
      dtype: "Reference",
    }).create_attribute("MATLAB_class", "cell");
  }
  file.close();
  return module.FS.readFile("/made.mat");
}

const read = (bytes: Uint8Array, options: ReadDatasetOptions = {}): Dataset =>
  readHdf5(module, { bytes }, "made.mat", options);

Deno.test("MATLAB's arrays, behind its 512 bytes, are read in MATLAB's order, and that is said", async () => {
  const data = await readDataset(path);
  assert.deepEqual([data.trials, data.T, data.N, data.binWidth], [6, 10, 4, 0.02]);
  assert.deepEqual(Array.from(data.counts_BTN), counts(upTo(6), upTo(10), upTo(4)));
  assert.deepEqual(data.condition, Int32Array.of(3, 1, 3, 1, 3, 1));
  assert.equal(
    data.warnings[0],
    '"spikes" is of size 6 × 10 × 4 in MATLAB, read as btn (b trials, t bins, n neurons).',
  );
  assert.deepEqual(await readDatasetBytes(await Deno.readFile(path), "recording_matlab.mat"), data);
});

Deno.test("other orders of MATLAB's dimensions are asked for in MATLAB's order", () => {
  // element [i, j, k] of size 2 × 3 × 4 in MATLAB has the value 100 i + 10 j + k
  const data = upTo(4).flatMap((k) =>
    upTo(3).flatMap((j) => upTo(2).map((i) => 100 * i + 10 * j + k))
  );
  const bytes = mat({ spikes: { size: [2, 3, 4], data } });
  const { trials, T, N, counts_BTN, warnings } = read(bytes, { axes: "ntb" });
  assert.deepEqual([trials, T, N], [4, 3, 2]);
  for (const [b, t, n] of [[0, 0, 0], [1, 2, 1], [3, 0, 1], [2, 1, 0]]) {
    assert.equal(counts_BTN[(b * T + t) * N + n], 100 * n + 10 * t + b);
  }
  assert.match(warnings[0], /of size 2 × 3 × 4 in MATLAB, read as ntb/);
});

Deno.test("a cell for each trial is read, whichever way its matrices stand", async () => {
  const key = "trials/data";
  const data = await readDataset(path, { key });
  assert.deepEqual([data.trials, data.T, data.N], [6, 15, 4]);
  assert.deepEqual(data.lengths_B, Int32Array.of(10, 11, 12, 13, 14, 15));
  for (const b of upTo(6)) {
    const trial = Array.from(data.counts_BTN.subarray(b * 60, (b + 1) * 60));
    const bins = upTo(10 + b);
    assert.deepEqual(trial.slice(0, 4 * bins.length), counts([b], bins, upTo(4)));
    assert(trial.slice(4 * bins.length).every((count) => count === 0), "the rest is filled up");
  }
  assert.match(data.warnings[0], /neurons × bins, as neurons do not change/);
  const cropped = await readDataset(path, { key, crop: true });
  assert.deepEqual(Array.from(cropped.counts_BTN), counts(upTo(6), upTo(10), upTo(4)));
  assert(cropped.warnings.includes("Cut 6 trials of up to 15 bins to the shortest, 10 bins."));
});

Deno.test("cells whose matrices are all of one size are read as bins × neurons, or as asked", async () => {
  // two trials of 2 × 3, column by column
  const cell = (first: number): Variable => ({ size: [2, 3], data: upTo(6, first) });
  const bytes = mat({}, { spikes: [cell(0), cell(10)] });
  const plain = read(bytes);
  assert.deepEqual([plain.T, plain.N], [2, 3]);
  assert.deepEqual([...plain.counts_BTN], [0, 2, 4, 1, 3, 5, 10, 12, 14, 11, 13, 15]);
  const turned = read(bytes, { axes: "nt" });
  assert.deepEqual([turned.T, turned.N], [3, 2]);
  assert.deepEqual([...turned.counts_BTN], [...upTo(6), ...upTo(6, 10)]);
  assert.match(await refusal(() => read(bytes, { axes: "btn" })), /axes to be the letters t, n/);
});

Deno.test("cells that are no matrices of the same neurons are refused", async () => {
  const odd = mat({}, {
    spikes: [{ size: [2, 3], data: upTo(6) }, { size: [3, 4], data: upTo(12) }],
  });
  assert.match(
    await refusal(() => read(odd)),
    /as many neurons in every cell of "spikes", found 3 in cell 0 and 4 in cell 1 \(read as tn\)/,
  );
  const flat = mat({}, { spikes: [{ size: [6], data: upTo(6) }] });
  assert.match(
    await refusal(() => read(flat)),
    /a matrix of bins and neurons.*shape \[6\] in cell 0/,
  );
});

Deno.test("spike times in a cell for each unit are counted", () => {
  const row = (...data: number[]): Variable => ({ size: [1, data.length], data });
  const bytes = mat(
    { trial_start: row(1, 2, 3), trial_stop: row(2, 3, 4), target: row(7, 8, 7) },
    { spike_times: [row(1.1, 1.6, 2.2), row(3.9)] },
  );
  const data = read(bytes, { binWidth: 0.5, condition: "target" });
  assert.deepEqual([data.trials, data.T, data.N], [3, 2, 2]);
  assert.deepEqual([...data.counts_BTN], [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(data.condition, Int32Array.of(7, 8, 7));
});

Deno.test("inspect lists MATLAB's variables by their sizes there, and not what is inside cells", async () => {
  const { contents } = await inspectFile(path);
  assert.equal(contents.format, "a MATLAB v7.3 file");
  assert.deepEqual(
    contents.entries.map(({ name, shape, kind }) => [name, shape, kind]),
    [
      ["bin_width_s", [1, 1], "numbers"],
      ["condition", [1, 6], "numbers"],
      ["monkey", [1], "text"],
      ["spikes", [6, 10, 4], "numbers"],
      ["trials/data", [6], "cells"],
    ],
  );
});

Deno.test("empty and sparse variables are named as what they are", async () => {
  const file = new File("/odd.mat", "w");
  const empty = file.create_dataset({ name: "empty", data: Float64Array.of(0, 0), shape: [2] });
  empty.create_attribute("MATLAB_class", "double");
  empty.create_attribute("MATLAB_empty", 1, [], "<B");
  const sparse = file.create_group("sparse");
  sparse.create_attribute("MATLAB_sparse", 4, [], "<d");
  sparse.create_dataset({ name: "data", data: Float64Array.of(1, 2), shape: [2] });
  file.close();
  const bytes = module.FS.readFile("/odd.mat");
  assert.match(
    await refusal(() => read(bytes)),
    /found "empty" \[0\] empty, "sparse\/data" \[2\] sparse \(full\(\)/,
  );
  assert.match(await refusal(() => read(bytes, { key: "empty" })), /expected numbers in "empty"/);
});
