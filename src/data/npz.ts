/**
 * NumPy's .npz files: a zip archive of .npy files, one per array.
 *
 * https://numpy.org/doc/stable/reference/generated/numpy.savez.html
 */
import { zipSync } from "fflate";
import { InputError } from "../errors.ts";
import {
  NPY_HEADER_PREFIX,
  type NpyArray,
  type NpyHeader,
  type NpyText,
  parseNpy,
  parseNpyAny,
  parseNpyHeader,
  writeNpy,
} from "./npy.ts";
import {
  readZipDirectory,
  requireEntryName,
  unpack,
  unpackStart,
  type ZipEntry,
  type ZipLimits,
} from "./zip.ts";

/** How to read an archive. */
export interface NpzOptions {
  /** Names the archive in messages. Default "the .npz archive". */
  readonly what?: string;
  readonly limits?: Partial<ZipLimits>;
}

/** An archive whose directory is checked and whose arrays are unpacked when asked for. */
export interface NpzArchive {
  /** Names of the arrays, without `.npy`. Entries that are no .npy files are left out. */
  readonly names: readonly string[];
  /** Shape and dtype, also of arrays that cannot be read. */
  header(name: string): NpyHeader;
  /** @throws InputError where there is no such array, it is damaged, or it does not hold numbers */
  read(name: string): NpyArray;
  /** Numbers or strings. */
  readAny(name: string): NpyArray | NpyText;
}

/**
 * Opens an archive without unpacking it.
 *
 * @throws InputError where the archive is damaged or exceeds the limits
 */
export function openNpz(bytes: Uint8Array, options: NpzOptions = {}): NpzArchive {
  const { what = "the .npz archive", limits } = options;
  const entries = new Map<string, ZipEntry>();
  for (const entry of readZipDirectory(bytes, what, limits)) {
    if (entry.name.endsWith(".npy")) entries.set(entry.name.slice(0, -4), entry);
  }
  const find = (name: string): ZipEntry => {
    const entry = entries.get(name);
    if (entry === undefined) {
      throw new InputError(
        `Cannot read ${what}: expected an array ${JSON.stringify(name)}, found ${
          [...entries.keys()].map((key) => JSON.stringify(key)).join(", ") || "no arrays"
        }.`,
      );
    }
    return entry;
  };
  const label = (name: string) => `${JSON.stringify(name)} in ${what}`;
  return {
    names: [...entries.keys()],
    header: (name) =>
      parseNpyHeader(unpackStart(bytes, find(name), NPY_HEADER_PREFIX, what), label(name)),
    read: (name) => parseNpy(unpack(bytes, find(name), what), label(name)),
    readAny: (name) => parseNpyAny(unpack(bytes, find(name), what), label(name)),
  };
}

/**
 * All arrays of an archive, by name without `.npy`. The record has no prototype, so any name is safe.
 * Use {@link openNpz} where only some are wanted or some may not be numbers.
 *
 * @throws InputError where anything is damaged, exceeds the limits or does not hold numbers
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { npyArray, readNpz, writeNpz } from "latentd";
 *
 * const bytes = writeNpz({ x: npyArray([3], Float64Array.of(1, 2, 3)) });
 * assert.deepEqual(readNpz(bytes).x.data, Float64Array.of(1, 2, 3));
 * ```
 */
export function readNpz(bytes: Uint8Array, options: NpzOptions = {}): Record<string, NpyArray> {
  const archive = openNpz(bytes, options);
  const arrays: Record<string, NpyArray> = Object.create(null);
  for (const name of archive.names) arrays[name] = archive.read(name);
  return arrays;
}

/** How to write an archive. */
export interface NpzWriteOptions {
  /** Default true: deflated, like `numpy.savez_compressed`. */
  readonly compress?: boolean;
  /** Names the archive in messages. */
  readonly what?: string;
}

/** Zip's fields without zip64 end here; one less than their largest value, which means "see zip64". */
const MAX_ZIP_BYTES = 2 ** 32 - 2;

/**
 * Writes arrays as an archive that `numpy.load` opens. The same arrays give the same bytes.
 *
 * @throws InputError for a name that is not plain, an array that contradicts itself, or more than 4 GiB
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { npyArray, writeNpz } from "latentd";
 *
 * const arrays = { rates: npyArray([1, 2], Float32Array.of(0.5, 1)) };
 * assert.deepEqual(writeNpz(arrays).subarray(0, 2), Uint8Array.of(0x50, 0x4b)); // "PK": a zip
 * assert.deepEqual(writeNpz(arrays), writeNpz(arrays));
 * ```
 */
export function writeNpz(
  arrays: Readonly<Record<string, NpyArray | NpyText>>,
  options: NpzWriteOptions = {},
): Uint8Array {
  const { compress = true, what = "the .npz archive" } = options;
  const files: Record<string, Uint8Array> = Object.create(null);
  let total = 0;
  for (const [name, array] of Object.entries(arrays)) {
    requireEntryName(`${name}.npy`, `Cannot write ${what}`);
    const file = writeNpy(array, { what: `${JSON.stringify(name)} in ${what}` });
    files[`${name}.npy`] = file;
    total += file.length + 2 * (name.length * 3 + 100);
  }
  if (total > MAX_ZIP_BYTES || Object.keys(files).length >= 0xffff) {
    throw new InputError(
      `Cannot write ${what}: expected less than 4 GiB and 65 535 arrays, found ${total} bytes in ` +
        `${Object.keys(files).length}.`,
    );
  }
  // zip keeps a date for every entry; the earliest one it knows keeps the bytes reproducible
  return zipSync(files, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
