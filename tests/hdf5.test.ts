/** HDF5 files: what h5py wrote, what we write, and what should not be taken. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Dataset,
  datasetFromArrays,
  readDataset,
  readDatasetBytes,
  type ReadDatasetOptions,
} from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { readHdf5 } from "../src/data/formats/hdf5/read.ts";
import { writeHdf5 } from "../src/data/formats/hdf5/write.ts";
import { lfadsTorchTree, plainTree } from "../src/data/formats/to_hdf5.ts";
import { npyArray } from "../src/data/npy.ts";
import { inFolder } from "./folders.ts";
import { runProgram } from "./programs.ts";
import {
  counts,
  findH5py,
  fixture,
  FIXTURES,
  hdf5,
  numbers,
  recordings,
  refusal,
  upTo,
} from "./recordings.ts";

const python = await findH5py();
const writer = await loadH5wasm();

/** Reads on this thread, which is quicker for many files; `readDataset` takes another. */
const read = (bytes: Uint8Array, options: ReadDatasetOptions = {}): Dataset =>
  readHdf5(writer.module, { bytes }, "made.h5", options);

const ones = (...shape: number[]) => numbers(shape, () => 1);

Deno.test("lfads-torch's file, written by h5py, is a dataset in the order before its split", async () => {
  const data = await readDataset(fixture("recording_lfads_torch.h5"));
  assert.equal(data.name, "recording_lfads_torch");
  // 8 bins and 3 neurons are encoded
  assert.deepEqual([data.trials, data.T, data.N], [6, 10, 4]);
  assert.deepEqual([data.encodedBins, data.heldOut], [8, [3]]);
  assert.deepEqual(Array.from(data.counts_BTN), counts(upTo(6), upTo(10), upTo(4)));
  assert.deepEqual(data.split?.train, Uint32Array.of(0, 2, 3, 5));
  assert.deepEqual(data.split?.evaluation, Uint32Array.of(1, 4));
  assert.equal(data.truth, null, "of what is encoded alone");
  const external = upTo(6).flatMap((b) => upTo(10).flatMap((t) => t < 8 ? [b, t / 4] : [0, 0]));
  assert.deepEqual(Array.from(data.external_BTX?.data ?? []), external);
  const { behavior } = data.behaviour_BTD ?? {};
  assert.deepEqual(behavior.shape, [6, 10, 1]);
  assert.deepEqual(
    Array.from(behavior.data),
    upTo(6).flatMap((b) => upTo(10).map((t) => t < 8 ? b - t : NaN)),
  );
  assert.deepEqual(data.warnings, [
    "The true rates are left out: they are of the 8 bins and 3 neurons that are encoded, not of all 10 " +
    "and 4.",
    "External inputs are known in 8 of 10 bins; in the others they are read as 0, as lfads-torch does.",
  ]);
});

Deno.test("h5py's newest format, big-endian, packed, with checksums and text, is read", async () => {
  const options = { key: "session/counts" };
  const data = await readDataset(fixture("recording_plain.h5"), options);
  assert.deepEqual(Array.from(data.counts_BTN), counts(upTo(6), upTo(10), upTo(4)));
  assert.deepEqual(data.conditionNames, ["left", "right", "up"]);
  assert.deepEqual(data.condition, Int32Array.of(0, 1, 0, 2, 1, 2));
  assert.equal(data.binWidth, 0.02);
  // half precision is exact up to 2048
  assert.deepEqual(Array.from(data.behaviour_BTD?.hand_vel.data ?? []), upTo(120));
  // without a key: of two arrays of 3 dimensions, the one that holds whole numbers
  const alone = await readDataset(fixture("recording_plain.h5"));
  assert.deepEqual(alone.counts_BTN, data.counts_BTN);
  assert.equal(
    alone.warnings[0],
    'There is no "spikes"; took "session/counts" of shape [6,10,4].',
  );
});

Deno.test("bytes and a path give the same dataset, whatever the format", async () => {
  const spikeTimes = { binWidth: 0.02, window: [0.1, 0.3], units: "0-2" } as const;
  for (const name of FIXTURES) {
    const options = name.endsWith(".nwb") ? { ...spikeTimes } : {};
    const bytes = await Deno.readFile(fixture(name));
    const fromBytes = await readDatasetBytes(bytes, name, options);
    assert.deepEqual(fromBytes, await readDataset(fixture(name), options));
    assert(bytes.length > 0, "the caller's bytes stay");
  }
});

