/** Spike times in plain arrays, and how windows of them are counted. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Dataset, datasetFromBytes, type ReadDatasetOptions } from "../src/data/dataset.ts";
import { textArray } from "../src/data/formats/arrays_of.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { readHdf5 } from "../src/data/formats/hdf5/read.ts";
import { type NpyArray, npyArray, type NpyText } from "../src/data/npy.ts";
import { writeNpz } from "../src/data/npz.ts";
import { hdf5, refusal, upTo } from "./recordings.ts";

type Arrays = Readonly<Record<string, NpyArray | NpyText>>;

const floats = (...values: number[]) => npyArray([values.length], Float64Array.from(values));
const whole = (...values: number[]) => npyArray([values.length], Int32Array.from(values));

const read = (arrays: Arrays, options: ReadDatasetOptions = {}): Dataset =>
  datasetFromBytes(writeNpz(arrays), "times.npz", { minTrials: 1, ...options });

/** Spikes of all trials, bins and units. */
function total({ counts_BTN }: Dataset): number {
  let sum = 0;
  for (const count of counts_BTN) sum += count;
  return sum;
}

/** Five spikes of two units in two trials of a second. */
const SMALL = {
  spike_times: floats(1.1, 1.2, 1.6, 3.2, 3.9),
  spike_units: whole(0, 1, 0, 0, 1),
  trial_start: floats(1, 3),
  trial_stop: floats(2, 4),
} as const;

const BINS = { binWidth: 0.5 } as const;

Deno.test("spikes are counted in the bins of their trials", () => {
  const data = read(SMALL, BINS);
  assert.deepEqual([data.trials, data.T, data.N, data.binWidth], [2, 2, 2, 0.5]);
  assert.deepEqual([...data.counts_BTN], [1, 1, 1, 0, 1, 0, 0, 1]);
  assert.deepEqual(data.warnings, [
    "Counted spike times in 2 bins of 0.5 s from 0 to 1 s around start_time.",
  ]);
});

Deno.test("an index in place of units, names, conditions and a bin width in the file mean the same", async () => {
  const arrays = {
    ...SMALL,
    spike_times: floats(1.1, 1.6, 3.2, 1.2, 3.9),
    spike_times_index: whole(3, 5),
    neurons: textArray(["a", "b"]),
    condition: textArray(["out", "in"]),
    bin_width_s: npyArray([], Float64Array.of(0.5)),
  };
  const { spike_units: _, ...indexed } = arrays;
  const data = read(indexed);
  assert.deepEqual([...data.counts_BTN], [1, 1, 1, 0, 1, 0, 0, 1]);
  assert.deepEqual(data.neurons, ["a", "b"]);
  assert.deepEqual([data.conditionNames, [...data.condition ?? []]], [["in", "out"], [1, 0]]);
  // the same arrays in an HDF5 file
  const { module } = await loadH5wasm();
  const bytes = await hdf5(indexed);
  assert.deepEqual(readHdf5(module, { bytes }, "times.npz", { minTrials: 1 }), data);
});

Deno.test("times on a grid of ticks are counted as whole numbers are", () => {
  // all times are multiples of a tick, as a clock's are: integers say in which bin each spike is
  const ticks = fc.record({
    perBin: fc.integer({ min: 1, max: 40 }),
    T: fc.integer({ min: 1, max: 6 }),
    before: fc.integer({ min: -20, max: 20 }),
    gaps: fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }),
    spikes: fc.array(fc.tuple(fc.nat(600), fc.nat(2)), { minLength: 1, maxLength: 60 }),
    perSecond: fc.constantFrom(1000, 30_000, 24_414.0625, 100, 3),
  });
  fc.assert(fc.property(ticks, ({ perBin, T, before, gaps, spikes, perSecond }) => {
    const length = perBin * T;
    const events: number[] = [];
    for (let at = Math.max(0, -before), i = 0; i < gaps.length; at += length + gaps[i++]) {
      events.push(at);
    }
    const wanted = new Map<number, number>();
    let inside = 0;
    for (const [tick, unit] of spikes) {
      events.forEach((event, b) => {
        const t = Math.floor((tick - event - before) / perBin);
        if (t < 0 || t >= T) return;
        const at = (b * T + t) * 3 + unit;
        wanted.set(at, (wanted.get(at) ?? 0) + 1);
        inside++;
      });
    }
    fc.pre(inside > 0);
    const seconds = (ticks: number[]) => floats(...ticks.map((tick) => tick / perSecond));
    const { counts_BTN } = read(
      {
        spike_times: seconds(spikes.map(([tick]) => tick)),
        spike_units: whole(...spikes.map(([, unit]) => unit)),
        n_units: npyArray([], Int32Array.of(3)),
        trial_start: seconds(events),
      },
      {
        binWidth: perBin / perSecond,
        window: [before / perSecond, (before + length) / perSecond],
      },
    );
    assert.deepEqual(
      [...counts_BTN],
      upTo(events.length * T * 3).map((at) => wanted.get(at) ?? 0),
    );
  }));
});

