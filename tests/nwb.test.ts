/** NWB files: units and trials become counts in aligned windows, and counts become NWB files again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Dataset,
  datasetFromArrays,
  readDataset,
  type ReadDatasetOptions,
} from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { inspectHdf5, readHdf5 } from "../src/data/formats/hdf5/read.ts";
import { writeHdf5 } from "../src/data/formats/hdf5/write.ts";
import { nwbTree } from "../src/data/formats/to_nwb.ts";
import { npyArray } from "../src/data/npy.ts";
import { inFolder } from "./folders.ts";
import { runProgram } from "./programs.ts";
import {
  type Content,
  count,
  counts,
  findH5py,
  fixture,
  hdf5,
  numbers,
  recordings,
  refusal,
  upTo,
} from "./recordings.ts";

const python = await findH5py();
const writer = await loadH5wasm();
const path = fixture("recording.nwb");
const file = Deno.readFileSync(path);

const read = (bytes: Uint8Array, options: ReadDatasetOptions = {}): Dataset =>
  readHdf5(writer.module, { bytes }, "made.nwb", options);

/** The bins of 20 ms of the fixture's trials in which there are spikes: 5 to 19, from 0.1 s on. */
const WINDOW = { binWidth: 0.02, window: [0.1, 0.4] } as const;

const floats = (...values: number[]) => npyArray([values.length], Float64Array.from(values));
const whole = (...values: number[]) => npyArray([values.length], Uint32Array.from(values));

/** A file of two units and two trials of a second, from 1 and 3 s, with some of it replaced. */
function small(changes: Readonly<Record<string, Content | null>> = {}): Promise<Uint8Array> {
  const contents: Record<string, Content | null> = {
    "units/id": whole(0, 1),
    "units/spike_times": floats(1.1, 1.6, 3.2, 1.2, 3.9),
    "units/spike_times_index": whole(3, 5),
    "intervals/trials/id": whole(0, 1),
    "intervals/trials/start_time": floats(1, 3),
    "intervals/trials/stop_time": floats(2, 4),
    ...changes,
  };
  return hdf5(
    Object.fromEntries(
      Object.entries(contents).filter((entry): entry is [string, Content] => entry[1] !== null),
    ),
    { "": { nwb_version: "2.7.0" } },
  );
}

Deno.test("spikes of h5py's NWB file are counted in windows from the trial's start", async () => {
  const data = await readDataset(path, { ...WINDOW, units: "0-2" });
  assert.deepEqual([data.trials, data.T, data.N, data.binWidth], [6, 15, 3, 0.02]);
  assert.deepEqual(Array.from(data.counts_BTN), counts(upTo(6), upTo(15, 5), upTo(3)));
  assert.deepEqual(data.neurons, ["11", "12", "13"]);
});

Deno.test("windows around an event leave out trials without it, and say so", async () => {
  // the cue is 0.2 s after the start, and there is none in trial 3
  const options = {
    binWidth: 0.02,
    align: "go_cue_time",
    window: [-0.1, 0.1],
    units: "0-2",
  } as const;
  const data = await readDataset(path, options);
  assert.deepEqual(
    Array.from(data.counts_BTN),
    counts([0, 1, 2, 4, 5], upTo(10, 5), upTo(3)),
  );
  assert.deepEqual(data.split, {
    train: Uint32Array.of(0, 1),
    evaluation: Uint32Array.of(2, 4),
  });
  assert.deepEqual(data.warnings.slice(0, 3), [
    "Counted spike times in 10 bins of 0.02 s from -0.1 to 0.1 s around go_cue_time.",
    'Left out 1 of 6 trials without a time "go_cue_time".',
    'Left aside: the time series "hand_vel".',
  ]);
});

