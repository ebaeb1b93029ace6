/** One line of a check: what was compared, how far apart, and how far apart it may be. */
export interface CheckRow {
  readonly what: string;
  /** ‖ours - wanted‖ / ‖wanted‖ over all numbers (absolute where all wanted numbers are 0) */
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  note?: string;
}

/** Compares two lists of numbers by the relative error of the whole. */
export function compare(
  what: string,
  ours: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
): CheckRow {
  if (ours.length !== wanted.length) {
    const note = `expected ${wanted.length} numbers, found ${ours.length}`;
    return { what, error: NaN, tolerance, passed: false, note };
  }
  let difference = 0, size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (ours[i] - wanted[i]) ** 2;
    size += wanted[i] ** 2;
  }
  const error = Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
  return { what, error, tolerance, passed: error <= tolerance };
}

/** A nested list of numbers as one array. */
export function flat(nested: readonly unknown[]): Float64Array {
  return Float64Array.from(nested.flat(Infinity) as number[]);
}
