/** What a device's worker does: keeps the device, the models and the programs of jobs, and runs them. */
import { setImmediate } from "node:timers";
import * as Comlink from "comlink";
import { type DeviceOptions, openDevice } from "../compute/devices.ts";
import type { DeviceInfo, Executor, Program } from "../compute/executor.ts";
import type { Scalars } from "../compute/kernels.ts";
import type { Plan } from "../compute/recording.ts";
import { type Calls, lookOut, noCalls } from "./awake.ts";
import type { DeviceModels, Launched } from "./device_models.ts";
import type { ThreadCalls } from "./device_threads.ts";
import type { Launch } from "./launch.ts";
import type { ModelDescription } from "./service.ts";

export interface HostOptions {
  readonly device: Omit<DeviceOptions, "startThread">;
  readonly maxBatch: number;
  readonly maxModelBytes: number;
  /** counts the calls of this host, of which `Launch.awake` names one */
  readonly calls: Calls;
}

/** One device; every method may be called from another thread. */
export class DeviceHost {
  #executor: Executor | null = null;
  #models: Promise<DeviceModels> | null = null;
  readonly #programs = new Map<number, Program>();
  #nextProgram = 1;
  #calls = noCalls();

  /** @param threads where the serving thread answers as `ThreadCalls` */
  async open(
    { device, maxBatch, maxModelBytes, calls }: HostOptions,
    threads: MessagePort,
  ): Promise<DeviceInfo> {
    this.#calls = calls;
    const starter = Comlink.wrap<ThreadCalls>(threads);
    const executor = await openDevice({ ...device, startThread: (start) => starter.start(start) })
      .finally(() => {
        starter[Comlink.releaseProxy]();
        threads.close();
      });
    this.#executor = executor;
    this.#models = import("./device_models.ts").then(({ DeviceModels }) =>
      new DeviceModels(executor, maxBatch, maxModelBytes)
    );
    // who needs it hears of a failure
    this.#models.catch(() => {});
    return executor.info;
  }

  /** Takes a model's file over. */
  async hold(id: string, file: Uint8Array): Promise<ModelDescription> {
    return (await this.#open().models).hold(id, file);
  }

  async forget(id: string): Promise<void> {
    (await this.#models)?.forget(id);
  }

  /** @returns null where the model is not held (any more): `hold` it and ask again */
  async launch(id: string, launch: Launch): Promise<Launched | null> {
    const launched = await (await this.#open().models).launch(id, launch);
    const { awake } = launch;
    // when the answer is on its way
    if (awake && awake.ms > 0) setImmediate(() => lookOut(this.#calls, awake.call, awake.ms));
    return launched;
  }

  /** A plan of a job, by number. */
  async load(plan: Plan, fits?: number): Promise<number> {
    const number = this.#nextProgram++;
    this.#programs.set(number, await this.#open().executor.load(plan, fits));
    return number;
  }

  write(
    number: number,
    buffer: string,
    values: ArrayLike<number>,
    offset?: number,
    fit?: number,
  ): void {
    this.#program(number).write(buffer, values, offset, fit);
  }

  /** @returns milliseconds that it took */
  async run(
    number: number,
    recording: string,
    scalars: Scalars | readonly Scalars[],
  ): Promise<number> {
    const start = performance.now();
    await this.#program(number).run(recording, scalars);
    return performance.now() - start;
  }

  read(
    number: number,
    buffer: string,
    offset?: number,
    length?: number,
    fit?: number,
  ): Promise<Float64Array> {
    return this.#program(number).read(buffer, offset, length, fit);
  }

  free(number: number): void {
    this.#programs.get(number)?.free();
    this.#programs.delete(number);
  }

  async close(): Promise<void> {
    for (const number of [...this.#programs.keys()]) this.free(number);
    (await this.#models?.catch(() => null))?.clear();
    this.#models = null;
    this.#executor?.close();
    this.#executor = null;
  }

  #open(): { executor: Executor; models: Promise<DeviceModels> } {
    if (!this.#executor || !this.#models) throw new Error("Cannot use the device: it is not open.");
    return { executor: this.#executor, models: this.#models };
  }

  #program(number: number): Program {
    const program = this.#programs.get(number);
    if (!program) throw new Error(`Cannot use program ${number}: it is freed.`);
    return program;
  }
}
