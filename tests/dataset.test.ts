import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import {
  type DatasetArrays,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  readDataset,
  splitTrials,
  writeDataset,
} from "../src/data/dataset.ts";
import { readFileOrExplain, writeFileAtomic } from "../src/data/files.ts";
import { type NpyArray, npyArray, type NpyText, writeNpy } from "../src/data/npy.ts";
import { readNpz, writeNpz } from "../src/data/npz.ts";
import { indexOf } from "../src/data/validate.ts";
import { InputError } from "../src/errors.ts";

const fixture = (name: string) => new URL(`./fixtures/${name}`, import.meta.url);

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return messageOf(error);
  }
  assert.fail("expected a refusal");
}

async function refusalLater(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
  } catch (error) {
    return messageOf(error);
  }
  assert.fail("expected a refusal");
}

function messageOf(error: unknown): string {
  assert(error instanceof InputError, `expected an InputError, found ${error}`);
  assert(!error.message.includes("\n"), "one paragraph");
  return error.message;
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Counts of 1 everywhere, so that no neuron is silent. */
const ones = (...shape: number[]): NpyArray =>
  npyArray(shape, new Uint8Array(shape.reduce((product, n) => product * n, 1)).fill(1));
const npz = (arrays: Record<string, NpyArray | NpyText>) => writeNpz(arrays);
const read = (arrays: Record<string, NpyArray | NpyText>) =>
  datasetFromBytes(npz(arrays), "data.npz");

const shapes = fc.record({
  trials: fc.integer({ min: 2, max: 5 }),
  T: fc.integer({ min: 1, max: 4 }),
  N: fc.integer({ min: 1, max: 4 }),
  L: fc.integer({ min: 1, max: 3 }),
});
const numbers = (value: fc.Arbitrary<number>, length: number) =>
  fc.array(value, { minLength: length, maxLength: length });

const datasets = shapes.chain(({ trials, T, N, L }) => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const positive = fc.double({ min: 0, max: 1e6, noNaN: true });
  return fc.record({
    spikes: numbers(fc.oneof(fc.nat(3), fc.nat(65_535)), trials * T * N).map((data) => ({
      shape: [trials, T, N],
      data: Float64Array.from(data),
    })),
    binWidth: fc.option(fc.double({ min: 1e-6, max: 10, noNaN: true })),
    condition: fc.option(
      numbers(fc.integer(), trials).map((data) => ({
        shape: [trials],
        data: Float64Array.from(data),
      })),
    ),
    truth: fc.option(fc.record({
      rates: numbers(positive, trials * T * N).map((data) => ({
        shape: [trials, T, N],
        data: Float64Array.from(data),
      })),
      latents: numbers(finite, trials * T * L).map((data) => ({
        shape: [trials, T, L],
        data: Float64Array.from(data),
      })),
      A: fc.option(
        numbers(finite, L * L).map((data) => ({ shape: [L, L], data: Float64Array.from(data) })),
      ),
    })),
  }).map(({ truth, ...arrays }): DatasetArrays => ({ name: "data", ...arrays, ...truth }));
});

Deno.test("a dataset survives its file", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "data.npz");
    await fc.assert(
      fc.asyncProperty(datasets, async (arrays) => {
        const dataset = datasetFromArrays(arrays);
        await writeDataset(path, dataset);
        assert.deepEqual(await readDataset(path), dataset);
      }),
      { numRuns: 50 },
    );
    assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["data.npz"]);
  });
});

Deno.test("a dataset keeps its counts, in bytes where they fit and else in 16 bits", () => {
  fc.assert(fc.property(datasets, (arrays) => {
    const { counts_BTN } = datasetFromArrays(arrays);
    assert.deepEqual(Array.from(counts_BTN), Array.from(arrays.spikes.data));
    const wide = arrays.spikes.data.some((count) => count > 255);
    assert.equal(counts_BTN.BYTES_PER_ELEMENT, wide ? 2 : 1);
  }));
});

