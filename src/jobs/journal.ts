/** What a process tells is stored in batches, in order; then those who follow the run hear of it. */
import type { Happening, StoredRun } from "./records.ts";

export class Journal {
  #pending: Happening[] = [];
  #writing: Promise<void> | null = null;
  #evaluation: number;
  #checkpoint: number;

  /** @param store stores a batch, and does not return before it is stored */
  constructor(run: StoredRun, private readonly store: (batch: Happening[]) => Promise<void>) {
    this.#evaluation = run.evaluation?.step ?? -1;
    this.#checkpoint = run.checkpoint ?? -1;
  }

  /** A run that goes on from a checkpoint comes by some steps again: what was told is left out. */
  tell(happening: Happening): void {
    if (happening.kind === "evaluation") {
      if (happening.entry.step <= this.#evaluation) return;
      this.#evaluation = happening.entry.step;
    }
    if (happening.kind === "checkpoint") {
      if (happening.step <= this.#checkpoint) return;
      this.#checkpoint = happening.step;
    }
    this.#pending.push(happening);
    this.#writing ??= this.#write();
  }

  /** Resolves when everything told so far is stored. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      await this.store(batch);
    }
    this.#writing = null;
  }
}
