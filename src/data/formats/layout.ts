/** Which layout the arrays of a file follow. */
import { readCounts } from "./counts.ts";
import type { Layout } from "./counts.ts";
import { isLfadsTorch, readLfadsTorch } from "./lfads_torch.ts";
import type { BoundedOptions } from "./options.ts";
import type { ArraySource } from "./source.ts";
import { isSpikeTimes, readSpikeTimes } from "./spike_times.ts";

export type { Layout } from "./counts.ts";

/**
 * What to make a dataset from.
 *
 * @param action for messages: `Cannot read "a.npz"`
 * @throws InputError saying what is there where no layout fits
 */
export function layoutOf(source: ArraySource, options: BoundedOptions, action: string): Layout {
  // a user who names an array means that one
  if (options.key === undefined) {
    if (isLfadsTorch(source)) return readLfadsTorch(source, options, action);
    if (isSpikeTimes(source)) return readSpikeTimes(source, options, action);
  }
  return readCounts(source, options, action);
}