Deno.test("255 is the largest count of a byte, 65 535 of 16 bits", () => {
  for (const [most, bytes] of [[255, 1], [256, 2], [65_535, 2]]) {
    const spikes = npyArray([2, 1, 1], Float64Array.of(0, most));
    const { counts_BTN } = read({ spikes });
    assert.deepEqual([...counts_BTN, counts_BTN.BYTES_PER_ELEMENT], [0, most, bytes]);
  }
});

Deno.test("the file holds the documented keys", () => {
  const dataset = datasetFromArrays({
    name: "small",
    spikes: ones(2, 3, 4),
    binWidth: 0.01,
    condition: npyArray([2], Int32Array.of(5, -1)),
    rates: ones(2, 3, 4),
    latents: ones(2, 3, 2),
    A: npyArray([2, 2], Float64Array.of(1, 2, 3, 4)),
  });
  const keys = readNpz(datasetToBytes(dataset));
  const shapesByKey = Object.entries(keys).map(([key, { shape }]) => [key, shape]);
  assert.deepEqual(shapesByKey, [
    ["spikes", [2, 3, 4]],
    ["bin_width_s", []],
    ["condition", [2]],
    ["rates", [2, 3, 4]],
    ["latents", [2, 3, 2]],
    ["A", [2, 2]],
  ]);
  assert.deepEqual(dataset.truth?.A, [[1, 2], [3, 4]]);
});

Deno.test("spikes are read from NumPy's .npz and .npy, whatever else is in the archive", async () => {
  const upTo12 = Array.from({ length: 12 }, (_, i) => i);
  // holds Python objects, dates and complex numbers besides
  const odd = datasetFromBytes(Deno.readFileSync(fixture("numpy_odd.npz")), "odd.npz");
  assert.deepEqual(Array.from(odd.counts_BTN), upTo12);
  assert.deepEqual([odd.name, odd.trials, odd.T, odd.N], ["odd", 2, 3, 2]);
  assert.deepEqual([odd.binWidth, odd.condition, odd.truth], [null, null, null]);
  const npy = await readDataset(fileURLToPath(fixture("numpy_counts.npy")));
  assert.deepEqual(Array.from(npy.counts_BTN), upTo12);
  assert.deepEqual([npy.name, npy.warnings], ["numpy_counts", []]);
});

Deno.test("booleans and whole floats are counts", () => {
  for (const dtype of ["|b1", "<f2", "<f4", ">f8", ">i8", "<u4"]) {
    const spikes = { shape: [2, 1, 2], dtype, data: Uint8Array.of(1, 0, 1, 1) };
    assert.deepEqual(Array.from(read({ spikes }).counts_BTN), [1, 0, 1, 1], dtype);
  }
});

Deno.test("without spikes, the only array of 3 dimensions is taken and a warning says so", () => {
  const { N, warnings } = read({ activity: ones(2, 3, 4), times: ones(3) });
  assert.equal(N, 4);
  assert.deepEqual(warnings, ['There is no "spikes"; took "activity" of shape [2,3,4].']);
});

Deno.test("without spikes and with none or several of 3 dimensions, the error lists what is there", () => {
  assert.match(
    refusal(() => read({ a: ones(2, 3, 4), b: ones(5, 6, 7) })),
    /Cannot read "data.npz": expected an array "spikes".*found "a" \[2,3,4\] \|u1, "b" \[5,6,7\] \|u1\./,
  );
  assert.match(refusal(() => read({ x: ones(2) })), /found "x" \[2\] \|u1/);
  assert.match(refusal(() => read({})), /found no arrays/);
  // rates and latents have 3 dimensions and are no counts
  assert.match(refusal(() => read({ rates: ones(2, 3, 4) })), /expected an array "spikes"/);
});

