/** Which trials a minibatch holds: drawn anew at every step, with replacement. */
import { type Address, words } from "../random.ts";

/** Fills `out` with `out.length` of the trials in `pool`, each draw independent of the others. */
export function drawMinibatch(at: Address, pool: Uint32Array, out: Uint32Array): Uint32Array {
  for (let i = 0; i < out.length; i += 4) {
    const w = words(at, 0, i >> 2);
    for (let j = 0; j < 4 && i + j < out.length; j++) {
      out[i + j] = pool[Math.floor(w[j] / 2 ** 32 * pool.length)];
    }
  }
  return out;
}
