/** Serving: the same bits as the command line for whoever shares the device, and its limits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { openDevice } from "../src/compute/devices.ts";
import { modelFixedPoints } from "../src/study/dynamics.ts";
import { generate, generateTrials } from "../src/study/generate.ts";
import { datasetFromArrays, writeDataset } from "../src/data/dataset.ts";
import { writeModel } from "../src/data/model_file.ts";
import { readNpz } from "../src/data/npz.ts";
import { InputError } from "../src/errors.ts";
import { infer } from "../src/inference/posterior.ts";
import { posteriorPlan } from "../src/model/posterior_plan.ts";
import { planBytes } from "../src/inference/posterior_program.ts";
import type { InferAnswer, InferRequest } from "../src/serving/service.ts";
import type { ServingEvent } from "../src/serving/events.ts";
import { ServingError } from "../src/serving/errors.ts";
import { latentd } from "./cli_helpers.ts";
import { inFolder } from "./folders.ts";
import { DRIVEN, SHAPE_M, SMALL, testCounts, testModel, withServing } from "./serving_helpers.ts";

/** An answer's arrays as plain objects, for comparison. */
const plain = (answer: InferAnswer) =>
  Object.fromEntries([...answer.arrays].map(([name, { shape, data }]) => [name, { shape, data }]));

const launches = (events: ServingEvent[]) => events.filter((event) => event.kind === "launch");
const problem = (name: string) => (error: unknown) =>
  error instanceof ServingError && error.problem === name;

for (const device of ["reference", "wasm"]) {
  Deno.test(`an answer holds what the command line writes, bit for bit (${device})`, async () => {
    const model = testModel(DRIVEN);
    const data = testCounts(9, DRIVEN);
    await inFolder(async (folder) => {
      const spikes = { shape: [data.trials, data.T, data.N], data: data.counts_BTN };
      await writeModel(`${folder}/model.safetensors`, model);
      await writeDataset(
        `${folder}/data.npz`,
        datasetFromArrays({ name: "data", spikes, binWidth: 0.02 }),
      );
      await withServing({ mine: model }, { device: { device } }, async ({ serving }) => {
        for (const samples of [0, 5]) {
          const { code, stderr } = await latentd(
            ...["infer", `${folder}/model.safetensors`, `${folder}/data.npz`, "--seed", "11"],
            ...["--device", device, "--out", `${folder}/out.npz`],
            ...(samples === 0 ? ["--mean"] : ["--samples", String(samples)]),
          );
          assert.equal(code, 0, stderr);
          const written = readNpz(await Deno.readFile(`${folder}/out.npz`));
          const answer = await serving.infer("mine", {
            ...data,
            samples,
            seed: 11,
            binWidth: 0.02,
          });
          assert.deepEqual(Object.keys(written), [...answer.arrays.keys()]);
          for (const [name, { shape, data }] of answer.arrays) {
            assert.deepEqual(written[name].shape, shape, name);
            assert.deepEqual(written[name].data, data, name);
          }
        }
      });
    });
  });
}

Deno.test("whoever else asks, an answer has the bits that it has alone", async () => {
  const models = { small: testModel(SMALL), driven: testModel(DRIVEN) };
  const shapes = { small: SMALL, driven: DRIVEN };
  const device = await openDevice({ device: "wasm", threads: 1 });
  const request = fc.record({
    id: fc.constantFrom("small" as const, "driven" as const),
    trials: fc.integer({ min: 1, max: 11 }),
    samples: fc.constantFrom(0, 0, 1, 3),
    seed: fc.constantFrom(0, 1),
    data: fc.integer({ min: 0, max: 2 }),
    firstTrial: fc.integer({ min: 0, max: 5 }),
    later: fc.boolean(),
  });
  await withServing(models, { device: { device: "wasm", threads: 2 }, maxBatch: 4 }, async (
    { serving },
  ) => {
    const property = fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (
      requests,
    ) => {
      const answers = requests.map(async ({ id, data, later, ...asked }) => {
        if (later) await new Promise((resolve) => setTimeout(resolve, 0));
        return await serving.infer(id, { ...testCounts(asked.trials, shapes[id], data), ...asked });
      });
      for (const [i, { id, data, trials, samples, seed, firstTrial }] of requests.entries()) {
        const counts = testCounts(trials, shapes[id], data);
        // whatever trials stand in front, those behind have the noise of their places
        const which = Array.from(
          { length: firstTrial + trials },
          (_, b) => Math.max(0, b - firstTrial),
        );
        const alone = await infer(device, models[id], counts, { samples, seed, trials: which });
        const { arrays } = await answers[i];
        const same = (name: "rates" | "gen_states" | "ic_logvar", values: Float64Array) => {
          const each = values.length / (firstTrial + trials);
          const wanted = Float32Array.from(values.subarray(firstTrial * each));
          assert.deepEqual(arrays.get(name)?.data, wanted, name);
        };
        same("rates", alone.rates_BTN);
        same("gen_states", alone.gen_BTG);
        same("ic_logvar", alone.icLogVar_BI);
      }
    });
    await fc.assert(property, { numRuns: 40 });
  });
  device.close();
});

