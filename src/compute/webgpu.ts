/**
 * The webgpu executor: hand-written WGSL (`shaders/`) through the platform's own WebGPU, on any vendor's
 * GPU. The same file serves Deno and a browser page.
 */
import { InputError } from "../errors.ts";
import type { DeviceInfo, Executor, Program } from "./executor.ts";
import type { Plan } from "./recording.ts";
import { describeAdapter, findAdapter, openGpu } from "./webgpu/adapter.ts";
import type { Capabilities, Tile } from "./webgpu/capabilities.ts";
import { Gpu } from "./webgpu/gpu.ts";
import { SLOTS } from "./webgpu/layout.ts";
import { probeLoopIterations } from "./webgpu/probe.ts";
import { loadProgram } from "./webgpu/program.ts";
import { fastestTile, type TuningMemory } from "./webgpu/tune.ts";

/** How to start the executor. */
export interface WebgpuOptions {
  /** which adapter; by default the fastest that the platform offers */
  readonly adapter?: GPUAdapter;
  /** trials in one workgroup of a recurrent sweep; by default the fastest on this adapter */
  readonly tile?: Tile;
  /** keeps the fastest tile of an adapter from one process to the next */
  readonly memory?: TuningMemory;
  /** loop iterations after which an invocation's work is cut; probed by default */
  readonly loopIterations?: number;
  /** why this device: see `DeviceInfo` */
  readonly reason?: string;
}

/** A GPU that is open. */
export interface WebgpuExecutor extends Executor {
  /** its adapter's bounds, and what was probed */
  readonly capabilities: Capabilities;
}

/** Software adapters are not timed: their vectors are as wide whatever the tile. */
const SOFTWARE_TILE: Tile = 4;

/**
 * Starts the webgpu executor.
 *
 * `run` resolves when the work is submitted; `read` and `sequence` wait for it. A device that is lost
 * makes every later call throw `GpuError`.
 *
 * @throws {InputError} when the platform has no WebGPU adapter
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createWebgpuExecutor, PlanBuilder, scalars, webgpuAdapter } from "latentd";
 *
 * if (await webgpuAdapter()) {
 *   const executor = await createWebgpuExecutor();
 *   const plan = new PlanBuilder();
 *   const w_GF = plan.buffer("w_GF", 2), factorsHat_GF = plan.buffer("factorsHat_GF", 2);
 *   const norms_F = plan.buffer("norms_F", 1);
 *   plan.record("prepare").dispatch("prepare", { w_GF, factorsHat_GF, norms_F }, { G: 2, F: 1 });
 *   const program = await executor.load(plan);
 *   program.write("w_GF", [3, 4]);
 *   await program.run("prepare", scalars({}));
 *   assert.deepEqual([...await program.read("norms_F")], [5]);
 *   program.free();
 *   executor.close();
 * }
 * ```
 */
export async function createWebgpuExecutor(
  options: WebgpuOptions = {},
): Promise<WebgpuExecutor> {
  const adapter = options.adapter ?? await findAdapter();
  if (!adapter) {
    throw new InputError(
      `Cannot open the webgpu device: expected a WebGPU adapter, that is a GPU with its driver; found ` +
        `none. ${driverAdvice()} The devices wasm and reference need no GPU.`,
    );
  }
  const description = describeAdapter(adapter);
  const device = await openGpu(adapter);
  const { limits } = device;
  const capabilities: Capabilities = {
    workgroupMemory: limits.maxComputeWorkgroupStorageSize,
    workgroupSize: Math.min(
      limits.maxComputeInvocationsPerWorkgroup,
      limits.maxComputeWorkgroupSizeX,
    ),
    workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    storageBinding: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    offsetAlignment: Math.max(
      limits.minStorageBufferOffsetAlignment,
      limits.minUniformBufferOffsetAlignment,
    ),
    loopIterations: options.loopIterations ?? await probeLoopIterations(device),
    tile: options.tile ?? SOFTWARE_TILE,
  };
  const tile = options.tile ??
    (description.software
      ? SOFTWARE_TILE
      : await fastestTile(device, description, capabilities, options.memory));
  return new GpuExecutor(new Gpu(device, description, { ...capabilities, tile }), {
    name: "webgpu",
    threads: 1,
    arithmetic: `float32 on the ${description.software ? "software adapter" : "GPU"}`,
    reason: options.reason ?? "asked for",
    adapter: description.name,
  });
}

/** What is missing where there is no adapter. */
function driverAdvice(): string {
  const os = typeof Deno === "undefined" ? "browser" : Deno.build.os;
  switch (os) {
    case "linux":
      return "On Linux install libvulkan1 and the GPU's Vulkan driver: NVIDIA's own, or " +
        "mesa-vulkan-drivers for AMD and Intel (it also brings llvmpipe, which computes on the CPU).";
    case "darwin":
      return "On macOS every Mac with Metal has one.";
    case "windows":
      return "On Windows install the GPU vendor's driver with Direct3D 12.";
    default:
      return "Here WebGPU must be available and enabled.";
  }
}

/** A gibibyte of numbers keeps any GPU busy; the share leaves room for the ends of buffers. */
const MOST_BYTES = 2 ** 30;
const SHARE = 0.95;

class GpuExecutor implements WebgpuExecutor {
  readonly runsAtOnce = SLOTS;
  readonly mostNumbers: number;

  constructor(private readonly gpu: Gpu, readonly info: DeviceInfo) {
    const bytes = Math.min(gpu.capabilities.storageBinding, MOST_BYTES);
    this.mostNumbers = Math.floor(SHARE * bytes / 4);
  }

  get capabilities(): Capabilities {
    return this.gpu.capabilities;
  }

  async load(plan: Plan, fits = 1): Promise<Program> {
    return await loadProgram(this.gpu, plan, fits);
  }

  close(): void {
    this.gpu.close();
  }
}
