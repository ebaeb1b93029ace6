/**
 * A client of latentd with nothing but `fetch`: for Deno, Node and browsers. Copy it, or
 *
 *     deno run --allow-net --allow-write examples/client.ts --out results
 *
 * which simulates spikes, uploads them, trains, infers, finds fixed points, and writes rates and
 * parameters. (Node runs the same file from version 24.2 on.) From a page of another site a browser may
 * not ask; from the server's own pages it may.
 *
 * Exit codes: 0 done; 1 the server refused, or the run failed.
 */

/** Numbers, last axis fastest. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** Spike counts `[trials][bins][neurons]`, last axis fastest. */
export interface Spikes {
  readonly shape: readonly [trials: number, bins: number, neurons: number];
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface Dataset {
  readonly id: string;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
}

export interface Run {
  readonly id: string;
  readonly state: string;
  readonly model: string | null;
  readonly failure: string | null;
}

/** One thing that happened in a run; /openapi.json lists the kinds. */
export interface RunEvent {
  readonly id: number;
  readonly kind: string;
  readonly [field: string]: unknown;
}

export interface InferOptions {
  /** posterior samples of each trial, averaged; 0 is the posterior mean; 64 */
  readonly samples?: number;
  readonly seed?: number;
  /** all where left out */
  readonly outputs?: readonly string[];
}

export interface FixedPoints {
  readonly counts: { readonly candidates: number; readonly kept: number };
  readonly fixedPoints: readonly {
    readonly point: readonly number[];
    readonly q: number;
    readonly class: string;
    readonly eigenvalues: readonly { readonly re: number; readonly im: number }[];
  }[];
}

const FINAL_STATES: readonly unknown[] = ["completed", "failed", "cancelled"];

/** What the server refused, in its words. */
export class Problem extends Error {}

/** A server. A key is needed where it listens beyond its own machine. */
export class Client {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(server = "http://127.0.0.1:8000", key?: string) {
    this.server = server.replace(/\/$/, "");
    this.headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  }

  /** @throws {Problem} where the server refuses */
  async request(path: string, { headers, ...init }: RequestInit = {}): Promise<Response> {
    const all = { ...this.headers, ...headers as Record<string, string> };
    const answer = await fetch(this.server + path, { ...init, headers: all });
    if (answer.ok) return answer;
    const text = await answer.text();
    let said = text;
    try {
      said = JSON.parse(text).error ?? text;
    } catch { /* not JSON: shown as it is */ }
    throw new Problem(`${init.method ?? "GET"} ${path}: ${answer.status} ${said}`);
  }

  async post<T>(path: string, value: unknown): Promise<T> {
    const headers = { "content-type": "application/json" };
    const answer = await this.request(path, {
      method: "POST",
      headers,
      body: JSON.stringify(value),
    });
    return await answer.json();
  }

  /** Stores a `.npz` (or `.npy`) file, as numpy writes it. */
  async upload(
    file: Uint8Array<ArrayBuffer> | Blob,
    name = "spikes.npz",
  ): Promise<Dataset> {
    const type = name.endsWith(".npy") ? "application/x-npy" : "application/x-npz";
    const answer = await this.request(`/v1/datasets?${new URLSearchParams({ name })}`, {
      method: "POST",
      headers: { "content-type": type },
      body: file,
    });
    return await answer.json();
  }