Deno.test("a dataset that is asked for in pieces gets the samples of the whole", async () => {
  await withServing({ mine: testModel(SMALL) }, {}, async ({ serving }) => {
    const { counts_BTN, ...shape } = testCounts(7, SMALL);
    const whole = await serving.infer("mine", { counts_BTN, ...shape, samples: 2, seed: 5 });
    const size = SMALL.T * SMALL.N;
    const ask = async (first: number, end: number) => {
      const piece = {
        counts_BTN: counts_BTN.subarray(first * size, end * size),
        trials: end - first,
      };
      return plain(
        await serving.infer("mine", {
          ...shape,
          ...piece,
          samples: 2,
          seed: 5,
          firstTrial: first,
        }),
      );
    };
    const pieces = await Promise.all([ask(0, 3), ask(3, 4), ask(4, 7)]);
    for (const [name, { data }] of whole.arrays) {
      assert.deepEqual(pieces.flatMap((piece) => [...piece[name].data]), [...data], name);
    }
  });
});

Deno.test("posterior means share launches of at most maxBatch trials, each of one model", async () => {
  const models = { a: testModel(SMALL, 1), b: testModel(SMALL, 2) };
  await withServing(models, { maxBatch: 4 }, async ({ serving, events }) => {
    await Promise.all([serving.describe("a"), serving.describe("b")]);
    const ask = (id: string, trials: number) =>
      serving.infer(id, { ...testCounts(trials, SMALL), samples: 0 });
    await Promise.all([ask("a", 1), ask("b", 1), ask("a", 2), ask("a", 2), ask("a", 1)]);
    assert.deepEqual(
      launches(events).map(({ model, requests, trials }) => [model, requests, trials]),
      // the third of a goes on with its second trial behind b, beside the fourth
      [["a", 3, 4], ["b", 1, 1], ["a", 2, 2]],
    );
  });
});

Deno.test("samples share a launch where seed, number and places are one range, else not", async () => {
  await withServing({ mine: testModel(SMALL) }, { maxBatch: 8 }, async ({ serving, events }) => {
    await serving.describe("mine");
    const ask = (firstTrial: number, seed: number, samples = 3) =>
      serving.infer("mine", { ...testCounts(2, SMALL), samples, seed, firstTrial });
    // the seed of the third and the number of the last are others, the place of the fourth is taken
    await Promise.all([ask(0, 1), ask(2, 1), ask(4, 2), ask(0, 1), ask(4, 1), ask(6, 1, 4)]);
    assert.deepEqual(
      launches(events).map(({ requests, trials, samples }) => [requests, trials, samples]),
      [[3, 6, 3], [1, 2, 3], [1, 2, 3], [1, 2, 4]],
    );
  });
});

Deno.test("a posterior mean waits at most maxDelayMs for company, and not when a batch is full", async () => {
  const options = { maxBatch: 3, maxDelayMs: 1000 };
  await withServing({ mine: testModel(SMALL) }, options, async ({ serving, events }) => {
    await serving.describe("mine");
    const ask = () => serving.infer("mine", { ...testCounts(1, SMALL), samples: 0 });
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const first = ask();
    await wait(20);
    const start = performance.now();
    await Promise.all([first, ask(), ask()]); // full
    // the wait would have lasted some 980 ms from here
    const took = performance.now() - start;
    assert(took < 900, `${took}`);
    const { queueMs } = await ask(); // alone
    assert(queueMs >= 999, `${queueMs}`);
    assert.deepEqual(launches(events).map(({ requests }) => requests), [3, 1]);
  });
});

