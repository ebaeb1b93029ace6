/** Which neurons are held out of the encoders' sight, for co-smoothing. */
import { seedWords, STREAMS, words } from "../random.ts";

/**
 * Draws a share of the neurons, at least one of them seen: indices, ascending. The same seed draws the
 * same neurons; a larger share adds to them.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { heldOutNeurons } from "latentd";
 *
 * assert.equal(heldOutNeurons(61, 0.25, 0).length, 15);
 * assert.deepEqual(heldOutNeurons(61, 0, 0), []);
 * ```
 */
export function heldOutNeurons(N: number, share: number, seed: number): number[] {
  const count = Math.min(N - 1, Math.round(share * N));
  if (count <= 0) return [];
  const at = { ...seedWords(seed), stream: STREAMS.heldOut };
  const draws = Array.from({ length: N }, (_, n) => words(at, n, 0)[0]);
  return [...draws.keys()]
    .sort((a, b) => draws[a] - draws[b] || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}
