/** Recordings from one format to another, and what each format cannot hold. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Dataset,
  datasetFromArrays,
  readDataset,
  readDatasetBytes,
} from "../src/data/dataset.ts";
import {
  type DatasetFormat,
  DROPPABLE,
  encodeDataset,
  partsOf,
  withoutParts,
} from "../src/data/formats/encode.ts";
import { npyArray } from "../src/data/npy.ts";
import { writeNpz } from "../src/data/npz.ts";
import { assertRefused, lastJson, latentd, TINY } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import {
  counts,
  fixture,
  numbers,
  realRecording,
  recordings,
  refusal,
  upTo,
} from "./recordings.ts";

/** A dataset with every part that there is. */
const whole = datasetFromArrays({
  name: "whole",
  spikes: npyArray([4, 3, 2], Uint8Array.from(upTo(24), (i) => i % 5)),
  binWidth: 0.02,
  condition: npyArray([4], Int32Array.of(0, 1, 1, 0)),
  conditionNames: ["left", "right"],
  rates: numbers([4, 4, 3], (i) => i / 7),
  latents: numbers([4, 4, 1], (i) => i - 3),
  neurons: ["7", "9", "11"],
  split: { train: [0, 2, 3], evaluation: [1] },
  recon: numbers([4, 4, 3], (i) => {
    const n = i % 3, t = Math.floor(i / 3) % 4, b = Math.floor(i / 12);
    return n < 2 && t < 3 ? ((b * 3 + t) * 2 + n) % 5 : i % 4;
  }),
  external: numbers([4, 4, 2], (i) => -i / 3),
  behaviour: { hand_vel: numbers([4, 3, 2], (i) => i === 5 ? NaN : i / 9) },
});

const parts = ({ name: _name, warnings: _warnings, ...rest }: Dataset) => rest;

Deno.test("any dataset survives an .npz with all its parts", async () => {
  await fc.assert(
    fc.asyncProperty(recordings, async (arrays) => {
      const data = datasetFromArrays(arrays);
      const again = await readDatasetBytes(await encodeDataset(data, "npz"), "data.npz");
      assert.deepEqual(again, data);
    }),
    { numRuns: 60 },
  );
});

Deno.test("each format gives back what it holds, and refuses the rest by name", async () => {
  const holds: Readonly<Record<DatasetFormat, readonly string[]>> = {
    npz: DROPPABLE,
    hdf5: DROPPABLE,
    "lfads-torch": DROPPABLE.filter((part) => part !== "latents"),
    nwb: ["bin_width", "condition", "neurons", "split"],
    npy: [],
  };
  for (const format of Object.keys(holds) as DatasetFormat[]) {
    const drop = DROPPABLE.filter((part) => !holds[format].includes(part));
    if (drop.length > 0) {
      assert.match(
        await refusal(() => encodeDataset(whole, format)),
        new RegExp(`as ${format}: .*found also ${drop.join(", ")}\\. --drop ${drop.join(",")}`),
      );
    }
    const bytes = await encodeDataset(whole, format, { drop });
    const binWidth = format === "nwb" ? { binWidth: 0.02 } : {};
    const again = await readDatasetBytes(bytes, "whole", binWidth);
    const wanted = withoutParts(whole, drop);
    assert.deepEqual(parts(again), parts(wanted), format);
  }
});

Deno.test("bins that were not observed are never left out", async () => {
  const gaps = datasetFromArrays({
    name: "gaps",
    spikes: numbers([2, 3, 1], (i) => i === 1 ? NaN : 1),
    binWidth: 0.02,
    lengths: npyArray([2], Int32Array.of(3, 2)),
  });
  for (const format of ["npy", "nwb"] as const) {
    assert.match(
      await refusal(() => encodeDataset(gaps, format, { drop: ["bin_width"] })),
      /found also missing, lengths\. Without missing and lengths, bins .* would be silence\./,
    );
  }
  // lfads-torch knows no lengths of trials: the bins after their end are missing there
  const split = { train: Uint32Array.of(0), evaluation: Uint32Array.of(1) };
  const bytes = await encodeDataset(gaps, "lfads-torch", { split });
  const again = await readDatasetBytes(bytes, "gaps.h5");
  assert.deepEqual([...again.missing_BTN ?? []], [0, 1, 0, 0, 0, 1]);
});

Deno.test("leaving out every part leaves the counts", () => {
  const bare = withoutParts(whole, DROPPABLE);
  assert.deepEqual(partsOf(bare), []);
  assert.deepEqual(bare.counts_BTN, Uint8Array.from(upTo(24), (i) => i % 5));
  assert.equal(partsOf(whole).length, DROPPABLE.length, "nothing is changed in place");
});

