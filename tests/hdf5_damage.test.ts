/** Damaged and hostile HDF5 files: an error in bounded time and memory, or a dataset; never anything else. */
import assert from "node:assert/strict";
import vm from "node:vm";
import fc from "fast-check";
import { readDatasetBytes, type ReadDatasetOptions } from "../src/data/dataset.ts";
import { loadH5wasm } from "../src/data/formats/hdf5/h5wasm.ts";
import { hdf5Dataset } from "../src/data/formats/hdf5/host.ts";
import { inspectHdf5, readHdf5 } from "../src/data/formats/hdf5/read.ts";
import { npyArray } from "../src/data/npy.ts";
import { InputError } from "../src/errors.ts";
import { fixture, FIXTURES, hdf5, numbers, refusal, upTo } from "./recordings.ts";

const { module } = await loadH5wasm();
const files = FIXTURES.map((name) => ({
  name,
  bytes: Deno.readFileSync(fixture(name)),
  options: {
    limits: { maxUnpackedBytes: 2 ** 26 },
    ...(name.endsWith(".nwb") ? { binWidth: 0.02, window: [0.1, 0.3] } : {}),
  } satisfies ReadDatasetOptions,
}));

/** What became of a file on this thread: `refused` is an InputError, `endless` was given up. */
function outcome(bytes: Uint8Array, name: string, options: ReadDatasetOptions): string {
  let found = "";
  const job = () => {
    try {
      inspectHdf5(module, { bytes }, name, bytes.length, options);
      readHdf5(module, { bytes }, name, options);
      found = "read";
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      assert(!error.message.includes("\n"), "one paragraph");
      found = "refused";
    }
  };
  Reflect.set(globalThis, "damageTestJob", job);
  try {
    vm.runInThisContext("globalThis.damageTestJob()", { timeout: 1500 });
    return found;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return "endless";
    throw error;
  }
}

Deno.test("the fixtures are sound", () => {
  for (const { bytes, name, options } of files) assert.equal(outcome(bytes, name, options), "read");
});

Deno.test("a file that is cut off anywhere is an InputError", () => {
  for (const { bytes, name, options } of files) {
    // the library needs all bytes that the file says it has
    const step = Math.max(1, Math.floor(bytes.length / 60));
    for (let length = 0; length < bytes.length; length += step) {
      assert.equal(outcome(bytes.slice(0, length), name, options), "refused", `${name} ${length}`);
    }
    assert.equal(outcome(bytes.slice(0, -1), name, options), "refused");
  }
});

Deno.test("damage anywhere gives a dataset or an InputError, never another failure", () => {
  const outcomes = { read: 0, refused: 0, endless: 0 };
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat(2 ** 20), fc.oneof(fc.nat(255), fc.constant(255))), {
        minLength: 1,
        maxLength: 6,
      }),
      ({ bytes, name, options }, changes) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        outcomes[outcome(damaged, name, options) as keyof typeof outcomes]++;
      },
    ),
    { numRuns: 250 },
  );
  // the damage is neither always found nor never: both ways are tried
  assert(outcomes.read > 20 && outcomes.refused > 20, JSON.stringify(outcomes));
});

Deno.test("a file that the library never gets to the end of is given up", async () => {
  // a text that points to nothing: HDF5 2.0.0 looks for it for ever
  const { bytes, name, options } = files[3];
  const damaged = bytes.slice();
  damaged[2784] = 255;
  const began = performance.now();
  assert.match(
    await refusal(() => hdf5Dataset({ bytes: damaged }, name, options, 1000)),
    /Cannot read "recording.nwb": expected to be done within 1 s, found no end/,
  );
  const seconds = (performance.now() - began) / 1000;
  // a second of patience, and what it takes to start a thread on a busy machine
  assert(seconds < 20, `${seconds} s`);
});

Deno.test("work that takes longer than its time is given up, and the thread with it", async () => {
  const spikes = npyArray([100, 1000, 100], new Uint8Array(1e7).fill(1));
  const bytes = await hdf5({ spikes });
  assert.match(
    await refusal(() => hdf5Dataset({ bytes }, "long.h5", {}, 1)),
    /Cannot read "long.h5": expected to be done within 0 s, found no end/,
  );
  assert.equal((await hdf5Dataset({ bytes }, "long.h5", {})).trials, 100);
});

Deno.test("after a damaged file, the next one is read as if nothing had been", async () => {
  const { bytes, name, options } = files[0];
  const wanted = await readDatasetBytes(bytes, name, options);
  for (const at of [9, 60, 200, 700]) {
    const damaged = bytes.slice();
    damaged.fill(255, at, at + 30);
    await readDatasetBytes(damaged, name, options).catch((error) => {
      assert(error instanceof InputError, String(error));
    });
  }
  assert.deepEqual(await readDatasetBytes(bytes, name, options), wanted);
});

Deno.test("noise behind the signature is refused", async () => {
  const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
      const bytes = Uint8Array.from([...signature, ...noise]);
      await refusal(() => readHdf5(module, { bytes }, "noise.h5", {}));
    }),
    { numRuns: 50 },
  );
  assert.match(
    await refusal(() => readDatasetBytes(Uint8Array.from(signature), "noise.h5")),
    /Cannot read "noise.h5": expected a complete HDF5 file, found damaged/,
  );
});

Deno.test("what a file may ask for is bounded before it gets it", async () => {
  const bytes = await hdf5({ spikes: numbers([10, 10, 10], () => 1) });
  const limited = (maxUnpackedBytes: number) =>
    readHdf5(module, { bytes }, "made.h5", { key: "spikes", limits: { maxUnpackedBytes } });
  assert.equal(limited(8000).trials, 10);
  assert.match(
    await refusal(() => limited(7999)),
    /at most 7999 bytes of numbers, found "spikes" of shape \[10,10,10\] with 8000/,
  );
  // 100 MB of zeros pack to almost nothing
  const zeros = await hdf5({ spikes: npyArray([100, 1000, 1000], new Uint8Array(1e8)) });
  const ratio = 1e8 / zeros.length;
  const packed = (maxRatio: number) =>
    readHdf5(module, { bytes: zeros }, "made.h5", { limits: { maxRatio } });
  assert.match(await refusal(() => packed(ratio / 2)), /packed at most .* to 1, found "spikes"/);
  assert.equal(packed(ratio * 2).trials, 100);
});

Deno.test("a file with an object inside itself is listed once", async () => {
  const { File } = await loadH5wasm();
  const file = new File("/loop.h5", "w");
  file.create_group("group");
  file.create_hard_link("/", "group/back");
  file.create_soft_link("/nowhere", "dead");
  file.create_external_link("other.h5", "/x", "elsewhere");
  file.create_dataset({ name: "spikes", data: Uint8Array.from(upTo(8)), shape: [2, 2, 2] });
  file.close();
  const bytes = module.FS.readFile("/loop.h5");
  const { contents, dataset } = inspectHdf5(module, { bytes }, "loop.h5", bytes.length, {});
  assert.deepEqual(contents.entries.map(({ name }) => name), ["spikes"]);
  assert.deepEqual([...dataset?.counts_BTN ?? []], upTo(8));
});
