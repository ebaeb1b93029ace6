/** What real numbers of a dataset are like, and which observation models they may come of. */
import type { Observation } from "../dims.ts";
import type { Dataset } from "./dataset.ts";
import { observedValues } from "./observed.ts";

/** What real numbers are like, over bins that were observed. */
export interface RealFacts {
  readonly observed: number;
  readonly missing: number;
  readonly least: number;
  readonly most: number;
  readonly mean: number;
  readonly deviation: number;
  /** The share that is 0. */
  readonly zeros: number;
  /** The least number above 0; null where there is none. */
  readonly leastAbove: number | null;
  /** Neurons whose numbers are all the same, counted from 0. */
  readonly constant: readonly number[];
  /** Observation models that the numbers may come of, the narrowest first. */
  readonly observations: readonly Observation[];
}

/**
 * What the real numbers of a dataset are like.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { datasetFromArrays, realFacts } from "latentd";
 *
 * const spikes = { shape: [2, 2, 1], data: Float64Array.of(0, 0.5, 1.5, 0) };
 * const facts = realFacts(datasetFromArrays({ name: "calcium", spikes }));
 * assert.deepEqual([facts.zeros, facts.leastAbove], [0.5, 0.5]);
 * assert.deepEqual(facts.observations, ["zero-inflated-gamma", "gaussian"]);
 * ```
 */
export function realFacts(data: Dataset): RealFacts {
  const values_BTN = observedValues(data);
  const { N } = data;
  const low_N = new Float64Array(N).fill(Infinity), high_N = new Float64Array(N).fill(-Infinity);
  let observed = 0, zeros = 0, sum = 0, leastAbove = Infinity;
  values_BTN.forEach((x: number, i: number) => {
    if (Number.isNaN(x)) return;
    observed++;
    sum += x;
    if (x === 0) zeros++;
    else if (x > 0) leastAbove = Math.min(leastAbove, x);
    low_N[i % N] = Math.min(low_N[i % N], x);
    high_N[i % N] = Math.max(high_N[i % N], x);
  });
  const mean = sum / observed;
  let squares = 0;
  values_BTN.forEach((x: number) => {
    if (!Number.isNaN(x)) squares += (x - mean) ** 2;
  });
  const least = low_N.reduce((a, b) => Math.min(a, b), Infinity);
  const most = high_N.reduce((a, b) => Math.max(a, b), -Infinity);
  const narrow: Observation[] = least > 0
    ? ["gamma"]
    : least === 0 && leastAbove < Infinity
    ? ["zero-inflated-gamma"]
    : [];
  return {
    ...{ observed, missing: values_BTN.length - observed, least, most, mean },
    deviation: Math.sqrt(squares / observed),
    zeros: zeros / observed,
    leastAbove: leastAbove < Infinity ? leastAbove : null,
    constant: Array.from(low_N.keys()).filter((n) => low_N[n] === high_N[n]),
    observations: [...narrow, "gaussian"],
  };
}