Deno.test("lfads-torch's files need every trial in one part of a split", async () => {
  const { split: _, ...unsplit } = withoutParts(whole, ["latents"]);
  assert.match(await refusal(() => encodeDataset(unsplit, "lfads-torch")), /a split .*found none/);
  const split = { train: Uint32Array.of(0), evaluation: Uint32Array.of(1) };
  assert.match(
    await refusal(() => encodeDataset(unsplit, "lfads-torch", { split })),
    /every trial in train or valid, found 2 of 4 in neither/,
  );
});

Deno.test("NWB needs a bin width, a spike, and units that are numbered", async () => {
  const { counts_BTN, trials, T, N } = whole;
  const make = (more: object, spikes = npyArray([trials, T, N], counts_BTN)) =>
    encodeDataset(datasetFromArrays({ name: "x", spikes, ...more }), "nwb");
  assert.match(
    await refusal(() => make({})),
    /a bin width, as NWB holds times in seconds, found none/,
  );
  const silent = npyArray([2, 2, 2], new Uint8Array(8));
  assert.match(
    await refusal(() => make({ binWidth: 0.1 }, silent)),
    /at least one spike, found none/,
  );
  assert.match(
    await refusal(() => make({ binWidth: 0.1, neurons: ["M1-a", "M1-b", "M1-c"] })),
    /found also neurons\. --drop neurons/,
  );
});

Deno.test("convert goes from every format to every other and back to the same counts", () =>
  inFolder(async (folder) => {
    const wanted = counts(upTo(6), upTo(10), upTo(4));
    const first = join(folder, "first.npz");
    const drop = ["--drop", "condition,bin_width,behaviour"];
    const from = await latentd("convert", fixture("recording_plain.h5"), first);
    assert.equal(from.code, 0, from.stderr);
    assert.match(from.stdout, /Wrote \S+first.npz: 6 trials × 10 bins × 4 neurons, npz, /);
    for (const name of ["a.h5", "b.npy", "c.nwb", "d.hdf5"]) {
      const path = join(folder, name), back = join(folder, `${name}.npz`);
      const left = name === "b.npy" ? drop : name === "c.nwb" ? ["--drop", "behaviour"] : [];
      const to = name === "d.hdf5" ? ["--to", "lfads-torch"] : [];
      const there = await latentd("convert", first, path, ...left, ...to, "--json");
      assert.equal(there.code, 0, there.stderr);
      assert.equal(lastJson(there).bytes, (await Deno.stat(path)).size);
      const again = await latentd(
        "convert",
        path,
        back,
        ...(name === "c.nwb" ? ["--bin-width", "0.02"] : []),
      );
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(Array.from((await readDataset(back)).counts_BTN), wanted, name);
    }
  }));

Deno.test("convert draws a split for lfads-torch, says so, and keeps the trials' order", () =>
  inFolder(async (folder) => {
    const input = join(folder, "in.npz"), out = join(folder, "out.h5");
    await Deno.writeFile(input, writeNpz({ spikes: numbers([10, 2, 2]) }));
    const to = ["--to", "lfads-torch", "--eval-fraction", "0.3", "--seed", "4"];
    const { stderr, code } = await latentd("convert", input, out, ...to);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Drew a split with seed 4: 7 trials train, 3 validate\./);
    const data = await readDataset(out);
    assert.deepEqual([...data.counts_BTN], upTo(40));
    assert.equal(data.split?.evaluation.length, 3);
  }));

Deno.test("convert counts the spike times of a recording, with its conditions and behaviour", () =>
  inFolder(async (folder) => {
    const out = join(folder, "counted.npz");
    const how = ["--align", "go_cue_time", "--window", "-0.1:0.1", "--bin-width", "0.02"];
    const which = ["--only-units", "0-2", "--only-trials", "split=train|val"];
    const more = ["--condition", "target", "--behaviour", "hand_vel"];
    const { code, stderr } = await latentd(
      "convert",
      fixture("recording.nwb"),
      out,
      ...how,
      ...which,
      ...more,
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Warning: Left out 1 of 5 trials without a time "go_cue_time"/);
    const data = await readDataset(out);
    assert.deepEqual([...data.counts_BTN], counts([0, 1, 2, 5], upTo(10, 5), upTo(3)));
    assert.deepEqual(data.conditionNames, ["left", "right"]);
    assert.deepEqual([data.neurons, data.binWidth], [["11", "12", "13"], 0.02]);
    assert.deepEqual(data.behaviour_BTD?.hand_vel.shape, [4, 10, 1]);
    assert.deepEqual([...data.split?.evaluation ?? []], [2, 3]);
  }));

