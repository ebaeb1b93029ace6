/** Lets runs take turns on the hardware, and sees each to its end. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { Arrays } from "./arrays.ts";
import { StorageError } from "./errors.ts";
import { sweep, waitForLock } from "./files.ts";
import { type DataFolder, PROCESS_LOCK } from "./folder.ts";
import { probe, type Slot } from "./hardware.ts";
import type { Hub } from "./hub.ts";
import { newId } from "./ids.ts";
import { Journal } from "./journal.ts";
import type { Hardware, Settings } from "./options.ts";
import { type Ending, RunProcess } from "./process.ts";
import type { StoredModel, StoredRun } from "./records.ts";
import type { Store } from "./store.ts";
import type { Thread } from "./threads.ts";

const HARDWARE: readonly Hardware[] = ["cpu", "gpu"];
const TRY_AGAIN_MS = 1000;

/** A run that has a process now. */
export interface RunningRun {
  readonly run: string;
  readonly pid: number;
}

export class Scheduler {
  readonly #processes = new Map<string, RunProcess>();
  readonly #ends = new Set<Promise<void>>();
  /** runs that are cancelled while none of our processes has them */
  readonly #cancelling = new Set<string>();
  readonly #closing = new AbortController();
  #filling: Promise<void> = Promise.resolve();
  #started = false;
  #auto: Hardware | null = null;

  constructor(
    private readonly folder: DataFolder,
    private readonly store: Thread<Store>["remote"],
    private readonly arrays: Thread<Arrays>["remote"],
    private readonly hub: Hub,
    private readonly settings: Settings,
  ) {}

  get running(): RunningRun[] {
    return [...this.#processes].map(([run, { pid }]) => ({ run, pid }));
  }

  /** Takes up what an earlier server left, and starts what waits. */
  async start(): Promise<void> {
    for (const run of await this.store.recover()) this.#see(this.#cancelWithout(run));
    this.#started = true;
    this.wake();
  }

  /** Looks for runs that can begin. */
  wake(): void {
    if (!this.#started || this.#draining) return;
    this.#filling = this.#filling.then(() => this.#fill()).catch((error) => {
      this.settings.onProblem(error);
      setTimeout(() => this.wake(), TRY_AGAIN_MS);
    });
  }

  /** Ends a run that is being cancelled. */
  async cancel(run: StoredRun): Promise<void> {
    await this.#filling;
    const process = this.#processes.get(run.id);
    if (process) process.stop(this.settings.graceMs);
    else this.#see(this.#cancelWithout(run));
  }

  /** Every run ends with a checkpoint and waits for the next server. */
  async drain(): Promise<void> {
    this.#closing.abort();
    await this.#filling;
    for (const process of this.#processes.values()) process.stop(this.settings.graceMs);
    while (this.#ends.size > 0) await Promise.all(this.#ends);
  }

  get #draining(): boolean {
    return this.#closing.signal.aborted;
  }

  async #fill(): Promise<void> {
    // a GPU is looked for once, and only where it matters
    if (this.#auto === null && await this.store.autoWaits()) this.#auto = await this.#probe();
    for (const hardware of HARDWARE) {
      const slots: Slot[] = this.#auto === hardware ? [hardware, "auto"] : [hardware];
      while (!this.#draining) {
        const run = await this.store.claim(slots, this.settings.runsPerDevice);
        if (!run) break;
        this.hub.tell(run.id);
        await this.#begin(run);
      }
    }
  }

  async #probe(): Promise<Hardware> {
    try {
      return await probe(this.settings.executable);
    } catch (error) {
      this.settings.onProblem(error);
      return "cpu";
    }
  }

