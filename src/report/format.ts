const MINUS = "\u2212";
const ABSENT = "\u2013";

/**
 * A number with so many significant digits, set for reading: a true minus sign, a dash where there
 * is none, and NaN or ∞ where that is the value.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(number(-0.0123456), "−0.0123");
 * ```
 */
export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return ABSENT;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${mantissa} × 10${superscript(Number(exponent))}`.replace("-", MINUS);
  }
  // Rounding may carry into a new leading digit: 0.9996 reads 1.00.
  const leading = size === 0 ? 0 : Math.floor(Math.log10(Number(size.toPrecision(digits))));
  return value.toFixed(size === 0 ? 0 : Math.max(0, digits - 1 - leading)).replace("-", MINUS);
}

function superscript(exponent: number): string {
  return [...String(exponent)]
    .map((character) => character === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(character)]).join("");
}

/**
 * A number with three decimals, for values near 1 that are read against each other; smaller ones than
 * those show as `number` shows them.
 */
export function decimals(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return number(value);
  if (value !== 0 && (Math.abs(value) < 5e-4 || Math.abs(value) >= 1e4)) return number(value);
  return value.toFixed(3).replace("-", MINUS);
}

/** A number as short as its first three digits allow: 10, 2.5, 0.333. */
export function short(value: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(3))).replace("-", MINUS)
    : number(value);
}

/** An ISO 8601 instant to the minute, or the string as it is when it is none. */
export function instant(iso: string): string {
  const time = new Date(iso).getTime();
  return Number.isNaN(time)
    ? iso
    : `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A whole number, its thousands set apart by a thin space. */
export function count(value: number): string {
  return Number.isFinite(value)
    ? String(value).replace("-", MINUS).replace(/\B(?=(\d{3})+$)/g, "\u202f")
    : number(value);
}

/** A share as a percentage with at most one decimal: 0.934 is "93.4 %". */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return number(share);
  const shown = Math.abs(share) >= 10 ? (share * 100).toFixed(0) : (share * 100).toFixed(1);
  return `${shown.replace(/^-0(\.0)?$/, "0.0").replace("-", MINUS)}\u00a0%`;
}

/** A complex number, as one of a pair where `pair` is set: "0.980 ± 0.200i". */
export function complex(re: number, im: number, pair = false): string {
  if (im === 0) return decimals(re);
  const sign = pair ? "±" : im < 0 ? MINUS : "+";
  return `${decimals(re)} ${sign} ${decimals(Math.abs(im))}i`;
}

/** An angle per bin in radians and degrees, and rotations per second where the bin width is known. */
export function angle(radians: number | null, binWidth: number | null): string {
  if (radians === null || !Number.isFinite(radians)) return number(radians);
  const turns = `${decimals(radians)} rad/bin (${number(radians * 180 / Math.PI)}°`;
  return binWidth === null
    ? `${turns})`
    : `${turns}, ${number(radians / (2 * Math.PI * binWidth))} Hz)`;
}

/** One thing, or several: "1 fixed point", "3 fixed points". */
export function plural(many: number, one: string, several = `${one}s`): string {
  return `${count(many)} ${many === 1 ? one : several}`;
}
