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
}

/** One named slice of a model's parameters, `[in][out]`; a view, not a copy. */
export function parameter(model: Model, name: string): Float64Array {
  const { offset, length } = parameterLayout(model.architecture).slice(name);
  return model.params_P.subarray(offset, offset + length);
}
