/** What was inferred, as files of every format, read back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import {
  type Dataset,
  datasetFromArrays,
  readDatasetBytes,
  writeDataset,
} from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { Hdf5File } from "../src/data/formats/hdf5/library.ts";
import { modelFromBytes } from "../src/data/model_file.ts";
import { npyArray } from "../src/data/npy.ts";
import { readNpz } from "../src/data/npz.ts";
import { outputArrays } from "../src/inference/outputs/arrays.ts";
import { outputEncoder, type OutputFormat } from "../src/inference/outputs/encode.ts";
import { infer, type Posterior } from "../src/inference/posterior.ts";
import { parameterLayout } from "../src/model/layout.ts";
import { assertRefused, lastJson, latentd, TINY, writeSmall } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import { runProgram } from "./programs.ts";
import { findH5py, refusal } from "./recordings.ts";
import { DRIVEN, SMALL, testCounts, testModel } from "./serving_helpers.ts";

const model = testModel(DRIVEN);
const { T, N, C, U, G, F } = model.architecture.dims;
const TRIALS = 5;

function recording(more: Partial<Parameters<typeof datasetFromArrays>[0]> = {}): Dataset {
  const { counts_BTN } = testCounts(TRIALS, DRIVEN);
  return datasetFromArrays({
    name: "driven",
    spikes: npyArray([TRIALS, T, N], counts_BTN),
    binWidth: 0.02,
    condition: npyArray([TRIALS], Int32Array.of(0, 1, 0, 1, 0)),
    ...more,
  });
}

const SPLIT = { train: Uint32Array.of(0, 2, 3), evaluation: Uint32Array.of(1, 4) };

const inferred = (data: Dataset, samples = 3) =>
  infer(createReferenceExecutor(), model, data, { samples, seed: 5 });

async function encoded(
  data: Dataset,
  posterior: Posterior,
  format: OutputFormat,
  split: Dataset["split"] | null = SPLIT,
): Promise<Uint8Array> {
  return await (await outputEncoder(model, data, format, { split, wide: true }))(posterior);
}

/** Opens the bytes of an HDF5 file. */
async function opened<X>(bytes: Uint8Array, use: (file: Hdf5File) => X): Promise<X> {
  const { module } = await loadH5wasm();
  const file = Hdf5File.open(module, { bytes }, '"outputs"');
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/** Rows of an array, trials first. */
function rows(values: Float64Array, which: ArrayLike<number>): number[] {
  const size = values.length / TRIALS;
  return Array.from(which).flatMap((b) => Array.from(values.subarray(b * size, (b + 1) * size)));
}

Deno.test("deviations are those of the distributions that samples are drawn from", async () => {
  const data = recording();
  const samples = 4000;
  const posterior = await inferred(data, samples);
  // g0 = mean + std · eps, averaged: within 5 standard errors of the mean, so that 20 numbers of a seed
  // that is fixed are; and their spread is the deviation's, within a factor of 2 (20 numbers: ± 16 %)
  let spread = 0;
  posterior.g0_BG.forEach((g0, i) => {
    const error = (g0 - posterior.icMean_BI[i]) / (posterior.icStd_BI[i] / Math.sqrt(samples));
    assert.ok(Math.abs(error) < 5, `${i}: ${error}`);
    spread += error ** 2 / posterior.g0_BG.length;
  });
  assert.ok(spread > 0.25 && spread < 4, `${spread}`);
  const { varMin } = model.hyperparameters;
  for (
    const [std, logVar] of [
      [posterior.icStd_BI, posterior.icLogVar_BI],
      [posterior.inputStd_BTU, posterior.inputLogVar_BTU],
    ]
  ) {
    assert.ok(std.length > 0);
    std.forEach((value, i) => assert.equal(value, Math.sqrt(Math.exp(logVar[i]) + varMin)));
  }
});

Deno.test("an .npz and a plain HDF5 file hold every array under the same names", async () => {
  const data = recording();
  const posterior = await inferred(data);
  const wanted = outputArrays(posterior, model, { binWidth: 0.02, wide: true });
  assert.deepEqual(wanted.rates_hz.data, posterior.rates_BTN.map((rate) => rate / 0.02));
  assert.deepEqual(wanted.input_std.shape, [TRIALS, T, U]);
  const npz = readNpz(await encoded(data, posterior, "npz"));
  assert.deepEqual(Object.keys(npz), Object.keys(wanted));
  await opened(await encoded(data, posterior, "hdf5"), (file) => {
    assert.deepEqual(file.paths().sort(), Object.keys(wanted).sort());
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      assert.deepEqual([npz[name].shape, npz[name].data], [shape, data], name);
      const found = file.read(name);
      assert.deepEqual([found.shape, found.data], [shape, data], name);
    }
  });
  const narrow = outputArrays(posterior, model, { binWidth: null });
  assert.equal(narrow.rates.dtype, "<f4");
  assert.ok(!Object.hasOwn(narrow, "rates_hz"));
});