Deno.test("numbers that are no counts are real ones; NaN is a missing bin, and infinity is named", () => {
  const withValue = (value: number) => {
    const data = new Float64Array(24).fill(1);
    data[17] = value;
    return { spikes: npyArray([2, 3, 4], data) };
  };
  for (const value of [-1, 0.5, 65_536]) {
    const { counts_BTN } = read(withValue(value));
    assert(counts_BTN instanceof Float32Array && counts_BTN[17] === value);
  }
  const missing = read(withValue(NaN));
  assert.deepEqual([missing.counts_BTN[17], missing.missing_BTN?.indexOf(1)], [0, 17]);
  const action = '^Cannot read "data.npz": expected spikes to be finite numbers';
  const place = "at \\[trial, bin, neuron\\] = \\[1, 1, 1\\]\\.$";
  for (
    const [value, more] of [[Infinity, ""], [-Infinity, ""], [1e38, " of at most 1e\\+37"]] as const
  ) {
    const said = refusal(() => read(withValue(value)));
    assert.match(said, new RegExp(`${action}${more}, found .* ${place}`));
  }
});

Deno.test("an index names the place of an element in C order", () => {
  const shape = [2, 3, 4];
  for (let i = 0; i < 24; i++) {
    const [b, t, n] = indexOf(i, shape);
    assert.equal((b * 3 + t) * 4 + n, i);
  }
});

Deno.test("shapes that cannot be fitted are refused", () => {
  const cases: [number[], RegExp][] = [
    [[0, 3, 4], /at least one trial, found none: shape \[0,3,4\]/],
    [[1, 3, 4], /fit needs at least 2 trials: one to train on, one to evaluate/],
    [[2, 0, 4], /at least one time bin/],
    [[2, 3, 0], /at least one neuron/],
    [[2, 3], /3 dimensions \[trials, bins, neurons\], found 2: \[2,3\]/],
    [[2, 3, 4, 1], /found 4/],
    [[], /found 0/],
  ];
  for (const [shape, pattern] of cases) {
    assert.match(refusal(() => read({ spikes: ones(...shape) })), pattern);
    assert.match(refusal(() => datasetFromBytes(writeNpy(ones(...shape)), "data.npy")), pattern);
  }
  const one = datasetFromBytes(npz({ spikes: ones(1, 3, 4) }), "one.npz", { minTrials: 1 });
  assert.equal(one.trials, 1);
});

Deno.test("strings are no counts", () => {
  const spikes = { shape: [2, 1, 1], dtype: "<U1", data: ["1", "2"] };
  assert.match(
    refusal(() => read({ spikes })),
    /"spikes" in "data.npz": expected numbers, found str/,
  );
});

Deno.test("arrays besides the spikes must fit them", () => {
  const spikes = ones(2, 3, 4);
  const scalar = (value: number) => npyArray([], Float64Array.of(value));
  const negative = npyArray([2, 3, 4], new Float64Array(24).fill(1));
  negative.data[23] = -1;
  const wild = npyArray([2, 3, 1], Float64Array.of(1, 2, NaN, 4, 5, 6));
  const cases: [Record<string, NpyArray>, RegExp][] = [
    [{ condition: ones(3) }, /condition of shape \[2\] \(one for every trial\), found \[3\]/],
    [{ condition: ones(2, 1) }, /found \[2,1\]/],
    [{ condition: npyArray([2], Float64Array.of(1, 0.5)) }, /found 0.5 at trial 1/],
    [{ condition: npyArray([2], Float64Array.of(NaN, 1)) }, /found NaN at trial 0/],
    [{ condition: npyArray([2], Float64Array.of(2 ** 31, 1)) }, /found 2147483648 at trial 0/],
    [{ bin_width_s: scalar(0) }, /bin width above 0 seconds, found 0/],
    [{ bin_width_s: scalar(-0.01) }, /found -0.01/],
    [{ bin_width_s: scalar(NaN) }, /found NaN/],
    [{ bin_width_s: scalar(Infinity) }, /found Infinity/],
    [{ bin_width_s: ones(2) }, /bin_width_s to be one number, found shape \[2\]/],
    [{ rates: ones(2, 3, 5) }, /rates of shape \[2,3,4\] like spikes, found \[2,3,5\]/],
    [{ rates: negative }, /rates to be finite and at least 0, found -1 at \[1, 2, 3\]/],
    [{ rates: ones(2, 3, 4), latents: ones(2, 4, 1) }, /latents of shape \[2,3,1\]/],
    [{ rates: ones(2, 3, 4), latents: wild }, /latents to be finite, found NaN at \[0, 2, 0\]/],
    [
      { rates: ones(2, 3, 4), latents: ones(2, 3, 2), A: ones(3, 3) },
      /A of shape \[2,2\] \[latents, latents\], found \[3,3\]/,
    ],
  ];
  for (const [others, pattern] of cases) {
    assert.match(refusal(() => read({ spikes, ...others })), pattern);
  }
  assert.equal(read({ spikes, bin_width_s: npyArray([1], Float64Array.of(0.02)) }).binWidth, 0.02);
});

