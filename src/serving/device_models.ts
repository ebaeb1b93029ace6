/** The models of a device, and launches of them: loaded when the device is open, which comes first. */
import type { Executor } from "../compute/executor.ts";
import { modelFromBytes } from "../data/model_file.ts";
import { readsReal } from "../inference/seen.ts";
import { type Launch, runLaunch, type Width } from "./launch.ts";
import { LoadedModels } from "./models.ts";
import { describe, type ModelDescription } from "./service.ts";

/** What a launch left: memories for `viewAnswer`, null where the model has to be handed over first. */
export interface Launched {
  readonly buffers: (ArrayBuffer | null)[];
  readonly computeMs: number;
  readonly modelBytes: number;
}

export class DeviceModels {
  readonly #models: LoadedModels;
  readonly #width: Width;

  constructor(executor: Executor, maxBatch: number, maxModelBytes: number) {
    this.#models = new LoadedModels(executor, maxBatch, maxModelBytes);
    this.#width = executor.info.name === "reference" ? 8 : 4;
  }

  /** Takes a model's file over. */
  hold(id: string, file: Uint8Array): ModelDescription {
    const model = modelFromBytes(file, JSON.stringify(id));
    this.#models.hold(id, model);
    return describe(id, model);
  }

  forget(id: string): void {
    this.#models.forget(id);
  }

  /** @returns null where the model is not held (any more) */
  async launch(id: string, launch: Launch): Promise<Launched | null> {
    const model = this.#models.use(id);
    if (!model) return null;
    const b = launch.parts.reduce((sum, part) => sum + part.trials, 0);
    const start = performance.now();
    const real = readsReal(model, launch.parts);
    const program = await this.#models.program(id, b, launch.samples, real);
    const buffers = await runLaunch(program, model, launch, this.#width);
    return { buffers, computeMs: performance.now() - start, modelBytes: this.#models.bytes };
  }

  clear(): void {
    this.#models.clear();
  }
}
