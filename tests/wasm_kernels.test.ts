/**
 * The element-wise kernels on wasm against their float64 definitions, on the same float32 inputs; the
 * same bits whatever the number of threads.
 */
import assert from "node:assert/strict";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import {
  type KernelCase,
  kernelCases,
  type Outputs,
  type Rounding,
  runOn,
  wanted,
} from "./kernel_cases.ts";

/** Quotients and roots are exact to half an ulp; sums over whole buffers run in float64, rounded once. */
const rounding: Rounding = { quotient: 1, root: 1, chain: () => 1 };

const devices = [
  { threads: 1 },
  { threads: 2 },
  { threads: 3 },
  { threads: 2, reproducible: true },
];

/** The outputs of both builds, after checking that threads do not change a bit. */
async function outputsOf(test: KernelCase): Promise<Outputs[]> {
  const got: Outputs[] = [];
  for (const device of devices) {
    const executor = await createWasmExecutor(device);
    try {
      got.push(await runOn(executor, test));
    } finally {
      executor.close();
    }
  }
  assert.deepEqual(got[1], got[0], "2 threads give the bits of 1");
  assert.deepEqual(got[2], got[0], "3 threads give the bits of 1");
  return [got[0], got[3]];
}

for (const test of kernelCases) {
  Deno.test(test.name, async () => {
    const want = await wanted(test);
    for (const got of await outputsOf(test)) test.check(want, got, rounding);
  });
}
