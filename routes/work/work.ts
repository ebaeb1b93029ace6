/** The thread for arrays, from the side that serves. It starts when it is first needed. */
import { type Remote, transfer, wrap } from "comlink";
import { type Dataset, InputError } from "../../src/server.ts";
import type { Counts, JsonDataset, Trials } from "./host.ts";
import type { Answered, Exposed } from "./thread.ts";

/** A dataset in the data directory. */
export interface StoredBytes {
  readonly sha256: string;
  bytes(): Promise<Uint8Array>;
}

export interface ArrayWork {
  /** A dataset as a .npz archive. Its arrays are moved: they are empty afterwards. */
  toNpz(data: Dataset): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * A dataset of nested arrays as a .npz archive.
   *
   * @throws {InputError}
   */
  fromJson(data: JsonDataset): Promise<Uint8Array<ArrayBuffer>>;
  /** All counts of a stored dataset. */
  counts(dataset: StoredBytes): Promise<Counts>;
  /**
   * Some trials of a stored dataset: as JSON, or as a .npz archive.
   *
   * @throws {InputError} for trials that it does not have
   */
  trials(
    dataset: StoredBytes,
    trials: Trials,
    format: "json" | "npz",
  ): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** The memory of a dataset that can be moved. */
function buffersOf({ counts_BTN, truth }: Dataset): ArrayBuffer[] {
  const arrays = truth ? [counts_BTN, truth.rates_BTN, truth.latents_BTL] : [counts_BTN];
  const buffers = new Set(arrays.map(({ buffer }) => buffer));
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

export function createArrayWork(): ArrayWork {
  let thread: { worker: Worker; remote: Remote<Exposed>; died: Promise<never> } | null = null;
  /** one after the other: the thread holds one dataset */
  let last: Promise<unknown> = Promise.resolve();
  const start = () => {
    const module = new URL("./thread.ts", import.meta.url);
    const worker = new Worker(module, { type: "module", name: "arrays" });
    const { promise: died, reject } = Promise.withResolvers<never>();
    died.catch(() => {});
    worker.onerror = (event) => {
      event.preventDefault();
      thread = null;
      reject(new Error(`The thread for arrays ended: ${event.message}`));
    };
    return { worker, remote: wrap<Exposed>(worker), died };
  };
  const call = async <T>(work: (remote: Remote<Exposed>) => Promise<Answered<T>>): Promise<T> => {
    thread ??= start();
    const answer = await Promise.race([work(thread.remote), thread.died]);
    if ("problem" in answer) throw new InputError(answer.problem);
    return answer.value;
  };
  const withHeld = async <T>(
    { sha256, bytes }: StoredBytes,
    ask: (remote: Remote<Exposed>) => Promise<Answered<T>>,
  ): Promise<T> => {
    const before = last;
    const work = (async () => {
      await before.catch(() => {});
      if (!await call((remote) => remote.holds(sha256))) {
        const file = await bytes();
        await call((remote) => remote.hold(sha256, transfer(file, [file.buffer as ArrayBuffer])));
      }
      return await call(ask);
    })();
    last = work;
    return await work;
  };
  return {
    toNpz: (data) => call((remote) => remote.toNpz(transfer(data, buffersOf(data)))),
    fromJson: (data) => call((remote) => remote.fromJson(data)),
    counts: (dataset) => withHeld(dataset, (remote) => remote.counts()),
    trials: (dataset, trials, format) =>
      withHeld(dataset, (remote) => remote.trials(trials, format)),
    close() {
      thread?.worker.terminate();
      thread = null;
    },
  };
}
