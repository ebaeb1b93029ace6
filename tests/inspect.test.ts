/** What is said about counts, and about files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { type DatasetArrays, datasetFromArrays } from "../src/data/dataset.ts";
import { type DatasetFacts, datasetFacts } from "../src/data/facts.ts";
import { npyArray, writeNpy } from "../src/data/npy.ts";
import { writeNpz } from "../src/data/npz.ts";
import { assertRefused, lastJson, latentd } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import { fixture, hdf5, numbers, realRecording, recordings, upTo } from "./recordings.ts";

/** Counts of [trials, bins, neurons], from a function of trial, bin and neuron. */
function facts(
  shape: readonly [number, number, number],
  at: (b: number, t: number, n: number) => number,
  more: Partial<DatasetArrays> = {},
): DatasetFacts {
  const [, T, N] = shape;
  const spikes = numbers(
    shape,
    (i) => at(Math.floor(i / (T * N)), Math.floor(i / N) % T, i % N),
  );
  return datasetFacts(
    datasetFromArrays({ name: "data", spikes, ...more }, { minTrials: 1 }),
  );
}

/** Counts without a pattern: a few bits of a multiplication. */
const noise = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 13) % 3;
const noisy = (b: number, t: number, n: number) => noise(b * 8161 + t * 127 + n * 31);

const said = ({ suspicions }: DatasetFacts) => suspicions.join(" ");

Deno.test("facts are what a plain count of every number gives", () => {
  fc.assert(fc.property(recordings, (arrays) => {
    const data = datasetFromArrays(arrays, { minTrials: 1 });
    fc.pre(!(data.counts_BTN instanceof Float32Array));
    const found = datasetFacts(data);
    const { trials, T, N, counts_BTN } = data;
    let spikes = 0, most = 0, above = 0, missing = 0;
    const silent = new Set(upTo(N)), empty = new Set(upTo(trials)), dark = new Set(upTo(T));
    const sums = new Array<number>(N).fill(0), seen = new Array<number>(N).fill(0);
    for (const b of upTo(trials)) {
      for (const t of upTo(T)) {
        for (const n of upTo(N)) {
          const i = (b * T + t) * N + n, count = counts_BTN[i];
          const gone = data.missing_BTN?.[i] === 1 || t >= (data.lengths_B?.[b] ?? T);
          missing += gone ? 1 : 0;
          seen[n] += gone ? 0 : 1;
          if (count === 0) continue;
          spikes += count;
          sums[n] += count;
          above += count > 20 ? 1 : 0;
          most = Math.max(most, count);
          silent.delete(n);
          empty.delete(b);
          dark.delete(t);
        }
      }
    }
    assert.deepEqual(
      [found.spikes, found.largest.count, found.above20, found.missing],
      [spikes, most, above, missing],
    );
    assert.deepEqual([found.silent, found.emptyTrials, found.emptyBins], [
      [...silent],
      [...empty],
      [...dark],
    ]);
    const { trial, bin, neuron } = found.largest;
    assert.equal(counts_BTN[(trial * T + bin) * N + neuron], most);
    const rates = sums.map((sum, n) => seen[n] === 0 ? 0 : sum / seen[n]).sort((a, b) => a - b);
    assert.deepEqual([found.quantiles[0], found.quantiles[6]], [rates[0], rates[N - 1]]);
  }));
});

Deno.test("quantiles stand between sorted values as NumPy's do", () => {
  // one trial, one bin: the rates of 5 neurons are their counts
  const { quantiles } = facts([1, 1, 5], (_b, _t, n) => [40, 10, 30, 0, 20][n]);
  // numpy.quantile([0, 10, 20, 30, 40], [0, .05, .25, .5, .75, .95, 1])
  [0, 2, 10, 20, 30, 38, 40].forEach((wanted, i) =>
    assert(Math.abs(quantiles[i] - wanted) < 1e-12)
  );
});