Deno.test("any dataset survives a plain HDF5 file, part by part", () => {
  fc.assert(
    fc.property(recordings, (arrays) => {
      const data = datasetFromArrays(arrays);
      const bytes = writeHdf5(writer, plainTree(data), "data");
      const again = read(bytes);
      assert.deepEqual({ ...again, name: data.name }, data);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a dataset survives lfads-torch's layout, but for latents and lengths", () => {
  fc.assert(
    fc.property(recordings, (arrays) => {
      const split = arrays.split ??
        { train: [0], evaluation: upTo((arrays.spikes.shape[0] ?? 0) - 1, 1) };
      const data = datasetFromArrays(
        { ...arrays, split, latents: null, lengths: null },
      );
      assert(data.split);
      const bytes = writeHdf5(writer, lfadsTorchTree(data, data.split), "data");
      const again = read(bytes);
      assert.deepEqual(parts(again), parts(data));
    }),
    { numRuns: 60 },
  );
});

function parts(
  { name: _name, warnings: _warnings, ...rest }: Dataset,
): Omit<Dataset, "name" | "warnings"> {
  return rest;
}

Deno.test("every kind of number is read as it is", async () => {
  const kinds = [Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array];
  for (const Kind of [...kinds, Float32Array, Float64Array]) {
    const spikes = npyArray([2, 1, 3], Kind.of(0, 1, 2, 3, 4, 5));
    assert.deepEqual(Array.from(read(await hdf5({ spikes })).counts_BTN), upTo(6));
  }
});

Deno.test("large arrays are packed in chunks, and read in pieces, without a change", async () => {
  // 40 MB: more than is read at once
  const data = Uint16Array.from({ length: 20e6 }, (_, i) => (i * 7919) % 1000);
  const spikes = npyArray([200, 1000, 100], data);
  const bytes = await hdf5({ spikes });
  assert(bytes.length < 0.9 * data.byteLength, `${bytes.length} bytes are packed`);
  const found = read(bytes).counts_BTN;
  // deepEqual of 20 million numbers takes a minute
  assert(found.every((count, i) => count === data[i]));
});

Deno.test("names that are not there are an error that lists what is", async () => {
  const one = await hdf5({ "a/x": ones(2, 3), words: ["left", "right"], bin_width_s: 0.01 });
  assert.match(
    await refusal(() => read(one)),
    /array "spikes" \[trials, bins, neurons\].*found "a\/x" \[2,3\] <f8, "bin_width_s" \[\] <f8, "words" \[2\] text/,
  );
  assert.match(
    await refusal(() => read(one, { key: "spikes" })),
    /expected an array "spikes", as was asked for, found "a\/x"/,
  );
  const two = await hdf5({ a: ones(2, 3, 4), b: ones(2, 3, 4) });
  assert.match(await refusal(() => read(two)), /exactly one of 3 dimensions \(--key NAME/);
  assert.match(
    await refusal(async () => read(await hdf5({ train_encod_data: ones(2, 3, 4) }))),
    /both "train_encod_data" and "valid_encod_data", found "train_encod_data" \[2,3,4\]/,
  );
});

Deno.test("train and valid must be alike but for their trials", async () => {
  const file = (train: number[], valid: number[], more = {}) =>
    hdf5({ train_encod_data: ones(...train), valid_encod_data: ones(...valid), ...more });
  assert.equal(read(await file([3, 2, 4], [2, 2, 4])).trials, 5);
  const cases: [Promise<Uint8Array>, RegExp][] = [
    [
      file([3, 2, 4], [2, 2, 5]),
      /the same neurons in both.*"train_encod_data" of shape \[3,2,4\].*\[2,2,5\]/,
    ],
    [file([3, 2, 4], [2, 3, 4]), /the same bins in both parts/],
    [
      file([3, 2, 4], [2, 2, 4], {
        train_ext_input: ones(2, 2, 1),
        valid_ext_input: ones(2, 2, 1),
      }),
      /a row for each of 3 trials in "train_ext_input".*found.*\[2,2,1\]/,
    ],
    [
      file([3, 2, 4], [2, 2, 4], { train_ext_input: ones(3, 2, 1) }),
      /both "train_ext_input" and "valid_ext_input", found "train_ext_input" alone/,
    ],
    [
      file([3, 2, 4], [2, 2, 4], {
        train_recon_data: ones(3, 1, 4),
        valid_recon_data: ones(2, 1, 4),
      }),
      /counts to reconstruct of shape \[5, at least 2, at least 4\], found \[5,1,4\]/,
    ],
    [
      file([3, 2, 4], [2, 2, 4], {
        train_truth: ones(3, 2, 4),
        valid_truth: ones(2, 2, 4),
        conversion_factor: 0,
      }),
      /conversion_factor above 0, found 0/,
    ],
    [file([3, 2], [2, 2]), /"train_encod_data" of shape \[trials, bins, neurons\]/],
  ];
  for (const [bytes, pattern] of cases) {
    assert.match(await refusal(async () => read(await bytes)), pattern);
  }
});

Deno.test("places of trials may count from 1, as MATLAB does; others are told, not used", async () => {
  const trials = (...first: number[]) => npyArray([first.length, 1, 1], Float64Array.from(first));
  const file = (train: number[], valid: number[]) =>
    hdf5({
      train_encod_data: trials(10, 11),
      valid_encod_data: trials(20),
      train_inds: npyArray([2], Int32Array.from(train)),
      valid_inds: npyArray([1], Int32Array.from(valid)),
    });
  assert.deepEqual([...read(await file([0, 2], [1])).counts_BTN], [10, 20, 11]);
  assert.deepEqual([...read(await file([1, 3], [2])).counts_BTN], [10, 20, 11]);
  const odd = read(await file([4, 9], [2]));
  assert.deepEqual([...odd.counts_BTN], [10, 11, 20]);
  assert.match(odd.warnings[0], /train_inds and valid_inds are not the places of 3 trials/);
  assert.deepEqual(odd.split, { train: Uint32Array.of(0, 1), evaluation: Uint32Array.of(2) });
});

Deno.test("numbers that are no counts are kept, NaN is a missing bin, and infinity is refused", async () => {
  const at = (value: number) => hdf5({ spikes: numbers([2, 2, 2], (i) => i === 5 ? value : 1) });
  for (const value of [0.5, -1, 70_000]) {
    const { counts_BTN } = read(await at(value));
    assert(counts_BTN instanceof Float32Array);
    assert.deepEqual([...counts_BTN], [1, 1, 1, 1, 1, value, 1, 1]);
  }
  const infinite = await at(Infinity);
  assert.match(
    await refusal(() => read(infinite)),
    /finite numbers, found Infinity at \[trial, bin, neuron\] = \[1, 0, 1\]/,
  );
  const kept = read(await at(NaN));
  assert.deepEqual([...kept.missing_BTN ?? []], [0, 0, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual([...kept.counts_BTN], [1, 1, 1, 1, 1, 0, 1, 1]);
  assert(kept.counts_BTN instanceof Uint8Array);
});

Deno.test("other kinds of data are named and refused", async () => {
  const bytes = await hdf5({ spikes: ["a", "b"], counts: ones(2, 2, 2) });
  assert.match(await refusal(() => read(bytes)), /expected numbers in "spikes", found text/);
  assert.equal(read(bytes, { key: "counts" }).N, 2);
});

Deno.test("a bin width of the file and another that is asked for are refused", async () => {
  const bytes = await hdf5({ spikes: ones(2, 2, 2), bin_width_s: 0.05 });
  assert.equal(read(bytes).binWidth, 0.05);
  assert.equal(read(bytes, { binWidth: 0.05 }).binWidth, 0.05);
  assert.match(
    await refusal(() => read(bytes, { binWidth: 0.02 })),
    /bin width of 0.05 s that the file gives for its counts, found 0.02 s/,
  );
  const silent = await hdf5({ spikes: ones(2, 2, 2) }, { "": { bin_width_s: 0.01 } });
  assert.equal(read(silent).binWidth, 0.01, "an attribute of the file says it too");
});

Deno.test("axes put the dimensions of any file in order", async () => {
  const spikes = numbers([2, 3, 4]);
  const bytes = await hdf5({ spikes });
  for (const axes of ["btn", "bnt", "tbn", "tnb", "nbt", "ntb"]) {
    const { trials, T, N, counts_BTN } = read(bytes, { axes: axes.toUpperCase(), minTrials: 1 });
    const size = { b: trials, t: T, n: N };
    const letters = [...axes] as ("b" | "t" | "n")[];
    assert.deepEqual(letters.map((letter) => size[letter]), [2, 3, 4]);
    for (let i = 0; i < 24; i++) {
      const place = { [letters[0]]: Math.floor(i / 12), [letters[1]]: Math.floor(i / 4) % 3 };
      place[letters[2]] = i % 4;
      assert.equal(counts_BTN[(place.b * T + place.t) * N + place.n], i);
    }
  }
  for (const axes of ["", "bt", "btb", "xyz"]) {
    assert.match(await refusal(() => read(bytes, { axes })), /axes to be the letters b, t, n/);
  }
});

Deno.test("options for spike times are refused for counts", async () => {
  const bytes = await hdf5({ spikes: ones(2, 2, 2) });
  for (
    const options of [
      { align: "go" },
      { window: [0, 1] as const },
      { units: "0" },
      { trials: "0" },
      { area: "M1" },
      { condition: "target" },
      { behaviour: ["x"] },
    ]
  ) {
    assert.match(await refusal(() => read(bytes, options)), /expected spike times.*found counts/);
  }
});

Deno.test({
  name: "what this h5py writes is what was committed (skipped without a Python that has h5py)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      const script = fixture("write_recordings.py");
      const { code, stderr } = await runProgram(python ?? "", [script, folder]);
      assert.equal(code, 0, stderr);
      const spikeTimes = { binWidth: 0.02, align: "go_cue_time", window: [-0.1, 0.1] } as const;
      for (const name of FIXTURES) {
        const options = name.endsWith(".nwb") ? { ...spikeTimes } : {};
        const fresh = await readDataset(join(folder, name), options);
        assert.deepEqual(fresh, await readDataset(fixture(name), options));
      }
    }),
});

const READ_BACK = `
import sys, h5py, numpy
with h5py.File(sys.argv[1]) as f:
    for name in sorted(f):
        value = f[name][()]
        if f[name].dtype.kind == "O":
            print(name, [v.decode() for v in value])
        else:
            print(name, value.dtype.str, value.shape, value.ravel().astype("f8").tolist())
`;

Deno.test({
  name: "h5py reads what we write (skipped without a Python that has h5py)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "written.h5");
      const spikes = npyArray([3, 2, 1], Uint16Array.of(1, 2, 3, 4, 500, 6));
      const data = datasetFromArrays({
        name: "x",
        spikes,
        binWidth: 0.5,
        condition: npyArray([3], Int32Array.of(1, 0, 1)),
        conditionNames: ["öst", "west"],
        external: numbers([3, 2, 1], (i) => i / 4),
      });
      const split = { train: Uint32Array.of(0, 2), evaluation: Uint32Array.of(1) };
      await Deno.writeFile(path, writeHdf5(writer, lfadsTorchTree(data, split), "x"));
      const { stdout, stderr } = await runProgram(python ?? "", ["-c", READ_BACK, path]);
      assert.equal(
        stdout,
        [
          "bin_width_s <f8 () [0.5]",
          "condition_names ['öst', 'west']",
          "train_condition <i4 (2,) [1.0, 1.0]",
          "train_encod_data <f4 (2, 2, 1) [1.0, 2.0, 500.0, 6.0]",
          "train_ext_input <f8 (2, 2, 1) [0.0, 0.25, 1.0, 1.25]",
          "train_inds <i4 (2,) [0.0, 2.0]",
          "train_recon_data <f4 (2, 2, 1) [1.0, 2.0, 500.0, 6.0]",
          "valid_condition <i4 (1,) [0.0]",
          "valid_encod_data <f4 (1, 2, 1) [3.0, 4.0]",
          "valid_ext_input <f8 (1, 2, 1) [0.5, 0.75]",
          "valid_inds <i4 (1,) [1.0]",
          "valid_recon_data <f4 (1, 2, 1) [3.0, 4.0]",
          "",
        ].join("\n"),
        stderr,
      );
    }),
});

const DTYPES = `
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "w", libver=sys.argv[2]) as f:
    for i, dtype in enumerate(["?", "<u1", ">u2", "<u4", ">u8", "<i1", ">i2", "<i4", ">i8", "<f2", ">f4", "<f8"]):
        f[f"d{i}"] = (np.arange(12) % 2).astype(dtype).reshape(2, 3, 2)
    counts = np.arange(24).reshape(2, 3, 4)
    f.create_dataset("chunked", data=counts, chunks=(1, 2, 3), maxshape=(None, 3, None))
    f.create_dataset("shuffled", data=counts, chunks=(2, 3, 1), compression=9, shuffle=True, fletcher32=True)
    f.create_dataset("scaled", data=counts, chunks=(2, 3, 4), scaleoffset=0)
    f.create_dataset("lzf", data=counts, chunks=(2, 3, 4), compression="lzf")
    f["linked"] = h5py.SoftLink("/shuffled")
    f["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    f["none"] = h5py.Empty("f8")
    f["complex"] = np.ones((2, 2, 2), "c16")
    f.create_dataset("huge", (10**6, 10**5, 3), "f8", chunks=(1000, 1000, 3))
    f.create_dataset("padded", (300, 300, 300), "f8", chunks=(300, 300, 300))
    g = f.create_group("loop"); g["back"] = f["/"]
`;

Deno.test({
  name: "every dtype, filter and link of h5py, in old and new formats (skipped without h5py)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      for (const version of ["earliest", "latest"]) {
        const path = join(folder, `${version}.h5`);
        const { code, stderr } = await runProgram(python ?? "", ["-c", DTYPES, path, version]);
        assert.equal(code, 0, stderr);
        const bytes = await Deno.readFile(path);
        for (const i of upTo(12)) {
          assert.deepEqual(
            [...read(bytes, { key: `d${i}` }).counts_BTN],
            upTo(12).map((k) => k % 2),
          );
        }
        for (const key of ["chunked", "shuffled", "scaled", "linked"]) {
          assert.deepEqual([...read(bytes, { key }).counts_BTN], upTo(24), key);
        }
        const cases: [string, RegExp][] = [
          ["lzf", /readable data in "lzf", found data packed by "lzf".*\(gzip is\)/],
          ["none", /expected numbers in "none", found nothing/],
          ["complex", /expected numbers in "complex", found records/],
          [
            "huge",
            /at most 4294967296 bytes of numbers, found "huge" of shape \[1000000,100000,3\]/,
          ],
          ["padded", /packed at most 1000 to 1, found "padded" of shape \[300,300,300\]/],
          ["elsewhere", /an array "elsewhere", as was asked for/],
        ];
        for (const [key, pattern] of cases) {
          assert.match(await refusal(() => read(bytes, { key })), pattern);
        }
      }
    }),
});

