/** Numbers and tables as plain text. */

/**
 * Rows as columns of equal width, two spaces apart: numbers to the right, words to the left.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(table(["name", "nll"], [["model", "12.5"]]), "name    nll\nmodel  12.5");
 * ```
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const numeric = headings.map((_, column) =>
    rows.every((row) => /^(NaN|[-+∞.\d].*)?$/.test(row[column]))
  );
  return lines.map((line) =>
    line.map((cell, column) =>
      numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
    ).join("  ").trimEnd()
  ).join("\n");
}

/** A number to so many significant digits, without an exponent where that stays readable. */
export function number(value: number, digits = 4): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return value.toExponential(digits - 1);
  return size >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
}

/** "once", "3 times". */
export function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** Seconds as "42 s", "3 min 5 s", "2 h 10 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds < 10 ? seconds.toFixed(1) : whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}

/** Bytes as "16 KiB", "2 GiB", "3.4 MiB". */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit++;
  }
  const text = count >= 100 || Number.isInteger(count) ? count.toFixed(0) : count.toPrecision(2);
  return `${text} ${units[unit]}`;
}

/** "200 trials × 50 bins × 100 neurons". */
export function sizes(data: { trials: number; T: number; N: number }): string {
  const some = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  return [some(data.trials, "trial"), some(data.T, "bin"), some(data.N, "neuron")].join(" × ");
}