Deno.test("neurons with the same or nearly the same train are found, and no others", () => {
  const at = (b: number, t: number, n: number) => {
    if (n === 3) return noisy(b, t, 0);
    // one count in 600 differs
    if (n === 4) return noisy(b, t, 1) + (b === 2 && t === 7 ? 1 : 0);
    return noisy(b, t, n);
  };
  const { alike, comparedBins, suspicions } = facts([30, 20, 5], at);
  assert.deepEqual(alike.map(({ neurons }) => neurons), [[0, 3], [1, 4]]);
  assert.equal(Math.round(alike[0].correlation * 1e9), 1e9);
  assert(alike[1].correlation > 0.99 && alike[1].correlation < 1);
  assert.equal(comparedBins, 600);
  assert.match(suspicions.join(), /2 pairs of neurons fire together \(correlation above 0.95\)/);
});

Deno.test("correlations are Pearson's", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(9), fc.nat(2)), { minLength: 20, maxLength: 60 }),
      (bins) => {
        // the second neuron is the first with a little more now and then
        const x = bins.map(([a]) => a), y = bins.map(([a, b]) => a + (b === 2 ? 1 : 0));
        const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
        const [mx, my] = [mean(x), mean(y)];
        const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0);
        const wanted = sum((i) => (x[i] - mx) * (y[i] - my)) /
          Math.sqrt(sum((i) => (x[i] - mx) ** 2) * sum((i) => (y[i] - my) ** 2));
        const spikes = Math.min(mx, my) * x.length;
        fc.pre(spikes >= 10 && Math.abs(wanted - 0.95) > 1e-9);
        const { alike } = facts([1, x.length, 2], (_b, t, n) => (n === 0 ? x : y)[t]);
        assert.equal(alike.length, wanted > 0.95 ? 1 : 0);
        // sums of squares up to 60 · 10², each exact: what is left is the rounding of a few divisions
        if (wanted > 0.95) assert(Math.abs(alike[0].correlation - wanted) < 1e-12);
      },
    ),
  );
});

Deno.test("counts that no neuron can fire are suspicious, by the width of the bin", () => {
  const burst = (count: number) => (b: number, t: number, n: number) =>
    b === 3 && t === 4 && n === 2 ? count : noisy(b, t, n);
  const shape = [40, 10, 6] as const;
  assert.deepEqual(facts(shape, noisy, { binWidth: 0.02 }).suspicions, []);
  // 20 ms hold 20 spikes at one a millisecond, and one more at the edge
  assert.doesNotMatch(said(facts(shape, burst(21), { binWidth: 0.02 })), /a millisecond/);
  const found = said(facts(shape, burst(22), { binWidth: 0.02 }));
  assert.match(found, /22 in a bin of 20 ms, 1100 Hz at \[trial, bin, neuron\] = \[3, 4, 2\]/);
  assert.match(found, /1 count is above 20/);
  assert.doesNotMatch(said(facts(shape, burst(20))), /above 20/);
});

Deno.test("rates that no brain has point to the bin width", () => {
  const shape = [40, 10, 6] as const;
  assert.match(said(facts(shape, noisy, { binWidth: 0.002 })), /fires at \d+ Hz on average/);
  // 20 milliseconds given as 20 seconds
  assert.match(
    said(facts(shape, noisy, { binWidth: 20 })),
    /very little: is the bin width of 20 s/,
  );
  assert.doesNotMatch(said(facts(shape, noisy)), /bin width/);
});

Deno.test("scaled counts, copied trials, padding, empty trials and bins are suspicious", () => {
  const shape = [40, 20, 6] as const;
  assert.match(said(facts(shape, (b, t, n) => 3 * noisy(b, t, n))), /a multiple of 3/);
  const copies = facts(shape, (b, t, n) => noisy(b === 31 ? 5 : b, t, n));
  assert.deepEqual(copies.repeatedTrials, [{ trial: 31, of: 5 }]);
  assert.match(said(copies), /1 trial with the very counts of another, as 31 of 5/);
  // six neurons with about a spike a bin: ten silent bins in a row are no chance
  const padded = facts(shape, (b, t, n) => b === 7 && t >= 10 ? 0 : noisy(b, t, n));
  assert.deepEqual(padded.silentEnds, [{ trial: 7, bins: 10 }]);
  assert.match(said(padded), /1 trial \(7\) ends in silence of up to 10 bins/);
  const short = facts(shape, (b, t, n) => b === 7 && t >= 10 ? 0 : noisy(b, t, n), {
    lengths: npyArray([40], Int32Array.from({ length: 40 }, (_, b) => b === 7 ? 10 : 20)),
  });
  assert.deepEqual(short.silentEnds, [], "its length is known");
  const empty = facts(shape, (b, t, n) => b === 2 || t === 0 ? 0 : noisy(b, t, n));
  assert.deepEqual([empty.emptyTrials, empty.emptyBins], [[2], [0]]);
  assert.match(
    said(empty),
    /1 trial without a spike: 2\. No neuron fires in any trial in 1 bin: 0/,
  );
  assert.deepEqual(facts(shape, () => 0).suspicions, ["There is not a single spike."]);
});

