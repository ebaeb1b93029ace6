/** The fixed-point kernel on wasm against its float64 definition, and what changes none of its bits. */
import fc from "fast-check";
import type { Executor } from "../src/compute/executor.ts";
import { createWasmExecutor } from "../src/compute/wasm.ts";
import {
  checkAlone,
  checkFixedPointCase,
  descend,
  fixedPointCases,
  OUTPUTS,
} from "./fixed_point_cases.ts";
import { sameBits } from "./step_cases.ts";

async function withExecutors(threads: number[], body: (executors: Executor[]) => Promise<void>) {
  const executors: Executor[] = [];
  try {
    for (const count of threads) executors.push(await createWasmExecutor({ threads: count }));
    await body(executors);
  } finally {
    for (const executor of executors) executor.close();
  }
}

Deno.test("fixed points move as their float64 definition says", async () => {
  await withExecutors([2], ([executor]) =>
    fc.assert(
      fc.asyncProperty(fixedPointCases, (given) => checkFixedPointCase(executor, given)),
      { numRuns: 60, seed: 1 },
    ));
});

Deno.test("a candidate's path depends neither on its companions nor on the threads", async () => {
  await withExecutors([1, 2, 3], (executors) =>
    fc.assert(
      fc.asyncProperty(fixedPointCases, fc.nat(), async (given, pick) => {
        const [one, ...more] = await Promise.all(executors.map((e) => descend(e, given)));
        for (const other of more) {
          for (const name of OUTPUTS) sameBits(other[name], one[name], name);
        }
        await checkAlone(executors[1], given, pick % given.K);
      }),
      { numRuns: 30, seed: 2 },
    ));
});