  /** Queues a run; options are `seed`, `device`, `starts`, `reproducible`, `report`, `resumeFrom`. */
  train(
    dataset: string,
    hyperparameters: Readonly<Record<string, unknown>> = {},
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<Run> {
    return this.post("/v1/runs", { dataset, hyperparameters, ...options });
  }

  async run(id: string): Promise<Run> {
    return await (await this.request(`/v1/runs/${id}`)).json();
  }

  /** Asks a run to stop; what it has trained becomes a model. */
  cancel(id: string): Promise<Run> {
    return this.post(`/v1/runs/${id}/cancel`, {});
  }

  /**
   * What happens in a run until it is over, each event once. Where the connection is lost it comes back
   * behind the last event, and gives up after `patience` tries a second apart that nobody answers.
   */
  async *events(run: string, after = 0, patience = 60): AsyncGenerator<RunEvent, void, void> {
    for (let failures = 0;; failures++) {
      try {
        const answer = await this.request(`/v1/runs/${run}/events`, {
          headers: { accept: "text/event-stream", "last-event-id": String(after) },
        });
        if (answer.status === 204 || answer.body === null) return; // all is known
        for await (const line of lines(answer.body)) {
          failures = 0;
          if (!line.startsWith("data: ")) continue;
          const event: RunEvent = JSON.parse(line.slice("data: ".length));
          after = event.id;
          yield event;
          if (event.kind === "state" && FINAL_STATES.includes(event.state)) return;
        }
      } catch (error) {
        if (error instanceof Problem || failures >= patience) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  /** Arrays by name: rates, factors, gen_states, gen_init …, trials first. */
  async infer(model: string, spikes: Spikes, options: InferOptions = {}): Promise<Arrays> {
    const { samples = 64, seed = 0, outputs } = options;
    const query = new URLSearchParams({ samples: `${samples}`, seed: `${seed}` });
    if (outputs) query.set("outputs", outputs.join());
    const answer = await this.request(`/v1/models/${model}/infer?${query}`, {
      method: "POST",
      headers: {
        "content-type": "application/octet-stream",
        "x-tensor-shape": spikes.shape.join(),
        "x-tensor-dtype": "uint8",
        accept: "application/x-safetensors",
      },
      body: spikes.data,
    });
    return readSafetensors(await answer.arrayBuffer());
  }

  /** The same by the Open Inference Protocol, with its binary tensors. */
  async inferOip(model: string, spikes: Spikes, options: InferOptions = {}): Promise<Arrays> {
    const { samples = 64, seed = 0, outputs = [] } = options;
    const head = new TextEncoder().encode(JSON.stringify({
      inputs: [{
        name: "spikes",
        shape: spikes.shape,
        datatype: "UINT8",
        parameters: { binary_data_size: spikes.data.length },
      }],
      outputs: outputs.map((name) => ({ name })),
      parameters: { samples, seed, binary_data_output: true },
    }));
    const answer = await this.request(`/v2/models/${model}/infer`, {
      method: "POST",
      headers: {
        "content-type": "application/octet-stream",
        "inference-header-content-length": `${head.length}`,
      },
      body: concatenate(head, spikes.data),
    });
    const length = Number(answer.headers.get("inference-header-content-length"));
    const bytes = await answer.arrayBuffer();
    const found = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 0, length)));
    const arrays: Arrays = {};
    let at = length;
    for (const { name, shape, datatype, parameters } of found.outputs) {
      arrays[name] = { shape, data: numbers(bytes, at, parameters.binary_data_size, datatype) };
      at += parameters.binary_data_size;
    }
    return arrays;
  }

  /** Options are `dataset`, `candidates`, `seed`, `search` … */
  fixedPoints(model: string, options: Readonly<Record<string, unknown>> = {}) {
    return this.post<FixedPoints>(`/v1/models/${model}/fixed-points`, options);
  }

  /** Every learned array as a file: a `.npz` for numpy, or safetensors. */
  async parameters(model: string, format: "npz" | "safetensors"): Promise<ArrayBuffer> {
    const accept = `application/x-${format}`;
    const answer = await this.request(`/v1/models/${model}/parameters`, { headers: { accept } });
    return await answer.arrayBuffer();
  }
}

export type Arrays = Record<string, Tensor>;

/** The lines of a stream, without their ends. */
async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const reader = stream.getReader(), decoder = new TextDecoder();
  try {
    for (let rest = "";;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop()!;
      yield* parts;
    }
  } finally {
    await reader.cancel().catch(() => {}); // hangs up where nobody listens any more
  }
}

/** Little-endian numbers, wherever in a memory they stand. */
function numbers(bytes: ArrayBuffer, at: number, size: number, type: string): Tensor["data"] {
  const own = bytes.slice(at, at + size);
  if (type === "FP32" || type === "F32") return new Float32Array(own);
  if (type === "FP64" || type === "F64") return new Float64Array(own);
  throw new Problem(`Cannot read an array: expected 32 or 64 bit floats, found ${type}.`);
}

interface SafetensorsEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [from: number, to: number];
}

/** https://github.com/huggingface/safetensors: the header's length, the header as JSON, the numbers. */
export function readSafetensors(bytes: ArrayBuffer): Arrays {
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const arrays: Arrays = {};
  delete header.__metadata__;
  for (const [name, about] of Object.entries<SafetensorsEntry>(header)) {
    const { dtype, shape, data_offsets: [from, to] } = about;
    arrays[name] = { shape, data: numbers(bytes, 8 + length + from, to - from, dtype) };
  }
  return arrays;
}

