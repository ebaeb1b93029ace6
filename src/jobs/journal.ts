/** What a process tells is stored in batches, in order. */
import type { Happening, StoredRun } from "./records.ts";

export class Journal {
  #pending: Happening[] = [];
  #writing: Promise<void> | null = null;
  readonly #heard: Heard;

  /** @param store stores a batch, and does not return before it is stored */
  constructor(run: StoredRun, private readonly store: (batch: Happening[]) => Promise<void>) {
    this.#heard = new Heard(run);
  }

  tell(happening: Happening): void {
    if (!this.#heard.isNew(happening)) return;
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

/**
 * What was heard of a run. One that goes on from a checkpoint comes by some steps again, and tells what
 * its checkpoint knows, since the server may have missed it.
 */
class Heard {
  #evaluation: number;
  #checkpoint: number;
  #reported: boolean;
  readonly #failed: Set<number>;
  /** how many of each start are stored, by its seed; and how many this process has told */
  readonly #recoveries = new Map<number, number>();
  readonly #told = new Map<number, number>();

  constructor(run: StoredRun) {
    this.#evaluation = run.evaluation?.step ?? -1;
    this.#checkpoint = run.checkpoint ?? -1;
    this.#reported = run.reported;
    this.#failed = new Set(run.failedStarts.map(({ seed }) => seed));
    for (const { seed } of run.recoveries) countOne(this.#recoveries, seed);
  }

  isNew(happening: Happening): boolean {
    switch (happening.kind) {
      case "evaluation": {
        const { step } = happening.entry;
        if (step <= this.#evaluation) return false;
        this.#evaluation = step;
        return true;
      }
      case "checkpoint":
        if (happening.step <= this.#checkpoint) return false;
        this.#checkpoint = happening.step;
        return true;
      case "start-failed":
        if (this.#failed.has(happening.seed)) return false;
        this.#failed.add(happening.seed);
        return true;
      case "recovered": {
        const { seed, to } = happening;
        if (countOne(this.#told, seed) <= (this.#recoveries.get(seed) ?? 0)) return false;
        // what was evaluated since then is void, and comes again
        this.#evaluation = Math.min(this.#evaluation, to);
        return true;
      }
      case "report": {
        if (this.#reported) return false;
        this.#reported = happening.made;
        return true;
      }
      default:
        return true;
    }
  }
}

function countOne(counts: Map<number, number>, key: number): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}
