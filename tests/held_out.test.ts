import assert from "node:assert/strict";
import fc from "fast-check";
import { heldOutNeurons } from "../src/data/held_out.ts";
import { splitTrials } from "../src/data/dataset.ts";

const cases = fc.record({
  N: fc.integer({ min: 1, max: 300 }),
  share: fc.double({ min: 0, max: 0.999, noNaN: true }),
  seed: fc.maxSafeNat(),
});

Deno.test("held-out neurons are distinct, ascending, as many as their share, and never all", () => {
  fc.assert(fc.property(cases, ({ N, share, seed }) => {
    const heldOut = heldOutNeurons(N, share, seed);
    assert.equal(heldOut.length, Math.min(N - 1, Math.round(share * N)));
    assert(heldOut.every((n, i) => Number.isInteger(n) && n < N && n > (heldOut[i - 1] ?? -1)));
  }));
});

Deno.test("a larger share holds out the neurons of a smaller", () => {
  fc.assert(fc.property(cases, ({ N, share, seed }) => {
    const more = new Set(heldOutNeurons(N, (share + 1) / 2, seed));
    assert(heldOutNeurons(N, share, seed).every((n) => more.has(n)));
  }));
});

Deno.test("every neuron is held out as often as its share says, over the seeds", () => {
  const N = 20, seeds = 2000, share = 0.25;
  const times = new Float64Array(N);
  for (let seed = 0; seed < seeds; seed++) {
    for (const n of heldOutNeurons(N, share, seed)) times[n]++;
  }
  // binomial(seeds, share); 5 standard deviations, as for trials, and the seeds are fixed
  const deviation = Math.sqrt(seeds * share * (1 - share));
  for (const count of times) assert(Math.abs(count - seeds * share) < 5 * deviation, `${count}`);
});

Deno.test("which neurons are held out has nothing to do with which trials are", () => {
  let same = 0;
  for (let seed = 0; seed < 100; seed++) {
    const { evaluation } = splitTrials(40, 0.25, seed);
    if (evaluation.join() === heldOutNeurons(40, 0.25, seed).join()) same++;
  }
  assert.equal(same, 0);
});
