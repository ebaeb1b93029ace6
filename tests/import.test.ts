/**
 * Models of other programs. The oracle of lfads-torch is its forward pass written out in NumPy
 * (fixtures/write_lfads_torch_models.py), which agrees with its own modules to 3e-16.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { Executor } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { datasetFromArrays } from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { Hdf5File } from "../src/data/formats/hdf5/library.ts";
import { importModel, type ImportOptions } from "../src/data/import_model.ts";
import { modelFromBytes } from "../src/data/model_file.ts";
import { type NpyArray, npyArray } from "../src/data/npy.ts";
import { readNpz, writeNpz } from "../src/data/npz.ts";
import { tensor, writeSafetensors } from "../src/data/safetensors.ts";
import { outputArrays } from "../src/inference/outputs/arrays.ts";
import { outputEncoder } from "../src/inference/outputs/encode.ts";
import { infer } from "../src/inference/posterior.ts";
import { NAMES, namesTable } from "../src/model/foreign/names.ts";
import { type Source, SOURCES } from "../src/model/foreign/options.ts";
import { architecture, parseHyperparameters } from "../src/model/hyperparameters.ts";
import { parameterLayout } from "../src/model/layout.ts";
import type { Model } from "../src/model/model.ts";
import { toReference } from "../src/model/reference_names.ts";
import { assertRefused, lastJson, latentd } from "./cli_helpers.ts";
import { type ExecutorKind, withExecutors } from "./executors.ts";
import { inFolder } from "./folders.ts";
import { findPython, runProgram } from "./programs.ts";
import { fixture, refusal } from "./recordings.ts";
import { testModel } from "./serving_helpers.ts";

const file = (name: string) => Deno.readFile(fixture(name));

/** How the script made each case. */
const CASES: Readonly<Record<string, ImportOptions>> = {
  lfads_torch_driven: { bins: 7, encodedBins: 5, ciLag: 2 },
  lfads_torch_sessions: { bins: 6, reconstruction: "gaussian", session: 1 },
  lfads_torch_identity: { bins: 5 },
};

/** Rounding: float64 with sums of a few terms in another order; float32 after some tens of steps. */
const TOLERANCES = { reference: 1e-12, wasm: 1e-5 } as const;

/** Posterior means of a model from what lfads-torch's encoder sees. */
async function means(
  executor: Executor,
  model: Model,
  encoded: NpyArray,
  external: NpyArray,
): Promise<Record<string, NpyArray>> {
  const { T, N } = model.architecture.dims;
  const [trials, bins, neurons] = encoded.shape;
  // whatever stands in bins and neurons that are not encoded has no say
  const counts_BTN = new Uint8Array(trials * T * N).fill(7);
  for (let b = 0; b < trials; b++) {
    for (let t = 0; t < bins; t++) {
      for (let n = 0; n < neurons; n++) {
        counts_BTN[(b * T + t) * N + n] = encoded.data[(b * bins + t) * neurons + n];
      }
    }
  }
  const data = { counts_BTN, trials, T, N, external_BTX: external };
  const posterior = await infer(executor, model, data, { samples: 0 });
  return outputArrays(posterior, model, { binWidth: null, wide: true });
}

function near(found: ArrayLike<number>, wanted: ArrayLike<number>, within: number, what: string) {
  assert.equal(found.length, wanted.length, what);
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(found[i] - wanted[i]);
    assert.ok(error <= within * (1 + Math.abs(wanted[i])), `${what}[${i}]: off by ${error}`);
  }
}

for (const kind of ["reference", "wasm"] as const satisfies readonly ExecutorKind[]) {
  Deno.test(`models of lfads-torch infer on ${kind} what lfads-torch infers`, () =>
    withExecutors(async ([executor]) => {
      const within = TOLERANCES[kind];
      for (const [name, options] of Object.entries(CASES)) {
        const { model } = importModel(await file(`${name}.npz`), name, options);
        const outputs = readNpz(await file(`${name}_outputs.npz`));
        const found = await means(executor, model, outputs.encod_data, outputs.ext_input);
        const same = (ours: string, wanted: ArrayLike<number>) =>
          near(found[ours].data, wanted, within, `${name}: ${ours}`);
        same("factors", outputs.factors.data);
        same("gen_states", outputs.gen_states.data);
        same("gen_init", outputs.gen_init.data);
        same("ic_mean", outputs.ic_mean.data);
        same("ic_std", outputs.ic_std.data);
        if (outputs.co_means) {
          same("con_states", outputs.con_states.data);
          same("input_mean", outputs.co_means.data);
          // lfads-torch has no floor
          const logVar = Array.from(outputs.co_stds.data, (std) => 2 * Math.log(std));
          same("input_logvar", logVar);
        }
        // the first number of each neuron: a log-rate, or a mean
        const { data, shape } = outputs.output_params;
        const K = shape[3];
        const first = Array.from({ length: data.length / K }, (_, i) => data[i * K]);
        same("log_rates", first);
        same("rates", options.reconstruction === "gaussian" ? first : first.map(Math.exp));
        if (K === 2) {
          const { offset } = parameterLayout(model.architecture).slice("readout.b_Q");
          const b = model.params_P.subarray(offset, offset + 2 * model.architecture.dims.N);
          const state = readNpz(await file(`${name}.npz`));
          near(b, state["readout.1.bias"].data, 0, "every number's bias");
        }
      }
    }, [kind]));
}

