/** The executors that tests of the whole model run on. */
import assert from "node:assert/strict";
import type { Executor } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { createWebgpuExecutor } from "../src/compute/webgpu.ts";
import { withoutAdapter } from "./webgpu_adapter.ts";

/**
 * One for all tests of a file, because its pipelines are compiled once and a software adapter takes
 * seconds for that; null without an adapter, which shows as an ignored test and fails under CI.
 */
const webgpu = withoutAdapter.ignore ? null : await createWebgpuExecutor({ reason: "a test" });
if (webgpu) globalThis.addEventListener("unload", () => webgpu.close());
else Deno.test({ name: "these tests on webgpu: no adapter", ignore: true, fn: () => {} });

/** Names of the executors that `withExecutors` hands out. */
export type ExecutorKind = "reference" | "wasm" | "wasm, reproducible" | "webgpu";

const ALL: readonly ExecutorKind[] = ["reference", "wasm", "wasm, reproducible", "webgpu"];

async function open(kind: ExecutorKind): Promise<Executor[]> {
  switch (kind) {
    case "reference":
      return [createReferenceExecutor("a test")];
    case "wasm":
      return [await createWasmExecutor({ threads: 2, reason: "a test" })];
    case "wasm, reproducible":
      return [await createWasmExecutor({ threads: 2, reproducible: true, reason: "a test" })];
    case "webgpu":
      return webgpu ? [webgpu] : [];
  }
}

/**
 * Runs a test's body with all executors, or with those named: reference, wasm as it comes, wasm that
 * rounds alike on every machine, and webgpu where there is an adapter. Closes them whatever happens.
 */
export async function withExecutors<X>(
  body: (all: readonly Executor[]) => Promise<X>,
  kinds: readonly ExecutorKind[] = ALL,
): Promise<X> {
  const all = (await Promise.all(kinds.map(open))).flat();
  assert.ok(all.length >= kinds.filter((kind) => kind !== "webgpu").length);
  try {
    return await body(all);
  } finally {
    for (const executor of all) if (executor !== webgpu) executor.close();
  }
}