Deno.test("between the launches of a large request others get their turn", async () => {
  const shape = { device: { device: "wasm", threads: 1 }, maxBatch: 8 };
  await withServing({ mine: testModel(SHAPE_M) }, shape, async ({ serving, events }) => {
    const one = { ...testCounts(1, SHAPE_M), samples: 0 };
    await serving.infer("mine", one);
    const large = serving.infer("mine", {
      ...testCounts(256, SHAPE_M),
      samples: 10,
      outputs: ["factors"],
    });
    let over = false;
    large.finally(() => over = true).catch(() => {});
    let asked = 0;
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (over) break;
      const before = launches(events).length;
      await serving.infer("mine", one);
      // behind the launch that is on the device, before any other
      assert(launches(events).length - before <= 2);
      asked++;
    }
    assert(asked > 5, `${asked}`);
    const { arrays } = await large;
    assert.deepEqual([...arrays.keys()], ["factors"]);
  });
});

Deno.test("a full queue refuses at once, and answers all that it took", async () => {
  await withServing({ mine: testModel(SMALL) }, { maxWaiting: 3 }, async ({ serving, events }) => {
    await serving.describe("mine");
    const ask = () => serving.infer("mine", { ...testCounts(1, SMALL), samples: 0 });
    const results = await Promise.allSettled([ask(), ask(), ask(), ask(), ask()]);
    assert.deepEqual(results.map(({ status }) => status), [
      ...["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"],
    ]);
    const { reason } = results[3] as PromiseRejectedResult;
    assert(problem("overloaded")(reason));
    assert(reason.retryAfterMs > 0);
    await ask(); // there is room again
    const { waiting, waitingTrials, waitingBytes } = serving.statistics();
    assert.deepEqual([waiting, waitingTrials, waitingBytes], [
      { mean: 0, samples: 0, job: 0 },
      0,
      0,
    ]);
    assert.equal(
      events.filter((event) => event.kind === "request" && event.outcome === "ok").length,
      4,
    );
  });
});

Deno.test("a queue is also full of bytes", async () => {
  const room = { maxWaitingBytes: 10 * SMALL.T * SMALL.N };
  await withServing({ mine: testModel(SMALL) }, room, async ({ serving }) => {
    await serving.describe("mine");
    const ask = (trials: number) =>
      serving.infer("mine", { ...testCounts(trials, SMALL), samples: 0 });
    const [first, second] = await Promise.allSettled([ask(10), ask(1)]);
    assert.deepEqual([first.status, second.status], ["fulfilled", "rejected"]);
    await assert.rejects(ask(11), problem("overloaded"));
  });
});

Deno.test("an aborted request rejects with its reason; who shares its launch is answered", async () => {
  await withServing({ mine: testModel(SMALL) }, {}, async ({ serving, events }) => {
    await serving.describe("mine");
    const stop = new AbortController();
    const request = { ...testCounts(1, SMALL), samples: 0 };
    const aborted = serving.infer("mine", request, { signal: stop.signal });
    const others = [serving.infer("mine", request), serving.infer("mine", request)];
    const failed = assert.rejects(aborted, (error) => error === stop.signal.reason);
    stop.abort(new Error("no longer wanted"));
    await failed;
    await Promise.all(others);
    await assert.rejects(
      serving.infer("mine", request, { signal: stop.signal }),
      (error) => error === stop.signal.reason,
    );
    const outcomes = events.flatMap((event) => event.kind === "request" ? [event.outcome] : []);
    assert.deepEqual(outcomes, ["aborted", "ok", "ok"]);
    assert.equal(serving.statistics().waitingTrials, 0);
  });
});

Deno.test("a request whose time is over fails, waiting or on the device", async () => {
  const wasm = { device: { device: "wasm", threads: 1 } };
  await withServing({ mine: testModel(SHAPE_M) }, wasm, async ({ serving }) => {
    await serving.describe("mine");
    const slow = { ...testCounts(40, SHAPE_M), samples: 30 };
    const first = serving.infer("mine", slow, { timeoutMs: 30 });
    const second = serving.infer("mine", slow, { timeoutMs: 30 });
    await assert.rejects(first, problem("timeout"));
    await assert.rejects(second, problem("timeout"));
    await serving.infer("mine", { ...testCounts(1, SHAPE_M), samples: 0 });
  });
});

