/** What a model reads of data. */
import { MISSING } from "../compute/kernels.ts";
import {
  type DataArray,
  elementOf,
  externalInputs,
  hide,
  missingOf,
  roomForMissing,
} from "../data/arrange.ts";
import { InputError } from "../errors.ts";
import type { Counts, Fitted } from "./model_shape.ts";

/** What the encoders see of the data: nothing of what is missing, or was held out of the fit. */
export function seenBy(
  { architecture, heldOut = [] }: Fitted,
  data: Counts,
): { data: DataArray; gaps: boolean } {
  const { T } = data;
  const encodedBins = architecture.encodedBins ?? T;
  const missing_BTN = missingOf(data);
  if (missing_BTN === null && heldOut.length === 0 && encodedBins >= T) {
    // counts of 255 are counts: nothing is looked for
    return { data: data.counts_BTN, gaps: false };
  }
  const seen = roomForMissing(data.counts_BTN).slice();
  const missing = MISSING[elementOf(seen)];
  missing_BTN?.forEach((absent, i) => {
    if (absent) seen[i] = missing;
  });
  return { data: hide(seen, data, heldOut, encodedBins), gaps: true };
}

/**
 * The external inputs that a model wants; null where it wants none.
 *
 * @throws {InputError} where they are missing, or of another shape
 */
export function externalFor(
  model: Fitted,
  { external_BTX, trials, T }: Pick<Counts, "external_BTX" | "trials" | "T">,
): Float64Array | null {
  const { X = 0 } = model.architecture.dims;
  if (X === 0) return null;
  const [, bins = 0, found = 0] = external_BTX?.shape ?? [];
  if (!external_BTX || found !== X || bins < T) {
    throw new InputError(
      `Cannot infer: expected external inputs of shape [${trials}, ${T}, ${X}], as the model was fitted ` +
        `with, found ${external_BTX ? `[${external_BTX.shape.join(", ")}]` : "none"}.`,
    );
  }
  return externalInputs(external_BTX, T);
}

/**
 * Whether a program has to look for missing numbers, and reads real ones: where the encoders do not see
 * all, or the data are no counts.
 */
export function readsReal(
  { architecture, heldOut = [] }: Fitted,
  data: readonly Pick<Counts, "missing_BTN" | "lengths_B">[],
): boolean {
  const { dims: { T }, observation = "poisson", encodedBins = T } = architecture;
  return observation !== "poisson" || heldOut.length > 0 || encodedBins < T ||
    data.some(({ missing_BTN, lengths_B }) => missing_BTN !== undefined || lengths_B !== undefined);
}
