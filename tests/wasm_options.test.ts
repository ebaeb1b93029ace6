/**
 * The element-wise kernels' options on wasm against their float64 definitions, on random shapes; the
 * same bits whatever the number of threads.
 */
import fc from "fast-check";
import type { Executor } from "../src/compute/executor.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import { type KernelCase, type Rounding, runOn, wanted } from "./kernel_cases.ts";
import {
  certainZeros,
  decays,
  observations,
  parts,
  penalties,
  posteriorObservations,
  readouts,
} from "./option_cases.ts";
import { sameBits } from "./step_cases.ts";

/** As in wasm_kernels.test.ts. */
const rounding: Rounding = { quotient: 1, root: 1, chain: () => 1 };

const devices = await Promise.all([
  createWasmExecutor({ threads: 1 }),
  createWasmExecutor({ threads: 2 }),
  createWasmExecutor({ threads: 3 }),
  createWasmExecutor({ threads: 2, reproducible: true }),
]);
globalThis.addEventListener("unload", () => devices.forEach((device) => device.close()));

async function check(test: KernelCase): Promise<void> {
  const want = await wanted(test);
  const run = (device: Executor) => runOn(device, test);
  const [one, two, three, strict] = await Promise.all(devices.map(run));
  for (const name of test.outputs) {
    sameBits(two[name], one[name], `${name} on 2 threads`);
    sameBits(three[name], one[name], `${name} on 3 threads`);
  }
  test.check(want, one, rounding);
  test.check(want, strict, rounding);
}

const kinds: readonly (readonly [string, fc.Arbitrary<KernelCase>])[] = [
  ["the readout weighs what is missing, dropped or never seen", readouts],
  ["every observation's loss and gradients", observations],
  ["what every observation expects", posteriorObservations],
  ["a penalty for each parameter, and a scale for each divergence", penalties],
  ["weight decay beside Adam's update", decays],
  ["parts of a batch add up to sums", parts],
];

for (const [name, cases] of kinds) {
  Deno.test(`${name}: as in float64, on random shapes`, () =>
    fc.assert(fc.asyncProperty(cases, check), { numRuns: 150, seed: 11 }));
}

const zeros = certainZeros();
Deno.test(zeros.name, () => check(zeros));