Deno.test("latents without rates are left out, with a warning; rates alone are a truth", () => {
  const alone = read({ spikes: ones(2, 3, 4), latents: ones(2, 3, 1), A: ones(1, 1) });
  assert.equal(alone.truth, null);
  assert.deepEqual(alone.warnings, ['Without "rates", latents and A left out.']);
  const { truth, warnings } = read({ spikes: ones(2, 3, 4), rates: ones(2, 3, 4) });
  assert.deepEqual([truth?.rates_BTN.length, truth?.L, truth?.A, warnings], [24, 0, undefined, []]);
});

Deno.test("one time bin and silent neurons are allowed, with a warning that names the neurons", () => {
  const spikes = ones(2, 1, 4);
  for (const i of [1, 3, 5, 7]) spikes.data[i] = 0;
  assert.deepEqual(read({ spikes }).warnings, [
    "There is one time bin per trial, so there are no dynamics to learn.",
    "2 neurons (counted from 0) never fire: 1, 3.",
  ]);
  spikes.data[3] = 1;
  assert.equal(read({ spikes }).warnings[1], "Neuron 1 (counted from 0) never fires.");
  const many = npyArray([2, 2, 30], new Uint8Array(120));
  assert.match(read({ spikes: many }).warnings[0], /^30 neurons .*: 0, 1, .*, 19 and 10 more\.$/);
  assert.deepEqual(read({ spikes: ones(2, 2, 4) }).warnings, []);
});

Deno.test("a file that is neither .npz nor .npy is refused", () => {
  const bytes = (text: string) => datasetFromBytes(new TextEncoder().encode(text), "x.csv");
  assert.match(refusal(() => bytes("1,2,3")), /Cannot read "x.csv": expected a .npz archive/);
  assert.match(refusal(() => bytes("")), /found an empty file/);
});

Deno.test("arrays whose data does not fill their shape are refused", () => {
  const spikes = { shape: [2, 3, 4], data: new Uint8Array(23) };
  assert.match(refusal(() => datasetFromArrays({ name: "x", spikes })), /24 elements.*found 23/);
});

