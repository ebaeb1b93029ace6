/** What every executor asks of the fits of a program before it computes. */
import type { Scalars } from "./kernels.ts";

/** How many fits to load: at least 1. */
export function requireFits(fits: number): number {
  if (Number.isSafeInteger(fits) && fits >= 1) return fits;
  throw new Error(`Cannot load a plan: expected a whole number of fits, 1 or more, found ${fits}.`);
}

/** The number of a fit of a program, from 0. */
export function requireFit(action: string, fit: number, fits: number): number {
  if (Number.isSafeInteger(fit) && fit >= 0 && fit < fits) return fit;
  throw new Error(`Cannot ${action}: expected a fit from 0 to ${fits - 1}, found ${fit}.`);
}

/** Each fit's scalars: the same for all, or one for each. */
export function scalarsOfFits(
  recording: string,
  scalars: Scalars | readonly Scalars[],
  fits: number,
): readonly Scalars[] {
  if (!isList(scalars)) return Array.from({ length: fits }, () => scalars);
  if (scalars.length === fits) return scalars;
  throw new Error(
    `Cannot run "${recording}": expected the scalars of ${fits} ${fits === 1 ? "fit" : "fits"}, ` +
      `found ${scalars.length}.`,
  );
}

function isList(scalars: Scalars | readonly Scalars[]): scalars is readonly Scalars[] {
  return Array.isArray(scalars);
}
