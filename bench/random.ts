/** Random arrays for the bench's cases, from a seed and a name: the same on every machine. */

/** Uniform numbers in (0, 1): a Weyl sequence through a 32-bit mixer (splitmix32). */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (((z ^ (z >>> 15)) >>> 0) + 0.5) / 2 ** 32;
  };
}

/** A seed for each name (FNV-1a), so that no two arrays of a case share their draws. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Standard normals in float32 (Box and Muller). */
export function normals(name: string, count: number): Float32Array {
  const next = uniforms(seedOf(name));
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(next())), angle = 2 * Math.PI * next();
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/** A dropout mask of 0 and 1. */
export function mask(name: string, keepRate: number, count: number): Uint8Array {
  const next = uniforms(seedOf(name));
  return Uint8Array.from({ length: count }, () => next() < keepRate ? 1 : 0);
}

/** Poisson counts of a small mean (Knuth: factors until their product falls below exp(-mean)). */
export function poissonCounts(
  name: string,
  count: number,
  mean: (i: number) => number,
): Uint8Array {
  const next = uniforms(seedOf(name));
  return Uint8Array.from({ length: count }, (_, i) => {
    const limit = Math.exp(-mean(i));
    let k = 0;
    for (let product = next(); product > limit; product *= next()) k++;
    return k;
  });
}
