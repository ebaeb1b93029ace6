/**
 * Inference for many callers on one device: a worker owns the device and keeps models loaded; requests
 * of the same model are batched; this thread keeps the queue and never computes.
 */
import * as Comlink from "comlink";
import type { DeviceOptions } from "../compute/devices.ts";
import type { DeviceInfo } from "../compute/executor.ts";
import { InputError } from "../errors.ts";
import type { FixedPointResult } from "../analysis/fixed_points.ts";
import type { Dataset } from "../data/dataset.ts";
import type { GenerateOptions } from "../study/generate.ts";
import { DeviceThreads } from "./device_threads.ts";
import { ServingError } from "./errors.ts";
import type { Outcome, ServingEvent, ServingStatistics } from "./events.ts";
import {
  dataOfTrials,
  type Launch,
  launchTrials,
  layOutAnswer,
  viewAnswer,
  type Width,
} from "./launch.ts";
import { Schedule, type Waiting } from "./schedule.ts";
import type { DeviceHost } from "./device_host.ts";
import { startDeviceWorker, type StartWorker } from "./start_worker.ts";
import { WorkerClient } from "./worker_client.ts";
import { JobQueue } from "./job_queue.ts";
import {
  FIXED_POINTS_DEFAULTS,
  type FixedPointsRequest,
  type SearchProgress,
} from "./job_requests.ts";
import {
  checkRequest,
  fittedOf,
  type InferAnswer,
  type InferenceService,
  type InferRequest,
  type ModelDescription,
  type OutputName,
  type Readiness,
  type RequestOptions,
  wantedOutputs,
} from "./service.ts";

/** Where models come from: their files' bytes by id. */
export interface ModelSource {
  /** @returns null where there is no such model */
  read(id: string): Promise<Uint8Array | null>;
  list(): Promise<readonly string[]>;
}

export interface ServingOptions {
  readonly models: ModelSource;
  readonly device?: Omit<DeviceOptions, "startThread">;
  /** most trials of one launch: 64 */
  readonly maxBatch?: number;
  /** how long a posterior mean waits for others to share its launch while the device is idle: 0 ms */
  readonly maxDelayMs?: number;
  /** numbers that one launch may keep; it bounds how long others wait for a launch of samples: 48e6 */
  readonly launchNumbers?: number;
  /** parameters and programs that the device keeps loaded: 1 GiB */
  readonly maxModelBytes?: number;
  /** requests that may wait: 1024 */
  readonly maxWaiting?: number;
  /** bytes of counts that may wait: 512 MiB */
  readonly maxWaitingBytes?: number;
  /** bytes of one answer: 1 GiB */
  readonly maxAnswerBytes?: number;
  /** jobs (fixed points, generated trials) that may run or wait: 16 */
  readonly maxJobs?: number;
  /** how long a request may take: 60 000 ms */
  readonly timeoutMs?: number;
  /** how long a job may take: 600 000 ms */
  readonly jobTimeoutMs?: number;
  /**
   * how long after a posterior mean the device's thread looks out for the next without sleeping; it keeps
   * a processor busy for that long: 0 ms
   */
  readonly awakeMs?: () => number;
  /** a device that works longer on one launch is lost: 120 000 ms */
  readonly launchLimitMs?: number;
  readonly onEvent?: (event: ServingEvent) => void;
  /** for tests: another worker in place of the device's */
  readonly startWorker?: StartWorker;
}

/** How a job may end before its answer, and who hears where a search is. */
export interface JobOptions extends RequestOptions {
  readonly onProgress?: (progress: SearchProgress) => void;
}

const DEFAULTS = {
  device: {},
  maxBatch: 64,
  maxDelayMs: 0,
  launchNumbers: 48e6,
  maxModelBytes: 2 ** 30,
  maxWaiting: 1024,
  maxWaitingBytes: 512 * 2 ** 20,
  maxAnswerBytes: 2 ** 30,
  maxJobs: 16,
  timeoutMs: 60_000,
  jobTimeoutMs: 600_000,
  awakeMs: () => 0,
  launchLimitMs: 120_000,
  onEvent: () => {},
  startWorker: startDeviceWorker,
} as const;

/** After a failed start the next one is not tried sooner, in milliseconds. */
const RETRY_MS = 1000;
/** Descriptions that are remembered. */
const MOST_DESCRIPTIONS = 10_000;

