/** A whole server under a bounded load: nothing is lost, everything is right, memory stays. */
import assert from "node:assert/strict";
import {
  architecture,
  createWasmExecutor,
  infer,
  initialise,
  type Model,
  modelToBytes,
  parseHyperparameters,
  simulateRotation,
} from "../src/mod.ts";
import { type Ask, askForTrials, atRate, quantile, together } from "../bench/load.ts";
import { withProcess } from "./server_helpers.ts";

/** Much to send and little to compute. */
const T = 100, N = 100, TRIALS = 16;
const data = simulateRotation({ trials: TRIALS, T, N, seed: 2 });
const model: Model = (() => {
  const hyperparameters = parseHyperparameters({
    encoderUnits: 4,
    generatorUnits: 4,
    factors: 3,
    inferredInputs: 0,
  });
  const shape = architecture(hyperparameters, T, N);
  const params_P = initialise(shape, hyperparameters, 1, new Float64Array(N).fill(0.5));
  return { hyperparameters, architecture: shape, params_P, seed: 1, step: 0, binWidth: 0.01 };
})();

/** The rates of each trial, as the library computes them. */
const wanted = await (async () => {
  const executor = await createWasmExecutor({ threads: 1, reproducible: true });
  try {
    const { rates_BTN } = await infer(executor, model, data, { samples: 0 });
    return parts(rates_BTN).map((rates) => Float32Array.from(rates));
  } finally {
    executor.close();
  }
})();

function parts<X extends Float64Array | Uint8Array | Uint16Array>(values_BTN: X): X[] {
  const size = T * N;
  return Array.from(
    { length: TRIALS },
    (_, b) => values_BTN.subarray(b * size, (b + 1) * size) as X,
  );
}

/** Hands the model to a server; how to ask for its trials. */
async function open(address: string): Promise<Ask> {
  const answer = await fetch(`${address}/v1/models`, {
    method: "POST",
    headers: { "content-type": "application/x-safetensors" },
    body: modelToBytes(model) as Uint8Array<ArrayBuffer>,
  });
  const { id } = await answer.json();
  const counts = parts(Uint8Array.from(data.counts_BTN)).map((counts) => Uint8Array.from(counts));
  return askForTrials(address, id, "rates", { counts, T, N, wanted });
}

/** A number of `/metrics`. */
async function metric(address: string, line: string): Promise<number> {
  const page = await (await fetch(`${address}/metrics`)).text();
  const found = page.split("\n").find((text) => text.startsWith(`${line} `));
  assert(found, `/metrics has no ${line}`);
  return Number(found.slice(line.length));
}

Deno.test("64 clients at once lose no request, and every answer is the library's", () =>
  withProcess(async (_, address) => {
    const ask = await open(address);
    const COUNT = 1024;
    // an answer that is not 200, or differs in a bit, is an error
    const { answers } = await together(ask, 64, COUNT);
    assert.equal(answers.length, COUNT);
    // nothing was computed twice or not at all, and clients shared launches
    const outcomes = 'latentd_inference_requests_total{class="mean",outcome="ok"}';
    assert.equal(await metric(address, outcomes), COUNT);
    const trials = await metric(address, "latentd_inference_batch_trials_sum");
    const launches = await metric(address, "latentd_inference_batch_trials_count");
    assert.equal(trials, COUNT);
    assert(launches < COUNT, `${launches} launches for ${COUNT} requests`);
    assert.equal(await metric(address, 'latentd_inference_waiting{class="mean"}'), 0);
    assert.equal(await metric(address, "latentd_http_body_bytes"), 0);
  }));

Deno.test("memory stays where it is over 2000 requests", () =>
  withProcess(async (_, address) => {
    const ask = await open(address);
    const memory = async (requests: number) => {
      await together(ask, 16, requests);
      return await metric(address, "latentd_memory_bytes");
    };
    // V8 lets its heap grow until it has seen how much of it lives: by about 100 MB
    await memory(3000);
    const REQUESTS = 2000, EVERY = 250;
    const found: number[] = [];
    for (let i = 0; i <= REQUESTS; i += EVERY) found.push(await memory(EVERY));
    // lowest of two: a collection of garbage may be due at any of them
    const growth = Math.min(...found.slice(-2)) - Math.min(...found.slice(0, 2));
    // what it were if the smallest thing that each request brings, its counts, stayed
    const least = REQUESTS * T * N;
    assert(growth < least, `${growth} bytes, at ${found.join(", ")}`);
  }));

Deno.test("requests go out at their rate, whether or not earlier ones are answered", async () => {
  const RATE = 200, COUNT = 40;
  const started: number[] = [];
  // nobody is answered before all have asked; a client that waits would wait for this, and fail
  const all = Promise.withResolvers<void>();
  const timer = setTimeout(() => all.reject(new Error("not all have asked")), 10_000);
  const start = performance.now();
  const answers = await atRate(
    async (i) => {
      started.push(performance.now() - start);
      if (i === COUNT - 1) all.resolve();
      await all.promise;
      return { ms: i, computeMs: 0, queueMs: 0 };
    },
    RATE,
    COUNT,
  );
  clearTimeout(timer);
  assert.deepEqual(answers.map(({ ms }) => ms), Array.from({ length: COUNT }, (_, i) => i));
  // a timer may be early by a rounding, never by more than a millisecond
  for (const [i, ms] of started.entries()) {
    assert(ms > 1000 * i / RATE - 1, `${i} left at ${ms} ms`);
  }
  await assert.rejects(
    atRate(
      (i) => i === 3 ? Promise.reject(new Error("wrong")) : Promise.resolve(answers[0]),
      1000,
      5,
    ),
    /wrong/,
  );
});

Deno.test("a quantile is one of the numbers, and the smallest that enough do not exceed", () => {
  const numbers = [30, 10, 20, 40];
  assert.deepEqual([0, 0.25, 0.26, 0.5, 0.99, 1].map((q) => quantile(numbers, q)), [
    ...[10, 10, 20, 20, 40, 40],
  ]);
});

Deno.test("an answer that differs in one bit is an error", () =>
  withProcess(async (_, address) => {
    const [first] = wanted;
    const right = first[5];
    first[5] = new Float32Array(
      Uint32Array.of(
        new Uint32Array(Float32Array.of(right).buffer)[0] ^ 1,
      ).buffer,
    )[0];
    try {
      const ask = await open(address);
      await ask(1);
      await assert.rejects(ask(0), /rates differs from what the library computes/);
    } finally {
      first[5] = right;
    }
  }));
