/** What is to be written to an HDF5 file, as plain values that can go to another thread. */
import type { NpyArray, NpyText } from "../../npy.ts";

/** Of a group or a dataset. `{ to }` is a reference to the object at that path. */
export type AttributeValue =
  | string
  | number
  | readonly string[]
  | { readonly to: string };

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Objects of a file, groups before what is in them. Paths have no slash in front; "" is the root. */
export interface Hdf5Tree {
  readonly groups: readonly { readonly path: string; readonly attributes?: Attributes }[];
  readonly datasets: readonly {
    readonly path: string;
    /** Of an array without dimensions, the shape is []. */
    readonly array: NpyArray | NpyText;
    readonly attributes?: Attributes;
  }[];
}
