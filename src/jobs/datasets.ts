/** The datasets of a data directory. */
import { basename, extname } from "node:path";
import { transfer } from "comlink";
import type { LayoutOptions } from "../data/formats/options.ts";
import type { Arrays } from "./arrays.ts";
import { LimitError } from "./errors.ts";
import { readStored, removeIfThere } from "./files.ts";
import type { DataFolder } from "./folder.ts";
import { newId, parseId } from "./ids.ts";
import type { JobsLimits } from "./options.ts";
import { parsePage, parseRequest } from "./request.ts";
import {
  nameSchema,
  type SimulateRequest,
  simulateRequestSchema,
  type StoredDataset,
} from "./records.ts";
import type { Page, PageOptions, Store } from "./store.ts";
import type { Thread } from "./threads.ts";

/** Bytes that another thread takes over, where they can be: the caller's array is then empty. */
export function moved(bytes: Uint8Array): Uint8Array {
  if (!(bytes.buffer instanceof ArrayBuffer)) return bytes;
  const whole = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  return transfer(whole, [whole.buffer as ArrayBuffer]);
}

export class Datasets {
  constructor(
    private readonly folder: DataFolder,
    private readonly store: Thread<Store>["remote"],
    private readonly arrays: Thread<Arrays>["remote"],
    private readonly limits: JobsLimits,
  ) {}

  /**
   * Stores a dataset from the bytes of a file; see `readDataset` for the formats.
   *
   * @param bytes are moved to another thread: the array is empty afterwards
   * @param options.name the file's name; the dataset is named after it, without folders and extension
   * @param options.layout what the file leaves open
   * @throws {LimitError} where it is too large, or there are too many
   * @throws {InputError} naming what is wrong with it and the first place where it is
   */
  async add(
    bytes: Uint8Array,
    options: { name?: string; layout?: LayoutOptions } = {},
  ): Promise<StoredDataset> {
    const action = "Cannot store the dataset";
    const name = options.name ?? "spikes.npz";
    parseRequest(nameSchema, basename(name, extname(name)), `${action}: its name`);
    if (bytes.length > this.limits.datasetBytes) {
      throw new LimitError(
        `${action}: expected at most ${this.limits.datasetBytes} bytes, as this server allows, found ` +
          `${bytes.length}.`,
        "bytes",
      );
    }
    return await this.#insert(
      "upload",
      (path) =>
        this.arrays.addDataset(
          moved(bytes),
          name,
          path,
          this.limits.unpackedBytes,
          options.layout ?? {},
        ),
    );
  }

  /**
   * Stores simulated data; see `simulateRotation` and `simulateLorenz`.
   *
   * @throws {InputError} naming the option that cannot be used
   */
  async simulate(request: SimulateRequest): Promise<StoredDataset> {
    const asked = parseRequest(simulateRequestSchema, request, "Cannot simulate");
    return await this.#insert(
      asked.kind,
      (path) => this.arrays.simulate(asked, path, this.limits.unpackedBytes),
    );
  }

  /** @throws {NotFoundError} */
  async get(id: string): Promise<StoredDataset> {
    return await this.store.dataset(parseId("dataset", id));
  }

  /** Newest first. */
  async list(page: PageOptions = {}): Promise<Page<StoredDataset>> {
    return await this.store.datasets(parsePage("dataset", page));
  }

  /**
   * The .npz file.
   *
   * @throws {StorageError} where it is not what was stored
   */
  async bytes(id: string): Promise<Uint8Array> {
    const { sha256 } = await this.get(id);
    return await readStored(this.folder.dataset(id), sha256, `the dataset ${id}`);
  }

  /** @throws {ConflictError} while a run that is not over uses it */
  async delete(id: string): Promise<void> {
    await this.store.deleteDataset(parseId("dataset", id));
    await removeIfThere(this.folder.dataset(id));
  }

  async #insert(
    source: StoredDataset["source"],
    write: (path: string) => Promise<Omit<StoredDataset, "id" | "created" | "source">>,
  ): Promise<StoredDataset> {
    await this.store.requireRoomForDataset(this.limits.datasets);
    const id = newId("dataset");
    const path = this.folder.dataset(id);
    try {
      const facts = await write(path);
      const dataset = { id, created: new Date().toISOString(), source, ...facts };
      await this.store.insertDataset(dataset, this.limits.datasets);
      return dataset;
    } catch (error) {
      await removeIfThere(path).catch(() => {});
      throw error;
    }
  }
}
