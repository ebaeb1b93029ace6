/** What the tests in Chromium call by name: bundled with all that it imports, and loaded by a page. */
import type { Scalars } from "../../src/compute/kernels.ts";
import type { Plan } from "../../src/compute/recording.ts";
import { createWebgpuExecutor } from "../../src/compute/webgpu.ts";
import type { Variant } from "../../src/compute/webgpu/kernel.ts";
import { type Fusion, shaderModule } from "../../src/compute/webgpu/module.ts";
import { Pipelines } from "../../src/compute/webgpu/pipelines.ts";

/** A shader as the executor asks for it. */
export interface Wanted {
  readonly fusion: Fusion;
  readonly variant: Variant;
  /** whether a pipeline is made of it, which takes SwiftShader a third of a second */
  readonly pipeline: boolean;
}

async function adapter(): Promise<GPUAdapter> {
  const found = await navigator.gpu?.requestAdapter();
  if (!found) throw new Error("Chromium shows no WebGPU adapter.");
  return found;
}

/** Compiles shaders. @returns what the compiler says of those that it complains about */
async function compile(shaders: readonly Wanted[]): Promise<string[]> {
  const found = await adapter();
  const { maxComputeWorkgroupStorageSize } = found.limits;
  const requiredLimits = { maxComputeWorkgroupStorageSize };
  const device = await found.requestDevice({ requiredLimits });
  const pipelines = new Pipelines(device);
  const complaints = new Set<string>();
  for (const { fusion, variant, pipeline } of shaders) {
    const label = fusion.kernels.join("+"), code = shaderModule(fusion, variant);
    device.pushErrorScope("validation");
    const { messages } = await device.createShaderModule({ label, code }).getCompilationInfo();
    await device.popErrorScope();
    const lines = code.split("\n");
    for (const { type, lineNum, message } of messages) {
      complaints.add(`${label}: ${type}: ${message}\n    at: ${lines[lineNum - 1]?.trim()}`);
    }
    if (!pipeline || messages.some(({ type }) => type === "error")) continue;
    await pipelines.get(fusion, variant).catch((error) => complaints.add(error.message));
  }
  device.destroy();
  return [...complaints];
}

/** A recording to run: buffers to write before, and buffers to read after. */
export interface Work {
  readonly plan: Plan;
  readonly recording: string;
  readonly run: Scalars;
  readonly write: Readonly<Record<string, readonly number[]>>;
  readonly read: readonly string[];
}

/** Runs a recording on the executor, as Deno does. */
async function run({ plan, recording, run, write, read }: Work): Promise<Done> {
  const executor = await createWebgpuExecutor({ adapter: await adapter() });
  const program = await executor.load(plan);
  for (const [name, values] of Object.entries(write)) program.write(name, values);
  await program.run(recording, run);
  const buffers: Record<string, number[]> = {};
  for (const name of read) buffers[name] = [...await program.read(name)];
  program.free();
  executor.close();
  return { adapter: executor.info.adapter ?? "", buffers };
}

/** What was read, and on which adapter. */
export interface Done {
  readonly adapter: string;
  readonly buffers: Readonly<Record<string, readonly number[]>>;
}

const functions = { compile, run };

/** What can be called: each takes one argument and gives a promise, both as JSON can say them. */
export type PageFunctions = typeof functions;

Object.assign(globalThis, { latentd: functions });
