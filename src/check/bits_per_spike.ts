/** Replays a golden file of bits per spike (the Neural Latents Benchmark's definition). */
import { z } from "zod";
import { BENCHMARK_ZERO_RATE, bitsPerSpike, poissonNll } from "../analysis/metrics.ts";
import { nested, numbers, shapeOf } from "./numbers.ts";
import { type CheckRow, Sheet } from "./table.ts";

/** The file's format: docs/model.md, section 5. A case without rates has the file's; null marks a bin that does not count. */
export const bitsPerSpikeSchema = z.looseObject({
  rates_BTN: nested,
  cases: z.array(z.looseObject({
    name: z.string(),
    rates_BTN: nested.optional(),
    spikes_BTN: nested,
    nll: z.number(),
    bits_per_spike: z.number(),
  })).min(1),
});

/**
 * A sum of up to 1e6 logarithms rounds to some 1e-13, and bits per spike are the small difference of
 * two such sums: 1e-9 allows for a model a ten-thousandth better than the null.
 */
const TOLERANCE = 1e-9;

/** Compares likelihood and bits per spike of every case. */
export function checkBitsPerSpike(file: string, given: unknown): CheckRow[] {
  const golden = bitsPerSpikeSchema.parse(given);
  const sheet = new Sheet(file, "host");
  golden.cases.forEach((entry, i) => {
    const shape = shapeOf(entry.spikes_BTN);
    const spikes_BTN = numbers(`cases[${i}].spikes_BTN`, entry.spikes_BTN, shape, "NaN");
    const rates_BTN = numbers(
      entry.rates_BTN ? `cases[${i}].rates_BTN` : "rates_BTN",
      entry.rates_BTN ?? golden.rates_BTN,
      shape,
    );
    const nll = poissonNll(rates_BTN, spikes_BTN, { zeroRate: BENCHMARK_ZERO_RATE });
    sheet.compare("negative log-likelihood", [nll], [entry.nll], TOLERANCE, entry.name);
    const bits = bitsPerSpike(rates_BTN, spikes_BTN, shape[shape.length - 1]);
    sheet.compare("bits per spike", [bits], [entry.bits_per_spike], TOLERANCE, entry.name);
  });
  return sheet.rows;
}
