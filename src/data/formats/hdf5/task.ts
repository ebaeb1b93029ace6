/** What the thread for HDF5 files is asked, and what it answers. */
import type { ReadDatasetOptions } from "../../dataset.ts";
import type { Hdf5Input } from "./library.ts";
import type { Hdf5Tree } from "./tree.ts";

interface Common {
  /** for messages, and the dataset's name */
  readonly fileName: string;
  /** after which the work is given up */
  readonly milliseconds: number;
}

interface FromFile extends Common {
  readonly input: Hdf5Input;
  readonly options: ReadDatasetOptions;
}

export type Task =
  | FromFile & { readonly kind: "read" }
  | FromFile & { readonly kind: "inspect"; readonly bytes: number }
  | Common & { readonly kind: "write"; readonly tree: Hdf5Tree };

/** `refused`: the message of an InputError. `failed`: what nobody expected. */
export type Reply =
  | { readonly value: unknown }
  | { readonly refused: string }
  | { readonly failed: string };