Deno.test("units are chosen by index, by a column and by area; trials by index and by a column", () => {
  const keep = { ...WINDOW } as const;
  const neurons = (options: ReadDatasetOptions) => read(file, { ...keep, ...options }).neurons;
  assert.deepEqual(neurons({ units: "0,2-3" }), ["11", "13", "14"]);
  assert.deepEqual(neurons({ units: "quality=good" }), ["11", "13", "14"]);
  assert.deepEqual(neurons({ units: "quality=good|mua" }), ["11", "12", "13", "14"]);
  assert.deepEqual(neurons({ area: "M1" }), ["12", "13", "14"]);
  assert.deepEqual(neurons({ area: "M1", units: "quality=good" }), ["13", "14"]);
  const trials = (trials: string) => [...read(file, { ...keep, trials, minTrials: 1 }).counts_BTN];
  const wanted = (...rows: number[]) => counts(rows, upTo(15, 5), upTo(3));
  const known = (all: number[]) => all.filter((_, i) => i % 4 !== 3);
  assert.deepEqual(known(trials("1,4-5")), wanted(1, 4, 5));
  assert.deepEqual(known(trials("target=left")), wanted(0, 2, 4));
  assert.deepEqual(known(trials("go_cue_time=3.2")), wanted(1));
});

Deno.test("a column of trials is the condition", async () => {
  const options = { ...WINDOW, units: "0", condition: "target" };
  const { condition, conditionNames } = read(file, options);
  assert.deepEqual(conditionNames, ["left", "right"]);
  assert.deepEqual(condition, Int32Array.of(0, 1, 0, 1, 0, 1));
  const numbered = await small({ "intervals/trials/condition": floats(4, 2) });
  assert.deepEqual(read(numbered, { binWidth: 0.5 }).condition, Int32Array.of(4, 2));
  assert.match(
    await refusal(() => read(file, { ...WINDOW, condition: "reach" })),
    /column "reach" of trials.*found "go_cue_time", "split", "start_time", "stop_time", "target"/,
  );
});

Deno.test("bins in which a unit was not observed are missing", () => {
  // unit 3 was not observed from 9 to 10.5 s: all of trial 4, which starts at 9 s
  const missing = counts(upTo(6), upTo(15), upTo(4)).map((_, i) =>
    i % 4 === 3 && Math.floor(i / 60) === 4 ? 1 : 0
  );
  const data = read(file, { ...WINDOW });
  assert.deepEqual([...data.missing_BTN ?? []], missing);
  assert.equal(read(file, { ...WINDOW, trials: "0-3,5" }).trials, 5);
});

Deno.test("time series are averaged over each bin, in the units that the file converts to", () => {
  const options = { ...WINDOW, units: "0", behaviour: ["hand_vel"] };
  const { behaviour_BTD } = read(file, options);
  const hand = behaviour_BTD?.hand_vel;
  assert.deepEqual(hand?.shape, [6, 15, 1]);
  // 100 Hz: samples 2 k and 2 k + 1 are in bin k; sample i has the value i / 100
  for (const b of upTo(6)) {
    for (const t of upTo(15)) {
      const first = 100 * (1 + 2 * b) + 2 * (t + 5);
      const wanted = (first + 0.5) / 100;
      assert(Math.abs((hand?.data[b * 15 + t] ?? NaN) - wanted) < 1e-12, `${b} ${t}`);
    }
  }
});

Deno.test("bins without a sample are NaN, and that is said", async () => {
  const bytes = await small({
    "processing/behavior/eye/data": numbers([3, 2]),
    "processing/behavior/eye/timestamps": floats(1.1, 1.2, 3.7),
    "acquisition/eye/data": floats(7, 8),
    "acquisition/eye/timestamps": floats(1, 3),
  });
  const name = "processing/behavior/eye";
  const { behaviour_BTD, warnings } = read(bytes, { binWidth: 0.5, behaviour: [name] });
  // two samples in the first bin, none in the next two, one in the last
  assert.deepEqual([...behaviour_BTD?.eye.data ?? []], [1, 2, NaN, NaN, NaN, NaN, 4, 5]);
  assert(warnings.includes('"eye" is NaN in 4 of 8 values: no samples.'));
  assert.match(
    await refusal(() => read(bytes, { binWidth: 0.5, behaviour: ["eye"] })),
    /time series "eye" of numbers, found "acquisition\/eye", "processing\/behavior\/eye"/,
  );
});