Deno.test("conditions are counted, with their rates over what was observed", () => {
  const { conditions } = facts([4, 2, 1], (b) => b + 1, {
    condition: npyArray([4], Int32Array.of(1, 0, 1, 0)),
    conditionNames: ["in", "out"],
    missing: numbers([4, 2, 1], (i) => i === 0 ? 1 : 0),
  });
  assert.deepEqual(conditions, [
    { value: 0, name: "in", trials: 2, mean: 3 },
    // a bin of 1 is not observed: 1 + 3 + 3 over three bins
    { value: 1, name: "out", trials: 2, mean: 7 / 3 },
  ]);
});

const npz = async (folder: string, arrays: Parameters<typeof writeNpz>[0]): Promise<string> => {
  const path = join(folder, "data.npz");
  await Deno.writeFile(path, writeNpz(arrays));
  return path;
};

Deno.test("inspect says what is in a file, what it takes for the spikes, and what to run", () =>
  inFolder(async (folder) => {
    const path = await npz(folder, {
      spikes: numbers([40, 10, 6], noise),
      bin_width_s: npyArray([], Float64Array.of(0.02)),
      condition: npyArray([40], Int32Array.from({ length: 40 }, (_, b) => b % 2)),
      hand_vel: numbers([40, 10, 2]),
      other: numbers([3]),
    });
    const { code, stdout } = await latentd("inspect", path);
    assert.equal(code, 0);
    for (
      const line of [
        /data.npz: a NumPy .npz archive/,
        /spikes +40 × 10 × 6 +float64 +the spikes/,
        /hand_vel +40 × 10 × 2 +float64 +behaviour/,
        /Read as spike counts: "spikes", as it has that name\./,
        /40 trials × 10 bins × 6 neurons, bins of 20 ms, 200 ms a trial; \d+ spikes\./,
        /Rates: [\d.]+ Hz on average/,
        /Silent neurons: none\./,
        /Trials without spikes: none\./,
        /condition +trials +Hz\n +0 +20/,
        /Behaviour: hand_vel\. It is kept, and fit does not use it\./,
        /Nothing suspicious was found\./,
        /latentd fit \S+data.npz --out runs\/data --starts 4 --factors 3$/,
      ]
    ) assert.match(stdout, line);
  }));

Deno.test("inspect prints the same as one JSON object", () =>
  inFolder(async (folder) => {
    const path = await npz(folder, { spikes: numbers([40, 10, 6], noise) });
    const outcome = await latentd("inspect", path, "--json");
    assert.equal(outcome.stdout.split("\n").length, 1);
    const found = lastJson(outcome);
    assert.deepEqual(Object.keys(found), [
      "file",
      "contents",
      "dataset",
      "facts",
      "values",
      "problem",
      "suggestion",
    ]);
    assert.equal((found.facts as DatasetFacts).N, 6);
    assert.equal(found.problem, null);
  }));

Deno.test("inspect of a file that cannot be used ends with the reason, and is no failure", () =>
  inFolder(async (folder) => {
    const none = await npz(folder, { spikes: numbers([3, 2, 2], () => Infinity) });
    const { code, stdout } = await latentd("inspect", none);
    assert.equal(code, 0);
    assert.match(stdout, /spikes +3 × 2 × 2 +float64/);
    assert.match(
      stdout,
      /Not usable as it is\. Cannot read "data.npz": .*finite numbers, found Infinity/,
    );
    const path = join(folder, "vector.npy");
    await Deno.writeFile(path, writeNpy(numbers([5])));
    assert.match(
      (await latentd("inspect", path)).stdout,
      /Not usable.*3 dimensions.*found 1: \[5\]/,
    );
  }));

