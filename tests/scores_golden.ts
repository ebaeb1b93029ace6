/** tests/fixtures/scores.json: what the Neural Latents Benchmark's code, scikit-learn and numpy make. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const numbers = z.array(z.number().nullable())
  .transform((list) => Float64Array.from(list, (value) => value ?? NaN));
const array = z.object({ shape: z.array(z.int()), data: numbers });
const indices = z.array(z.int());
const average = z.object({ sigma: z.number(), shrink: z.number(), rates: nested() });

/** Lists of lists of lists of numbers, as one row of numbers. */
function nested() {
  return z.array(z.array(z.array(z.number()))).transform((list) => Float64Array.from(list.flat(2)));
}

const schema = z.object({
  decoding: z.array(z.object({
    name: z.string(),
    trainRates: array,
    trainBehaviour: array,
    rates: array,
    behaviour: array,
    r2: z.number(),
  })),
  psth: z.array(z.object({
    name: z.string(),
    psth: array,
    rates: array,
    trials: z.array(indices),
    jitter: indices,
    r2: z.number(),
  })),
  bits: z.array(z.object({
    name: z.string(),
    rates: array,
    spikes: array,
    bitsPerSpike: z.number(),
  })),
  regression: z.array(z.object({
    name: z.string(),
    x: array,
    y: numbers,
    l2: z.number(),
    weights: numbers,
    intercept: z.number(),
  })),
  fewShot: z.object({
    shots: z.int(),
    l2: z.number(),
    trainFactors: array,
    trainSpikes: array,
    factors: array,
    spikes: array,
    bitsPerSpike: z.number(),
  }),
  baselines: z.object({
    spikes: array,
    train: indices,
    evaluation: indices,
    condition: indices,
    heldOut: indices,
    average,
    perCondition: average,
    pcaPoisson: z.object({
      sigma: z.number(),
      components: z.int(),
      l2: z.number(),
      rates: nested(),
    }),
  }),
});

export const golden = schema.parse(
  JSON.parse(readFileSync(new URL("fixtures/scores.json", import.meta.url), "utf8")),
);
