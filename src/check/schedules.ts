/** Replays a golden schedules file: the KL warm-up and the learning rate by step. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { klScale, learningRate } from "../model/schedules.ts";
import { type CheckRow, Sheet, worstError } from "./table.ts";

/** The file's format: docs/model.md, section 5. */
export const schedulesSchema = z.looseObject({
  kl_warmup: z.object({
    start: z.number(),
    end: z.number(),
    min: z.number(),
    max: z.number(),
    batch: z.array(z.number()).min(1),
    scale: z.array(z.number()).min(1),
  }),
  exponential_decay: z.object({
    step_size: z.number(),
    decay_steps: z.number(),
    decay_factor: z.number(),
    batch: z.array(z.number()).min(1),
    rate: z.array(z.number()).min(1),
  }),
});

/**
 * One power of up to 1e4: its exponent's rounding is magnified by `ln(decay^step)`, below 100 in any
 * schedule that still learns, so two float64 programs agree to 1e-14 and 1e-12 is generous.
 */
const TOLERANCE = 1e-12;

/** Compares both schedules at every step that the file lists. */
export function checkSchedules(file: string, given: unknown): CheckRow[] {
  const { kl_warmup: kl, exponential_decay: decay } = schedulesSchema.parse(given);
  const sheet = new Sheet(file, "host");
  const row = (what: string, batch: number[], wanted: number[], ours: (step: number) => number) => {
    if (batch.length !== wanted.length) {
      throw new InputError(
        `Cannot check ${file}: expected a ${what} for each of ${batch.length} batches, found ` +
          `${wanted.length}.`,
      );
    }
    const { error, at } = worstError(batch.map(ours), wanted);
    sheet.add(`${what}, the worst of ${batch.length}`, error, TOLERANCE, `batch ${batch[at]}`);
  };
  const warmup = { klMin: kl.min, klMax: kl.max, klStart: kl.start, klEnd: kl.end };
  row("KL scale", kl.batch, kl.scale, (step) => klScale(warmup, step));
  const rate = {
    stepSize: decay.step_size,
    decayFactor: decay.decay_factor,
    decaySteps: decay.decay_steps,
  };
  row("learning rate", decay.batch, decay.rate, (step) => learningRate(rate, step));
  return sheet.rows;
}
