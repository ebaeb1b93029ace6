/** A thread that looks out for the next call. */
import assert from "node:assert/strict";
import { lookOut, noCalls } from "../src/serving/awake.ts";
import { SMALL, testCounts, testModel, withServing } from "./serving_helpers.ts";

/** Milliseconds that it takes. */
function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

Deno.test("a thread looks out as long as it is told, and not at all where a call is on its way", () => {
  const calls = noCalls();
  assert(timed(() => lookOut(calls, 0, 30)) >= 30);
  Atomics.add(calls, 0, 1);
  assert(timed(() => lookOut(calls, 0, 10_000)) < 5000);
  assert(timed(() => lookOut(calls, 1, 30)) >= 30);
});

Deno.test("a device that looks out hears every call at once, and closes", async () => {
  const model = testModel(SMALL);
  const work = async () =>
    await withServing(
      { mine: model },
      { device: { device: "reference" }, awakeMs: () => 60_000 },
      async ({ serving }) => {
        const request = { ...testCounts(2, SMALL), samples: 0 };
        const first = await serving.infer("mine", request);
        // the device looks out by now, and is told of whatever comes next
        await new Promise((resolve) => setTimeout(resolve, 50));
        for (let i = 0; i < 3; i++) {
          const next = await serving.infer("mine", request);
          assert.deepEqual(next.arrays, first.arrays);
        }
        await serving.infer("mine", { ...request, samples: 2 });
        await serving.fixedPoints("mine", { candidates: 8 });
      },
    );
  const start = performance.now();
  await work();
  assert(performance.now() - start < 30_000, "some call waited until the thread had looked out");
});