Deno.test("windows side by side share no spike and lose none", () => {
  const times = fc.array(fc.double({ min: 0, max: 9.999, noNaN: true }), {
    minLength: 1,
    maxLength: 80,
  });
  fc.assert(fc.property(times, fc.integer({ min: 1, max: 50 }), (times, bins) => {
    const data = read(
      {
        spike_times: floats(...times),
        spike_units: whole(...times.map(() => 0)),
        trial_start: floats(...upTo(10)),
      },
      { window: [0, 1], binWidth: 1 / bins },
    );
    assert.equal(total(data), times.length);
  }));
});

Deno.test("unsorted spikes are counted as sorted ones are", () => {
  const spikes = fc.array(fc.tuple(fc.double({ min: 0, max: 2, noNaN: true }), fc.nat(1)), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(fc.property(spikes, (spikes) => {
    const count = (spikes: [number, number][]) =>
      read({
        spike_times: floats(...spikes.map(([time]) => time)),
        spike_units: whole(...spikes.map(([, unit]) => unit)),
        n_units: npyArray([], Int32Array.of(2)),
        trial_start: floats(0),
      }, { window: [0, 2.5], binWidth: 0.5 }).counts_BTN;
    assert.deepEqual(count(spikes), count(spikes.toSorted(([a], [b]) => a - b)));
  }));
});

Deno.test("silent units at the end are there where n_units says so", () => {
  const data = read({ ...SMALL, n_units: npyArray([], Int32Array.of(4)) }, BINS);
  assert.equal(data.N, 4);
  assert.match(data.warnings[1], /2 neurons .* never fire: 2, 3/);
});

Deno.test("times from each trial's start are counted there, and must be inside it", async () => {
  const relative = {
    spike_times: floats(0.1, 0.2, 0.6, 0.2, 0.9),
    spike_units: whole(0, 1, 0, 0, 1),
    spike_trials: whole(0, 0, 0, 1, 1),
    trial_duration: npyArray([], Float64Array.of(1)),
    go_time: floats(0.5, 0.5),
  };
  assert.deepEqual([...read(relative, BINS).counts_BTN], [1, 1, 1, 0, 1, 0, 0, 1]);
  const around = read(relative, { binWidth: 0.25, align: "go_time", window: [-0.25, 0.25] });
  assert.deepEqual([...around.counts_BTN], [0, 0, 1, 0, 0, 0, 0, 0]);
  assert.match(
    await refusal(() => read({ ...relative, spike_times: floats(0.1, 0.2, 1.6, 0.2, 0.9) }, BINS)),
    /every spike inside its trial, found spike 2 at 1.6 s outside trial 0 from 0 to 1 s/,
  );
  // a window beyond the trial was not observed
  const beyond = { binWidth: 0.5, window: [0, 1.5] } as const;
  assert.deepEqual(
    [...read(relative, beyond).missing_BTN ?? []],
    [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1],
  );
  const { trial_duration: _, ...without } = relative;
  assert.match(await refusal(() => read(without, BINS)), /expected "trial_duration"/);
});

Deno.test("spikes that name a trial must be in it", async () => {
  const trials = { ...SMALL, spike_trials: whole(0, 0, 0, 1, 1) };
  assert.equal(read(trials, BINS).trials, 2);
  assert.match(
    await refusal(() => read({ ...trials, spike_trials: whole(0, 0, 1, 1, 1) }, BINS)),
    /found spike 2 at 1.6 s outside trial 1 from 3 to 4 s/,
  );
  assert.match(
    await refusal(() => read({ ...trials, spike_trials: whole(0, 0, 0, 1, 2) }, BINS)),
    /trials 0 to 1 in spike_trials, found 2 at spike 4/,
  );
});

Deno.test("windows that overlap are refused, unless that is asked for", async () => {
  const options = { binWidth: 0.5, window: [-0.5, 2] } as const;
  assert.match(
    await refusal(() => read(SMALL, options)),
    /windows that do not overlap.*found 1 that do, first those of trials 0 and 1 from 0.5 and 2.5 s, each 2.5 s long/,
  );
  assert.equal(total(read(SMALL, { ...options, overlap: true })), 5);
  // windows that touch do not overlap
  assert.equal(read(SMALL, { binWidth: 0.5, window: [-0.5, 1.5] }).T, 4);
});

Deno.test("a bin width that does not divide the window is refused, with a window that it divides", async () => {
  assert.match(
    await refusal(() => read(SMALL, { binWidth: 0.3 })),
    /divides the window, found 0.3 s for 1 s, 3.33333 bins. A window from 0 to 0.9 s has 3/,
  );
  // 0.1 × 10 is not 1 in binary, and is all the same
  assert.equal(read(SMALL, { binWidth: 0.1 }).T, 10);
  assert.equal(read(SMALL, { binWidth: 0.7, window: [0.1, 0.8] }).T, 1);
  for (const window of [[1, 1], [1, 0], [0, Infinity]] as const) {
    assert.match(
      await refusal(() => read(SMALL, { binWidth: 0.5, window })),
      /a window that ends after it begins/,
    );
  }
});

Deno.test("what is missing to count spikes is asked for", async () => {
  assert.match(await refusal(() => read(SMALL)), /a bin width above 0 seconds.*--bin-width.*none/);
  for (const binWidth of [0, -1, NaN, Infinity]) {
    assert.match(await refusal(() => read(SMALL, { binWidth })), /a bin width above 0 seconds/);
  }
  const { trial_stop: _, ...open } = SMALL;
  assert.match(await refusal(() => read(open, BINS)), /a window around the event \(--window/);
  const uneven = { ...SMALL, trial_stop: floats(2, 4.5) };
  assert.match(
    await refusal(() => read(uneven, BINS)),
    /a window around the event.*trials last from 1 to 1.5 s/,
  );
  assert.match(
    await refusal(() => read(SMALL, { ...BINS, align: "go" })),
    /times "go" to align to, found "start_time", "stop_time"/,
  );
});

Deno.test("arrays that do not fit each other are refused by name", async () => {
  const cases: [Arrays, RegExp][] = [
    [{ ...SMALL, spike_units: whole(0, 1) }, /spike_units with one value for each of 5 spikes/],
    [{ ...SMALL, spike_units: whole(0, 1, 0, -1, 1) }, /units from 0 .*found -1 at spike 3/],
    [{ ...SMALL, spike_units: floats(0, 1, 0.5, 0, 1) }, /units from 0 .*found 0.5 at spike 2/],
    [{ ...SMALL, spike_units: whole(0, 1, 0, 0, 2e9) }, /units from 0 to 99999.*found 2000000000/],
    [
      { ...SMALL, n_units: npyArray([], Int32Array.of(1)) },
      /units below n_units 1 in spike_units, found 1 at spike 1/,
    ],
    [
      { ...SMALL, spike_times_index: whole(3, 5) },
      /"spike_units" or "spike_times_index".*found both/,
    ],
    [{ ...SMALL, spike_times: floats(1.1, 1.2, -1.6, 3.2, 3.9) }, /at least 0 .*found -1.6/],
    [
      { ...SMALL, spike_times: floats(1.1, NaN, 1.6, 3.2, 3.9) },
      /found NaN at spike 0 of unit "1"/,
    ],
    [{ ...SMALL, trial_stop: floats(2) }, /trial_stop with one value for each of 2 trials/],
    [
      { ...SMALL, trial_stop: floats(2, 3) },
      /to stop after its start, found trial 1 from 3 to 3 s/,
    ],
    [
      { ...SMALL, spike_times: npyArray([5, 1], Float64Array.of(1, 2, 3, 4, 5)) },
      /spike_times in one dimension, found shape \[5,1\]/,
    ],
    [{ ...SMALL, neurons: textArray(["a"]) }, /a name for each of 2 units, found 1/],
    [
      { spike_times: SMALL.spike_times, spike_units: SMALL.spike_units },
      /together with "trial_start"/,
    ],
    [{ ...SMALL, trial_start: floats(), trial_stop: floats() }, /trials with a time.*found none/],
  ];
  for (const [arrays, pattern] of cases) {
    assert.match(await refusal(() => read(arrays, BINS)), pattern);
  }
});

Deno.test("windows without a single spike are refused: the units of time are likely to differ", async () => {
  const inMs = { ...SMALL, spike_times: floats(1100, 1200, 1600, 3200, 3900) };
  assert.match(
    await refusal(() => read(inMs, BINS)),
    /spikes in the windows.*none of 5 there: the last spike is at 3900 s, the windows begin between 1 and 3 s/,
  );
});

Deno.test("windows that begin before the recording are refused", async () => {
  assert.match(
    await refusal(() => read(SMALL, { binWidth: 0.5, window: [-1.5, 0] })),
    /windows inside the recording, found that of trial 0 to begin at -0.5 s/,
  );
});

Deno.test("trials and units are chosen by index and by column", async () => {
  const arrays = { ...SMALL, target: textArray(["left", "right"]) };
  assert.deepEqual([...read(arrays, { ...BINS, trials: "target=right" }).counts_BTN], [1, 0, 0, 1]);
  assert.deepEqual([...read(arrays, { ...BINS, units: "1" }).counts_BTN], [1, 0, 0, 1]);
  const cases: [ReadDatasetOptions, RegExp][] = [
    [{ trials: "2" }, /trials like 0-1, counted from 0, or COLUMN=VALUE, found "2"/],
    [{ trials: "1-0" }, /found "1-0"/],
    [{ trials: "" }, /found ""/],
    [{ trials: "reward=1" }, /column "reward" of trials, found .*"target"/],
    [{ trials: "target=up" }, /trials that fit "target=up", found none/],
  ];
  for (const [options, pattern] of cases) {
    assert.match(await refusal(() => read(arrays, { ...BINS, ...options })), pattern);
  }
});

Deno.test("a bin holds up to 65 535 spikes, and more are refused", async () => {
  const many = (n: number) => ({
    spike_times: npyArray([n], new Float64Array(n).fill(0.5)),
    spike_units: npyArray([n], new Int32Array(n)),
    trial_start: floats(0),
    trial_stop: floats(1),
  });
  assert.deepEqual([...read(many(65_535), { binWidth: 1 }).counts_BTN], [65_535]);
  assert.match(
    await refusal(() => read(many(65_536), { binWidth: 1 })),
    /counts of at most 65535, found more at .* = \[0, 0, 0\]/,
  );
});

Deno.test("a window of any number of bins, or a trial of any number, reserves no memory for it", async () => {
  const limits = { maxUnpackedBytes: 2 ** 20 };
  assert.match(
    await refusal(() => read(SMALL, { binWidth: 1e-6, limits })),
    /counts of at most 1048576 bytes, found 2 trials of 1000000 bins and 2 neurons/,
  );
  assert.match(
    await refusal(() => read(SMALL, { binWidth: 1e-9, window: [0, 1e6], overlap: true })),
    /counts of at most 4294967296 bytes/,
  );
  const relative = {
    spike_times: floats(0.1),
    spike_units: whole(0),
    spike_trials: whole(2e9),
    trial_duration: npyArray([], Float64Array.of(1)),
  };
  assert.match(
    await refusal(() => read(relative, BINS)),
    /trials from 0 to 999999.*found 2000000000/,
  );
});
