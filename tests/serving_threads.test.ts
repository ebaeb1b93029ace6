/** The wasm device's threads end wherever they wait, when nobody leads them any more. */
import assert from "node:assert/strict";
import { KERNELS } from "../src/compute/kernels.ts";
import { compileKernels, instantiate } from "../src/compute/wasm_module.ts";
import { releaseThreads, startThread } from "../src/compute/wasm_threads.ts";
import { SMALL, testCounts, testModel, withServing } from "./serving_helpers.ts";

/** Words at the front of the shared memory: wasm/control.ts. */
const WORD = { GENERATION: 64, ARRIVED: 192, SLEEPERS: 256, PROGRAM: 512, SCALARS: 516 };

/** A thread without a leader, and the memory that it looks at. */
async function orphan() {
  const module = await compileKernels(false);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const threads = 2;
  const end = instantiate(module, memory).scratchEnd(threads) >>> 0;
  memory.grow(Math.ceil(end / 65536));
  const words = new Int32Array(memory.buffer);
  const worker = await startThread({ module, memory, thread: 1, threads });
  const until = async (word: "SLEEPERS" | "ARRIVED", wanted: number) => {
    for (let i = 0; i < 500; i++) {
      if (Atomics.load(words, WORD[word] / 4) === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail(`${word} is not ${wanted}`);
  };
  return { module, memory, words, worker, until, end };
}

Deno.test("a thread that waits for a program ends", async () => {
  const { module, memory, worker, until } = await orphan();
  await until("SLEEPERS", 1);
  releaseThreads({ module, memory });
  await until("SLEEPERS", 0);
  worker.terminate();
});

Deno.test("a thread that waits in a program for others that are gone ends", async () => {
  const { module, memory, words, worker, until, end } = await orphan();
  await until("SLEEPERS", 1);
  // a program of one dispatch, `prepare` of nothing: after it the thread waits for thread 0
  const program = end, args = end + 64, scalars = end + 192;
  words[program / 4] = 1;
  words[program / 4 + 1] = Object.keys(KERNELS).indexOf("prepare");
  words[program / 4 + 2] = args;
  words[WORD.PROGRAM / 4] = program;
  words[WORD.SCALARS / 4] = scalars;
  Atomics.add(words, WORD.GENERATION / 4, 1);
  Atomics.notify(words, WORD.GENERATION / 4);
  await until("ARRIVED", 1);
  await until("SLEEPERS", 1);
  releaseThreads({ module, memory });
  await until("SLEEPERS", 0);
  worker.terminate();
});

Deno.test("a device has the threads that it was asked for, and the bits of one", async () => {
  const answers: unknown[] = [];
  for (const threads of [1, 3]) {
    const options = { device: { device: "wasm", threads } };
    await withServing({ mine: testModel(SMALL) }, options, async ({ serving }) => {
      assert.equal((await serving.opened).threads, threads);
      const { arrays } = await serving.infer("mine", { ...testCounts(5, SMALL), samples: 2 });
      answers.push([...arrays]);
    });
  }
  assert.deepEqual(answers[1], answers[0]);
});
