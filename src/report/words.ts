/** What a report calls the data and what is inferred of them: spikes and rates, or numbers and their expected values. */
import type { DatasetView } from "./data.ts";

export interface Words {
  /** real numbers, not counts of spikes */
  readonly real: boolean;
  /** what was observed */
  readonly data: "spikes" | "numbers";
  /** the data, smoothed: what simple methods read */
  readonly counts: "counts" | "numbers";
  /** what the model says of one bin of one neuron */
  readonly inferred: "inferred rate" | "expected value";
  /** what the simulation knows of it */
  readonly truth: "true rate" | "true value";
  readonly heading: "Firing rates" | "Expected values";
}

const SPIKES: Words = {
  real: false,
  data: "spikes",
  counts: "counts",
  inferred: "inferred rate",
  truth: "true rate",
  heading: "Firing rates",
};

const NUMBERS: Words = {
  real: true,
  data: "numbers",
  counts: "numbers",
  inferred: "expected value",
  truth: "true value",
  heading: "Expected values",
};

export function wordsOf({ observation = "poisson" }: DatasetView): Words {
  return observation === "poisson" ? SPIKES : NUMBERS;
}

/** The first letter large. */
export function capital(words: string): string {
  return words[0].toUpperCase() + words.slice(1);
}