Deno.test("while the device computes, the calling thread's event loop goes on", async () => {
  const wasm = { device: { device: "wasm", threads: 1 } };
  await withServing({ mine: testModel(SHAPE_M) }, wasm, async ({ serving, events }) => {
    await serving.infer("mine", { ...testCounts(1, SHAPE_M), samples: 0 });
    // Other work on the machine may hold this thread up now and then; computing on it would always.
    const shares: number[] = [];
    while (shares.length < 5 && !shares.some((share) => share < 0.5)) {
      let last = performance.now(), gap = 0;
      const tick = () => {
        const now = performance.now();
        gap = Math.max(gap, now - last);
        last = now;
      };
      const timer = setInterval(tick, 1);
      const begun = launches(events).length;
      await serving.infer("mine", {
        ...testCounts(60, SHAPE_M),
        samples: 20,
        outputs: ["factors"],
      });
      clearInterval(timer);
      tick();
      const longest = Math.max(...launches(events).slice(begun).map(({ computeMs }) => computeMs));
      assert(longest > 50, `a launch of ${longest} ms shows nothing`);
      shares.push(gap / longest);
    }
    assert(shares.some((share) => share < 0.5), `without a turn for ${shares} of a launch`);
  });
});

Deno.test("memory does not grow with the answers", async () => {
  // little to compute, and half a megabyte to answer
  const units = { encoderUnits: 1, generatorUnits: 1, factors: 1, inferredInputs: 0 };
  const wide = { T: 200, N: 200, units };
  await withServing({ mine: testModel(wide) }, { device: { device: "wasm", threads: 1 } }, async (
    { serving },
  ) => {
    const request = { ...testCounts(1, wide), samples: 0 };
    let bytes = 0;
    const ask = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const { arrays } = await serving.infer("mine", request);
        for (const { data } of arrays.values()) bytes += data.byteLength;
      }
      return Deno.memoryUsage().rss;
    };
    // the collector lets some hundred megabytes gather before it comes
    const before = await ask(800);
    bytes = 0;
    const after = await ask(1600);
    assert(bytes > 750e6, `${bytes}`);
    assert(after - before < bytes / 3, `${after - before} of ${bytes} bytes are still there`);
  });
});

/** A worker that a test can make fail, and the last one that was started. */
function failingWorker() {
  const started: Worker[] = [];
  const startWorker = () => {
    const url = new URL("./serving_failing_worker.ts", import.meta.url);
    started.push(new Worker(url, { type: "module" }));
    return started.at(-1)!;
  };
  return { started, startWorker };
}

Deno.test("when the device's thread ends, its requests fail clearly and the next are answered", async () => {
  const { started, startWorker } = failingWorker();
  const options = { startWorker, device: { device: "wasm", threads: 2 } };
  await withServing({ mine: testModel(SMALL) }, options, async ({ serving, events, reads }) => {
    const request = { ...testCounts(3, SMALL), samples: 0 };
    const before = plain(await serving.infer("mine", request));
    started[0].postMessage("end");
    await assert.rejects(serving.infer("mine", request), (error) => {
      assert(problem("device")(error));
      assert.match((error as Error).message, /the device's thread ended .*told to end/);
      return true;
    });
    assert.deepEqual(plain(await serving.infer("mine", request)), before);
    assert.equal(started.length, 2);
    assert.equal(reads.get("mine"), 2);
    assert.equal(serving.statistics().restarts, 1);
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind.startsWith("device"));
    assert.deepEqual(kinds, ["device-opened", "device-lost", "device-opened"]);
  });
});

Deno.test("a device that takes too long over one launch is given up", async () => {
  const { started, startWorker } = failingWorker();
  await withServing({ mine: testModel(SMALL) }, { startWorker, launchLimitMs: 1000 }, async (
    { serving },
  ) => {
    const request = { ...testCounts(1, SMALL), samples: 0 };
    await serving.infer("mine", request);
    started[0].postMessage("hang");
    await assert.rejects(serving.infer("mine", request), /one launch took more than 1000 ms/);
    await serving.infer("mine", request);
    assert.equal(started.length, 2);
  });
});

