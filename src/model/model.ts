/** A fitted (or started) model: its shape, its hyperparameters and its parameters. */
import type { Hyperparameters } from "./hyperparameters.ts";
import { type Architecture, parameterLayout } from "./layout.ts";

export interface Model {
  readonly architecture: Architecture;
  readonly hyperparameters: Hyperparameters;
  /** the flat buffer of `parameterLayout(architecture)` */
  readonly params_P: Float64Array;
  /** seconds per bin of the data it was fitted to, or null where that is not known */
  readonly binWidth: number | null;
  readonly seed: number;
  /** optimiser steps made */
  readonly step: number;
  /** neurons that the encoders never see, ascending; absent: they see all */
  readonly heldOut?: readonly number[];
  /** of several sessions: their names, and how many neurons each has */
  readonly sessions?: { readonly names: readonly string[]; readonly neurons: readonly number[] };
}

/**
 * One named slice of a model's parameters, `[in][out]`; a view, not a copy.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { architecture, initialise, parameter, parseHyperparameters } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * const origin = { seed: 0, step: 0, binWidth: 0.01 };
 * const model = { ...origin, hyperparameters, architecture: shape, params_P };
 * assert.equal(parameter(model, "factors.w_GF").length, 2 * 2);
 * ```
 */
export function parameter(model: Model, name: string): Float64Array {
  const { offset, length } = parameterLayout(model.architecture).slice(name);
  return model.params_P.subarray(offset, offset + length);
}
