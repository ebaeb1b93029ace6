/** Which device runs, and what is said of it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { surveyDevice } from "../src/check/devices.ts";
import { autoChoice, openDevice } from "../src/compute/devices.ts";
import type { Executor } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { describeAdapter, findAdapter, openGpu } from "../src/compute/webgpu/adapter.ts";
import { COMMON_CAPABILITIES } from "../src/compute/webgpu/capabilities.ts";
import { readRunRecord } from "../src/mod.ts";
import { lastJson, latentd, type Outcome, outcome, TINY, writeSmall } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";

/** Runs a command where WebGPU may only use what this system does not have. */
async function withoutGpu(...args: string[]): Promise<Outcome> {
  const script = new URL("../src/cli/main.ts", import.meta.url).pathname;
  const backend = Deno.build.os === "windows" ? "metal" : "dx12";
  return await outcome(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", script, ...args],
      env: { DENO_WEBGPU_BACKEND: backend },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

Deno.test("without a GPU auto takes wasm and says so; webgpu by name is refused with what is missing", async () => {
  const auto = await withoutGpu("check", "--shapes", "1");
  assert.equal(auto.code, 0, auto.stderr);
  assert.match(auto.stderr, /^Device: wasm, \d+ threads?, .* \(auto: no GPU was found\)\.$/m);
  const named = await withoutGpu("check", "--shapes", "1", "--device", "webgpu");
  assert.equal(named.code, 2);
  assert.match(named.stderr, /expected a WebGPU adapter.* found none\..* wasm and reference/);
});

Deno.test("threads and reproducible numbers are wasm's: auto takes it where they are asked for", async () => {
  for (const options of [{ threads: 2 }, { reproducible: true }]) {
    const { info, close } = await opened(options);
    close();
    assert.equal(info.name, "wasm");
    assert.match(info.reason, /^auto: .* asked for, which a GPU does not have$/);
  }
});

Deno.test("a limit beyond what WebGPU takes is asked for as the largest that it takes", async () => {
  const { workgroupSize, workgroupMemory } = COMMON_CAPABILITIES;
  const limits = {
    maxComputeInvocationsPerWorkgroup: workgroupSize,
    maxComputeWorkgroupSizeX: workgroupSize,
    maxComputeWorkgroupStorageSize: workgroupMemory,
    maxStorageBufferBindingSize: 2 ** 31,
    // what drivers say that know no largest buffer: 2^64 - 1, as a double
    maxBufferSize: 2 ** 64,
  };
  const asked: (GPUDeviceDescriptor | undefined)[] = [];
  const adapter = {
    limits,
    features: new Set<string>(),
    requestDevice: (descriptor?: GPUDeviceDescriptor) => {
      asked.push(descriptor);
      return Promise.reject(new Error("no device behind it"));
    },
  };
  await assert.rejects(openGpu(adapter as unknown as GPUAdapter), /no device behind it/);
  assert.deepEqual(asked[0]?.requiredLimits, { ...limits, maxBufferSize: 2 ** 53 - 1 });
});

async function opened(options: Parameters<typeof openDevice>[0]) {
  const executor = await openDevice(options);
  return { info: executor.info, close: () => executor.close() };
}

Deno.test({
  name: "auto takes a GPU and never a software adapter, which runs where it is named",
  ...withoutAdapter,
  async fn() {
    const adapter = await findAdapter();
    assert(adapter, "CI must have a WebGPU adapter (Mesa's lavapipe), and has none");
    const { name, software } = describeAdapter(adapter);
    const { adapter: chosen, why } = await autoChoice();
    assert.equal(chosen === null, software);
    if (software) assert.ok(why.includes(name), why);

    const auto = await opened({ device: "auto" });
    auto.close();
    assert.equal(auto.info.name, software ? "wasm" : "webgpu");
    const named = await opened({ device: "webgpu" });
    named.close();
    assert.equal(named.info.name, "webgpu");
    assert.equal(named.info.adapter, name);
    assert.equal(named.info.reason, "asked for by name");
  },
});

Deno.test("a run goes on on another device where that is asked for, with a warning and a record", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz")), run = join(folder, "run");
    const began = await latentd("fit", data, "--out", run, ...TINY, "--steps", "4");
    assert.equal(began.code, 0, began.stderr);

    const moved = ["--device", "wasm", "--threads", "2", "--steps", "8", "--no-report"];
    const went = await latentd("fit", "--resume", run, ...moved, "--json");
    assert.equal(went.code, 0, went.stderr);
    assert.match(
      went.stderr,
      /^Warning: the run was computed on reference, float64, plain loops\. .*round differently/m,
    );
    assert.equal(lastJson(went).status, "completed");
    const record = await readRunRecord(run);
    assert.equal(record.device.name, "wasm");
    assert.equal(record.steps, 8);
    assert.deepEqual(
      record.resumed.map(({ step, deviceBefore }) => ({ step, deviceBefore })),
      [{ step: 4, deviceBefore: "reference, float64, plain loops" }],
    );

    // and no word where it stays
    const stayed = await latentd("fit", "--resume", run, "--steps", "9", "--no-report");
    assert.equal(stayed.code, 0, stayed.stderr);
    assert.doesNotMatch(stayed.stderr, /Warning/);
    assert.equal((await readRunRecord(run)).resumed.at(-1)?.deviceBefore, undefined);
  }));

