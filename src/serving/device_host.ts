/** What a device's worker does: keeps the device, the models and the programs of jobs, and runs them. */
import * as Comlink from "comlink";
import { type DeviceOptions, openDevice } from "../compute/devices.ts";
import type { DeviceInfo, Executor, Program } from "../compute/executor.ts";
import type { Scalars } from "../compute/kernels.ts";
import type { Plan } from "../compute/recording.ts";
import { modelFromBytes } from "../data/model_file.ts";
import { readsReal } from "../inference/seen.ts";
import type { ThreadCalls } from "./device_threads.ts";
import { type Launch, runLaunch, type Width } from "./launch.ts";
import { LoadedModels } from "./models.ts";
import { describe, type ModelDescription } from "./service.ts";

export interface HostOptions {
  readonly device: Omit<DeviceOptions, "startThread">;
  readonly maxBatch: number;
  readonly maxModelBytes: number;
}

/** What a launch left: memories for `viewAnswer`, null where the model has to be handed over first. */
export interface Launched {
  readonly buffers: (ArrayBuffer | null)[];
  readonly computeMs: number;
  readonly modelBytes: number;
}

/** One device; every method may be called from another thread. */
export class DeviceHost {
  #executor: Executor | null = null;
  #models: LoadedModels | null = null;
  readonly #programs = new Map<number, Program>();
  #nextProgram = 1;

  /** @param threads where the serving thread answers as `ThreadCalls` */
  async open(
    { device, maxBatch, maxModelBytes }: HostOptions,
    threads: MessagePort,
  ): Promise<DeviceInfo> {
    const calls = Comlink.wrap<ThreadCalls>(threads);
    const executor = await openDevice({ ...device, startThread: (start) => calls.start(start) })
      .finally(() => {
        calls[Comlink.releaseProxy]();
        threads.close();
      });
    this.#executor = executor;
    this.#models = new LoadedModels(executor, maxBatch, maxModelBytes);
    return executor.info;
  }

  /** Takes a model's file over. */
  hold(id: string, file: Uint8Array): ModelDescription {
    const model = modelFromBytes(file, JSON.stringify(id));
    this.#open().models.hold(id, model);
    return describe(id, model);
  }

  forget(id: string): void {
    this.#models?.forget(id);
  }

  /** @returns null where the model is not held (any more): `hold` it and ask again */
  async launch(id: string, launch: Launch): Promise<Launched | null> {
    const { executor, models } = this.#open();
    const model = models.use(id);
    if (!model) return null;
    const b = launch.parts.reduce((sum, part) => sum + part.trials, 0);
    const start = performance.now();
    const real = readsReal(model, launch.parts);
    const program = await models.program(id, b, launch.samples, real);
    const width: Width = executor.info.name === "reference" ? 8 : 4;
    const buffers = await runLaunch(program, model, launch, width);
    return { buffers, computeMs: performance.now() - start, modelBytes: models.bytes };
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

  close(): void {
    for (const number of [...this.#programs.keys()]) this.free(number);
    this.#models?.clear();
    this.#models = null;
    this.#executor?.close();
    this.#executor = null;
  }

  #open(): { executor: Executor; models: LoadedModels } {
    if (!this.#executor || !this.#models) throw new Error("Cannot use the device: it is not open.");
    return { executor: this.#executor, models: this.#models };
  }

  #program(number: number): Program {
    const program = this.#programs.get(number);
    if (!program) throw new Error(`Cannot use program ${number}: it is freed.`);
    return program;
  }
}
