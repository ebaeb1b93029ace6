/** What stands in the data for a number that was not observed, or is hidden. */
import { ELEMENT_CODES, MISSING, MISSING_BELOW } from "../compute/kernels.ts";

/** Whether an entry of data stored as `element` (see `ELEMENT_CODES`) is missing. */
export function isMissing(element: number, value: number): boolean {
  switch (element) {
    case ELEMENT_CODES.u8:
      return value === MISSING.u8;
    case ELEMENT_CODES.u16:
      return value === MISSING.u16;
    default:
      return value < MISSING_BELOW;
  }
}