Deno.test("a device that cannot be opened says why, again and again", async () => {
  await withServing({ mine: testModel(SMALL) }, { device: { device: "abacus" } }, async (
    { serving },
  ) => {
    await assert.rejects(serving.opened, InputError);
    const request = { ...testCounts(1, SMALL), samples: 0 };
    for (let i = 0; i < 2; i++) {
      await assert.rejects(serving.infer("mine", request), (error) => {
        assert(problem("device")(error));
        return /expected auto, .* found "abacus"/.test((error as Error).message);
      });
    }
    const { ready, reason } = serving.readiness();
    assert.equal(ready, false);
    assert.match(reason, /abacus/);
  });
});

Deno.test("models that do not fit together take turns, with the same answers", async () => {
  const models = { a: testModel(SMALL, 1), b: testModel(SMALL, 2), c: testModel(DRIVEN) };
  const sizes = { B: 2, S: 1, trials: 2, counts: "u16" } as const;
  const one = planBytes(posteriorPlan(models.c.architecture, models.c.hyperparameters, sizes), 8);
  const options = { maxBatch: 2, maxModelBytes: Math.floor(2.5 * one) };
  await withServing(models, options, async ({ serving, reads }) => {
    const request = { ...testCounts(2, SMALL), samples: 0 };
    const driven = { ...testCounts(2, DRIVEN), samples: 0 };
    const a = plain(await serving.infer("a", request));
    const b = plain(await serving.infer("b", request));
    await serving.infer("c", driven);
    assert.deepEqual(plain(await serving.infer("b", request)), b);
    assert.deepEqual(plain(await serving.infer("a", request)), a);
    assert.equal(reads.get("a"), 2, "the least recently used was pushed out");
    assert(serving.statistics().modelBytes <= options.maxModelBytes);
  });
});

Deno.test("a model that alone exceeds the memory is refused by its size", async () => {
  await withServing({ mine: testModel(SMALL) }, { maxModelBytes: 50_000, maxBatch: 4 }, async (
    { serving },
  ) => {
    const request = { ...testCounts(1, SMALL), samples: 0 };
    await serving.infer("mine", request);
    await assert.rejects(
      serving.infer("mine", { ...request, samples: 60_000 }),
      (error) =>
        error instanceof InputError && /at most .* MiB .* 60000 samples/.test(error.message),
    );
    await serving.infer("mine", request);
  });
});

Deno.test("a forgotten model is read again, and an unknown one is not found", async () => {
  await withServing({ mine: testModel(SMALL) }, {}, async ({ serving, reads }) => {
    const request = { ...testCounts(1, SMALL), samples: 0 };
    await serving.infer("mine", request);
    await serving.infer("mine", request);
    assert.equal(reads.get("mine"), 1);
    await serving.forget("mine");
    await serving.infer("mine", request);
    assert.equal(reads.get("mine"), 2);
    await assert.rejects(serving.infer("yours", request), problem("unknown-model"));
    assert.deepEqual(await serving.models(), ["mine"]);
  });
});

Deno.test("a request that does not fit its model is refused with field, wanted and found", async () => {
  await withServing(
    { mine: testModel(SMALL) },
    { maxAnswerBytes: 100_000 },
    async ({ serving }) => {
      const good: InferRequest = { ...testCounts(2, SMALL), samples: 0 };
      const cases: [Partial<InferRequest>, RegExp][] = [
        [{ T: 5 }, /expected spikes of 6 bins and 5 neurons, .* found 5 bins and 5 neurons/],
        [{ trials: 3 }, /30 counts for each, found 3 trials and 60 counts/],
        [{ trials: 0, counts_BTN: new Uint8Array() }, /at least one trial/],
        [{ samples: -1 }, /samples .* from 0 to 65536, found -1/],
        [{ samples: 1.5 }, /samples .* found 1.5/],
        [{ seed: 2 ** 53 }, /seed .* found 9007199254740992/],
        [{ firstTrial: 2 ** 31 }, /firstTrial .* found 2147483648/],
        [{ binWidth: 0 }, /a bin width above 0 seconds, found 0/],
        [{ outputs: ["gen_inputs"] }, /outputs among rates, .* found "gen_inputs"/],
        [testCounts(1000, SMALL), /an answer of at most 100000 bytes, found \d+ for 1000 trials/],
      ];
      for (const [change, message] of cases) {
        await assert.rejects(
          serving.infer("mine", { ...good, ...change }),
          (error) => error instanceof InputError && message.test(error.message),
          String(message),
        );
      }
    },
  );
});