Deno.test("lfads-torch's file holds the data and its own names, by the split", async () => {
  const data = recording();
  const posterior = await inferred(data);
  const bytes = await encoded(data, posterior, "lfads-torch");
  // as lfads_torch/tuples.py lists them
  const theirs = {
    output_params: [[T, N], posterior.rates_BTN],
    factors: [[T, F], posterior.factors_BTF],
    ic_mean: [[G], posterior.icMean_BI],
    ic_std: [[G], posterior.icStd_BI],
    co_means: [[T, U], posterior.inputMean_BTU],
    co_stds: [[T, U], posterior.inputStd_BTU],
    gen_states: [[T, G], posterior.gen_BTG],
    gen_init: [[G], posterior.g0_BG],
    gen_inputs: [[T, U], posterior.inputs_BTU],
    con_states: [[T, C], posterior.con_BTC],
    rates_hz: [[T, N], posterior.rates_BTN.map((rate) => rate / 0.02)],
  } as const;
  await opened(bytes, (file) => {
    for (const [part, which] of [["train", SPLIT.train], ["valid", SPLIT.evaluation]] as const) {
      for (const [name, [shape, values]] of Object.entries(theirs)) {
        const found = file.read(`${part}_${name}`);
        assert.deepEqual(found.shape, [which.length, ...shape], name);
        assert.deepEqual(Array.from(found.data), rows(values, which), name);
      }
      assert.deepEqual(Array.from(file.read(`${part}_inds`).data), [...which]);
    }
  });
  // it is a file of the data, too
  const again = await readDatasetBytes(bytes, "driven.h5");
  assert.deepEqual([...again.counts_BTN], [...data.counts_BTN]);
  assert.deepEqual(again.split, SPLIT);
});

Deno.test("without a split all trials stand in valid, and a trial in neither part is refused", async () => {
  const data = recording();
  const posterior = await inferred(data);
  await opened(await encoded(data, posterior, "lfads-torch", null), (file) => {
    assert.deepEqual(file.entry("train_factors").shape, [0, T, F]);
    assert.deepEqual(Array.from(file.read("valid_factors").data), [...posterior.factors_BTF]);
  });
  const part = { train: Uint32Array.of(0), evaluation: Uint32Array.of(1) };
  const options = { split: part };
  assert.match(
    await refusal(() => outputEncoder(model, data, "lfads-torch", options)),
    /every trial in train or valid, found 3 of 5 in neither/,
  );
});

