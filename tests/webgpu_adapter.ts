/** The adapter that tests of the shaders run on. */
import assert from "node:assert/strict";
import {
  createWebgpuExecutor,
  type WebgpuExecutor,
  type WebgpuOptions,
} from "../src/compute/webgpu.ts";
import { findAdapter } from "../src/compute/webgpu/adapter.ts";

// CI has Mesa's software Vulkan, so an adapter that is missing there is a failure and not a skip.
const adapter = await findAdapter();
const wanted = Deno.env.get("CI") !== undefined;

/** Where a test of the shaders is left out, with a visible mark: never under CI. */
export const withoutAdapter = { ignore: adapter === null && !wanted };

/** Runs a test's body on the machine's adapter, and closes it whatever happens. */
export async function withWebgpu<X>(
  body: (executor: WebgpuExecutor) => Promise<X>,
  options: WebgpuOptions = {},
): Promise<X> {
  assert(await findAdapter(), "CI must have a WebGPU adapter (Mesa's lavapipe), and has none");
  const executor = await createWebgpuExecutor({ reason: "a test", ...options });
  try {
    return await body(executor);
  } finally {
    executor.close();
  }
}
