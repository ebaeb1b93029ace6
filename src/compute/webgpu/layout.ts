/** Where a plan's buffers stand in the two arenas of a program: what all fits share, then each fit's own. */
import type { BufferSpec, Plan } from "../recording.ts";

/** Elements to which a buffer's start is aligned: a cache line, and what copies want. */
const ALIGN = 64;

/**
 * Runs that one `sequence` makes at most in one submission: with steps of a tenth of a millisecond, those
 * of a small model, what a wait costs beside them is little.
 */
export const SLOTS = 512;

export interface Place {
  readonly spec: BufferSpec;
  readonly arena: "reals" | "words";
  /** in elements of 4 bytes from where the fit's own, or what is shared, starts in the arena */
  readonly start: number;
  /** elements of 4 bytes of one run's copy, of which there are `SLOTS` where the buffer is per run */
  readonly words: number;
}

/** Hands out elements of an arena. */
export class Arena {
  #end = 0;

  take(elements: number): number {
    const start = this.#end;
    this.#end = Math.ceil((start + elements) / ALIGN) * ALIGN;
    return start;
  }

  get length(): number {
    return this.#end;
  }
}

const PER_WORD = { real: 1, u32: 1, u16: 2, u8: 4 } as const;

export class Layout {
  readonly places = new Map<string, Place>();
  /**
   * Where the newest numbers of a buffer stand that has a copy for each run, but goes on from the run
   * before: of the real numbers, from the fit's start.
   */
  readonly running = new Map<string, number>();
  /** of one fit */
  readonly reals = new Arena();
  readonly words = new Arena();
  /** of all fits, behind which the fits' own stand */
  readonly sharedReals = new Arena();
  readonly sharedWords = new Arena();

  constructor(plan: Plan, sequences: boolean) {
    for (const spec of plan.buffers) {
      const words = Math.ceil(spec.length / PER_WORD[spec.element]);
      const copies = spec.perRun && sequences ? SLOTS : 1;
      const arena = spec.element === "real" ? "reals" : "words";
      const [own, shared] = arena === "reals"
        ? [this.reals, this.sharedReals]
        : [this.words, this.sharedWords];
      const from = spec.shared ? shared : own;
      this.places.set(spec.name, { spec, arena, start: from.take(words * copies), words });
    }
  }

  place(name: string): Place {
    const place = this.places.get(name);
    if (!place) throw new Error(`Cannot use buffer "${name}": the plan has no such buffer.`);
    return place;
  }
}
