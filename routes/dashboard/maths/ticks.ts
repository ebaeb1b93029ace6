/** Where an axis has its numbers. */

export type Domain = readonly [low: number, high: number];

/** Round numbers from low to high. */
export function ticks([low, high]: Domain, about: number, whole = false): number[] {
  if (about <= 0) return [];
  const raw = (high - low) / Math.max(1, about);
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw) ?? raw;
  const size = whole ? Math.max(1, Math.round(step)) : step;
  const first = Math.ceil(low / size - 1e-9);
  const found: number[] = [];
  for (let k = first; k * size <= high + size * 1e-9; k++) {
    found.push(Number((k * size).toPrecision(12)));
  }
  return found;
}