type Device = WorkerClient<DeviceHost>;

/** A request that waits for its launches. */
interface InferTask extends Waiting {
  readonly kind: "infer";
  readonly model: ModelDescription;
  readonly request: InferRequest;
  readonly outputs: readonly OutputName[];
  readonly binWidth: number | null;
  readonly arrived: number;
  /** trials that are inferred */
  done: number;
  /** where several launches gather; null until it takes more than one */
  shared: SharedArrayBuffer | null;
  queueMs: number | null;
  computeMs: number;
  readonly settled: boolean;
  resolve(answer: InferAnswer): void;
  reject(error: unknown): void;
}

/** A slice of a job. */
interface SliceTask extends Waiting {
  readonly kind: "slice";
  run(client: Device): Promise<void>;
  reject(error: unknown): void;
}

/** A request's share of a launch: trials `from … from + count`. */
interface Share {
  readonly task: InferTask;
  readonly from: number;
  readonly count: number;
}

/**
 * Starts serving. The device opens in its worker; requests wait for it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createServing,
 *   initialise,
 *   modelToBytes,
 *   parseHyperparameters,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const file = modelToBytes({ ...origin, hyperparameters, architecture: shape, params_P });
 *
 * const serving = createServing({
 *   models: { read: () => Promise.resolve(file), list: () => Promise.resolve(["mine"]) },
 *   device: { device: "reference" },
 * });
 * const counts_BTN = new Uint8Array(2 * 5 * 3);
 * const answer = await serving.infer("mine", { counts_BTN, trials: 2, T: 5, N: 3, samples: 0 });
 * assert.deepEqual(answer.arrays.get("rates")?.shape, [2, 5, 3]);
 * await serving.close();
 * ```
 */
export function createServing(options: ServingOptions): Serving {
  const { models, ...others } = options;
  const given = Object.fromEntries(Object.entries(others).filter(([, x]) => x !== undefined));
  return new Serving({ models, ...DEFAULTS, ...given });
}

/** A device that serves; see `createServing`. */
export class Serving implements InferenceService {
  readonly #schedule = new Schedule<InferTask | SliceTask>();
  readonly #jobs: JobQueue;
  readonly #descriptions = new Map<string, ModelDescription>();
  readonly #describing = new Map<string, Promise<ModelDescription>>();
  #client: Device | null = null;
  #device: DeviceInfo | null = null;
  #opening: Promise<Device> | null = null;
  #reason = "the device is being opened";
  #retryAt = 0;
  #pumping = false;
  #closed = false;
  /** ends the wait for more requests to share a launch */
  #wake: (() => void) | null = null;
  #waiting = 0;
  #waitingTrials = 0;
  #waitingBytes = 0;
  #launches = 0;
  #launchMs = 0;
  #modelBytes = 0;
  #restarts = 0;
  /** resolves when the device is open for the first time */
  readonly opened: Promise<DeviceInfo>;