  /** Sees something to its end, also while the server stops. */
  #see(work: Promise<void>): void {
    const end = work.catch((error) => this.settings.onProblem(error)).finally(() => {
      this.#ends.delete(end);
      this.wake();
    });
    this.#ends.add(end);
  }

  async #begin(run: StoredRun): Promise<void> {
    const { hyperparameters, device, seed, starts, reproducible, report } = run;
    const journal = new Journal(run, (batch) =>
      this.#persist(async () => {
        await this.store.append(run.id, batch);
        this.hub.tell(run.id);
      }));
    try {
      const { name, sha256 } = await this.store.dataset(run.dataset);
      const process = new RunProcess(this.settings.executable, {
        folder: this.folder.run(run.id),
        data: { path: this.folder.dataset(run.dataset), name, sha256 },
        ...{ hyperparameters, device, seed, starts, reproducible, report },
        threads: this.settings.threads,
      }, (happening) => journal.tell(happening));
      this.#processes.set(run.id, process);
      this.#see(this.#follow(run, process, journal));
      // it may have been cancelled while it was about to begin
      const { state } = await this.store.run(run.id);
      if (state === "cancelling" || this.#draining) process.stop(this.settings.graceMs);
    } catch (error) {
      if (this.#processes.has(run.id)) throw error;
      const words = error instanceof Error ? error.message : String(error);
      this.#see(this.#fail(run, run.step, `Its process could not be started: ${words}`));
    }
  }

  async #follow(run: StoredRun, process: RunProcess, journal: Journal): Promise<void> {
    try {
      const ending = await process.ended();
      await journal.written();
      await this.#conclude(run, ending);
    } finally {
      this.#processes.delete(run.id);
    }
  }

  async #conclude({ id }: StoredRun, { lastWord, how }: Ending): Promise<void> {
    const run = await this.#persist(() => this.store.run(id));
    if (!run) return;
    if (lastWord?.kind === "failed") return await this.#fail(run, run.step, lastWord.message);
    if (lastWord?.outcome === "completed") {
      return await this.#end(run, "completed", lastWord.step, lastWord.reason);
    }
    const step = lastWord?.step ?? run.step;
    if (run.state === "cancelling") return await this.#end(run, "cancelled", step);
    const crashed = lastWord === null && !this.#draining;
    if (crashed && run.crashes >= this.settings.maxCrashes) {
      const times = `${run.crashes + 1} times in a row without a new checkpoint`;
      return await this.#fail(run, run.step, `Its process was lost ${times}; at last it ${how}`);
    }
    const reason = this.#draining
      ? "the server stopped"
      : crashed
      ? `its process ${how}`
      : "its process was asked to stop";
    const now = await this.#persist(() => this.store.interrupt(id, reason, crashed));
    this.hub.tell(id);
    // it was asked for after we looked
    if (now?.state === "cancelling") await this.#end(now, "cancelled", step);
  }

  /** A run that is cancelled while no process of this server has it; one of an earlier server may. */
  async #cancelWithout(run: StoredRun): Promise<void> {
    if (this.#cancelling.has(run.id)) return;
    this.#cancelling.add(run.id);
    const path = join(this.folder.run(run.id), PROCESS_LOCK);
    const lock = await waitForLock(path, this.#closing.signal).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return null; // it never had a process
      throw error;
    });
    if (!lock && this.#draining) return;
    try {
      await this.#end(run, "cancelled", run.step);
    } finally {
      lock?.close();
    }
  }

  async #end(
    run: StoredRun,
    state: "completed" | "cancelled",
    step: number,
    reason: string | null = null,
  ): Promise<void> {
    await this.#clear(run);
    try {
      await this.#persist(async () => {
        const model = await this.#takeModel(run);
        await this.store.finish(run.id, { state, step, reason }, model);
      });
      this.hub.tell(run.id);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      await this.#fail(run, step, `Its model could not be read: ${words}`);
    }
  }

  async #takeModel(run: StoredRun): Promise<StoredModel | null> {
    const id = newId("model");
    const folder = this.folder.run(run.id);
    const facts = await this.arrays.takeModel(
      folder,
      this.folder.model(id),
      this.folder.report(id),
    );
    if (!facts) return null;
    return {
      id,
      name: run.datasetName,
      created: new Date().toISOString(),
      source: "run",
      run: run.id,
      dataset: run.dataset,
      ...facts,
    };
  }

  /** Removes what a process that was killed left half-written. */
  async #clear({ id }: StoredRun): Promise<void> {
    await sweep(this.folder.run(id), () => true).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) this.settings.onProblem(error);
    });
  }

  async #fail(run: StoredRun, step: number, reason: string): Promise<void> {
    const { id } = run;
    await this.#clear(run);
    await this.#persist(() => this.store.finish(id, { state: "failed", step, reason }, null));
    this.hub.tell(id);
  }

  /**
   * Does what must not be lost, again and again while there is no room for it. Undefined once the server
   * stops: what a record lacks then is found again at the next start.
   */
  async #persist<T>(what: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await what();
      } catch (error) {
        if (error instanceof InputError) throw error;
        if (error instanceof StorageError && error.reason === "damaged") throw error;
        this.settings.onProblem(error);
        if (this.#draining) return undefined;
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }
}
