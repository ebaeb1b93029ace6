/** All mutations, in the order in which they are tried. */
import { REFERENCE } from "./reference.ts";

export const ALL = [...REFERENCE];
