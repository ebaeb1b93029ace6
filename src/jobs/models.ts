/** The models of a data directory. */
import type { ImportOptions } from "../data/import_model.ts";
import type { ParameterFormat } from "../data/parameters_file.ts";
import type { Arrays, ModelFacts } from "./arrays.ts";
import { moved } from "./datasets.ts";
import { LimitError } from "./errors.ts";
import { readStored, readThere, removeIfThere } from "./files.ts";
import type { DataFolder } from "./folder.ts";
import { newId, parseId } from "./ids.ts";
import type { JobsLimits } from "./options.ts";
import { parsePage, parseRequest } from "./request.ts";
import { nameSchema, type StoredModel } from "./records.ts";
import type { Page, PageOptions, Store } from "./store.ts";
import type { Thread } from "./threads.ts";

export class Models {
  constructor(
    private readonly folder: DataFolder,
    private readonly store: Thread<Store>["remote"],
    private readonly arrays: Thread<Arrays>["remote"],
    private readonly limits: JobsLimits,
  ) {}

  /**
   * Stores a model from the bytes of a `model.safetensors`; see `modelFromBytes`.
   *
   * @param bytes are moved to another thread: the array is empty afterwards
   * @throws {LimitError} where it is too large, or there are too many
   * @throws {InputError} naming what is wrong with it
   */
  async import(bytes: Uint8Array, options: { name?: string } = {}): Promise<StoredModel> {
    const { model } = await this.#insert(bytes, options.name, async (name, path) => ({
      facts: await this.arrays.addModel(moved(bytes), name, path),
      warnings: [],
    }));
    return model;
  }

  /**
   * Stores a model that is made of another program's arrays; see `importModel`.
   *
   * @param bytes are moved to another thread: the array is empty afterwards
   * @returns the model, and sentences about what is not the same as it was there
   * @throws {LimitError} where it is too large, or there are too many
   * @throws {InputError} naming what is wrong with it
   */
  async importForeign(
    bytes: Uint8Array,
    { name, ...options }: ImportOptions & { name?: string },
  ): Promise<{ model: StoredModel; warnings: readonly string[] }> {
    const { modelBytes } = this.limits;
    return await this.#insert(
      bytes,
      name,
      (name, path) => this.arrays.addForeignModel(moved(bytes), name, path, options, modelBytes),
    );
  }

  async #insert(
    bytes: Uint8Array,
    given: string | undefined,
    add: (name: string, path: string) => Promise<{
      facts: ModelFacts;
      warnings: readonly string[];
    }>,
  ): Promise<{ model: StoredModel; warnings: readonly string[] }> {
    const action = "Cannot store the model";
    const name = parseRequest(nameSchema, given ?? "model", `${action}: its name`);
    const requireBytes = (found: number) => {
      if (found <= this.limits.modelBytes) return;
      throw new LimitError(
        `${action}: expected at most ${this.limits.modelBytes} bytes, as this server allows, found ` +
          `${found}.`,
        "bytes",
      );
    };
    requireBytes(bytes.length);
    const id = newId("model");
    const path = this.folder.model(id);
    try {
      const { facts, warnings } = await add(name, path);
      requireBytes(facts.bytes);
      const created = new Date().toISOString();
      const origin = { source: "import", run: null, dataset: null } as const;
      const model: StoredModel = { id, name, created, ...origin, ...facts };
      await this.store.insertModel(model, this.limits.models);
      return { model, warnings };
    } catch (error) {
      await removeIfThere(path).catch(() => {});
      throw error;
    }
  }

  /** @throws {NotFoundError} */
  async get(id: string): Promise<StoredModel> {
    return await this.store.model(parseId("model", id));
  }

  /** Newest first. */
  async list(page: PageOptions = {}): Promise<Page<StoredModel>> {
    return await this.store.models(parsePage("model", page));
  }

  /**
   * The safetensors file: everything that is known of the model, for `modelFromBytes`.
   *
   * @throws {StorageError} where it is not what was stored
   */
  async bytes(id: string): Promise<Uint8Array> {
    const { sha256 } = await this.get(id);
    return await readStored(this.folder.model(id), sha256, `the model ${id}`);
  }

  /** Its parameters: one array `[in, out]` for each slice. */
  async parameters(id: string, format: ParameterFormat): Promise<Uint8Array> {
    const bytes = await this.bytes(id);
    if (format === "safetensors") return bytes;
    return await this.arrays.parameters(moved(bytes), format, `the model ${id}`);
  }

  /**
   * The report, one HTML page; null where there is none.
   *
   * @throws {StorageError} where it is lost
   */
  async report(id: string): Promise<Uint8Array | null> {
    const { report } = await this.get(id);
    return report ? await readThere(this.folder.report(id), `the report of the model ${id}`) : null;
  }

  async delete(id: string): Promise<void> {
    await this.store.deleteModel(parseId("model", id));
    await removeIfThere(this.folder.model(id));
    await removeIfThere(this.folder.report(id));
  }
}
