/** The executors that tests of the whole model run on. */
import type { Executor } from "../src/compute/executor.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";

/** Reference, wasm as it comes and wasm that rounds alike on every machine. Close them: `withExecutors`. */
export async function executors(): Promise<Executor[]> {
  return [
    createReferenceExecutor("a test"),
    await createWasmExecutor({ threads: 2, reason: "a test" }),
    await createWasmExecutor({ threads: 2, reproducible: true, reason: "a test" }),
  ];
}

/** Runs a test's body with all executors, and closes them whatever happens. */
export async function withExecutors<X>(body: (all: readonly Executor[]) => Promise<X>): Promise<X> {
  const all = await executors();
  try {
    return await body(all);
  } finally {
    for (const executor of all) executor.close();
  }
}
