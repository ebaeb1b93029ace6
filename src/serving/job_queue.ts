/** Jobs of a serving device, one after the other in a helper's worker; the device serves others between. */
import * as Comlink from "comlink";
import type { FixedPointResult } from "../analysis/fixed_points.ts";
import type { DeviceInfo } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import type { GenerateOptions } from "../study/generate.ts";
import type { DeviceHost } from "./device_host.ts";
import { ServingError } from "./errors.ts";
import type { HelperHost, JobCalls } from "./helper_host.ts";
import {
  FIXED_POINTS_DEFAULTS,
  type FixedPointsRequest,
  type SearchProgress,
} from "./job_requests.ts";
import { startHelperWorker } from "./start_worker.ts";
import { WorkerClient } from "./worker_client.ts";

/** What a job needs of the device that serves. */
export interface JobDevice {
  /** the open device */
  connect(): Promise<{ client: WorkerClient<DeviceHost>; info: DeviceInfo }>;
  /** Waits for this work's turn on the device. */
  slice(work: (client: WorkerClient<DeviceHost>) => Promise<number>): Promise<number>;
}

/** A job that runs or waits. */
interface Job {
  readonly signal: AbortSignal;
}

/** At most so many jobs; one runs, the others wait. */
export class JobQueue {
  #helper: WorkerClient<HelperHost> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  readonly #jobs = new Set<Job>();
  /** programs that jobs have on the device now */
  #programs = 0;
  #closed = false;

  constructor(private readonly device: JobDevice, private readonly maxJobs: number) {}

  get size(): number {
    return this.#jobs.size;
  }

  get programs(): number {
    return this.#programs;
  }

  /** @throws {ServingError} `overloaded` */
  async fixedPoints(
    model: { id: string; file: Uint8Array },
    request: FixedPointsRequest,
    gen_BTG: Float64Array | null,
    signal: AbortSignal,
    onProgress: (progress: SearchProgress) => void,
  ): Promise<FixedPointResult> {
    const { data: _, ...others } = request;
    return await this.#next({ signal }, async (helper) => {
      const { client, info } = await this.device.connect();
      const { port1, port2 } = new MessageChannel();
      const device = this.#lend(client, signal, onProgress);
      Comlink.expose(device.calls, port1);
      try {
        return await helper.call((host) =>
          host.fixedPoints(
            model,
            { ...FIXED_POINTS_DEFAULTS, ...others },
            gen_BTG,
            info,
            Comlink.transfer(port2, [port2]),
          )
        );
      } finally {
        device.takeBack();
        port1.close();
      }
    });
  }

  /** @throws {ServingError} `overloaded` */
  generate(
    model: { id: string; file: Uint8Array },
    options: GenerateOptions,
    signal: AbortSignal,
  ): Promise<Dataset> {
    return this.#next({ signal }, (helper) => helper.call((host) => host.generate(model, options)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#helper?.abandon("the server is shutting down");
    await this.#last.catch(() => {});
  }

  /** Runs a job after those that came before it. */
  async #next<X>(
    job: Job,
    work: (helper: WorkerClient<HelperHost>) => Promise<X>,
  ): Promise<X> {
    if (this.#jobs.size >= this.maxJobs) {
      throw new ServingError(
        "overloaded",
        `Cannot start the job: expected fewer than ${this.maxJobs} jobs that run or wait, found ` +
          `${this.#jobs.size}.`,
        1000,
      );
    }
    this.#jobs.add(job);
    const before = this.#last;
    const running = (async () => {
      await before.catch(() => {});
      job.signal.throwIfAborted();
      if (this.#closed) {
        throw new ServingError("closed", "Cannot answer: the server is shutting down.");
      }
      this.#helper ??= new WorkerClient<HelperHost>(
        startHelperWorker,
        "the thread of this job",
        () => this.#helper = null,
      );
      return await work(this.#helper);
    })().finally(() => this.#jobs.delete(job));
    this.#last = running;
    running.catch(() => {});
    // who stops waiting is told at once; the job ends at its next call of the device
    const stopped = Promise.withResolvers<never>();
    const stop = () => stopped.reject(job.signal.reason);
    job.signal.addEventListener("abort", stop);
    try {
      return await Promise.race([running, stopped.promise]);
    } finally {
      job.signal.removeEventListener("abort", stop);
    }
  }

  /** The device for one job: its programs are freed when the job ends, however it ends. */
  #lend(
    client: WorkerClient<DeviceHost>,
    signal: AbortSignal,
    onProgress: (progress: SearchProgress) => void,
  ) {
    const programs = new Set<number>();
    const calls: JobCalls = {
      load: async (plan, fits) => {
        signal.throwIfAborted();
        const program = await client.call((host) => host.load(plan, fits));
        programs.add(program);
        this.#programs++;
        return program;
      },
      write: (program, buffer, values, offset, fit) =>
        client.call((host) => host.write(program, buffer, values, offset, fit)),
      run: (program, recording, scalars) => {
        signal.throwIfAborted();
        return this.device.slice((now) => {
          // a device that was opened again knows nothing of this job's programs
          if (now !== client) throw client.lost ?? new Error("The device was opened again.");
          return client.call((host) => host.run(program, recording, scalars));
        });
      },
      read: (program, buffer, offset, length, fit) =>
        client.call((host) => host.read(program, buffer, offset, length, fit)),
      free: async (program) => {
        if (programs.delete(program)) this.#programs--;
        await client.call((host) => host.free(program));
      },
      // deno-lint-ignore require-await -- so that what a listener throws stays here
      progress: async (progress) => onProgress(progress),
    };
    const takeBack = () => {
      for (const program of programs) calls.free(program).catch(() => {});
    };
    return { calls, takeBack };
  }
}
