/** Tells those who follow a run that there is more to read. */
export class Hub {
  readonly #followers = new Map<string, Set<Follower>>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  follow(run: string): Follower {
    const all = this.#followers.get(run) ?? new Set();
    this.#followers.set(run, all);
    const follower = new Follower(() => {
      all.delete(follower);
      if (all.size === 0) this.#followers.delete(run);
    });
    all.add(follower);
    return follower;
  }

  tell(run: string): void {
    for (const follower of this.#followers.get(run) ?? []) follower.tell();
  }

  /** Wakes everyone, for the last time. */
  close(): void {
    this.#closed = true;
    for (const run of this.#followers.keys()) this.tell(run);
  }
}

/** One who follows a run. */
export class Follower {
  #news = Promise.withResolvers<void>();

  /** @param leave ends the following */
  constructor(readonly leave: () => void) {}

  tell(): void {
    this.#news.resolve();
  }

  /** Forgets what was told. To be called before looking, so that nothing is missed. */
  look(): void {
    this.#news = Promise.withResolvers<void>();
  }

  /** Resolves when something was told since the last look. */
  news(): Promise<void> {
    return this.#news.promise;
  }
}