Deno.test("an imported model's HDF5 file holds what lfads-torch's does", async () => {
  const options = CASES.lfads_torch_driven;
  const { model } = importModel(await file("lfads_torch_driven.npz"), "it", options);
  const outputs = readNpz(await file("lfads_torch_driven_outputs.npz"));
  const { T, N } = model.architecture.dims;
  const [trials, bins, neurons] = outputs.encod_data.shape;
  const spikes = npyArray([trials, T, N], new Uint8Array(trials * T * N));
  outputs.encod_data.data.forEach((count, i) => {
    const [b, t] = [Math.floor(i / (bins * neurons)), Math.floor(i / neurons) % bins];
    spikes.data[(b * T + t) * N + i % neurons] = count;
  });
  const data = datasetFromArrays({ name: "driven", spikes, external: outputs.ext_input });
  const posterior = await infer(createReferenceExecutor(), model, data, { samples: 0 });
  const bytes = await (await outputEncoder(model, data, "lfads-torch", { wide: true }))(posterior);
  const { module } = await loadH5wasm();
  const hdf5 = Hdf5File.open(module, { bytes }, '"it"');
  // deviations of inputs have a floor here, and output_params are rates there, too
  for (const name of ["factors", "ic_mean", "ic_std", "co_means", "gen_states", "gen_inputs"]) {
    const { shape, data } = hdf5.read(`valid_${name}`);
    assert.deepEqual(shape, outputs[name].shape, name);
    near(data, outputs[name].data, TOLERANCES.reference, name);
  }
  const rates = hdf5.read("valid_output_params");
  near(rates.data, Array.from(outputs.output_params.data, Math.exp), TOLERANCES.reference, "rates");
  near(hdf5.read("valid_con_states").data, outputs.con_states.data, TOLERANCES.reference, "con");
  hdf5.close();
});

Deno.test("safetensors, wrapped names and slashes hold the same model", async () => {
  const options = CASES.lfads_torch_driven;
  const bytes = await file("lfads_torch_driven.npz");
  const wanted = importModel(bytes, "npz", options);
  assert.deepEqual(wanted.model.heldOut, [4, 5]);
  assert.equal(wanted.source, "lfads-torch");
  const tensors = await file("lfads_torch_driven.safetensors");
  assert.deepEqual(importModel(tensors, "safetensors", options), wanted);
  const renamed = (rename: (name: string) => string) =>
    Object.fromEntries(
      Object.entries(readNpz(bytes)).map(([name, array]) => [rename(name), array]),
    );
  for (
    const rename of [
      (name: string) => `state_dict.${name}`,
      (name: string) => `state_dict/model/${name.replaceAll(".", "/")}`,
    ]
  ) {
    assert.deepEqual(importModel(writeNpz(renamed(rename)), "wrapped", options), wanted);
  }
});