Deno.test("an NWB file holds units, trials with columns, and a time series for each array", async () => {
  const data = recording();
  const posterior = await inferred(data);
  const bytes = await encoded(data, posterior, "nwb");
  // our reader averages a series over each bin: one sample each
  const names = ["rates_hz", "log_rates", "factors", "gen_states", "input_std"];
  const again = await readDatasetBytes(bytes, "driven.nwb", { binWidth: 0.02, behaviour: names });
  assert.deepEqual([...again.counts_BTN], [...data.counts_BTN]);
  for (
    const [name, values] of [
      ["rates_hz", posterior.rates_BTN.map((rate) => rate / 0.02)],
      ["log_rates", posterior.logRates_BTN],
      ["factors", posterior.factors_BTF],
      ["gen_states", posterior.gen_BTG],
      ["input_std", posterior.inputStd_BTU],
    ] as const
  ) {
    assert.deepEqual([...again.behaviour_BTD?.[name].data ?? []], [...values], name);
  }
  await opened(bytes, (file) => {
    assert.deepEqual(file.textAttribute("intervals/trials", "colnames"), [
      ...["start_time", "stop_time", "condition", "gen_init", "ic_mean", "ic_std"],
    ]);
    const { shape, data } = file.read("intervals/trials/ic_std");
    assert.deepEqual([shape, [...data]], [[TRIALS, G], [...posterior.icStd_BI]]);
    assert.deepEqual(file.textAttribute("processing/lfads/rates_hz/data", "unit"), ["Hz"]);
    assert.equal(file.numberAttribute("processing/lfads/rates/starting_time", "rate"), 50);
  });
});

Deno.test("NWB needs a bin width, and bins that were all observed", async () => {
  const data = recording();
  const unknown = { ...model, binWidth: null };
  assert.match(
    await refusal(() => outputEncoder(unknown, { ...data, binWidth: null }, "nwb")),
    /a bin width, as NWB holds times in seconds, found none/,
  );
  const gaps = { ...data, missing_BTN: new Uint8Array(data.counts_BTN.length) };
  assert.match(
    await refusal(() => outputEncoder(model, gaps, "nwb")),
    /every bin to be observed, found some that were not.*\.npz and \.h5/,
  );
});

Deno.test("a model without a controller has no arrays of inputs, in any format", async () => {
  const plain = testModel(SMALL);
  const counts = testCounts(2, SMALL);
  const data = datasetFromArrays({
    name: "small",
    spikes: npyArray([2, SMALL.T, SMALL.N], counts.counts_BTN),
    binWidth: 0.1,
  });
  const posterior = await infer(createReferenceExecutor(), plain, data, { samples: 0 });
  for (const format of ["hdf5", "lfads-torch", "nwb"] as const) {
    const bytes = await (await outputEncoder(plain, data, format))(posterior);
    const paths = await opened(bytes, (file) => file.paths());
    assert.ok(paths.some((path) => path.includes("gen_states")), format);
    assert.deepEqual(paths.filter((path) => /input|co_|gen_inputs/.test(path)), [], format);
  }
});

Deno.test("infer writes by the file's ending, with the run's split, and says what it cannot know", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const fit = await latentd("fit", data, "--out", run, "--steps", "2", ...TINY);
    assert.equal(fit.code, 0, fit.stderr);
    const { split } = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    const mean = ["--device", "reference", "--mean"];
    const out = join(folder, "out.h5");
    const done = await latentd("infer", run, data, "--out", out, ...mean, "--json");
    assert.equal(done.code, 0, done.stderr);
    assert.equal(lastJson(done).format, "lfads-torch");
    await opened(await Deno.readFile(out), (file) => {
      assert.deepEqual([...file.read("train_inds").data], split.train);
      assert.deepEqual([...file.read("valid_inds").data], split.evaluation);
      assert.deepEqual(file.entry("train_output_params").shape, [split.train.length, 5, 3]);
    });
    // other trials than the run's
    const other = join(folder, "other.npz");
    const { counts_BTN } = testCounts(8, { T: 5, N: 3, units: {} }, 9);
    await writeDataset(
      other,
      datasetFromArrays({ name: "other", spikes: npyArray([8, 5, 3], counts_BTN) }),
    );
    const aside = await latentd("infer", run, other, "--out", out, ...mean);
    assert.equal(aside.code, 0, aside.stderr);
    assert.match(aside.stderr, /nor have they a split: all stand in valid_/);
    const plain = join(folder, "plain.h5");
    const asked = await latentd("infer", run, data, "--out", plain, "--to", "hdf5", ...mean);
    assert.equal(asked.code, 0, asked.stderr);
    await opened(await Deno.readFile(plain), (file) => {
      assert.deepEqual(file.entry("rates").shape, [8, 5, 3]);
    });
    assertRefused(
      await latentd("infer", run, data, "--out", join(folder, "out.csv"), ...mean),
      /ends in \.npz, \.h5, \.hdf5 or \.nwb, or --to FORMAT, found "\.csv"/,
    );
  }));

