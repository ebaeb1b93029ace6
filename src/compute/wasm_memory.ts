/** Regions of the shared WebAssembly memory: first fit, neighbours merge when they are given back. */

const PAGE = 65536;
/** Regions start on a cache line, and end with room for a vector to read past the last element. */
const ALIGN = 64;

/** Bytes rounded up to whole cache lines. */
export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

/** Part of the memory, in bytes. */
export interface Region {
  readonly start: number;
  readonly size: number;
}

/**
 * Hands out zeroed regions of a memory from `start` on, and grows the memory when it must.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const memory = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
 * const regions = new Regions(memory, 1024);
 * const region = regions.take(100_000);
 * assert.equal(memory.buffer.byteLength, 2 * 65536); // grown by a page
 * regions.giveBack(region);
 * ```
 */
export class Regions {
  /** what was given back, by address */
  #free: Region[] = [];
  /** everything beyond has never been used, and so is zero */
  #frontier: number;

  constructor(private readonly memory: WebAssembly.Memory, start: number) {
    this.#frontier = alignUp(start);
  }

  /** A zeroed region of at least `bytes`. Throws when the memory is full. */
  take(bytes: number): Region {
    const size = alignUp(bytes);
    const fit = this.#free.findIndex((region) => region.size >= size);
    if (fit < 0) return this.#extend(size);
    const { start, size: available } = this.#free[fit];
    const rest = { start: start + size, size: available - size };
    this.#free.splice(fit, 1, ...(rest.size > 0 ? [rest] : []));
    new Uint8Array(this.memory.buffer, start, size).fill(0);
    return { start, size };
  }

  /** Gives a region back. */
  giveBack(region: Region): void {
    const sorted = [...this.#free, region].sort((a, b) => a.start - b.start);
    this.#free = [];
    for (const next of sorted) {
      const last = this.#free.at(-1);
      if (last && last.start + last.size === next.start) {
        this.#free[this.#free.length - 1] = { start: last.start, size: last.size + next.size };
      } else {
        this.#free.push(next);
      }
    }
  }

  #extend(size: number): Region {
    const start = this.#frontier;
    const missing = Math.ceil((start + size - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) {
      try {
        this.memory.grow(missing);
      } catch (cause) {
        const mega = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
        throw new Error(
          `Cannot allocate ${mega(size)} on the wasm device: ${mega(start)} are in use, and this ` +
            `memory cannot grow by what is missing (WebAssembly ends at 4096 MiB). Use fewer ` +
            `starts, smaller batches, fewer posterior samples, or a smaller model.`,
          { cause },
        );
      }
    }
    this.#frontier = start + size;
    return { start, size };
  }
}
