/** Dropout factors of one row: 0 for a dropped unit, 1 / keepRate for a kept one. */
import type { Scalars } from "../compute/kernels.ts";
import { fillKeep } from "../random.ts";

/**
 * @param explicit masks of 0 and 1, or length 0 to draw them
 * @param offset where the row starts in `explicit`
 * @param row the row that addresses the draw
 */
export function keepFactors(
  args: { readonly dropout: number; readonly keepRate: number },
  s: Scalars,
  stream: number,
  explicit: Float64Array,
  offset: number,
  row: number,
  out: Float64Array,
): Float64Array {
  if (!args.dropout) return out.fill(1);
  if (explicit.length > 0) out.set(explicit.subarray(offset, offset + out.length));
  else fillKeep({ ...s, stream }, row, args.keepRate, out);
  for (let i = 0; i < out.length; i++) out[i] /= args.keepRate;
  return out;
}