Deno.test("fixed points found behind inference are those found alone", async () => {
  const model = testModel(SHAPE_M);
  const wasm = { device: { device: "wasm", threads: 2 } };
  await withServing({ mine: model }, wasm, async ({ serving, events }) => {
    const device = await openDevice({ device: "wasm", threads: 1 });
    const search = { iterations: 40, batch: 10, stopTol: 0, tol: 1e-3 };
    const seen: number[] = [];
    const options = {
      onProgress: ({ iterations }: { iterations: number }) => seen.push(iterations),
    };
    const running = serving.fixedPoints("mine", { trials: 4, seed: 3, search }, options);
    const means: Promise<InferAnswer>[] = [];
    let over = false;
    running.finally(() => over = true).catch(() => {});
    while (!over) {
      means.push(serving.infer("mine", { ...testCounts(1, SHAPE_M), samples: 0 }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { device: _, ...found } = await running;
    const { gen_BTG } = generateTrials(model, { trials: 4, seed: 3 });
    const { device: __, ...alone } = await modelFixedPoints(device, model, gen_BTG, {
      ...search,
      seed: 3,
    });
    assert.deepEqual(found, alone);
    assert.deepEqual(seen, [10, 20, 30, 40]);
    assert(events.filter(({ kind }) => kind === "slice").length > 4, "slices");
    await Promise.all(means);

    const data = testCounts(3, SHAPE_M);
    const fromData = await serving.fixedPoints("mine", { data, samples: 2, search });
    const states = await infer(device, model, data, { samples: 2, seed: 0 });
    assert.deepEqual(
      fromData.points,
      (await modelFixedPoints(device, model, states.gen_BTG, search)).points,
    );
    device.close();
  });
});

Deno.test("generated trials are those that the model generates elsewhere", async () => {
  const model = testModel(DRIVEN);
  await withServing({ mine: model }, { maxAnswerBytes: 1e6 }, async ({ serving }) => {
    assert.deepEqual(
      await serving.generate("mine", { trials: 3, T: 9, seed: 4 }),
      generate(model, { trials: 3, T: 9, seed: 4 }),
    );
    await assert.rejects(
      serving.generate("mine", { trials: 1e6 }),
      /at most 1000000 bytes, found \d+ for 1000000 trials of 7 bins/,
    );
    await assert.rejects(
      serving.generate("mine", { trials: 0 }),
      (error) => error instanceof InputError && /trials/.test(error.message),
    );
  });
});

Deno.test("a job that is stopped gives the device back, and the next one runs", async () => {
  const wasm = { device: { device: "wasm", threads: 1 }, maxJobs: 2 };
  await withServing({ mine: testModel(SHAPE_M) }, wasm, async ({ serving, events }) => {
    const stop = new AbortController();
    const endless = { search: { iterations: 1e6, stopTol: 0 } };
    const first = serving.fixedPoints("mine", endless, {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    const second = serving.generate("mine", { trials: 1 });
    await assert.rejects(
      serving.describe("mine").then(() => serving.generate("mine")),
      problem("overloaded"),
    );
    await assert.rejects(first, { name: "AbortError" });
    await second;
    await assert.rejects(
      serving.fixedPoints("mine", endless, { timeoutMs: 300 }),
      problem("timeout"),
    );
    await serving.generate("mine", { trials: 1 });
    const jobs = events.flatMap((event) => event.kind === "job" ? [event.outcome] : []);
    assert.deepEqual(jobs.sort(), ["aborted", "ok", "ok", "overloaded", "timeout"]);
    const slices = events.filter(({ kind }) => kind === "slice").length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(
      events.filter(({ kind }) => kind === "slice").length,
      slices,
      "the device is idle",
    );
  });
});

Deno.test("closing fails what waits, and refuses what comes", async () => {
  await withServing({ mine: testModel(SMALL) }, {}, async ({ serving }) => {
    await serving.describe("mine");
    const request = { ...testCounts(1, SMALL), samples: 0 };
    const waiting = assert.rejects(serving.infer("mine", request), problem("closed"));
    const closing = serving.close();
    await waiting;
    await closing;
    await assert.rejects(serving.infer("mine", request), problem("closed"));
    assert.equal(serving.readiness().ready, false);
  });
});
