/** Tells those who follow a run that there is more to read. */
export class Hub {
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves at the next change of a run. Ask before looking, so that no change is missed. */
  change(run: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const waiting = this.#waiting.get(run) ?? Promise.withResolvers<void>();
    this.#waiting.set(run, waiting);
    return waiting.promise;
  }

  tell(run: string): void {
    this.#waiting.get(run)?.resolve();
    this.#waiting.delete(run);
  }

  close(): void {
    this.#closed = true;
    for (const run of [...this.#waiting.keys()]) this.tell(run);
  }
}