  constructor(private readonly options: Required<ServingOptions>) {
    this.#jobs = new JobQueue(
      {
        connect: async () => ({ client: await this.#connect(), info: this.#device! }),
        slice: (work) => this.#slice(work),
      },
      options.maxJobs,
    );
    this.opened = this.#connect().then(() => this.#device!, (error) => {
      // whoever opens hears what was wrong with the options; who asks, that there is no device
      throw error.cause instanceof InputError ? error.cause : error;
    });
    this.opened.catch(() => {});
  }

  readiness(): Readiness {
    const ready = !this.#closed && this.#client !== null && this.#client.lost === null;
    return { ready, device: this.#device, reason: this.#reason };
  }

  models(): Promise<readonly string[]> {
    return this.options.models.list();
  }

  statistics(): ServingStatistics {
    const sizes = { mean: 0, samples: 0, job: 0 };
    for (const task of this.#schedule.all()) sizes[task.class]++;
    return {
      waiting: sizes,
      waitingTrials: this.#waitingTrials,
      waitingBytes: this.#waitingBytes,
      jobs: this.#jobs.size,
      jobPrograms: this.#jobs.programs,
      launches: this.#launches,
      modelBytes: this.#modelBytes,
      restarts: this.#restarts,
    };
  }

  /** Drops what is remembered of a model: it was deleted, or replaced. */
  async forget(id: string): Promise<void> {
    this.#descriptions.delete(id);
    await this.#client?.call((host) => host.forget(id));
  }

  async describe(id: string, options: RequestOptions = {}): Promise<ModelDescription> {
    const known = this.#descriptions.get(id);
    if (known) return known;
    this.#requireOpen();
    let describing = this.#describing.get(id);
    if (!describing) {
      describing = this.#hold(id).finally(() => this.#describing.delete(id));
      this.#describing.set(id, describing);
    }
    return await this.#limited(describing, `Cannot describe ${JSON.stringify(id)}`, options);
  }

  async infer(
    id: string,
    given: InferRequest,
    options: RequestOptions = {},
  ): Promise<InferAnswer> {
    const { signal, timeoutMs = this.options.timeoutMs } = options;
    signal?.throwIfAborted();
    const start = performance.now();
    const model = this.#descriptions.get(id) ?? await this.describe(id, { signal, timeoutMs });
    const request = checkRequest(model, given);
    const outputs = wantedOutputs(model, request);
    const { bytes } = layOutAnswer(model.dims, outputs, request.trials, this.#width);
    if (bytes > this.options.maxAnswerBytes) {
      throw new InputError(
        `Cannot infer: expected an answer of at most ${this.options.maxAnswerBytes} bytes, found ` +
          `${bytes} for ${request.trials} trials; ask for fewer trials or outputs.`,
      );
    }
    const left = Math.max(0, timeoutMs - (performance.now() - start));
    return await this.#enqueue(model, request, outputs, { signal, timeoutMs: left });
  }

  /**
   * Fixed points of a model's generator, as the command line finds them. The search runs in a helper's
   * thread and takes the device in short slices, so that inference goes on.
   *
   * @throws {InputError} where the request does not fit the model
   * @throws {ServingError} where it is not served
   */
  async fixedPoints(
    id: string,
    request: FixedPointsRequest = {},
    options: JobOptions = {},
  ): Promise<FixedPointResult> {
    return await this.#job("fixed-points", id, options, async (signal, file) => {
      const { data, seed = 0, samples = FIXED_POINTS_DEFAULTS.samples } = request;
      if (data && request.trials !== undefined) {
        throw new InputError(
          `Cannot find fixed points: expected trials to generate only without data, found both.`,
        );
      }
      let gen_BTG: Float64Array | null = null;
      if (data) {
        const outputs = ["gen_states"] as const;
        const limits = { signal, timeoutMs: this.options.jobTimeoutMs };
        const { arrays } = await this.infer(id, { ...data, samples, seed, outputs }, limits);
        gen_BTG = Float64Array.from(arrays.get("gen_states")!.data);
      }
      return await this.#jobs.fixedPoints(
        { id, file },
        request,
        gen_BTG,
        signal,
        options.onProgress ?? (() => {}),
      );
    });
  }

  /**
   * Trials that a model generates from its prior, with their true rates, as the command line does.
   *
   * @throws {InputError} for options out of range
   * @throws {ServingError} where it is not served
   */
  async generate(
    id: string,
    request: GenerateOptions = {},
    options: JobOptions = {},
  ): Promise<Dataset> {
    return await this.#job("generate", id, options, async (signal, file, { dims }) => {
      const { trials = 100, T = dims.T } = request;
      // counts, and rates and states in float64
      const bytes = trials * T * (9 * dims.N + 8 * dims.G);
      if (bytes > this.options.maxAnswerBytes) {
        throw new InputError(
          `Cannot generate: expected trials and bins that take at most ` +
            `${this.options.maxAnswerBytes} bytes, found ${bytes} for ${trials} trials of ${T} bins.`,
        );
      }
      return await this.#jobs.generate({ id, file }, request, signal);
    });
  }

  /** Fails what waits, lets the device's worker close the device, and ends it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = "the server is shutting down";
    const error = new ServingError("closed", "Cannot answer: the server is shutting down.");
    for (const task of this.#schedule.all()) task.reject(error);
    this.#wake?.();
    await this.#jobs.close();
    const client = this.#client ?? await this.#opening?.catch(() => null);
    await client?.close((host) => host.close());
  }

  /** Runs a job with its limits, and tells how it ended. */
  async #job<X>(
    job: "fixed-points" | "generate",
    id: string,
    { signal, timeoutMs = this.options.jobTimeoutMs }: JobOptions,
    work: (signal: AbortSignal, file: Uint8Array, model: ModelDescription) => Promise<X>,
  ): Promise<X> {
    const start = performance.now();
    const own = new AbortController();
    const abort = () => own.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    const action = job === "generate" ? "Cannot generate" : "Cannot find fixed points";
    const timer = setTimeout(() => own.abort(timeout(action, timeoutMs)), timeoutMs);
    let outcome: Outcome = "ok";
    try {
      signal?.throwIfAborted();
      const model = await this.describe(id, { signal: own.signal });
      const file = await this.#read(id);
      return await work(own.signal, file, model);
    } catch (error) {
      outcome = signal?.aborted ? "aborted" : outcomeOf(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      const totalMs = performance.now() - start;
      this.#event({ kind: "job", job, model: id, outcome, totalMs });
    }
  }

  /** Lets a slice of a job wait for its turn. */
  #slice(work: (client: Device) => Promise<number>): Promise<number> {
    this.#requireOpen();
    return new Promise((resolve, reject) => {
      this.#schedule.add({
        kind: "slice",
        class: "job",
        since: performance.now(),
        run: async (client) => {
          const computeMs = await work(client);
          this.#event({ kind: "slice", computeMs });
          resolve(computeMs);
        },
        reject,
      });
      void this.#pump();
    });
  }

  get #width(): Width {
    return this.#device?.name === "reference" ? 8 : 4;
  }

  #requireOpen(): void {
    if (!this.#closed) return;
    throw new ServingError("closed", "Cannot answer: the server is shutting down.");
  }

  /** A model's file, to keep: it is a copy. */
  async #read(id: string): Promise<Uint8Array> {
    const file = await this.options.models.read(id);
    if (file !== null) return file.slice();
    throw new ServingError("unknown-model", `Cannot find a model ${JSON.stringify(id)}.`);
  }

  /** Reads a model and hands it to the device. */
  async #hold(id: string): Promise<ModelDescription> {
    const own = await this.#read(id);
    const client = await this.#connect();
    const description = await client.call((host) =>
      host.hold(id, Comlink.transfer(own, [own.buffer as ArrayBuffer]))
    );
    if (this.#descriptions.size >= MOST_DESCRIPTIONS) this.#descriptions.clear();
    this.#descriptions.set(id, description);
    return description;
  }

  /** The open device; starts it where it is not, and not too often where that fails. */
  async #connect(): Promise<Device> {
    this.#requireOpen();
    if (this.#client && !this.#client.lost) return this.#client;
    this.#opening ??= this.#open().finally(() => this.#opening = null);
    return await this.#opening;
  }

  async #open(): Promise<Device> {
    const wait = this.#retryAt - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    this.#requireOpen();
    this.#retryAt = performance.now() + RETRY_MS;
    const start = performance.now();
    const threads = new DeviceThreads();
    const client: Device = new WorkerClient<DeviceHost>(
      this.options.startWorker,
      "the device's thread",
      (error) => {
        threads.release();
        this.#lost(client, error);
      },
    );
    const { device, maxBatch, maxModelBytes } = this.options;
    const { port } = threads;
    try {
      this.#device = await client.call((host) =>
        host.open(
          { device, maxBatch, maxModelBytes, calls: client.calls },
          Comlink.transfer(port, [port]),
        )
      );
      threads.opened();
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      client.abandon("it could not be opened");
      throw new ServingError("device", this.#reason, RETRY_MS, { cause: error });
    }
    this.#client = client;
    this.#reason = this.#device.reason;
    this.#event({
      kind: "device-opened",
      device: this.#device,
      openMs: performance.now() - start,
    });
    return client;
  }

  /** Starts the device again after its worker ended. */
  #lost(client: Device, { message }: Error): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = null;
    this.#restarts++;
    this.#reason = message;
    this.#event({ kind: "device-lost", reason: message });
    this.#connect().catch(() => {});
  }

  #enqueue(
    model: ModelDescription,
    request: InferRequest,
    outputs: OutputName[],
    { signal, timeoutMs }: { signal?: AbortSignal; timeoutMs: number },
  ): Promise<InferAnswer> {
    signal?.throwIfAborted();
    this.#requireOpen();
    const { maxWaiting, maxWaitingBytes } = this.options;
    const bytes = request.counts_BTN.byteLength + (request.missing_BTN?.byteLength ?? 0) +
      (request.external_BTX?.data.byteLength ?? 0);
    if (this.#waiting >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes) {
      const batches = Math.ceil(this.#waitingTrials / this.options.maxBatch);
      throw new ServingError(
        "overloaded",
        `Cannot infer: expected room in the queue of ${maxWaiting} requests and ` +
          `${maxWaitingBytes} bytes, found ${this.#waiting} waiting with ${this.#waitingBytes}.`,
        Math.max(100, Math.round(batches * this.#launchMs)),
      );
    }
    const arrived = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<InferAnswer>();
    let settled = false;
    const settle = (outcome: Outcome, end: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#schedule.remove(task);
      this.#waiting--;
      this.#waitingTrials -= request.trials;
      this.#waitingBytes -= bytes;
      end();
      const totalMs = performance.now() - arrived;
      this.#event({
        kind: "request",
        model: model.id,
        class: task.class,
        trials: request.trials,
        outcome,
        queueMs: task.queueMs ?? totalMs,
        computeMs: task.computeMs,
        totalMs,
      });
    };
    const task: InferTask = {
      kind: "infer",
      class: request.samples === 0 ? "mean" : "samples",
      since: arrived,
      model,
      request,
      outputs,
      binWidth: request.binWidth ?? model.binWidth,
      arrived,
      done: 0,
      shared: null,
      queueMs: null,
      computeMs: 0,
      get settled() {
        return settled;
      },
      resolve: (answer) => settle("ok", () => resolve(answer)),
      reject: (error) => settle(outcomeOf(error), () => reject(error)),
    };
    const abort = () => settle("aborted", () => reject(signal?.reason));
    const timer = setTimeout(() => task.reject(timeout("Cannot infer", timeoutMs)), timeoutMs);
    signal?.addEventListener("abort", abort);
    this.#waiting++;
    this.#waitingTrials += request.trials;
    this.#waitingBytes += bytes;
    this.#schedule.add(task);
    this.#wake?.();
    void this.#pump();
    return promise;
  }

  /** Hands work to the device, one launch after the other, until nothing waits. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      // whoever asks in the same turn of the event loop comes along
      await Promise.resolve();
      for (
        let next = this.#schedule.first();
        next && !this.#closed;
        next = this.#schedule.first()
      ) {
        let client: Device;
        try {
          client = await this.#connect();
        } catch (error) {
          for (const task of this.#schedule.all()) task.reject(error);
          continue;
        }
        next = this.#schedule.first();
        if (!next) break;
        if (next.kind === "slice") {
          this.#schedule.remove(next);
          await this.#guarded(client, [next], next.run(client));
          continue;
        }
        await this.#company(next);
        const shares = this.#gather(next.settled ? this.#schedule.first() : next);
        if (shares.length > 0) {
          await this.#guarded(client, shares.map(({ task }) => task), this.#launch(client, shares));
        }
      }
    } finally {
      this.#pumping = false;
    }
    if (this.#schedule.size > 0 && !this.#closed) void this.#pump();
  }

  /** Waits a little for others to share a posterior mean's launch, where that is wanted. */
  async #company(head: InferTask): Promise<void> {
    const { maxDelayMs, maxBatch } = this.options;
    if (maxDelayMs === 0 || head.class !== "mean") return;
    const until = head.since + maxDelayMs;
    const trials = () => {
      let sum = 0;
      for (const task of this.#schedule.of("mean")) {
        if (task.kind === "infer" && task.model.id === head.model.id) {
          sum += task.request.trials - task.done;
        }
      }
      return sum;
    };
    for (
      let left = until - performance.now();
      left > 0 && trials() < maxBatch && !head.settled && !this.#closed;
      left = until - performance.now()
    ) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }

  /** Who shares the next launch: see `Launch`. */
  #gather(head: InferTask | SliceTask | null): Share[] {
    if (head?.kind !== "infer") return [];
    const { model, request: { samples } } = head;
    let room = launchTrials(
      fittedOf(model).architecture,
      samples,
      this.options,
    );
    const shares: Share[] = [];
    let place = (head.request.firstTrial ?? 0) + head.done;
    for (const task of [head, ...this.#schedule.of(head.class)]) {
      if (room === 0) break;
      if (task.kind !== "infer" || task.model.id !== model.id) continue;
      if (task === head && shares.length > 0) continue;
      const { request, done } = task;
      // a sample's noise depends on the seed and on its trial's place, which here is one range
      const shareable = samples === 0 || request.samples === samples &&
          (request.seed ?? 0) === (head.request.seed ?? 0) &&
          (request.firstTrial ?? 0) + done === place;
      if (!shareable) continue;
      const count = Math.min(room, request.trials - done);
      shares.push({ task, from: done, count });
      room -= count;
      place += count;
    }
    return shares;
  }

  async #launch(client: Device, shares: readonly Share[]): Promise<void> {
    const [{ task: head, from }] = shares;
    const { id, dims } = head.model;
    const width = this.#width;
    const start = performance.now();
    for (const { task, count } of shares) {
      task.queueMs ??= start - task.arrived;
      if (count < task.request.trials && task.shared === null) {
        const { bytes } = layOutAnswer(dims, task.outputs, task.request.trials, width);
        task.shared = new SharedArrayBuffer(bytes);
      }
    }
    const build = (): Launch => ({
      samples: head.request.samples,
      seed: head.request.seed ?? 0,
      firstTrial: (head.request.firstTrial ?? 0) + from,
      parts: shares.map(({ task: { request, outputs, binWidth, shared }, from, count }) => ({
        ...dataOfTrials(head.model, request, from, count),
        trials: count,
        outputs,
        binWidth,
        ...(shared && { into: { buffer: shared, total: request.trials, at: from } }),
      })),
    });
    const send = () => {
      const launch = build();
      const buffers = launch.parts.map(({ counts_BTN }) => counts_BTN.buffer as ArrayBuffer);
      const ms = head.class === "mean" ? this.options.awakeMs() : 0;
      return client.call((host) => {
        const awake = { ms, call: client.calls[0] };
        return host.launch(id, Comlink.transfer({ ...launch, awake }, buffers));
      });
    };
    let launched = await send();
    for (let tries = 0; launched === null && tries < 2; tries++) {
      await this.#hold(id);
      launched = await send();
    }
    if (launched === null) throw new Error(`Cannot keep the model ${id} on the device.`);
    const { buffers, computeMs, modelBytes } = launched;
    this.#launches++;
    this.#launchMs = computeMs;
    this.#modelBytes = modelBytes;
    shares.forEach(({ task, count }, i) => {
      const { request, outputs } = task;
      task.done += count;
      task.computeMs += computeMs;
      if (task.settled) return;
      if (task.done < request.trials) {
        // others' turn
        this.#schedule.remove(task);
        task.since = performance.now();
        this.#schedule.add(task);
        return;
      }
      const layout = layOutAnswer(dims, outputs, request.trials, width);
      task.resolve({
        model: task.model,
        trials: request.trials,
        samples: request.samples,
        seed: request.seed ?? 0,
        device: this.#device!,
        arrays: viewAnswer(task.shared ?? buffers[i]!, layout, width),
        queueMs: task.queueMs ?? 0,
        computeMs: task.computeMs,
      });
    });
    this.#event({
      kind: "launch",
      model: id,
      class: head.class,
      requests: shares.length,
      trials: shares.reduce((sum, { count }) => sum + count, 0),
      samples: head.request.samples,
      computeMs,
    });
  }

  /** Waits for work on the device; where it fails, all who share it fail with it. */
  async #guarded(
    client: Device,
    tasks: readonly (InferTask | SliceTask)[],
    work: Promise<void>,
  ): Promise<void> {
    const { launchLimitMs } = this.options;
    const timer = setTimeout(
      () => client.abandon(`one launch took more than ${launchLimitMs} ms`),
      launchLimitMs,
    );
    try {
      await work;
    } catch (error) {
      const failure = error instanceof InputError || error instanceof ServingError
        ? error
        : new ServingError("device", messageOf(error), null, { cause: error });
      for (const task of tasks) task.reject(failure);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A promise with a request's limits. */
  async #limited<X>(
    work: Promise<X>,
    action: string,
    { signal, timeoutMs = this.options.timeoutMs }: RequestOptions,
  ): Promise<X> {
    signal?.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(timeout(action, timeoutMs)), timeoutMs);
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      return await Promise.race([work, promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #event(event: ServingEvent): void {
    this.options.onEvent(event);
  }
}

function timeout(action: string, milliseconds: number): ServingError {
  return new ServingError(
    "timeout",
    `${action}: expected an answer within ${milliseconds} ms, found none yet.`,
    1000,
  );
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof ServingError) {
    return error.problem === "unknown-model" ? "input" : error.problem;
  }
  return error instanceof InputError ? "input" : "device";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
