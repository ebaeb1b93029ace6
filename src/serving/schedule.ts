/**
 * What a device does next. Work has a class, and a class has a patience: whoever's deadline (arrival
 * plus patience) is earliest goes first. So a posterior mean overtakes samples and jobs, but nothing
 * waits for ever.
 */

/** From the most urgent: a posterior mean for a closed loop, posterior samples, a slice of a job. */
export const PATIENCE_MS = { mean: 0, samples: 50, job: 200 } as const;

export type WorkClass = keyof typeof PATIENCE_MS;

/** Something that waits for the device. */
export interface Waiting {
  readonly class: WorkClass;
  /** when it arrived, or when the device last worked on it; `performance.now()` */
  since: number;
}

/** Queues of each class, in order of arrival. */
export class Schedule<W extends Waiting> {
  readonly #queues: Readonly<Record<WorkClass, Set<W>>> = {
    mean: new Set(),
    samples: new Set(),
    job: new Set(),
  };

  get size(): number {
    const { mean, samples, job } = this.#queues;
    return mean.size + samples.size + job.size;
  }

  sizeOf(name: WorkClass): number {
    return this.#queues[name].size;
  }

  /** Adds work behind all of its class. */
  add(work: W): void {
    this.#queues[work.class].add(work);
  }

  remove(work: W): boolean {
    return this.#queues[work.class].delete(work);
  }

  /** The work that goes next. */
  first(): W | null {
    let best: W | null = null;
    for (const queue of Object.values(this.#queues)) {
      const [head] = queue;
      if (head && (best === null || deadline(head) < deadline(best))) best = head;
    }
    return best;
  }

  /** All of a class, first come first. */
  of(name: WorkClass): Iterable<W> {
    return this.#queues[name].values();
  }

  all(): W[] {
    return Object.values(this.#queues).flatMap((queue) => [...queue]);
  }
}

function deadline(work: Waiting): number {
  return work.since + PATIENCE_MS[work.class];
}
