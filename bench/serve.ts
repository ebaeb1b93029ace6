/** The server under a bounded load on this machine's loopback: latency, throughput, memory, start. */
import { cpus, loadavg } from "node:os";
import {
  createWasmExecutor,
  datasetToBytes,
  infer,
  type Model,
  modelToBytes,
  type Posterior,
} from "../src/mod.ts";
import { type Answered, type Ask, askForTrials, atRate, quantile, together } from "./load.ts";
import { modelCase, SEED } from "./model_case.ts";
import { startServer } from "./server_process.ts";
import type { Shape } from "./shapes.ts";

export interface ServeOptions {
  /** turns of everything that is timed */
  readonly rounds: number;
  /** how long a turn at a fixed rate lasts */
  readonly seconds: number;
  /** threads of the server's device and of its runs */
  readonly threads: number;
  /** requests in a row while memory is watched */
  readonly requests: number;
  readonly say: (line: string) => void;
}

/** One figure, in every turn, and what it ought to be. */
export interface Row {
  readonly what: string;
  readonly figures: readonly number[];
  readonly unit: string;
  /** what it should stay below; null where there is no such figure */
  readonly target: number | null;
}

const RATE = 100, CLIENTS = 64;
/** Trials that are asked for in turn. */
const TRIALS = 64;

/** The median turn. */
export const typical = (figures: readonly number[]): number => quantile(figures, 0.5);