Deno.test("parameters come as npz, safetensors and JSON: the same numbers, as wide as they were", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "run");
    const fit = await latentd("fit", data, "--out", run, "--steps", "2", ...TINY);
    assert.equal(fit.code, 0, fit.stderr);
    const wanted = modelFromBytes(await Deno.readFile(join(run, "model.safetensors")), "the model");
    const path = (format: string) => join(folder, `parameters.${format}`);
    for (const format of ["npz", "safetensors", "json"]) {
      const done = await latentd("parameters", run, "--out", path(format), "--json");
      assert.equal(done.code, 0, done.stderr);
      assert.deepEqual(lastJson(done), {
        out: path(format),
        format,
        bytes: (await Deno.stat(path(format))).size,
      });
    }
    assert.deepEqual(modelFromBytes(await Deno.readFile(path("safetensors")), "a copy"), wanted);
    const npz = readNpz(await Deno.readFile(path("npz")));
    const json = JSON.parse(await Deno.readTextFile(path("json")));
    assert.deepEqual([json.T, json.N, json.step], [5, 3, wanted.step]);
    assert.deepEqual(json.hyperparameters, wanted.hyperparameters);
    for (const { name, shape, offset, length } of parameterLayout(wanted.architecture).slices) {
      const values = wanted.params_P.slice(offset, offset + length);
      assert.deepEqual([npz[name].shape, npz[name].data], [shape, values], name);
      assert.deepEqual(json.parameters[name].flat(Infinity), [...values], name);
    }
    assertRefused(
      await latentd("parameters", run, "--out", join(folder, "parameters.mat")),
      /ends in \.npz, \.safetensors, \.json, or --to FORMAT, found "\.mat"/,
    );
    assertRefused(
      await latentd("parameters", data, "--out", path("npz")),
      /a model file or the folder of a run, found a \.npz archive/,
    );
  }));

const READ_BACK = `
import sys, h5py, numpy
with h5py.File(sys.argv[1]) as f:
    def show(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            print(name, item.dtype.str, item.shape, float(numpy.sum(item[()])))
    f.visititems(show)
`;

const python = await findH5py();

Deno.test({
  name: "h5py reads what infer writes (skipped without a Python that has h5py)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      const data = recording();
      const posterior = await inferred(data);
      const sum = (values: Float64Array, which = [0, 1, 2, 3, 4]) =>
        rows(values, which).reduce((total, value) => total + value, 0);
      const wanted = {
        "lfads-torch": [
          ["train_factors", `(3, ${T}, ${F})`, sum(posterior.factors_BTF, [0, 2, 3])],
          ["valid_co_stds", `(2, ${T}, ${U})`, sum(posterior.inputStd_BTU, [1, 4])],
        ],
        nwb: [
          ["processing/lfads/rates/data", `(${TRIALS * T}, ${N})`, sum(posterior.rates_BTN)],
          ["intervals/trials/ic_mean", `(${TRIALS}, ${G})`, sum(posterior.icMean_BI)],
        ],
        hdf5: [["gen_states", `(${TRIALS}, ${T}, ${G})`, sum(posterior.gen_BTG)]],
      } as const;
      for (const [format, arrays] of Object.entries(wanted)) {
        const path = join(folder, `${format}.h5`);
        await Deno.writeFile(path, await encoded(data, posterior, format as OutputFormat));
        const { code, stdout, stderr } = await runProgram(python ?? "", ["-c", READ_BACK, path]);
        assert.equal(code, 0, stderr);
        for (const [name, shape, total] of arrays) {
          const line = stdout.split("\n").find((text) => text.startsWith(`${name} `)) ?? "";
          assert.ok(line.startsWith(`${name} <f8 ${shape} `), `${name}: ${line}`);
          // numpy adds in another order
          const found = Number(line.split(" ").at(-1));
          assert.ok(Math.abs(found - total) < 1e-9 * (1 + Math.abs(total)), `${name}: ${found}`);
        }
      }
    }),
});
