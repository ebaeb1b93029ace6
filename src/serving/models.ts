/** The models that a device keeps loaded: bounded memory, the least recently used go first. */
import type { Executor } from "../compute/executor.ts";
import { InputError } from "../errors.ts";
import { loadPosterior, planBytes, type PosteriorProgram } from "../inference/posterior_program.ts";
import { posteriorPlan } from "../model/posterior_plan.ts";
import type { Model } from "../model/model.ts";

interface Held {
  readonly model: Model;
  program: PosteriorProgram | null;
}

/** Parameters and programs of models by id. */
export class LoadedModels {
  /** least recently used first */
  readonly #held = new Map<string, Held>();
  readonly #real: 4 | 8;

  constructor(
    private readonly executor: Executor,
    private readonly maxBatch: number,
    /** parameters and programs together; the one in use may exceed it only by being the only one */
    private readonly maxBytes: number,
  ) {
    this.#real = executor.info.name === "reference" ? 8 : 4;
  }

  /** Bytes that are held now. */
  get bytes(): number {
    let sum = 0;
    for (const held of this.#held.values()) sum += bytesOf(held);
    return sum;
  }

  get ids(): string[] {
    return [...this.#held.keys()];
  }

  hold(id: string, model: Model): void {
    this.forget(id);
    this.#held.set(id, { model, program: null });
    this.#evict(id, 0);
  }

  /** A model, now the most recently used; null where it is not held. */
  use(id: string): Model | null {
    const held = this.#held.get(id);
    if (!held) return null;
    this.#held.delete(id);
    this.#held.set(id, held);
    return held.model;
  }

  forget(id: string): void {
    this.#held.get(id)?.program?.free();
    this.#held.delete(id);
  }

  /**
   * A program of a model that is held, for `b` trials of `samples` each. It is sized for `maxBatch`
   * trials, and for more rows when they are first asked for.
   *
   * @param real whether it has to read real numbers, some of them missing: see `readsReal`
   * @throws {InputError} where it alone would take more than `maxBytes`
   */
  async program(
    id: string,
    b: number,
    samples: number,
    real: boolean,
  ): Promise<PosteriorProgram> {
    const held = this.#held.get(id);
    if (!held) throw new Error(`Cannot load ${id}: its parameters are not held.`);
    // one that can also reads counts of which none is missing
    real ||= held.program?.sizes.counts === "real";
    if (held.program?.fits(b, samples) && (held.program.sizes.counts === "real") === real) {
      return held.program;
    }
    const { model } = held;
    const B = Math.max(b, this.maxBatch);
    const S = Math.max(held.program?.sizes.S ?? 1, Math.ceil(b * Math.max(1, samples) / B));
    const sizes = { B, S, trials: B, counts: real ? "real" : "u16", gaps: real } as const;
    const bytes = planBytes(
      posteriorPlan(model.architecture, model.hyperparameters, sizes),
      this.#real,
    );
    if (bytes > this.maxBytes) {
      throw new InputError(
        `Cannot infer: expected a model and samples that need at most ${
          mega(this.maxBytes)
        } on the ` +
          `device, found ${mega(bytes)} for ${B} trials in a batch and ${
            Math.max(1, samples)
          } samples of a trial.`,
      );
    }
    held.program?.free();
    held.program = null;
    this.#evict(id, bytes);
    return held.program = await loadPosterior(this.executor, model, sizes);
  }

  clear(): void {
    for (const id of this.ids) this.forget(id);
  }

  /** Makes room for `more` bytes, but not by dropping `keep`. */
  #evict(keep: string, more: number): void {
    for (const id of this.ids) {
      if (this.bytes + more <= this.maxBytes) return;
      if (id !== keep) this.forget(id);
    }
  }
}

function bytesOf({ model, program }: Held): number {
  return model.params_P.byteLength + (program?.bytes ?? 0);
}

function mega(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