Deno.test("any counts survive a NWB file when they are counted in the same bins", () => {
  fc.assert(
    fc.property(recordings, (arrays) => {
      const { spikes, condition, conditionNames, split } = arrays;
      fc.pre(!(spikes.data instanceof Float32Array));
      const few = { ...spikes, data: spikes.data.map((count) => count % 300) };
      few.data[0] = 1;
      const binWidth = arrays.binWidth ?? 0.01;
      const data = datasetFromArrays(
        { name: "data", spikes: few, condition, conditionNames, split, binWidth },
      );
      const again = read(writeHdf5(writer, nwbTree(data), "data"), { binWidth, minTrials: 1 });
      assert.deepEqual([...again.counts_BTN], [...data.counts_BTN]);
      assert.deepEqual([again.trials, again.T, again.N], [data.trials, data.T, data.N]);
      const labels = ({ condition, conditionNames }: Dataset) =>
        condition && Array.from(condition, (value) => conditionNames?.[value] ?? value);
      assert.deepEqual(labels(again), labels(data));
      assert.deepEqual(again.split, data.split);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a table that contradicts itself is an InputError that says where", async () => {
  const cases: [Readonly<Record<string, Content | null>>, RegExp][] = [
    [
      { "units/spike_times_index": whole(4, 3) },
      /"units\/spike_times_index" to ascend.*found 3 at row 1 after 4/,
    ],
    [
      { "units/spike_times_index": whole(3, 4) },
      /to end with the 5 values that there are, found 4/,
    ],
    [
      { "units/spike_times_index": whole(3, 9) },
      /to end with the 5 values that there are, found 9/,
    ],
    [
      { "units/spike_times_index": null },
      /"units\/spike_times" and "units\/spike_times_index", found/,
    ],
    [{ "units/id": whole(1, 2, 3) }, /an id for each of 2 units, found 3/],
    [
      { "units/spike_times": floats(1.1, -0.1, 3.2, 1.2, 3.9) },
      /at least 0 seconds.*found -0.1 at spike 1 of unit "0"/,
    ],
    [
      { "units/spike_times": floats(1.1, 1.6, 3.2, NaN, 3.9) },
      /found NaN at spike 0 of unit "1"/,
    ],
    [{ "units/spike_times": ["a", "b"] }, /numbers in "units\/spike_times", found text/],
    [{ "intervals/trials/start_time": null }, /a table of trials, "intervals\/trials\/start_time"/],
    [{ "intervals/trials/start_time": floats(1, NaN) }, /start of every trial.*NaN at trial 1/],
    [{ "intervals/trials/start_time": ["a", "b"] }, /start_time of trials in seconds, found text/],
    [
      { "intervals/trials/stop_time": floats(2, 2.5) },
      /every trial to stop after its start, found trial 1 from 3 to 2.5 s/,
    ],
    [
      {
        "units/obs_intervals": numbers([2, 3]),
        "units/obs_intervals_index": whole(1, 2),
      },
      /"units\/obs_intervals" of shape \[intervals, 2\] with an index, found \[2,3\]/,
    ],
    [
      {
        "units/obs_intervals": numbers([2, 2], (i) => 9 - i),
        "units/obs_intervals_index": whole(1, 2),
      },
      /intervals to end after they begin, found 9 to 8 s in row 0/,
    ],
    [
      {
        "units/obs_intervals": numbers([1, 2]),
        "units/obs_intervals_index": whole(1),
      },
      /observed intervals for each of 2 units, found 1/,
    ],
  ];
  assert.deepEqual([...read(await small(), { binWidth: 0.5 }).counts_BTN], [
    1,
    1,
    1,
    0,
    1,
    0,
    0,
    1,
  ]);
  for (const [changes, pattern] of cases) {
    const bytes = await small(changes);
    assert.match(await refusal(() => read(bytes, { binWidth: 0.5 })), pattern);
  }
});

Deno.test("time series that cannot be used are refused when they are asked for, and only then", async () => {
  const series = (more: Readonly<Record<string, Content>>) =>
    small({ "processing/behavior/eye/data": numbers([3, 2]), ...more });
  const eye = "processing/behavior/eye";
  const cases: [Promise<Uint8Array>, RegExp][] = [
    [series({ [`${eye}/timestamps`]: floats(1, 2) }), /a time for each of 3 samples.*found 2/],
    [series({ [`${eye}/timestamps`]: floats(1, 3, 2) }), /that ascend, found 2 s at sample 2/],
    [series({ [`${eye}/starting_time`]: 0 }), /a rate above 0 Hz for .*found none/],
  ];
  for (const [bytes, pattern] of cases) {
    const options = { binWidth: 0.5 };
    assert.equal(read(await bytes, options).trials, 2);
    const message = await refusal(async () =>
      read(await bytes, { ...options, behaviour: ["eye"] })
    );
    assert.match(message, pattern);
  }
});

Deno.test("options that NWB has no use for are refused", async () => {
  for (const options of [{ axes: "ntb" }, { crop: true }]) {
    assert.match(
      await refusal(() => read(file, { ...WINDOW, ...options })),
      /expected no (axes|crop) for an NWB file, whose spikes are times/,
    );
  }
  assert.match(
    await refusal(() => read(file, { ...WINDOW, area: "V1" })),
    /units of the area "V1", found "PMd", "M1"/,
  );
  assert.match(
    await refusal(() => read(file, { ...WINDOW, units: "snr=3" })),
    /column "snr" of units, found "location", .*"quality"/,
  );
  assert.match(await refusal(() => read(file, { ...WINDOW, units: "2-9" })), /units like 0-3/);
  assert.match(await refusal(() => read(file, { ...WINDOW, units: "quality=bad" })), /found none/);
});

Deno.test("inspect says what windows and selections there can be", () => {
  const { contents, dataset, problem } = inspectHdf5(
    writer.module,
    { bytes: file },
    "recording.nwb",
    file.length,
    {},
  );
  assert.equal(contents.format, "an NWB file (HDF5)");
  assert.equal(dataset, null);
  assert.match(problem ?? "", /expected a bin width above 0 seconds.*found none/);
  const { recording } = contents;
  let spikes = 0;
  for (const b of upTo(6)) {
    for (const t of upTo(15, 5)) for (const n of upTo(4)) spikes += count(b, t, n);
  }
  assert.deepEqual([recording?.units, recording?.spikes, recording?.trials], [4, spikes, 6]);
  assert.deepEqual(recording?.events, [
    { name: "go_cue_time", trials: 5 },
    { name: "start_time", trials: 6 },
    { name: "stop_time", trials: 6 },
  ]);
  assert.deepEqual(
    recording?.unitColumns,
    [
      { name: "location", distinct: 2, values: [["M1", 3], ["PMd", 1]] },
      { name: "quality", distinct: 2, values: [["good", 3], ["mua", 1]] },
    ].filter(({ name }) => name !== "electrodes"),
  );
  assert.deepEqual([recording?.areas, recording?.series], [["location"], ["hand_vel"]]);
  assert.deepEqual(recording?.trialSeconds?.map((seconds) => Math.round(seconds * 1e9)), [
    4e8,
    4e8,
  ]);
});

const CHECK = `
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    assert f.attrs["nwb_version"].decode() if isinstance(f.attrs["nwb_version"], bytes) else f.attrs["nwb_version"]
    units, trials = f["units"], f["intervals/trials"]
    assert f[units["spike_times_index"].attrs["target"]] == units["spike_times"]
    assert list(units.attrs["colnames"]) == ["spike_times"], units.attrs["colnames"]
    assert list(trials.attrs["colnames"]) == ["start_time", "stop_time", "condition", "split"]
    for table in (units, trials):
        for name in table.attrs["colnames"]:
            assert table[name].attrs["neurodata_type"] == "VectorData", name
            assert table[name].attrs["namespace"] == "hdmf-common"
    print([d.decode() for d in trials["split"][()]], trials["start_time"][()].tolist())
    ends = [0, *units["spike_times_index"][()].tolist()]
    print([units["spike_times"][a:b].tolist() for a, b in zip(ends, ends[1:])])
`;

Deno.test({
  name: "the tables of a NWB file that we write are as the schema says (skipped without h5py)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      const out = join(folder, "written.nwb");
      const data = datasetFromArrays({
        name: "x",
        spikes: npyArray([3, 2, 2], Uint8Array.of(1, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 1)),
        binWidth: 0.5,
        condition: npyArray([3], Int32Array.of(1, 0, 1)),
        split: { train: [0], evaluation: [2] },
      });
      await Deno.writeFile(out, writeHdf5(writer, nwbTree(data), "x"));
      const { stdout, stderr } = await runProgram(python ?? "", ["-c", CHECK, out]);
      assert.equal(
        stdout,
        "['train', 'none', 'val'] [0.0, 1.0, 2.0]\n[[0.25, 1.75], [0.625, 0.875, 2.75]]\n",
        stderr,
      );
    }),
});
