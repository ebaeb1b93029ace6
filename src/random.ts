/**
 * The counter-based generator: Philox4x32-10 (Salmon et al., SC 2011), keyed by a 64-bit seed.
 *
 * Every draw has an address, and nothing else decides its value: the same integers on every device
 * and in every order. `row` is a trial (or `trial * T + t` for draws per bin), `column` a unit:
 *
 *     counter = [column >> 2, row, step, stream | purpose << 6 | sample << 8]
 *     word    = philox(counter, seed)[column & 3]
 *
 * Dropout masks take half a word each: see `fillKeep`.
 */

/** What a draw is for. Streams of one seed are unrelated. */
export const STREAMS = {
  minibatch: 1,
  keepSpikes: 2,
  keepEnds: 3,
  keepEnc: 4,
  keepGen: 5,
  epsIc: 6,
  epsInputs: 7,
  initialise: 8,
  split: 9,
  simulate: 10,
  poisson: 11,
  candidates: 12,
  heldOut: 13,
  sampleValidation: 14,
  fewShot: 15,
} as const;

/** What a run is for (see `Scalars.purpose`). */
export const PURPOSES = { train: 0, evaluate: 1, posterior: 2 } as const;

/** A seed of up to 53 bits as two 32-bit words. */
export function seedWords(seed: number): { seedLo: number; seedHi: number } {
  return { seedLo: seed >>> 0, seedHi: Math.floor(seed / 2 ** 32) >>> 0 };
}

/** High and low word of a 32 × 32 bit product. */
function multiply(a: number, b: number): [hi: number, lo: number] {
  const aLo = a & 0xffff, aHi = a >>> 16, bLo = b & 0xffff, bHi = b >>> 16;
  const low = aLo * bLo;
  const middle = aHi * bLo + (low >>> 16);
  const middle2 = aLo * bHi + (middle & 0xffff);
  const hi = aHi * bHi + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000);
  return [hi >>> 0, Math.imul(a, b) >>> 0];
}

/** Philox4x32-10: four random words for one counter (four words) and key (two words). */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [hi0, lo0] = multiply(0xd2511f53, c0);
    const [hi1, lo1] = multiply(0xcd9e8d57, c2);
    c0 = (hi1 ^ c1 ^ k0) >>> 0;
    c1 = lo1;
    c2 = (hi0 ^ c3 ^ k1) >>> 0;
    c3 = lo0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Where a draw stands. */
export interface Address {
  readonly seedLo: number;
  readonly seedHi: number;
  readonly step?: number;
  readonly purpose?: number;
  readonly stream: number;
  readonly sample?: number;
}

/** The four words of columns `4 * block … 4 * block + 3` of a row. */
export function words(at: Address, row: number, block: number): [number, number, number, number] {
  const last = (at.stream | (at.purpose ?? 0) << 6 | (at.sample ?? 0) << 8) >>> 0;
  return philox([block, row >>> 0, at.step ?? 0, last], [at.seedLo, at.seedHi]);
}

/** A uniform number in (0, 1) from a word: its top 23 bits, centred; exact in float32. */
export function uniform(word: number): number {
  return ((word >>> 9) + 0.5) * 2 ** -23;
}

/** Fills `out` with uniforms in (0, 1): columns 0, 1, … of a row. */
export function fillUniform(at: Address, row: number, out: Float64Array): Float64Array {
  for (let i = 0; i < out.length; i += 4) {
    const w = words(at, row, i >> 2);
    for (let j = 0; j < 4 && i + j < out.length; j++) out[i + j] = uniform(w[j]);
  }
  return out;
}

/**
 * Fills `out` with standard normals: columns 0, 1, … of a row. Box and Muller's pairs: columns 2k and
 * 2k+1 are √(-2 ln u) cos 2πv and √(-2 ln u) sin 2πv. Tails end at 5.77 (u is never below 2^-24).
 */
export function fillNormal(at: Address, row: number, out: Float64Array): Float64Array {
  for (let i = 0; i < out.length; i += 4) {
    const w = words(at, row, i >> 2);
    for (let j = 0; j < 4 && i + j < out.length; j++) {
      const pair = j & 2;
      const radius = Math.sqrt(-2 * Math.log(uniform(w[pair])));
      const angle = 2 * Math.PI * uniform(w[pair + 1]);
      out[i + j] = radius * (j & 1 ? Math.sin(angle) : Math.cos(angle));
    }
  }
  return out;
}

/**
 * A half word below this keeps its value under dropout: `keepRate` of the 65 536. The rate is read as
 * float32, so that every device draws the same mask; the share kept is within 2^-17 of it.
 */
export function keepThreshold(keepRate: number): number {
  return Math.max(1, Math.min(65_536, Math.round(Math.fround(keepRate) * 65_536)));
}

/**
 * Fills `out` with dropout masks of 0 and 1: columns 0, 1, … of a row. A mask takes half a word, since
 * masks are most of what a step draws: column j reads block j >> 3, word (j >> 1) & 3, its lower half
 * for even j.
 */
export function fillKeep(
  at: Address,
  row: number,
  keepRate: number,
  out: Float64Array,
): Float64Array {
  const threshold = keepThreshold(keepRate);
  for (let i = 0; i < out.length; i += 8) {
    const w = words(at, row, i >> 3);
    for (let j = 0; j < 8 && i + j < out.length; j++) {
      const half = j & 1 ? w[j >> 1] >>> 16 : w[j >> 1] & 0xffff;
      out[i + j] = half < threshold ? 1 : 0;
    }
  }
  return out;
}
