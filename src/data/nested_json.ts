/** Arrays as JSON: nested lists. */

/** Most numbers of one text: no string is longer than 2^29 characters, and some numbers take 25. */
export const MOST_JSON_NUMBERS = 2 ** 24;

/** `[[1, 2], [3, 4]]` of shape [2, 2]; one number of shape []. */
export function nestedJson(
  shape: readonly number[],
  data: { readonly length: number; subarray(from: number, to: number): { join(): string } },
): string {
  if (shape.length === 0) return data.subarray(0, 1).join();
  let at = 0;
  const nested = (axis: number): string => {
    const length = shape[axis];
    if (axis === shape.length - 1) return `[${data.subarray(at, at += length).join()}]`;
    return `[${Array.from({ length }, () => nested(axis + 1)).join(",")}]`;
  };
  return nested(0);
}
