/** How far an executor may be from the float64 numbers that a check wants, and why. */
import type { DeviceInfo } from "../compute/executor.ts";

/** Bounds on relative errors (see `relativeError`). */
export interface Tolerances {
  /** activations, losses, speeds: one forward pass */
  readonly forward: number;
  /** one gradient, the whole buffer */
  readonly gradient: number;
  /** ten optimiser steps */
  readonly steps: number;
}

/**
 * float64: sums of up to 1e4 terms, through a thousand dependent operations, round to some 1e-12;
 * 1e-10 leaves room for ill-conditioned files. Between two float64 programs anything above is a mistake.
 *
 * float32 rounds to 6e-8, and a dot product of n terms to some √n times that: 6e-7 for n = 100. A
 * sweep over T bins adds such errors T-fold at worst where the dynamics do not expand, less as they
 * are independent; forward and back through a file of 10 to 50 bins stays under 1e-5, while a wrong
 * formula is off by 1e-3 and more. Adam divides by √v, and its first step is `g / (|g| + eps)`: an
 * error of 1e-5 of the whole gradient is a larger share of each small element, so ten steps get ten
 * times the bound.
 *
 * On a GPU quotients and roots may be off by a few roundings more, and exp and tanh by up to 8
 * (`shaders/math.wgsl`): a small factor on some of the roundings, and the bounds leave more than ten.
 */
export function tolerances({ name }: DeviceInfo): Tolerances {
  return name === "reference"
    ? { forward: 1e-10, gradient: 1e-10, steps: 1e-10 }
    : { forward: 1e-5, gradient: 1e-5, steps: 1e-4 };
}

/** Float64 against float64 on the host: formulas of a few dozen operations. */
export const HOST = 1e-10;
