import type { Numbers } from "./data.ts";

/** Smallest and largest of the finite values, or null when there is none. */
export function extent(values: Iterable<number>): [number, number] | null {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (Number.isFinite(value)) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** At most `limit` of the numbers 0 … n-1, evenly spread, the first always among them. */
export function spread(n: number, limit: number): number[] {
  const many = Math.min(n, limit);
  return Array.from({ length: many }, (_, i) => Math.floor(i * n / many));
}

/** Means over runs of `size` neighbours (the last run may be shorter). NaN stays NaN. */
export function runMeans(values: readonly number[], size: number): number[] {
  const means: number[] = [];
  for (let start = 0; start < values.length; start += size) {
    const run = values.slice(start, start + size);
    means.push(run.reduce((sum, value) => sum + value, 0) / run.length);
  }
  return means;
}

/**
 * The `limit` columns that vary most over all rows of `values_RN`, most first: by the standard
 * deviation over its finite entries, ties by the lower index.
 */
export function mostModulated(values_RN: Numbers, N: number, limit: number): number[] {
  const deviations = Array.from({ length: N }, (_, n) => {
    let many = 0, mean = 0, squares = 0;
    for (let i = n; i < values_RN.length; i += N) {
      const value = values_RN[i];
      if (!Number.isFinite(value)) continue;
      many++;
      const off = value - mean;
      mean += off / many;
      squares += off * (value - mean);
    }
    return many > 0 ? Math.sqrt(squares / many) : -1;
  });
  return deviations.map((_, n) => n).sort((a, b) => deviations[b] - deviations[a] || a - b)
    .slice(0, limit);
}

/** The share of the variance of `truth` that `estimate` accounts for (R²); null if `truth` is constant. */
export function varianceExplained(estimate: Numbers, truth: Numbers): number | null {
  let mean = 0;
  for (let i = 0; i < truth.length; i++) mean += truth[i] / truth.length;
  let total = 0, rest = 0;
  for (let i = 0; i < truth.length; i++) {
    total += (truth[i] - mean) ** 2;
    rest += (truth[i] - estimate[i]) ** 2;
  }
  return total > 0 ? 1 - rest / total : null;
}