Deno.test("inspect refuses what it cannot open", () =>
  inFolder(async (folder) => {
    const bytes = await hdf5({ spikes: numbers([2, 2, 2]) });
    const path = join(folder, "cut.h5");
    await Deno.writeFile(path, bytes.subarray(0, bytes.length - 100));
    assertRefused(
      await latentd("inspect", path),
      /Cannot read "cut.h5": expected a complete HDF5 file, found damaged.*truncated file/,
    );
    assertRefused(await latentd("inspect", join(folder, "none.h5")), /no such file/);
    assertRefused(await latentd("inspect", folder), /found a folder/);
    await Deno.writeTextFile(path, "a,b\n");
    assertRefused(await latentd("inspect", path), /a \.npz archive, a \.npy file or an HDF5 file/);
  }));

Deno.test("inspect of spike times asks for windows, and then looks at the counts", async () => {
  const path = fixture("recording.nwb");
  const { stdout } = await latentd("inspect", path);
  assert.match(stdout, /4 units with 510 spikes from 1\.100 to 11\.38 s, 6 trials of 0\.4000 s\./);
  assert.match(stdout, /aligned to go_cue_time \(5 trials\), start_time, stop_time\./);
  assert.match(stdout, /Known of units: location \(M1: 3, PMd: 1\); quality \(good: 3, mua: 1\)/);
  assert.match(stdout, /Time series for --behaviour: hand_vel/);
  const suggested = /\n {2}latentd (inspect .*)$/.exec(stdout)?.[1].split(" ") ?? [];
  assert.match((await latentd(...suggested)).stdout, /bins of 20 ms/);
  const window = ["--align", "go_cue_time", "--window", "-0.1:0.1", "--bin-width", "0.02"];
  const counted = await latentd("inspect", path, ...window, "--only-units", "0-2");
  assert.match(counted.stdout, /5 trials × 10 bins × 3 neurons, bins of 20 ms, 200 ms a trial/);
  assert.match(
    counted.stdout,
    /latentd fit \S+ --align go_cue_time --window -0.1:0.1 --bin-width 0.02 --only-units 0-2 --out/,
  );
});

const CHEWIE = "chewie_m1_co_50ms.npz", DATAHIGH = "datahigh_pmd_2reach_20ms.npz";

Deno.test({
  name: `inspect reads a real recording of M1 (skipped where ${CHEWIE} is absent)`,
  ignore: realRecording(CHEWIE) === null,
  fn: async () => {
    const found = lastJson(await latentd("inspect", realRecording(CHEWIE) ?? "", "--json"));
    const facts = found.facts as DatasetFacts;
    assert.deepEqual([facts.trials, facts.T, facts.N, facts.binWidth], [149, 9, 174, 0.05]);
    assert.equal(facts.conditions.length, 8);
    assert.equal(facts.silent.length, 13);
    assert.deepEqual((found.dataset as { behaviour: string[] }).behaviour, [
      "hand_pos",
      "hand_vel",
    ]);
    assert.deepEqual([found.problem, facts.suspicions], [null, []]);
  },
});

Deno.test({
  name: `inspect reads a real recording of PMd (skipped where ${DATAHIGH} is absent)`,
  ignore: realRecording(DATAHIGH) === null,
  fn: async () => {
    const found = lastJson(await latentd("inspect", realRecording(DATAHIGH) ?? "", "--json"));
    const facts = found.facts as DatasetFacts;
    assert.deepEqual([facts.trials, facts.T, facts.N, facts.binWidth], [112, 50, 61, 0.02]);
    assert.deepEqual(facts.conditions.map(({ trials }) => trials), [56, 56]);
    // every trial lasts longer than its second of bins
    assert.deepEqual([facts.missing, facts.silent, found.problem], [0, [], null]);
  },
});
