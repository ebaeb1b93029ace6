/** What the data of a model are called, and what is inferred of them. */
import type { Hyperparameters } from "../types.ts";

export interface Words {
  /** real numbers, not counts of spikes */
  readonly real: boolean;
  readonly data: string;
  readonly inferred: string;
  readonly Inferred: string;
  readonly truth: string;
  readonly Truth: string;
  readonly heading: string;
  /** behind a number */
  readonly unit: string;
}

const SPIKES: Words = {
  real: false,
  data: "spikes",
  inferred: "inferred rate",
  Inferred: "Inferred rate",
  truth: "true rate",
  Truth: "True rate",
  heading: "Inferred rates and spikes",
  unit: " spikes per bin",
};

const NUMBERS: Words = {
  real: true,
  data: "observed",
  inferred: "expected value",
  Inferred: "Expected value",
  truth: "true value",
  Truth: "True value",
  heading: "Expected values",
  unit: "",
};

export function wordsOf(observation: Hyperparameters["observation"]): Words {
  return observation === "poisson" ? SPIKES : NUMBERS;
}
