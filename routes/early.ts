/** What is told before there is anyone to hear it: it waits, in order, and none is lost. */
export class Early<X> {
  #one: X | null = null;
  readonly #waiting: ((one: X) => void)[] = [];

  /** Tells it to whoever is there, now or then. */
  tell(what: (one: X) => void): void {
    if (this.#one === null) this.#waiting.push(what);
    else what(this.#one);
  }

  /** Someone is there: hears what waits, and what comes. */
  arrived(one: X): void {
    this.#one = one;
    for (const what of this.#waiting.splice(0)) what(one);
  }
}