Deno.test("a damaged dataset is an InputError or a dataset, never another failure", () => {
  const dataset = datasetFromArrays({
    name: "x",
    spikes: ones(2, 2, 2),
    binWidth: 0.01,
    condition: ones(2),
  });
  const original = datasetToBytes(dataset);
  const limits = { maxUnpackedBytes: 2 ** 20 };
  fc.assert(
    fc.property(fc.nat(original.length - 1), fc.nat(255), (at, value) => {
      const bytes = original.slice();
      bytes[at] = value;
      try {
        datasetFromBytes(bytes, "x.npz", { limits });
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
  for (let length = 0; length < original.length; length++) {
    refusal(() => datasetFromBytes(original.subarray(0, length), "x.npz"));
  }
});

const splits = fc.record({
  trials: fc.integer({ min: 2, max: 300 }),
  fraction: fc.double({ min: 0.001, max: 0.999, noNaN: true }),
  seed: fc.maxSafeNat(),
});

Deno.test("a split puts every trial on one side, ascending, and none of the sides is empty", () => {
  fc.assert(fc.property(splits, ({ trials, fraction, seed }) => {
    const { train, evaluation } = splitTrials(trials, fraction, seed);
    const ascending = (side: Uint32Array) =>
      side.every((trial, i) => i === 0 || side[i - 1] < trial);
    assert(ascending(train) && ascending(evaluation));
    const all = [...train, ...evaluation].sort((a, b) => a - b);
    assert.deepEqual(all, Array.from({ length: trials }, (_, i) => i));
    const wanted = Math.min(trials - 1, Math.max(1, Math.round(trials * fraction)));
    assert.equal(evaluation.length, wanted);
  }));
});

Deno.test("a split is the same for the same seed, and a larger fraction keeps the smaller's trials", () => {
  fc.assert(fc.property(splits, ({ trials, fraction, seed }) => {
    const { evaluation } = splitTrials(trials, fraction, seed);
    assert.deepEqual(splitTrials(trials, fraction, seed).evaluation, evaluation);
    const more = new Set(splitTrials(trials, (fraction + 1) / 2, seed).evaluation);
    assert(evaluation.every((trial) => more.has(trial)));
  }));
});

Deno.test("every trial evaluates as often as its fraction says, over the seeds", () => {
  const trials = 20, seeds = 2000, fraction = 0.25;
  const times = new Float64Array(trials);
  for (let seed = 0; seed < seeds; seed++) {
    for (const trial of splitTrials(trials, fraction, seed).evaluation) times[trial]++;
  }
  // each count is binomial(seeds, fraction); 5 standard deviations miss one of 20 in 1 of 90 000 tries,
  // and the seeds are fixed
  const deviation = Math.sqrt(seeds * fraction * (1 - fraction));
  for (const count of times) assert(Math.abs(count - seeds * fraction) < 5 * deviation, `${count}`);
});

Deno.test("a split needs two trials and a fraction between 0 and 1", () => {
  assert.match(refusal(() => splitTrials(1, 0.5, 0)), /expected at least 2.*found 1/);
  for (const fraction of [0, 1, -0.1, 1.5, NaN]) {
    assert.match(refusal(() => splitTrials(10, fraction, 0)), /between 0 and 1/);
  }
});

Deno.test("a file is written whole or not at all", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "x.bin");
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    await writeFileAtomic(path, Uint8Array.of(4, 5));
    assert.deepEqual(await readFileOrExplain(path), Uint8Array.of(4, 5));
    // a folder in the way: the rename fails, and nothing is left behind
    const taken = join(folder, "taken");
    await Deno.mkdir(join(taken, "inside"), { recursive: true });
    await assert.rejects(writeFileAtomic(taken, Uint8Array.of(1)));
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
    assert.deepEqual(names, ["taken", "x.bin"]);
  });
});

Deno.test("files that cannot be read or written are explained", async () => {
  await inFolder(async (folder) => {
    const absent = join(folder, "absent.npz");
    assert.match(
      await refusalLater(() => readDataset(absent)),
      /Cannot read ".*absent.npz": expected a file, found no such file or folder/,
    );
    assert.match(await refusalLater(() => readFileOrExplain(folder)), /found a folder/);
    assert.match(
      await refusalLater(() => writeFileAtomic(join(absent, "x"), Uint8Array.of(1))),
      /Cannot write ".*": expected a writable folder, found no such file or folder/,
    );
    await Deno.writeFile(absent, Uint8Array.of(1));
    assert.match(
      await refusalLater(() => writeFileAtomic(join(absent, "x"), Uint8Array.of(1))),
      /found a file where a folder should be/,
    );
  });
});

Deno.test({
  name: "a process without permissions says so",
  permissions: { read: false, write: false },
  fn: async () => {
    const pattern = /found that this process may not \(see Deno's --allow-read and --allow-write\)/;
    assert.match(await refusalLater(() => readFileOrExplain("x.npz")), pattern);
    assert.match(await refusalLater(() => writeFileAtomic("x.npz", Uint8Array.of(1))), pattern);
  },
});
