/** Which starts are on the device. */
import type { Start } from "./start.ts";
import type { Trainer } from "./trainer.ts";

/** Starts on the device, a fit for each; the others keep their weights in memory and wait. */
export class Loaded {
  #trainer: Trainer | null = null;
  #starts: readonly Start[] = [];
  /** the starts' weights are those on the device */
  #known = true;

  /** @param load loads the training plan, for a fit of each seed */
  constructor(private readonly load: (seeds: readonly number[]) => Promise<Trainer>) {}

  /**
   * Brings these starts onto the device, and no others.
   *
   * @param changes what is asked of the trainer changes their weights
   */
  async take(starts: readonly Start[], changes = false): Promise<Trainer> {
    const same = starts.length === this.#starts.length &&
      starts.every((start, i) => start === this.#starts[i]);
    if (!this.#trainer || !same) {
      await this.read();
      this.free();
      this.#trainer = await this.load(starts.map(({ seed }) => seed));
      this.#starts = starts;
      for (const [fit, { weights }] of starts.entries()) this.#trainer.write(fit, weights);
      // the device may round them
      this.#known = false;
    }
    if (changes) this.#known = false;
    return this.#trainer;
  }

  /** Brings the starts' weights up to date. */
  async read(): Promise<void> {
    if (!this.#trainer || this.#known) return;
    const weights = await this.#trainer.read();
    for (const [fit, start] of this.#starts.entries()) start.weights = weights[fit];
    this.#known = true;
  }

  /** Leaves the device; what was not read is lost. */
  free(): void {
    this.#trainer?.free();
    this.#trainer = null;
    this.#starts = [];
    this.#known = true;
  }
}
