/// <reference lib="deno.worker" />
/**
 * One file, read or written on a thread of its own: whatever a damaged file does to the library, its
 * memory ends with the thread. A time is set to all of it, as damage can send the library round and round.
 */
import vm from "node:vm";
import { InputError } from "../../../errors.ts";
import type { NumericArray } from "../../elements.ts";
import { loadH5wasm } from "./h5wasm.ts";
import { inspectHdf5, readHdf5 } from "./read.ts";
import type { Reply, Task } from "./task.ts";
import { writeHdf5 } from "./write.ts";

declare const self: DedicatedWorkerGlobalScope;

/** Where the script that is timed finds what to run. */
const JOB = "latentdHdf5Job";

self.onmessage = async ({ data: task }: MessageEvent<Task>) => {
  const reply = await run(task);
  self.postMessage(reply, buffers(reply));
};

async function run(task: Task): Promise<Reply> {
  try {
    const writer = await loadH5wasm();
    const { module } = writer;
    const value = timed(task, () => {
      switch (task.kind) {
        case "read":
          return readHdf5(module, task.input, task.fileName, task.options);
        case "inspect":
          return inspectHdf5(module, task.input, task.fileName, task.bytes, task.options);
        case "write":
          return writeHdf5(writer, task.tree, JSON.stringify(task.fileName));
      }
    });
    return { value };
  } catch (error) {
    if (error instanceof InputError) return { refused: error.message };
    return { failed: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}

/** Runs what may never end. */
function timed<R>({ fileName, milliseconds, kind }: Task, work: () => R): R {
  let result: { value: R } | null = null;
  Reflect.set(globalThis, JOB, () => void (result = { value: work() }));
  try {
    vm.runInThisContext(`globalThis.${JOB}()`, { timeout: milliseconds });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw new InputError(
      `Cannot ${kind} ${JSON.stringify(fileName)}: expected to be done within ${
        Math.round(milliseconds / 1000)
      } s, found no end: the file is damaged, or very large.`,
    );
  }
  return (result as { value: R } | null)?.value as R;
}

/** Arrays go over to the other thread instead of being copied. */
function buffers(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    const array = value as NumericArray;
    if (array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength) {
      found.add(array.buffer);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) {
      // lists of words and numbers hold no arrays, and may be long
      if (typeof inner === "object") buffers(inner, found);
    }
  }
  return [...found];
}