/** Counts as a `.npy` file, which numpy and the server read. */
export function writeNpy({ shape, data }: Spikes): Uint8Array<ArrayBuffer> {
  const about = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  // 10 bytes before it, and blanks so that the numbers start at a multiple of 64
  const header = about.padEnd(Math.ceil((10 + about.length + 1) / 64) * 64 - 11) + "\n";
  const magic = Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0);
  const size = Uint8Array.of(header.length & 255, header.length >> 8);
  return concatenate(magic, size, new TextEncoder().encode(header), data);
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Neurons that see a point turn on a circle, each trial from an angle of its own. */
export function simulate(trials = 200, bins = 50, neurons = 30): Spikes {
  const data = new Uint8Array(trials * bins * neurons);
  for (let b = 0, i = 0; b < trials; b++) {
    const start = 2 * Math.PI * Math.random();
    for (let t = 0; t < bins; t++) {
      for (let n = 0; n < neurons; n++) {
        const angle = start + 2 * Math.PI * (t / bins - n / neurons);
        data[i++] = poisson(Math.exp(1.5 * Math.cos(angle) - 1));
      }
    }
  }
  return { shape: [trials, bins, neurons], data };
}

/** Counts arrivals in a unit of time. */
function poisson(rate: number): number {
  let count = -1;
  for (let time = 0; time < 1; count++) time -= Math.log(1 - Math.random()) / rate;
  return count;
}

async function main(): Promise<void> {
  const { parseArgs } = await import("node:util");
  const { mkdir, writeFile } = await import("node:fs/promises");
  const { values } = parseArgs({
    options: {
      server: { type: "string", default: "http://127.0.0.1:8000" },
      key: { type: "string" },
      hyperparameters: {
        type: "string",
        default: '{"generatorUnits": 16, "encoderUnits": 16, "factors": 4, "steps": 500}',
      },
      device: { type: "string", default: "auto" },
      out: { type: "string", default: "." },
    },
  });
  const latentd = new Client(values.server, values.key);

  const spikes = simulate();
  const dataset = await latentd.upload(writeNpy(spikes), "spikes.npy");
  console.log(`dataset ${dataset.id}: ${dataset.trials} trials, ${dataset.N} neurons`);

  const { device } = values;
  const { id } = await latentd.train(dataset.id, JSON.parse(values.hyperparameters), { device });
  console.log(`run ${id}`);
  for await (const event of latentd.events(id)) {
    if (event.kind === "evaluation") {
      const { step, evaluation } = event.entry as { step: number; evaluation: { nll: number } };
      console.log(`  step ${step}: nll ${evaluation.nll.toFixed(2)}`);
    }
  }
  const { state, model, failure } = await latentd.run(id);
  if (model === null || state !== "completed") {
    throw new Problem(`The run ${id} is ${state}: ${failure}`);
  }
  console.log(`model ${model}`);

  const { rates } = await latentd.infer(model, spikes, { samples: 64 });
  console.log(`rates ${rates.shape.join(" × ")}`);

  // one trial at a time by the standard protocol: the posterior mean, as in a closed loop
  const [, bins, neurons] = spikes.shape;
  const first = { shape: [1, bins, neurons], data: spikes.data.slice(0, bins * neurons) } as const;
  const { factors } = await latentd.inferOip(model, first, { samples: 0, outputs: ["factors"] });
  console.log(`factors of the first trial by the Open Inference Protocol: ${factors.shape}`);

  const { fixedPoints } = await latentd.fixedPoints(model, { dataset: dataset.id });
  for (const point of fixedPoints) console.log(`  ${point.class}, q ${point.q.toExponential(1)}`);

  await mkdir(values.out, { recursive: true });
  await writeFile(`${values.out}/rates.f32`, new Uint8Array(rates.data.buffer as ArrayBuffer));
  await writeFile(`${values.out}/fixed_points.json`, JSON.stringify(fixedPoints));
  const parameters = await latentd.parameters(model, "npz");
  await writeFile(`${values.out}/parameters.npz`, new Uint8Array(parameters));
  console.log(`parameters.npz: ${parameters.byteLength} bytes`);
}

if (import.meta.main) {
  main().catch(async (error) => {
    console.error(error instanceof Problem ? error.message : error);
    (await import("node:process")).exit(1);
  });
}
