/** NumPy's files, opened: what they hold, and how it is understood. */
import { basename, extname } from "node:path";
import { InputError } from "../../errors.ts";
import type { ZipLimits } from "../zip.ts";
import { fileKind } from "./kind.ts";
import { npySource, npzSource } from "./npz_source.ts";
import type { ArraySource } from "./source.ts";

/** A file that is open, and how to speak of it. */
export interface Opened {
  readonly source: ArraySource;
  /** the dataset's: the file's without folder and extension */
  readonly name: string;
  readonly action: string;
}

/** How to speak of a file, and the name of its dataset. */
export function spokenOf(fileName: string): { what: string; name: string; action: string } {
  const what = JSON.stringify(fileName);
  return { what, name: basename(fileName, extname(fileName)), action: `Cannot read ${what}` };
}

/** @throws InputError where it is neither an archive nor an array of NumPy's, or damaged */
export function openNumpy(
  bytes: Uint8Array,
  fileName: string,
  limits?: Partial<ZipLimits>,
): Opened {
  const { what, name, action } = spokenOf(fileName);
  switch (fileKind(bytes)) {
    case "npy":
      return { source: npySource(bytes, what), name, action };
    case "npz":
      return { source: npzSource(bytes, what, limits), name, action };
    case "hdf5":
      throw new InputError(
        `${action}: expected a .npz archive or a .npy file here, found an HDF5 file, which ` +
          `readDatasetBytes and readDataset read.`,
      );
    case null:
      throw new InputError(
        `${action}: expected a .npz archive, a .npy file or an HDF5 file (also .mat of v7.3 and ` +
          `.nwb), found ${bytes.length === 0 ? "an empty file" : "something else"}.`,
      );
  }
}
