import assert from "node:assert/strict";
import { join } from "node:path";
import { zipSync } from "fflate";
import {
  assertRefused,
  lastJson,
  latentd,
  outcome,
  spawn,
  TINY,
  writeSmall,
  writeSpikes,
} from "./cli_helpers.ts";
import { inFolder, listing } from "./folders.ts";

/** Asserts that `fit` refuses a file, and leaves the folder as it was. */
async function fitRefuses(folder: string, file: string, pattern: RegExp): Promise<void> {
  const before = await listing(folder);
  assertRefused(await latentd("fit", file, "--out", join(folder, "run"), ...TINY), pattern);
  assert.deepEqual(await listing(folder), before);
}

/** Counts of 4 trials, 3 bins, 2 neurons, with one value replaced. */
function spikesWith(value: number): Float64Array {
  return Float64Array.from({ length: 24 }, (_, i) => i === 9 ? value : i % 2);
}

/** A .npy file that declares `descr` and holds `bytes`. */
function npy(descr: string, shape: number[], bytes: Uint8Array): Uint8Array {
  const dict = `{'descr': ${descr}, 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = new TextEncoder().encode(dict.padEnd(117) + "\n");
  const start = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0);
  return Uint8Array.from([...start, ...header, ...bytes]);
}

Deno.test("fit refuses spikes that are no counts, and writes nothing", () =>
  inFolder(async (folder) => {
    const file = join(folder, "data.npz");
    const cases: [shape: number[], values: Float64Array, pattern: RegExp][] = [
      [[6, 4], spikesWith(0), /3 dimensions \[trials, bins, neurons\], found 2/],
      [[2, 2, 3, 2], spikesWith(0), /3 dimensions .*found 4/],
      [[4, 3, 2], spikesWith(Infinity), /finite numbers, found Infinity/],
      [[4, 3, 2], spikesWith(-1), /at least 0,.* found -1 at .*\[1, 1, 1\]/],
      [[4, 3, 2], spikesWith(0.5), /whole counts.* found 0.5/],
      [[4, 3, 2], spikesWith(65_536), /at most 65535,.* found 65536/],
      [[0, 3, 2], new Float64Array(0), /at least one trial, found none/],
      [[4, 0, 2], new Float64Array(0), /at least one time bin, found none/],
      [[4, 3, 0], new Float64Array(0), /at least one neuron, found none/],
      [[1, 3, 2], spikesWith(0).subarray(0, 6), /at least 2 trials.*found 1/],
    ];
    for (const [shape, values, pattern] of cases) {
      await fitRefuses(folder, await writeSpikes(file, shape, values), pattern);
    }
  }));

Deno.test("fit refuses files of the wrong type, damaged and hostile archives, and writes nothing", () =>
  inFolder(async (folder) => {
    const file = join(folder, "data.npz");
    const write = async (bytes: Uint8Array) => {
      await Deno.writeFile(file, bytes);
      return file;
    };
    const text = npy("'<U1'", [1, 1, 2], new Uint8Array(8));
    await fitRefuses(folder, await write(text), /expected numbers, found strings/);
    const complex = npy("'<c16'", [1, 1, 1], new Uint8Array(16));
    await fitRefuses(folder, await write(complex), /complex numbers/);
    const objects = npy("'|O'", [1, 1, 1], new Uint8Array(8));
    await fitRefuses(folder, await write(objects), /Python objects/);

    const short = npy("'|u1'", [4, 3, 2], new Uint8Array(23));
    await fitRefuses(folder, await write(zipSync({ "spikes.npy": short })), /spikes.*found/);
    await fitRefuses(folder, await write(new Uint8Array(0)), /\.npz archive.*found an empty file/);
    await fitRefuses(folder, await write(new TextEncoder().encode("a,b\n1,2\n")), /\.npz archive/);
    const none = zipSync({ "readme.txt": new Uint8Array(3) });
    await fitRefuses(folder, await write(none), /array "spikes".*found no arrays/);

    const small = await Deno.readFile(await writeSmall(file));
    for (const share of [0.3, 0.6, 0.99]) {
      const part = small.subarray(0, Math.floor(share * small.length));
      await fitRefuses(folder, await write(part), /expected .*found/);
    }
    const outside = zipSync({ "../spikes.npy": npy("'|u1'", [2, 1, 1], new Uint8Array(2)) });
    await fitRefuses(folder, await write(outside), /plain names/);
    // 80 MB of zeros in 78 kB: deflate's best, beyond the 1000 to 1 that is let through
    const bomb = zipSync({ "spikes.npy": new Uint8Array(80e6) }, { level: 9 });
    assert.ok(bomb.length < 80e3);
    await fitRefuses(folder, await write(bomb), /at most 1000 to 1/);
  }));

Deno.test("fit refuses missing files, folders, and models in place of data", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const run = join(folder, "earlier");
    assert.equal((await latentd("fit", data, "--out", run, "--steps", "2", ...TINY)).code, 0);
    await fitRefuses(folder, join(folder, "absent.npz"), /found no such file/);
    await fitRefuses(folder, folder, /expected a file, found a folder/);
    await fitRefuses(folder, run, /found the folder of a run/);
    await fitRefuses(folder, join(run, "model.safetensors"), /found a safetensors file/);

    const infer = (...args: string[]) => latentd("infer", ...args, "--device", "reference");
    assertRefused(await infer(data, data), /model file or the folder of a run, found a \.npz/);
    assertRefused(
      await infer(join(run, "checkpoint.safetensors"), data),
      /"latentd model 1", found/,
    );
    assertRefused(await infer(folder, data), /expected a file, found a folder/);
    assertRefused(await infer(join(folder, "absent"), data), /found no such file/);
    assertRefused(await infer(run, run), /found the folder of a run/);
    const other = await writeSpikes(join(folder, "other.npz"), [4, 3, 2], spikesWith(0));
    assertRefused(await infer(run, other), /5 bins and 3 neurons.*found 3 bins and 2 neurons/);
    assertRefused(
      await infer(run, data, "--mean", "--samples", "4"),
      /--mean or --samples, found both/,
    );
    assertRefused(
      await infer(run, data, "--out", join(folder, "no", "p.npz")),
      /expected a writable folder, found no such/,
    );
    assertRefused(await latentd("report", folder), /expected a run's folder.*found none/);
  }));

Deno.test("fit refuses unknown and out-of-range hyperparameters by their names", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const file = join(folder, "h.json");
    const refuses = async (args: string[], pattern: RegExp) =>
      assertRefused(await latentd("fit", data, "--out", join(folder, "run"), ...args), pattern);
    await refuses(
      ["--set", "generatorUnit=3"],
      /unknown "generatorUnit" \(known: .*generatorUnits/,
    );
    await refuses(["--set", "generatorUnits"], /expected name=value.*found "generatorUnits"/);
    await refuses(["--generator-units", "0"], /generatorUnits: .*>=1, found 0/);
    await refuses(["--generator-units", "2.5"], /generatorUnits: .*found 2.5/);
    await refuses(["--keep-rate", "1.5"], /keepRate: .*<=1, found 1.5/);
    await refuses(["--step-size", "fast"], /stepSize: .*expected number.*found "fast"/);
    await refuses(["--cell", "lstm"], /cell: .*"vanilla".*found "lstm"/);
    await refuses(
      ["--inferred-inputs", "2", "--controller-units", "0"],
      /controllerUnits: expected both.*found/,
    );
    await Deno.writeTextFile(file, "{ steps: 3 }");
    await refuses(["--hyperparameters", file], /expected JSON, found none/);
    await Deno.writeTextFile(file, "[3]");
    await refuses(["--hyperparameters", file], /expected a JSON object.*found a list/);
    await Deno.writeTextFile(file, '{ "stepz": 3 }');
    await refuses(["--hyperparameters", file], /unknown "stepz"/);
    assert.deepEqual((await listing(folder)).map((line) => line.split(" ")[0]), [
      "data.npz",
      "h.json",
    ]);
  }));

Deno.test("flags win over --set, and --set over the file", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const file = join(folder, "h.json");
    await Deno.writeTextFile(file, '{ "steps": 3, "stepSize": 0.03, "l2": 0.003 }');
    const run = join(folder, "run");
    const given = ["--hyperparameters", file, "--set", "stepSize=0.02", "--set", "steps=2"];
    const { code } = await latentd("fit", data, "--out", run, ...given, "--steps", "1", ...TINY);
    assert.equal(code, 0);
    const { hyperparameters } = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    const { steps, stepSize, l2 } = hyperparameters;
    assert.deepEqual({ steps, stepSize, l2 }, { steps: 1, stepSize: 0.02, l2: 0.003 });
  }));

Deno.test("a silent neuron and a single bin are allowed, with a warning", () =>
  inFolder(async (folder) => {
    const silent = Uint8Array.from({ length: 24 }, (_, i) => i % 2);
    const file = await writeSpikes(join(folder, "silent.npz"), [4, 3, 2], silent);
    const first = await latentd("fit", file, "--out", join(folder, "a"), "--steps", "2", ...TINY);
    assert.equal(first.code, 0);
    assert.match(first.stderr, /Warning: Neuron 0 .*never fires/);

    const bin = await writeSpikes(join(folder, "bin.npz"), [12, 1, 2], silent);
    const args = ["--out", join(folder, "b"), "--steps", "2", "--json", ...TINY];
    const second = await latentd("fit", bin, ...args);
    assert.equal(second.code, 0);
    assert.match(JSON.stringify(lastJson(second).warnings), /one time bin/);
  }));

Deno.test("places that cannot be written are refused, in a folder's place and without permission", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const before = await listing(folder);
    for (const out of [data, join(data, "run")]) {
      const done = await latentd("fit", data, "--out", out, "--steps", "2", ...TINY);
      assertRefused(done, /expected a place to write, found a file/);
    }
    const out = join(folder, "run");
    const elsewhere = ["--allow-read", "--allow-env", "--allow-sys", `--allow-write=${folder}/x`];
    const args = ["fit", data, "--out", out, "--steps", "2", ...TINY];
    assertRefused(trimmed(await outcome(spawn(args, elsewhere))), /this process may not/);
    assertRefused(
      await latentd("generate", "rotation", "--trials", "2", "--out", join(data, "x.npz")),
      /found a file where a folder should be/,
    );
    assert.deepEqual(await listing(folder), before);
  }));

/** A process ends its last line. */
function trimmed<T extends { stderr: string }>(done: T): T {
  return { ...done, stderr: done.stderr.trimEnd() };
}

Deno.test("devices that do not exist, or not so, are refused by name", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz"));
    const fit = (...args: string[]) =>
      latentd("fit", data, "--out", join(folder, "run"), "--steps", "1", ...args);
    assertRefused(
      await fit("--device", "tpu"),
      /expected auto, webgpu, wasm, reference, found "tpu"/,
    );
    assertRefused(await fit("--device", "webgpu", "--threads", "2"), /1 thread.*GPU.*found 2/);
    assertRefused(await fit("--device", "webgpu", "--reproducible"), /rounds in its own way/);
    assertRefused(await fit("--device", "reference", "--threads", "4"), /1 thread.*found 4/);
  }));

Deno.test("commands, options and numbers that do not exist exit with 2 and a suggestion", async () => {
  const unknown = await latentd("fitt");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /unknown command 'fitt'\n\(Did you mean fit\?\)/);
  const option = await latentd("fit", "data.npz", "--stepsize", "1", "--json");
  assert.equal(option.code, 2);
  assert.match(option.stderr, /unknown option '--stepsize'\n\(Did you mean --step-size\?\)/);
  assert.match(JSON.stringify(lastJson(option)), /Did you mean --step-size/);
  const seed = await latentd("fit", "data.npz", "--seed", "-1");
  assert.equal(seed.code, 2);
  assert.match(seed.stderr, /'-1' is invalid\. Expected a whole number from 0 to 2\^53 - 1/);
  assert.equal((await latentd()).code, 2);
  assert.equal((await latentd("fit", "a.npz", "b.npz")).code, 2);
  assertRefused(await latentd("fit"), /expected a data file or --resume FOLDER, found neither/);
});