Deno.test("nothing loads the HDF5 library but a file that needs it", async () => {
  interface Module {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }
  let lazily = 0, followed = 0;
  for (const entry of ["src/mod.ts", "src/jobs/arrays_thread.ts", "routes/main.ts"]) {
    const cwd = new URL("../", import.meta.url).pathname;
    const { stdout } = await runProgram(Deno.execPath(), ["info", "--json", entry], {}, cwd);
    const { roots, modules } = JSON.parse(stdout) as { roots: string[]; modules: Module[] };
    const byName = new Map(modules.map((module) => [module.specifier, module]));
    // what is loaded with the entry: all that is reached without an import() on the way
    const reached = new Set(roots);
    for (const from of reached) {
      for (const { code, specifier, isDynamic } of byName.get(from)?.dependencies ?? []) {
        const to = code?.specifier ?? specifier;
        if (isDynamic) lazily += to.endsWith("/hdf5/host.ts") ? 1 : 0;
        else reached.add(to);
        const early = !isDynamic && (specifier === "h5wasm" || to.endsWith("/hdf5/host.ts"));
        assert(!early, `${from} loads ${to} at once`);
      }
    }
    followed += reached.size;
  }
  assert(followed > 100, `the graphs are read: ${followed} modules`);
  assert(lazily > 0, "the library is loaded by somebody");
});
