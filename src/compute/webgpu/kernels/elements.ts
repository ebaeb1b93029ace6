/** How data are stored. */
import { ELEMENT_CODES } from "../../kernels.ts";

/** Bytes of a number of the data: see `ELEMENT_CODES`. */
export function elementBytes(element: number): number {
  return element === ELEMENT_CODES.real ? 4 : element === ELEMENT_CODES.u16 ? 2 : 1;
}