Deno.test("what differs from lfads-torch is said", async () => {
  const said = async (name: string, more: ImportOptions = {}) =>
    importModel(await file(`${name}.npz`), name, { ...CASES[name], ...more }).warnings.join("\n");
  const driven = await said("lfads_torch_driven");
  assert.match(driven, /clipped to ±5.*whose gen_init passes ±5, and for no others/);
  assert.match(driven, /inferred inputs have a floor of 0\.0001 here/);
  assert.doesNotMatch(driven, /Student|read-in/);
  const sessions = await said("lfads_torch_sessions");
  assert.match(sessions, /read-in is part of the encoders' input weights/);
  assert.match(sessions, /of 1e-6 there: means are the same, likelihoods are not/);
  assert.match(await said("lfads_torch_identity"), /Student's t .*posterior means are the same/);
  assert.match(await said("lfads_torch_identity", { cellClip: 3 }), /clipped to ±3/);
  const mse = importModel(await file("lfads_torch_identity.npz"), "x", {
    bins: 5,
    reconstruction: "mse",
  });
  assert.match(mse.warnings.join(), /Gaussian of variance 1\/2/);
  const { offset, length } = parameterLayout(mse.model.architecture).slice("readout.b_Q");
  const { varMin } = mse.model.hyperparameters;
  const logVar = mse.model.params_P[offset + length - 1];
  near([Math.exp(logVar) + varMin], [0.5], 1e-15, "variance");
});

Deno.test("priors keep their variances: the floor that is added here is taken off", async () => {
  const { model } = importModel(
    await file("lfads_torch_driven.npz"),
    "x",
    CASES.lfads_torch_driven,
  );
  const state = readNpz(await file("lfads_torch_driven.npz"));
  const layout = parameterLayout(model.architecture);
  for (
    const [ours, theirs] of [
      ["icPrior.logVar_I", "ic_prior.logvar"],
      ["inputPrior.logNoiseVar_U", "co_prior.lognvars"],
    ]
  ) {
    const { offset, length } = layout.slice(ours);
    const found = model.params_P.slice(offset, offset + length);
    const variances = found.map((logVar) => Math.exp(logVar) + model.hyperparameters.varMin);
    near(variances, Array.from(state[theirs].data, Math.exp), 1e-15, ours);
  }
});

Deno.test("what cannot be the same is refused, with the array or the option", async () => {
  const bytes = await file("lfads_torch_driven.npz");
  const arrays = readNpz(bytes);
  const driven = CASES.lfads_torch_driven;
  const without = (name: string) =>
    writeNpz(Object.fromEntries(Object.entries(arrays).filter(([key]) => key !== name)));
  const changed = (name: string, array: NpyArray) => writeNpz({ ...arrays, [name]: array });
  const large = npyArray([1, 3], Float32Array.of(0, 0, 5.5));
  const pickle = zipOf("archive/data.pkl");
  const cases: [Uint8Array, ImportOptions, RegExp][] = [
    [bytes, { ...driven, bins: undefined }, /bins of a trial \(--bins\), which no array tells/],
    [bytes, { ...driven, bins: 4 }, /encoded bins from 1 to 4 .*found 5/],
    [bytes, { ...driven, icEncSeqLen: 2 }, /ic_enc_seq_len 0: .*found 2/],
    [bytes, { ...driven, cellClip: 0.5 }, /cell_clip of at least 1, .*found 0\.5/],
    [
      changed("decoder.con_h0", large),
      driven,
      /"decoder.con_h0" within the cell_clip of ±5, .*5\.5/,
    ],
    [changed("recon.0.scale", large), driven, /"recon.0.scale": ZeroInflatedGamma scales sigmoids/],
    [bytes, { ...driven, reconstruction: "gamma" }, /2 outputs .*at least 4 .*with gamma, found 6/],
    [
      without("encoder.ic_linear.bias"),
      driven,
      /"encoder.ic_linear.bias" with shape \[6\], found only/,
    ],
    [changed("encoder.ic_linear.bias", large), driven, /with shape \[6\], found shape \[1, 3\]/],
    [
      changed("ic_prior.mean", npyArray([3], Float32Array.of(0, NaN, 0))),
      driven,
      /"ic_prior.mean" with finite numbers, found NaN at 1/,
    ],
    [
      changed("encoder.extra", large),
      driven,
      /the table of names has .*found also "encoder.extra"/,
    ],
    [
      await file("lfads_torch_sessions.npz"),
      { ...CASES.lfads_torch_sessions, session: undefined },
      /--session, as there are several .*sessions 0, 1 and none chosen/,
    ],
    [
      await file("lfads_torch_sessions.npz"),
      { ...CASES.lfads_torch_sessions, session: 2 },
      /a session among 0, 1, found 2/,
    ],
    [bytes, { ...driven, maxParameters: 99 }, /a model of at most 99 parameters, found \d{3}/],
    [pickle, driven, /found a pickle, which only Python can read.*safetensors\.torch\.save_file/],
    [Uint8Array.of(0x80, 2, 0x7d), driven, /found a pickle/],
    [writeNpz({ x: large }), driven, /arrays of lfads-torch .* or jax-lfads .*found "x"/],
    [
      new TextEncoder().encode('{"gen": {"wA": [[1], [2, 3]]}}'),
      {},
      /"gen.wA" to be lists of numbers/,
    ],
    [new TextEncoder().encode('{"gen": '), {}, /expected JSON in UTF-8/],
    [new Uint8Array(3), {}, /a safetensors file/],
  ];
  for (const [bytes, options, message] of cases) {
    assert.match(await refusal(() => importModel(bytes, '"a file"', options)), message);
  }
});

/** An archive with an entry of this name. */
function zipOf(name: string): Uint8Array {
  const bytes = writeNpz({ [name.padEnd(20, "x")]: npyArray([1], Float64Array.of(1)) });
  const wanted = new TextEncoder().encode(name);
  const found = new TextEncoder().encode(`${name.padEnd(20, "x")}.npy`);
  // the same length, so that the archive stays whole
  const path = new Uint8Array(found.length).fill("x".charCodeAt(0));
  path[path.length - wanted.length - 1] = "/".charCodeAt(0);
  path.set(wanted, path.length - wanted.length);
  for (let at = 0; at + found.length <= bytes.length; at++) {
    if (found.every((byte, i) => bytes[at + i] === byte)) bytes.set(path, at);
  }
  return bytes;
}

const UNITS = { encoderUnits: 3, generatorUnits: 4, factors: 2, inferredInputs: 0 };
const SHAPES = {
  gru: { T: 5, N: 3, units: { ...UNITS, controllerUnits: 2, inferredInputs: 2 } },
  vanilla: { T: 5, N: 3, units: { ...UNITS, cell: "vanilla", nonlinearity: "relu" } },
} as const;

Deno.test("parameter dictionaries of jax-lfads give the model back, flat, nested, in any file", () => {
  for (const shape of Object.values(SHAPES)) {
    const { architecture, hyperparameters, params_P } = testModel(shape);
    const arrays = toReference(params_P, architecture);
    const npy = Object.fromEntries(
      [...arrays].map(([name, { shape, values }]) => [name, npyArray(shape, values)]),
    );
    const nested: Record<string, unknown> = {};
    for (const [name, { shape, values }] of arrays) {
      const parts = name.split(".");
      let at = nested;
      for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
      const [, columns = 0] = shape;
      at[parts.at(-1)!] = shape.length === 1
        ? [...values]
        : Array.from({ length: shape[0] }, (_, i) => [
          ...values.subarray(i * columns, (i + 1) * columns),
        ]);
    }
    const files = {
      npz: writeNpz(npy),
      "npz with slashes": writeNpz(
        Object.fromEntries(Object.entries(npy).map(([name, a]) => [name.replaceAll(".", "/"), a])),
      ),
      safetensors: writeSafetensors(
        Object.fromEntries(
          [...arrays].map(([name, { shape, values }]) => [name, tensor(shape, values)]),
        ),
      ),
      json: new TextEncoder().encode(JSON.stringify({ params: nested })),
    };
    const { nonlinearity } = architecture;
    for (const [kind, bytes] of Object.entries(files)) {
      const { model, source, warnings } = importModel(bytes, kind, { bins: 5, nonlinearity });
      assert.equal(source, "jax-lfads");
      assert.deepEqual(model.architecture, architecture, kind);
      // what stands between the slices has no say
      assert.deepEqual(toReference(model.params_P, model.architecture), arrays, kind);
      assert.equal(model.hyperparameters.varMin, hyperparameters.varMin);
      assert.deepEqual(warnings, []);
    }
  }
});

Deno.test("latentd import writes a model that infer takes, and says what differs", () =>
  inFolder(async (folder) => {
    const out = join(folder, "model.safetensors"), rates = join(folder, "rates.npz");
    const from = fixture("lfads_torch_identity.npz");
    const made = await latentd("import", from, "--bins", "5", "--out", out, "--json");
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stderr, /Warning: The initial condition has Student's t/);
    assert.match(made.stderr, /a model of lfads-torch, 5 bins, 3 neurons, 2 encoder units, 4 gen/);
    const { source, T, N, warnings } = lastJson(made);
    assert.deepEqual([source, T, N, (warnings as string[]).length], ["lfads-torch", 5, 3, 3]);
    // as wide as it was composed
    const { model } = importModel(await Deno.readFile(from), "x", { bins: 5 });
    assert.deepEqual(modelFromBytes(await Deno.readFile(out), "it"), model);

    const { encod_data, factors } = readNpz(await file("lfads_torch_identity_outputs.npz"));
    const data = join(folder, "data.npz");
    await Deno.writeFile(data, writeNpz({ spikes: encod_data }));
    const how = ["--device", "reference", "--mean", "--out", rates];
    const inferred = await latentd("infer", out, data, ...how);
    assert.equal(inferred.code, 0, inferred.stderr);
    const found = readNpz(await Deno.readFile(rates));
    near(found.factors.data, factors.data, TOLERANCES.reference, "factors");

    assertRefused(
      await latentd("import", from, "--bins", "5"),
      /a file and --out FILE, .*no --out/,
    );
    assertRefused(await latentd("import", from, "--out", out), /bins of a trial \(--bins\)/);
    assertRefused(
      await latentd("import", out, "--bins", "5", "--out", out),
      /a model of another program, found one of latentd/,
    );
  }));

Deno.test("import --table prints the tables that docs/import.md has", async () => {
  const { stdout, code } = await latentd("import", "--table");
  assert.equal(code, 0);
  const guide = await Deno.readTextFile(new URL("../docs/import.md", import.meta.url));
  // the guide is formatted: its columns are aligned
  const plain = (text: string) => text.replace(/ +/g, " ").replace(/-{3,}/g, "---");
  for (const source of SOURCES) {
    assert.ok(stdout.includes(namesTable(source)));
    assert.ok(plain(guide).includes(plain(namesTable(source))), `docs/import.md: ${source}`);
  }
});

const python = await findPython();

Deno.test({
  name: "the script makes the models that were committed (skipped without a Python that has numpy)",
  ignore: python === null,
  fn: () =>
    inFolder(async (folder) => {
      const script = fixture("write_lfads_torch_models.py");
      const { code, stderr } = await runProgram(python ?? "", [script, folder]);
      assert.equal(code, 0, stderr);
      for (const name of Object.keys(CASES)) {
        for (const [ending, within] of [["", 0], ["_outputs", 1e-14]] as const) {
          const fresh = readNpz(await Deno.readFile(join(folder, `${name}${ending}.npz`)));
          const committed = readNpz(await file(`${name}${ending}.npz`));
          assert.deepEqual(Object.keys(fresh), Object.keys(committed));
          for (const [key, { data }] of Object.entries(committed)) {
            near(fresh[key].data, data, within, `${name}${ending}: ${key}`);
          }
        }
      }
    }),
});

Deno.test("the tables name every array that is read, and every parameter", async () => {
  const named = (source: Source, name: string) =>
    NAMES[source].some(({ theirs }) =>
      theirs.replace(".S.", ".0.") === name.replace(/^((?:readin|readout|recon)\.)\d+\./, "$10.")
    );
  for (const name of Object.keys(CASES)) {
    for (const key of Object.keys(readNpz(await file(`${name}.npz`)))) {
      assert.ok(named("lfads-torch", key), key);
    }
  }
  const ours = (source: Source) =>
    NAMES[source].flatMap(({ ours }) => ours.split(/, | /)).map((name) => name.replace("…", ""));
  const covered = (source: Source, model: Parameters<typeof parameterLayout>[0]) => {
    for (const { name } of parameterLayout(model).slices) {
      const found = ours(source).some((prefix) => prefix.includes(".") && name.startsWith(prefix));
      // lfads-torch has no such state: g0 is inferred
      assert.ok(found || name === "generator.h0_G" && source === "lfads-torch", name);
    }
  };
  for (const [name, options] of Object.entries(CASES)) {
    covered(
      "lfads-torch",
      importModel(await file(`${name}.npz`), name, options).model.architecture,
    );
  }
  for (const { T, N, units } of Object.values(SHAPES)) {
    const model = architecture(parseHyperparameters(units), T, N);
    covered("jax-lfads", model);
    for (const key of toReference(new Float64Array(0), model).keys()) {
      assert.ok(named("jax-lfads", key), key);
    }
  }
});

Deno.test("whatever is done to a state dictionary, it is imported or refused", async () => {
  const bytes = await file("lfads_torch_identity.npz");
  const arrays = readNpz(bytes);
  const names = Object.keys(arrays);
  const change = fc.record({
    name: fc.constantFrom(...names, "readin.0.weight", "readout.0.weight", "gen.wA"),
    shape: fc.array(fc.nat(5), { maxLength: 3 }),
    drop: fc.boolean(),
  });
  const options = fc.record({
    bins: fc.integer({ min: -1, max: 9 }),
    encodedBins: fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined }),
    ciLag: fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined }),
    session: fc.option(fc.nat(2), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 2 }), options, async (changes, given) => {
      const kept: Record<string, NpyArray> = { ...arrays };
      for (const { name, shape, drop } of changes) {
        if (drop) delete kept[name];
        else {
          const length = shape.reduce((product, n) => product * n, 1);
          kept[name] = npyArray(shape, new Float32Array(length).fill(0.5));
        }
      }
      try {
        const { model } = importModel(writeNpz(kept), '"a file"', given);
        assert.ok(model.params_P.every(Number.isFinite));
      } catch (error) {
        await refusal(() => {
          throw error;
        });
      }
    }),
    { numRuns: 150 },
  );
});
