/** The adapter and its device: asked for with all it can do, watched for loss. */
import { InputError } from "../../errors.ts";
import { COMMON_CAPABILITIES } from "./capabilities.ts";
import { quietly } from "./quiet.ts";

/** An adapter as people know it. */
export interface AdapterDescription {
  /** e.g. "NVIDIA H200", or "llvmpipe (LLVM 15.0.6, 256 bits)" */
  readonly name: string;
  /** a driver that computes on the CPU, as Mesa's llvmpipe and SwiftShader do */
  readonly software: boolean;
}

const WANTED_LIMITS = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
] as const;

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render/i;

/** What WebGPU says of an adapter. */
export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ") || "unnamed";
  const fallback = adapter.info.isFallbackAdapter ?? false;
  return { name, software: fallback || SOFTWARE.test(name) };
}

/**
 * The adapter that this machine offers, the fastest where there are several; null where it has none.
 * It never throws.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createWebgpuExecutor, webgpuAdapter } from "latentd";
 *
 * const adapter = await webgpuAdapter();
 * if (adapter) {
 *   const executor = await createWebgpuExecutor({ adapter });
 *   assert.equal(executor.info.name, "webgpu");
 *   executor.close();
 * }
 * ```
 */
export async function findAdapter(): Promise<GPUAdapter | null> {
  return await request({ powerPreference: "high-performance" }) ?? await request({});
}

/** All adapters that WebGPU shows: the fastest, the most frugal and a software one, each once. */
export async function listAdapters(): Promise<GPUAdapter[]> {
  const found = new Map<string, GPUAdapter>();
  for (
    const wanted of [
      { powerPreference: "high-performance" },
      { powerPreference: "low-power" },
      { forceFallbackAdapter: true },
    ] as const
  ) {
    const adapter = await request(wanted);
    if (!adapter) continue;
    const { name } = describeAdapter(adapter);
    if (!found.has(name)) found.set(name, adapter);
  }
  return [...found.values()];
}

async function request(wanted: GPURequestAdapterOptions): Promise<GPUAdapter | null> {
  if (!navigator.gpu) return null;
  // a platform without a driver may also refuse the question
  return await quietly(() => navigator.gpu.requestAdapter(wanted)).catch(() => null);
}

/**
 * A device with all limits that the adapter has.
 *
 * @throws {InputError} when a limit is below what WebGPU promises
 */
export async function openGpu(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const limit of WANTED_LIMITS) {
    // some drivers know no largest buffer and say 2^64 - 1, which WebGPU refuses to be asked for
    requiredLimits[limit] = Math.min(adapter.limits[limit], Number.MAX_SAFE_INTEGER);
  }
  if (adapter.limits.maxComputeInvocationsPerWorkgroup < COMMON_CAPABILITIES.workgroupSize) {
    throw new InputError(
      `Cannot open the webgpu device: expected workgroups of ${COMMON_CAPABILITIES.workgroupSize} ` +
        `invocations, found an adapter that allows ${adapter.limits.maxComputeInvocationsPerWorkgroup}.`,
    );
  }
  const timing: GPUFeatureName[] = adapter.features.has("timestamp-query")
    ? ["timestamp-query"]
    : [];
  return await adapter.requestDevice({
    label: "latentd",
    requiredLimits,
    requiredFeatures: timing,
  });
}
