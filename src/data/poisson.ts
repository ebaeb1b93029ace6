import { InputError } from "../errors.ts";
import { type Address, PURPOSES, seedWords, STREAMS, words } from "../random.ts";

/** Rates above this are refused: there the acceptance test would no longer hold to 1e-6. */
export const MAX_POISSON_RATE = 1e8;

/** Below this rate counts are found by inversion, from here on by transformed rejection. */
const REJECTION_FROM = 10;

/** Where a count stands. The sampler itself owns `step`: it numbers the attempts of a rejection. */
export type CountAddress = Omit<Address, "step"> & { readonly step?: undefined };

/** How many trials, bins and neurons an array `…_BTN` holds. */
export interface CountShape {
  readonly trials: number;
  readonly T: number;
  readonly N: number;
}

const TABULATED = 256;
const lnFactorials = tabulateLnFactorials();

/** ln 0! … ln 255! as compensated sums of logarithms (Kahan), so that no rounding accumulates. */
function tabulateLnFactorials(): Float64Array {
  const table = new Float64Array(TABULATED);
  let sum = 0, lost = 0;
  for (let k = 1; k < TABULATED; k++) {
    const term = Math.log(k) - lost;
    const next = sum + term;
    lost = (next - sum) - term;
    table[k] = sum = next;
  }
  return table;
}

/**
 * ln(count!) for a whole count of at least 0, to a few units in the last place: a table below 256,
 * from there on Stirling's series (DLMF 5.11.1), whose first omitted term is below 1e-20.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert(Math.abs(lnFactorial(4) - Math.log(24)) < 1e-15);
 * ```
 */
export function lnFactorial(count: number): number {
  if (count < TABULATED) return lnFactorials[count];
  const square = count * count;
  return (count + 0.5) * Math.log(count) - count + 0.5 * Math.log(2 * Math.PI) +
    (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / count;
}

/** A uniform number in (0, 1) from two words: 52 bits, centred, exact in float64. */
function fineUniform(high: number, low: number): number {
  return ((high >>> 6) * 2 ** 26 + (low >>> 6) + 0.5) * 2 ** -52;
}

/**
 * One Poisson count of mean `rate` (expected spikes per bin, 0 to 1e8), decided by its address alone.
 *
 * Each count owns the whole block `column` of its row, and the steps of that block: attempt `i` of a
 * rejection reads `words({ ...at, step: i }, row, column)`. So no two counts share a word, however
 * many attempts either needs.
 *
 * Rates below 10 are inverted: the count is where the cumulative probability passes a uniform of 52
 * bits. Rates from 10 on use transformed rejection with squeeze, PTRS (W. Hörmann, The transformed
 * rejection method for generating Poisson random variables, Insurance: Mathematics and Economics 12,
 * 1993). Both are exact up to float64's rounding.
 *
 * @throws InputError for a rate that is negative, not finite or above 1e8.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { seedWords, STREAMS } from "../random.ts";
 *
 * const at = { ...seedWords(0), stream: STREAMS.poisson };
 * const count = poisson(at, 0, 0, 2.5); // the count of bin 0, neuron 0
 * assert(Number.isInteger(count) && count >= 0);
 * assert.equal(poisson(at, 0, 0, 2.5), count);
 * ```
 */
export function poisson(at: CountAddress, row: number, column: number, rate: number): number {
  if (!(rate >= 0 && rate <= MAX_POISSON_RATE)) {
    throw new InputError(
      `Cannot draw a spike count: expected a rate between 0 and ${MAX_POISSON_RATE} spikes per bin, ` +
        `found ${rate} in row ${row}, column ${column}.`,
    );
  }
  if (rate === 0) return 0;
  if (rate >= REJECTION_FROM) return byRejection(at, row, column, rate);
  const w = words(at, row, column);
  return byInversion(fineUniform(w[0], w[1]), rate);
}

/** The smallest count whose cumulative probability reaches `u`. */
function byInversion(u: number, rate: number): number {
  let probability = Math.exp(-rate), left = u, count = 0;
  while (left > probability) {
    // Past the mode and below the grid of u, what is left is rounding, not probability.
    if (count > rate && probability < 2 ** -60) break;
    left -= probability;
    count++;
    probability *= rate / count;
  }
  return count;
}

/** PTRS. The constants and their names are the paper's. */
function byRejection(at: CountAddress, row: number, column: number, rate: number): number {
  const lnRate = Math.log(rate);
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  for (let attempt = 0;; attempt++) {
    const w = words({ ...at, step: attempt }, row, column);
    const u = fineUniform(w[0], w[1]) - 0.5;
    const v = fineUniform(w[2], w[3]);
    const us = 0.5 - Math.abs(u);
    const count = Math.floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= vr) return count;
    if (count < 0 || (us < 0.013 && v > us)) continue;
    const lnProbability = count * lnRate - rate - lnFactorial(count);
    if (Math.log(v * inverseAlpha / (a / (us * us) + b)) <= lnProbability) return count;
  }
}

/**
 * Poisson counts for expected spikes per bin `rates_BTN`: one byte each if all fit, else two.
 * The count of trial b, bin t, neuron n stands at row `b * T + t`, column `n` of stream `poisson`.
 *
 * @param purpose one of `PURPOSES`. Simulators draw under `train`; spikes generated by a fitted model
 * belong under `posterior`, so that a shared seed does not repeat the noise the model was fitted to.
 * @throws InputError for a length that is not `trials * T * N`, a rate that is negative, not finite
 * or above 1e8, and a count above 65535.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const rates_BTN = new Float64Array(2 * 10 * 3).fill(0.5);
 * const counts_BTN = sampleCounts(rates_BTN, { trials: 2, T: 10, N: 3 }, 7);
 * assert(counts_BTN instanceof Uint8Array && counts_BTN.length === 60);
 * ```
 */
export function sampleCounts(
  rates_BTN: Float64Array | Float32Array,
  shape: CountShape,
  seed: number,
  purpose: number = PURPOSES.train,
): Uint8Array | Uint16Array {
  const { trials, T, N } = shape;
  if (rates_BTN.length !== trials * T * N) {
    throw new InputError(
      `Cannot draw spike counts: expected ${trials} × ${T} × ${N} = ${trials * T * N} rates, ` +
        `found ${rates_BTN.length}.`,
    );
  }
  const at = { ...seedWords(seed), purpose, stream: STREAMS.poisson };
  const counts = new Uint16Array(rates_BTN.length);
  let largest = 0;
  for (let row = 0, i = 0; row < trials * T; row++) {
    for (let n = 0; n < N; n++, i++) {
      const count = poisson(at, row, n, rates_BTN[i]);
      if (count > 0xffff) {
        throw new InputError(
          `Cannot draw spike counts: expected counts up to 65535 per bin, found ${count} at ` +
            `[${Math.floor(row / T)}, ${row % T}, ${n}] for a rate of ${rates_BTN[i]}.`,
        );
      }
      if (count > largest) largest = count;
      counts[i] = count;
    }
  }
  return largest <= 0xff ? Uint8Array.from(counts) : counts;
}
