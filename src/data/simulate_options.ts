/** Checks of the simulators' options. */
import { InputError } from "../errors.ts";

export function requireNumber(
  action: string,
  name: string,
  value: number,
  wanted: string,
  ok: boolean,
) {
  if (!Number.isFinite(value) || !ok) {
    throw new InputError(`Cannot ${action}: expected ${name} to be ${wanted}, found ${value}.`);
  }
}

export function requirePositive(action: string, name: string, value: number) {
  requireNumber(action, name, value, "a finite number above 0", value > 0);
}

export function requireWhole(action: string, name: string, value: number, least: number) {
  const wanted = `a whole number of at least ${least}`;
  requireNumber(action, name, value, wanted, Number.isSafeInteger(value) && value >= least);
}