Deno.test("convert refuses what it cannot write, and writes nothing", () =>
  inFolder(async (folder) => {
    const input = fixture("recording_lfads_torch.h5");
    const out = (name: string) => join(folder, name);
    assertRefused(await latentd("convert", input, out("x.csv")), /ends in \.npz, .*found "\.csv"/);
    assertRefused(
      await latentd("convert", input, out("x.npy")),
      /found also split, recon, external, behaviour\. --drop split,recon/,
    );
    assertRefused(
      await latentd("convert", input, out("x.npz"), "--drop", "everything"),
      /leave out "everything": expected bin_width, condition/,
    );
    assertRefused(
      await latentd("convert", fixture("recording.nwb"), out("x.npz")),
      /a bin width above 0 seconds/,
    );
    assertRefused(
      await latentd("convert", join(folder, "none.nwb"), out("x.npz")),
      /a file, found no such file/,
    );
    const bad = await latentd("convert", input, out("x.npz"), "--window", "abc");
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /Expected two times in seconds, as -0.25:0.5/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("fit takes an HDF5 file as it is: its split, window, held-out neurons and external inputs", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    const data = fixture("recording_lfads_torch.h5");
    const fit = await latentd("fit", data, "--out", run, "--steps", "2", "--json", ...TINY);
    assert.equal(fit.code, 0, fit.stderr);
    const record = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    assert.deepEqual(record.split, { train: [0, 2, 3, 5], evaluation: [1, 4] });
    const { T, N } = record.dataset, { encodedBins, externalInputs } = record.hyperparameters;
    assert.deepEqual([T, N, encodedBins, externalInputs, record.heldOut], [10, 4, 8, 2, [3]]);
    assert.equal((await latentd("infer", run, data, "--device", "reference")).code, 0);
  }));

Deno.test("a run on spike times keeps how they were counted: resume, infer and report need not be told", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run"), data = fixture("recording.nwb");
    const how = ["--align", "go_cue_time", "--window", "-0.1:0.1", "--bin-width", "0.02"];
    const which = ["--only-units", "0-2"];
    const fit = await latentd("fit", data, ...how, ...which, "--out", run, "--steps", "2", ...TINY);
    assert.equal(fit.code, 0, fit.stderr);
    const record = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    assert.deepEqual(record.dataset.read, {
      align: "go_cue_time",
      window: [-0.1, 0.1],
      binWidth: 0.02,
      units: "0-2",
    });
    const resumed = await latentd("fit", "--resume", run, "--steps", "4", "--no-report");
    assert.equal(resumed.code, 0, resumed.stderr);
    for (
      const args of [
        ["infer", run, data, "--samples", "2"],
        ["fixed-points", run, data, "--samples", "2", "--iterations", "5"],
        ["report", run, "--samples", "2"],
      ]
    ) {
      const done = await latentd(...args, "--device", "reference");
      assert.equal(done.code, 0, done.stderr);
    }
    assertRefused(
      await latentd("infer", run, data, "--device", "reference", "--window", "0:0.1"),
      /a bin width above 0 seconds/,
    );
  }));

Deno.test("a run does not resume on the same counts with another split", () =>
  inFolder(async (folder) => {
    const path = join(folder, "data.npz"), run = join(folder, "run");
    const save = async (evaluation: number[]) =>
      await Deno.writeFile(
        path,
        writeNpz({
          spikes: numbers([6, 3, 2], (i) => i % 3),
          split_train: npyArray(
            [4],
            Int32Array.from(upTo(6).filter((b) => !evaluation.includes(b))),
          ),
          split_evaluation: npyArray([2], Int32Array.from(evaluation)),
        }),
      );
    await save([0, 5]);
    const fit = await latentd("fit", path, "--out", run, "--steps", "2", ...TINY);
    assert.equal(fit.code, 0, fit.stderr);
    await save([1, 5]);
    assertRefused(
      await latentd("fit", "--resume", run, "--steps", "4"),
      /the trials that the run evaluates on \(2 of 6\), found another split in the file/,
    );
  }));

const CHEWIE = "chewie_m1_co_50ms.npz";

Deno.test({
  name:
    `a real recording survives HDF5 and lfads-torch's layout (skipped where ${CHEWIE} is absent)`,
  ignore: realRecording(CHEWIE) === null,
  fn: () =>
    inFolder(async (folder) => {
      const path = realRecording(CHEWIE) ?? "";
      const data = await readDataset(path);
      for (const to of ["hdf5", "lfads-torch"]) {
        const out = join(folder, `${to}.h5`);
        const { code, stderr } = await latentd("convert", path, out, "--to", to);
        assert.equal(code, 0, stderr);
        const { split: _, ...again } = parts(await readDataset(out));
        assert.deepEqual(again, parts(data), to);
      }
    }),
});
