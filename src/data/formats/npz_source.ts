/** NumPy's files as a source of arrays. */
import { InputError } from "../../errors.ts";
import { isText, parseNpy, parseNpyAny, parseNpyHeader } from "../npy.ts";
import { openNpz } from "../npz.ts";
import type { ZipLimits } from "../zip.ts";
import { type ArraySource, type Entry, listed, quote } from "./source.ts";

const none = (what: string) => (name: string) => {
  throw new InputError(`Cannot read ${what}: expected a cell array ${quote(name)}, found none.`);
};

function entryOf(name: string, header: () => { shape: number[]; dtype: string }): Entry {
  try {
    const { shape, dtype } = header();
    const numbers = /^[<>|](b1|[iu][1248]|f[248])$/.test(dtype);
    const kind = numbers ? "numbers" : /^[<>]U/.test(dtype) ? "text" : "other";
    return { name, shape, dtype, kind };
  } catch (error) {
    // an entry that nobody asks for must not keep the others from being read
    if (!(error instanceof InputError)) throw error;
    return { name, shape: [], dtype: "damaged", kind: "other" };
  }
}

/**
 * A .npz archive; its arrays are unpacked when they are read.
 *
 * @throws InputError where the archive is damaged or exceeds the limits
 */
export function npzSource(
  bytes: Uint8Array,
  what: string,
  limits?: Partial<ZipLimits>,
): ArraySource {
  const archive = openNpz(bytes, { what, limits });
  const entries = archive.names.map((name) => entryOf(name, () => archive.header(name)));
  return {
    what,
    format: "a NumPy .npz archive",
    entries,
    matlab: false,
    read: (name) => archive.read(name),
    readText: (name) => {
      const array = archive.readAny(name);
      if (isText(array)) return array;
      throw new InputError(
        `Cannot read ${what}: expected text in ${quote(name)}, found ${listed(entries)}.`,
      );
    },
    readCells: none(what),
    attribute: () => null,
  };
}

/** A .npy file: one array, without a name. */
export function npySource(bytes: Uint8Array, what: string): ArraySource {
  const name = "spikes";
  return {
    what,
    format: "a NumPy .npy array",
    entries: [entryOf(name, () => parseNpyHeader(bytes, what))],
    matlab: false,
    read: () => parseNpy(bytes, what),
    readText: () => {
      const array = parseNpyAny(bytes, what);
      if (isText(array)) return array;
      throw new InputError(`Cannot read ${what}: expected text, found numbers.`);
    },
    readCells: none(what),
    attribute: () => null,
  };
}
