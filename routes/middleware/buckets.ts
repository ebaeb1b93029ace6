/** Token buckets by name: each fills at a rate up to a size. */

/** Names that are remembered; those that are full need not be. */
const MOST_NAMES = 10_000;

export class Buckets {
  readonly #levels = new Map<string, { level: number; at: number }>();

  /** @param perSecond tokens that come in a second, up to `size` */
  constructor(private readonly perSecond: number, private readonly size: number) {}

  /** Seconds until there is a token; 0 where there is one. */
  wait(name: string): number {
    const { level } = this.#now(name);
    return level >= 1 ? 0 : (1 - level) / this.perSecond;
  }

  /** Takes a token, where there is one. */
  take(name: string): boolean {
    const bucket = this.#now(name);
    if (bucket.level < 1) return false;
    bucket.level--;
    return true;
  }

  #now(name: string): { level: number; at: number } {
    const at = performance.now() / 1000;
    let bucket = this.#levels.get(name);
    if (!bucket) {
      if (this.#levels.size >= MOST_NAMES) this.#forget(at);
      bucket = { level: this.size, at };
      this.#levels.set(name, bucket);
    }
    bucket.level = Math.min(this.size, bucket.level + (at - bucket.at) * this.perSecond);
    bucket.at = at;
    return bucket;
  }

  /** Forgets those that are full by now, and where that is not enough the oldest half. */
  #forget(at: number): void {
    for (const [name, bucket] of this.#levels) {
      if (bucket.level + (at - bucket.at) * this.perSecond >= this.size) this.#levels.delete(name);
    }
    if (this.#levels.size < MOST_NAMES) return;
    for (const name of [...this.#levels.keys()].slice(0, MOST_NAMES / 2)) this.#levels.delete(name);
  }
}