Deno.test("a run of a GPU that is gone says on what else it can go on, and does", () =>
  inFolder(async (folder) => {
    const data = await writeSmall(join(folder, "data.npz")), run = join(folder, "run");
    assert.equal((await latentd("fit", data, "--out", run, ...TINY, "--steps", "2")).code, 0);
    // as if it had been computed on a GPU
    const path = join(run, "run.json");
    const record = JSON.parse(await Deno.readTextFile(path));
    Object.assign(record.device, {
      name: "webgpu",
      adapter: "a GPU that is gone",
      arithmetic: "float32 on the GPU",
    });
    await Deno.writeTextFile(path, JSON.stringify(record));

    const more = ["fit", "--resume", run, "--steps", "4", "--no-report"];
    const refused = await withoutGpu(...more);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /expected a WebGPU adapter.*--device wasm.*rounds differently/);
    const went = await latentd(...more, "--device", "wasm", "--threads", "1");
    assert.equal(went.code, 0, went.stderr);
    assert.match(went.stderr, /computed on webgpu, a GPU that is gone, float32 on the GPU/);
    assert.equal((await readRunRecord(run)).steps, 4);
  }));

Deno.test("devices lists every device, checked, and says what auto takes", async () => {
  const { code, stdout, stderr } = await latentd("devices", "--shapes", "2", "--json");
  assert.equal(code, 0, stderr);
  const { devices, auto, passed } = JSON.parse(stdout);
  assert.equal(passed, true);
  const names = devices.map(({ device }: { device: string }) => device);
  assert.deepEqual(names.slice(0, 2), ["reference", "wasm"]);
  const adapter = await findAdapter();
  assert.equal(names.includes("webgpu"), adapter !== null);
  for (const { device, check, capabilities } of devices) {
    assert.equal(check.passed, true, device);
    assert.ok(check.shapes >= 1 && check.seconds < 10, `${device} took ${check.seconds} s`);
    assert.equal(capabilities !== null, device === "webgpu");
  }
  const choice = await autoChoice();
  assert.deepEqual(auto, {
    device: choice.adapter ? "webgpu" : "wasm",
    adapter: choice.adapter && describeAdapter(choice.adapter).name,
    why: choice.why,
  });
});

Deno.test("a device that computes something else, or cannot be opened, does not pass", async () => {
  const right = createReferenceExecutor();
  const wrong: Executor = {
    ...right,
    info: { ...right.info, name: "wasm" },
    runsAtOnce: 1,
    async load(plan, fits) {
      const program = await right.load(plan, fits);
      const read: typeof program.read = async (name, ...rest) => {
        const values = await program.read(name, ...rest);
        return name === "grads_P" ? values.map((x) => 1.0001 * x) : values;
      };
      return {
        fits: program.fits,
        write: program.write.bind(program),
        run: program.run.bind(program),
        sequence: program.sequence.bind(program),
        free: program.free.bind(program),
        read,
      };
    },
    close() {},
  };
  const found = { name: "wasm", kind: "processor" } as const;
  const off = await surveyDevice({ ...found, open: () => Promise.resolve(wrong) }, { shapes: 1 });
  assert.equal(off.check?.passed, false);
  assert.equal(off.check?.worst.what, "whole gradient");
  const open = () => Promise.reject(new Error("the driver is not there"));
  const gone = await surveyDevice({ ...found, open }, { shapes: 1 });
  assert.deepEqual([gone.check, gone.failure], [null, "the driver is not there"]);
});