export async function benchServe(shape: Shape, options: ServeOptions): Promise<Row[]> {
  const { rounds, seconds, threads, requests, say } = options;
  const folder = await Deno.makeTempDir({ prefix: "latentd-bench-" });
  const args = ["--device", "wasm", "--threads", String(threads)];
  const rows: Row[] = [];
  const add = (what: string, unit: string, target: number | null, figures: number[]) => {
    rows.push({ what, unit, target, figures });
    say(`${what}: ${figures.map((figure) => figure.toPrecision(3)).join(", ")} ${unit}`);
  };
  try {
    const listens: number[] = [], readies: number[] = [];
    // the first one fills the caches of Deno and of the file system
    for (let round = 0; round <= rounds; round++) {
      const server = await startServer(`${folder}/empty-${round}`, args);
      await server.stop();
      if (round === 0) continue;
      listens.push(server.listenMs);
      readies.push(server.readyMs);
    }
    add("listens after the start", "ms", 500, listens);
    add("device ready after the start", "ms", 500, readies);

    const server = await startServer(`${folder}/data`, args);
    try {
      const trials = await inferTrials(shape, threads);
      const model = await post(server.address, "/v1/models", trials.file, SAFETENSORS);
      const asks = {
        factors: askForTrials(server.address, model, "factors", trials.of("factors")),
        rates: askForTrials(server.address, model, "rates", trials.of("rates")),
      };
      for (const ask of Object.values(asks)) await together(ask, 1, 200); // compiled, and warm

      // in turns, so that whoever else uses the machine disturbs all alike
      const nothing = askForNothing(server.address);
      const turns = { nothing: [], factors: [], rates: [] } as Record<string, Answered[][]>;
      for (let round = 0; round < rounds; round++) {
        for (const [name, ask] of Object.entries({ nothing, ...asks })) {
          turns[name].push(await atRate(ask, RATE, RATE * seconds));
        }
      }
      const empty = turns.nothing.map((answers) => quantile(answers.map(({ ms }) => ms), 0.99));
      add(`a request for nothing (/healthz), ${RATE} a second: end to end p99`, "ms", null, empty);
      for (const output of Object.keys(asks)) {
        report(`${output}, ${RATE} a second`, turns[output], add, { computeMs: 1, ms: 5 });
      }

      const rates: number[] = [], slowest: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const { answers, seconds } = await together(asks.factors, CLIENTS, 32 * CLIENTS);
        rates.push(answers.length / seconds);
        slowest.push(quantile(answers.map(({ ms }) => ms), 0.99));
      }
      add(`${CLIENTS} clients: answers`, "per s", null, rates);
      add(`${CLIENTS} clients: p99`, "ms", null, slowest);

      const memory = await watchMemory(
        asks.factors,
        requests,
        () => server.metric("latentd_memory_bytes"),
      );
      add(`memory over ${requests} requests, at tenths`, "MiB", null, memory);

      const idle = await during(server.address, trials.data, shape, async () => {
        await server.metric(GAP); // from here on
        const turns: Answered[][] = [], gaps: number[] = [];
        for (let round = 0; round < rounds; round++) {
          turns.push(await atRate(asks.factors, RATE, RATE * seconds));
          gaps.push(1000 * await server.metric(GAP));
        }
        return { turns, gaps };
      });
      report(`while a run trains: factors, ${RATE} a second`, idle.turns, add, {});
      add("while a run trains: gap of the event loop", "ms", 20, idle.gaps);
    } finally {
      await server.stop();
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const GAP = "latentd_event_loop_gap_seconds";
const SAFETENSORS = "application/x-safetensors", NPZ = "application/x-npz";

function report(
  what: string,
  turns: readonly Answered[][],
  add: (what: string, unit: string, target: number | null, figures: number[]) => void,
  targets: { readonly computeMs?: number; readonly ms?: number },
): void {
  const figure = (of: (answer: Answered) => number, q: number) =>
    turns.map((answers) => quantile(answers.map(of), q));
  const compute = (answer: Answered) => answer.computeMs, whole = (answer: Answered) => answer.ms;
  add(`${what}: compute p50`, "ms", targets.computeMs ?? null, figure(compute, 0.5));
  add(`${what}: compute p99`, "ms", null, figure(compute, 0.99));
  add(`${what}: end to end p50`, "ms", null, figure(whole, 0.5));
  add(`${what}: end to end p99`, "ms", targets.ms ?? null, figure(whole, 0.99));
}

/** A started model of a shape as a file, trials for it, and what the library infers from them. */
async function inferTrials(shape: Shape, threads: number) {
  const { data, model: architecture, moved_P } = modelCase(shape);
  const hyperparameters = shape.hyperparameters;
  const origin = { seed: SEED, step: 0, binWidth: 0.01 };
  const model: Model = { ...origin, hyperparameters, architecture, params_P: moved_P };
  const { T, N } = data;
  const counts_BTN = data.counts_BTN.subarray(0, TRIALS * T * N);
  const executor = await createWasmExecutor({ threads });
  let found: Posterior;
  try {
    found = await infer(executor, model, { counts_BTN, trials: TRIALS, T, N }, { samples: 0 });
  } finally {
    executor.close();
  }
  const each = Array.from({ length: TRIALS }, (_, b) => b);
  const split = (values: Float64Array) => {
    const size = values.length / TRIALS;
    return each.map((b) => Float32Array.from(values.subarray(b * size, (b + 1) * size)));
  };
  const counts = each.map((b) => Uint8Array.from(counts_BTN.subarray(b * T * N, (b + 1) * T * N)));
  return {
    data,
    file: modelToBytes(model),
    of: (output: "factors" | "rates") => ({
      counts,
      T,
      N,
      wanted: split(output === "factors" ? found.factors_BTF : found.rates_BTN),
    }),
  };
}

/** What HTTP, the clients and the machine take by themselves. */
function askForNothing(address: string): Ask {
  return async () => {
    const start = performance.now();
    const answer = await fetch(`${address}/healthz`);
    await answer.bytes();
    return { ms: performance.now() - start, computeMs: 0, queueMs: 0 };
  };
}

/** Stores something; its id. */
async function post(
  address: string,
  path: string,
  body: Uint8Array | string,
  type: string,
): Promise<string> {
  const answer = await fetch(address + path, {
    method: "POST",
    headers: { "content-type": type },
    body: body as Uint8Array<ArrayBuffer> | string,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text).id;
}

/** The server's memory in MiB after each tenth of the requests. */
async function watchMemory(
  ask: Ask,
  requests: number,
  read: () => Promise<number>,
): Promise<number[]> {
  const found: number[] = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    await together(ask, 8, Math.ceil(requests / 10));
    found.push(await read() / 2 ** 20);
  }
  return found;
}

/** Does something while a run of the shape trains. */
async function during<X>(
  address: string,
  data: Parameters<typeof datasetToBytes>[0],
  shape: Shape,
  work: () => Promise<X>,
): Promise<X> {
  const dataset = await post(address, "/v1/datasets", datasetToBytes(data), NPZ);
  const hyperparameters = { ...shape.hyperparameters, steps: 1_000_000 };
  const wanted = { dataset, hyperparameters, device: "wasm", report: false };
  const run = await post(address, "/v1/runs", JSON.stringify(wanted), "application/json");
  const events = await fetch(`${address}/v1/runs/${run}/events`);
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !said.includes('"kind":"step"');) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The run ended: ${said}`);
    said += value;
  }
  // progress is read on, as a dashboard would
  const followed = (async () => {
    while (!(await reader.read()).done);
  })();
  try {
    return await work();
  } finally {
    await post(address, `/v1/runs/${run}/cancel`, "{}", "application/json");
    await followed;
  }
}

/** The rows as a table, and what is needed to judge them. */
export function tableOf(shape: Shape, rows: readonly Row[], options: ServeOptions): string {
  const processors = cpus();
  const load = loadavg().map((value) => value.toFixed(1)).join(", ");
  return [
    `One trial of shape ${shape.name} (${shape.title}), its posterior mean, over HTTP on loopback; ` +
    `clients and server share ${processors.length} × ${processors[0].model.trim()}; wasm, ` +
    `${options.threads} threads, Deno ${Deno.version.deno}; load average at the end ${load}. Every ` +
    `answer was compared with the library's; ${rounded(options)}.`,
    "",
    "| what | least | median | most | wanted |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map(({ what, figures, unit, target }) => {
      const [least, median, most] = [0, 0.5, 1].map((q) => quantile(figures, q).toPrecision(3));
      return `| ${what}, ${unit} | ${least} | ${median} | ${most} | ${
        target === null ? "" : `< ${target}`
      } |`;
    }),
    "",
  ].join("\n");
}

const rounded = ({ rounds, seconds }: ServeOptions) => `${rounds} turns of ${seconds} s each`;
