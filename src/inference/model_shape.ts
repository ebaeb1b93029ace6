/** Data in the shape that a model was fitted to: what they lack is missing. */
import type { DataArray } from "../data/arrange.ts";
import type { ShapedArray } from "../data/validate.ts";
import { longer } from "../data/windows.ts";
import { InputError } from "../errors.ts";
import type { Model } from "../model/model.ts";

/** What to infer from: counts, or real numbers, of `trials` trials. */
export interface Counts {
  readonly counts_BTN: DataArray;
  readonly trials: number;
  readonly T: number;
  readonly N: number;
  /** 1 where a bin was not observed */
  readonly missing_BTN?: Uint8Array;
  /** bins of each trial that belong to it */
  readonly lengths_B?: Int32Array;
  /** where the model has external inputs: `[trials][T or more][X]` */
  readonly external_BTX?: ShapedArray;
}

/** What of a model decides which data it takes. */
export type Fitted = Pick<Model, "architecture" | "heldOut">;

/** What a model takes in words: `50 bins and 100 neurons, as the model was fitted to`. */
export function wantedShape({ architecture, heldOut = [] }: Fitted): string {
  const { dims: { T, N }, encodedBins = T } = architecture;
  const whole = `${T} bins and ${N} neurons, as the model was fitted to`;
  const seen = N - heldOut.length;
  if (encodedBins === T && seen === N) return whole;
  const parts = [
    ...(encodedBins === T ? [] : [`the ${encodedBins} bins`]),
    ...(seen === N ? [] : [`the ${seen} neurons`]),
  ];
  return `${whole} (${parts.join(" and ")} that its encoders see are enough)`;
}

/** Whether a model takes data of so many bins and neurons. */
export function takesShape({ architecture, heldOut = [] }: Fitted, bins: number, neurons: number) {
  const { dims: { T, N }, encodedBins = T } = architecture;
  return (bins === T || bins === encodedBins) &&
    (neurons === N || neurons === N - heldOut.length);
}

/** @throws {InputError} where a model does not take data of so many bins and neurons */
export function requireTaken(model: Fitted, { T, N }: Pick<Counts, "T" | "N">): void {
  if (takesShape(model, T, N)) return;
  throw new InputError(
    `Cannot infer: expected spikes of ${wantedShape(model)}, found ${T} bins and ${N} neurons.`,
  );
}

/**
 * Data as a model takes them. They may be of all bins and neurons that it was fitted to, or of those that
 * its encoders see alone: the others are then missing, and predicted; external inputs are 0 where they end.
 *
 * @throws {InputError} where they are neither
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, inModelShape, parseHyperparameters } from "latentd";
 *
 * const shape = architecture(parseHyperparameters({ encodedBins: 2 }), 3, 2);
 * const model = { architecture: shape, heldOut: [0] };
 * const seen = { counts_BTN: Uint8Array.of(5, 6), trials: 1, T: 2, N: 1 };
 * const { counts_BTN, missing_BTN } = inModelShape(model, seen);
 * assert.deepEqual([...counts_BTN], [0, 5, 0, 6, 0, 0]);
 * assert.deepEqual([...missing_BTN ?? []], [1, 0, 1, 0, 1, 1]);
 * ```
 */
export function inModelShape<D extends Counts>(model: Fitted, data: D): D & Counts {
  const { architecture: { dims: { T, N } }, heldOut = [] } = model;
  requireTaken(model, data);
  if (data.T === T && data.N === N) return data;
  const { trials } = data;
  const places = data.N === N
    ? Array.from({ length: N }, (_, n) => n)
    : Array.from({ length: N }, (_, n) => n).filter((n) => !heldOut.includes(n));
  const { counts_BTN: given } = data;
  const Numbers = given.constructor as new (length: number) => DataArray;
  const counts_BTN = new Numbers(trials * T * N);
  const missing_BTN = new Uint8Array(trials * T * N).fill(1);
  for (let b = 0, i = 0; b < trials; b++) {
    for (let t = 0; t < data.T; t++) {
      for (let n = 0; n < data.N; n++, i++) {
        const to = (b * T + t) * N + places[n];
        counts_BTN[to] = given[i];
        missing_BTN[to] = data.missing_BTN?.[i] ?? 0;
      }
    }
  }
  const external = data.external_BTX ? { external_BTX: longer(data.external_BTX, T, 0) } : {};
  return { ...data, T, N, counts_BTN, missing_BTN, ...external };
}
