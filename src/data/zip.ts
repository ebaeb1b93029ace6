/**
 * Reading zip archives from strangers: everything an archive claims is checked before memory is
 * reserved for it.
 *
 * Format: PKWARE APPNOTE 6.3.10. Understood is what zipfile, and so NumPy, writes: stored and deflated
 * entries, zip64, data descriptors. Encryption and several volumes are refused.
 */
import { Inflate, inflateSync } from "fflate";
import { InputError } from "../errors.ts";

/** How much an archive may ask for. */
export interface ZipLimits {
  /** All entries together, in bytes. Default 4 GiB. */
  readonly maxUnpackedBytes: number;
  /** Default 10 000. */
  readonly maxEntries: number;
  /** Unpacked over packed size of entries above `ratioFreeBytes`. Default 1000. */
  readonly maxRatio: number;
  /** Entries up to this many unpacked bytes may have any ratio. Default 64 MiB. */
  readonly ratioFreeBytes: number;
}

export const DEFAULT_ZIP_LIMITS: ZipLimits = {
  maxUnpackedBytes: 4 * 2 ** 30,
  maxEntries: 10_000,
  maxRatio: 1000,
  ratioFreeBytes: 64 * 2 ** 20,
};

/** One file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly deflated: boolean;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  readonly crc32: number;
  /** Where its data starts in the archive. */
  readonly dataStart: number;
}

const END = 0x06054b50;
const ZIP64_END = 0x06064b50;
const ZIP64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const ZIP64_EXTRA = 0x0001;
const IN_ZIP64 = 0xffffffff;
const ENCRYPTED = 1 << 0;
const SIZES_FOLLOW = 1 << 3;
/** The most that deflate can expand: a match of 258 bytes in 2 bits. */
const MAX_DEFLATE_RATIO = 1032;

/** Little-endian fields of an archive; reading beyond its end is an InputError. */
class Fields {
  readonly view: DataView;
  constructor(readonly bytes: Uint8Array, readonly what: string) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(wanted: string, found: string): never {
    throw new InputError(`Cannot read ${this.what}: expected ${wanted}, found ${found}.`);
  }

  /** Refuses a range that is not inside the archive. */
  need(at: number, length: number, part: string): void {
    if (at < 0 || at + length > this.bytes.length) {
      this.fail(`${part} at byte ${at}`, `the end of the file at ${this.bytes.length}`);
    }
  }

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  u64(at: number): number {
    const value = this.u32(at + 4) * 2 ** 32 + this.u32(at);
    return Number.isSafeInteger(value) ? value : this.fail("sizes below 2^53", `${value}`);
  }

  slice(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }
}

/** Where the central directory lies. */
interface Directory {
  readonly entries: number;
  readonly start: number;
  readonly end: number;
}

function findDirectory(file: Fields): Directory {
  // behind the end record only its own comment may stand, of at most 65 535 bytes
  const length = file.bytes.length;
  let at = length - 22;
  const first = Math.max(0, at - 0xffff);
  while (at >= first && !(file.u32(at) === END && at + 22 + file.u16(at + 20) === length)) at--;
  if (at < first) {
    file.fail("a complete zip archive", "no end-of-archive record where it should end");
  }

  let entries = file.u16(at + 10);
  let size = file.u32(at + 12);
  let start = file.u32(at + 16);
  let end = at;
  let disks = file.u16(at + 4) | file.u16(at + 6);
  let entriesHere = file.u16(at + 8);
  const overflowed = entries === 0xffff || size === IN_ZIP64 || start === IN_ZIP64;
  const locator = at - 20;
  // zipfile writes the zip64 record from 2 GiB on, where the plain one still holds every number
  if (locator >= 0 && file.u32(locator) === ZIP64_LOCATOR) {
    end = file.u64(locator + 8);
    file.need(end, 56, "the zip64 end record");
    if (file.u32(end) !== ZIP64_END || end + 12 + file.u64(end + 4) !== locator) {
      file.fail("the zip64 end record before its locator", "other bytes");
    }
    disks = file.u32(end + 16) | file.u32(end + 20);
    entriesHere = file.u64(end + 24);
    const plain = [[entries, 0xffff], [size, IN_ZIP64], [start, IN_ZIP64]];
    entries = file.u64(end + 32);
    size = file.u64(end + 40);
    start = file.u64(end + 48);
    const wide = [entries, size, start];
    if (plain.some(([value, moved], i) => value !== moved && value !== wide[i])) {
      file.fail("both end records to agree", "different numbers");
    }
  } else if (overflowed) {
    file.fail("a zip64 locator", "none");
  }
  if (disks !== 0 || entriesHere !== entries) {
    file.fail("an archive in one piece", "one of several");
  }
  if (start + size !== end) {
    file.fail(`the directory to end at byte ${end}`, `one from ${start} of ${size} bytes`);
  }
  return { entries, start, end };
}

/** Names that stay inside the archive's own folder, in any system's eyes. */
function nameProblem(name: string): string | null {
  if (name === "" || name === ".npy") return "an empty name";
  if (/^[/\\]|^[A-Za-z]:/.test(name)) return "an absolute path";
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (/[\\\x00-\x1f\x7f]/.test(name)) return "a backslash or a control character";
  const parts = name.split("/");
  if (
    parts.some((part, i) => part === "." || part === ".." || part === "" && i < parts.length - 1)
  ) {
    return "a path that leaves its folder";
  }
  return null;
}

/** @throws InputError where a name could not stand in an archive that we read */
export function requireEntryName(name: string, action: string): void {
  const problem = nameProblem(name);
  if (problem !== null) {
    throw new InputError(
      `${action}: expected plain names, found ${problem}, ${JSON.stringify(name.slice(0, 80))}.`,
    );
  }
}

/** The three numbers that may have moved to a zip64 field, in the order in which they move. */
interface Places {
  unpacked: number;
  packed: number;
  offset: number;
}

/** Replaces the numbers that overflowed 32 bits by those of the zip64 field. */
function resolveZip64(file: Fields, at: number, length: number, places: Places): void {
  const end = at + length;
  let wide = -1;
  let wideEnd = -1;
  while (at < end) {
    if (at + 4 > end || at + 4 + file.u16(at + 2) > end) {
      file.fail("extra fields that fill their space", "one that does not");
    }
    if (file.u16(at) === ZIP64_EXTRA) {
      wide = at + 4;
      wideEnd = wide + file.u16(at + 2);
    }
    at += 4 + file.u16(at + 2);
  }
  for (const key of ["unpacked", "packed", "offset"] as const) {
    if (places[key] !== IN_ZIP64) continue;
    if (wide < 0 || wide + 8 > wideEnd) file.fail("a zip64 field with the sizes", "none");
    places[key] = file.u64(wide);
    wide += 8;
  }
}

/**
 * The files of an archive, checked: names are plain and unique, entries do not overlap, local headers
 * agree with the directory, and the declared sizes are within the limits. Nothing is unpacked.
 *
 * @param what names the archive in messages
 * @throws InputError for everything that is not so
 */
export function readZipDirectory(
  bytes: Uint8Array,
  what: string,
  limits: Partial<ZipLimits> = {},
): ZipEntry[] {
  const { maxEntries, maxUnpackedBytes, maxRatio, ratioFreeBytes } = {
    ...DEFAULT_ZIP_LIMITS,
    ...limits,
  };
  const file = new Fields(bytes, what);
  const directory = findDirectory(file);
  if (directory.entries > maxEntries) {
    file.fail(`at most ${maxEntries} entries`, `${directory.entries}`);
  }

  const entries: ZipEntry[] = [];
  const ranges: { from: number; to: number; name: string }[] = [];
  const names = new Set<string>();
  let at = directory.start;
  let total = 0;
  for (let i = 0; i < directory.entries; i++) {
    const { entry, offset, length } = readEntry(file, at, directory);
    const { name, packedBytes, unpackedBytes } = entry;
    if (names.has(name)) file.fail("every name once", `${JSON.stringify(name)} twice`);
    names.add(name);
    total += unpackedBytes;
    if (total > maxUnpackedBytes) {
      file.fail(`at most ${maxUnpackedBytes} bytes unpacked`, `at least ${total} declared`);
    }
    if (unpackedBytes > ratioFreeBytes && unpackedBytes > maxRatio * packedBytes) {
      file.fail(
        `large entries packed at most ${maxRatio} to 1`,
        `${JSON.stringify(name)} with ${packedBytes} bytes for ${unpackedBytes}`,
      );
    }
    entries.push(entry);
    ranges.push({ from: offset, to: entry.dataStart + packedBytes, name });
    at += length;
  }
  if (at !== directory.end) {
    file.fail(`a directory of ${directory.entries} entries`, `${directory.end - at} bytes more`);
  }
  ranges.sort((a, b) => a.from - b.from);
  ranges.forEach(({ to, name }, i) => {
    if (to > (ranges[i + 1]?.from ?? directory.start)) {
      file.fail("entries that do not overlap", `${JSON.stringify(name)} overlapping the next`);
    }
  });
  return entries;
}

/** One directory entry and the local header that it points to. */
function readEntry(
  file: Fields,
  at: number,
  { end }: Directory,
): { entry: ZipEntry; offset: number; length: number } {
  if (at + 46 > end || file.u32(at) !== CENTRAL) {
    file.fail(`a directory entry at byte ${at}`, "other bytes");
  }
  const flags = file.u16(at + 8);
  const method = file.u16(at + 10);
  const crc32 = file.u32(at + 16);
  const nameLength = file.u16(at + 28);
  const extraLength = file.u16(at + 30);
  const length = 46 + nameLength + extraLength + file.u16(at + 32);
  if (at + length > end) file.fail(`a directory entry at byte ${at}`, "one that is cut off");
  const name = readName(file, at + 46, nameLength);
  const quoted = JSON.stringify(name);
  if (flags & ENCRYPTED) file.fail("entries without a password", `${quoted} encrypted`);
  if (method !== 0 && method !== 8) {
    file.fail("entries stored or deflated", `${quoted} packed by method ${method}`);
  }
  const places = {
    packed: file.u32(at + 20),
    unpacked: file.u32(at + 24),
    offset: file.u32(at + 42),
  };
  resolveZip64(file, at + 46 + nameLength, extraLength, places);
  const { packed, unpacked, offset } = places;
  if (method === 0 && packed !== unpacked) {
    file.fail(`${quoted} stored as it is`, `${packed} bytes for ${unpacked}`);
  }
  if (unpacked > packed * MAX_DEFLATE_RATIO) {
    file.fail(`${quoted} to be possible`, `${packed} bytes that should unpack to ${unpacked}`);
  }

  file.need(offset, 30, `${quoted}'s header`);
  const localName = file.u16(offset + 26);
  const localExtra = file.u16(offset + 28);
  const dataStart = offset + 30 + localName + localExtra;
  file.need(offset, 30 + localName + localExtra + packed, quoted);
  const local = { packed: file.u32(offset + 18), unpacked: file.u32(offset + 22), offset: 0 };
  resolveZip64(file, offset + 30 + localName, localExtra, local);
  const agrees = file.u32(offset) === LOCAL &&
    file.u16(offset + 8) === method &&
    readName(file, offset + 30, localName) === name &&
    ((file.u16(offset + 6) & SIZES_FOLLOW) !== 0 ||
      local.packed === packed && local.unpacked === unpacked && file.u32(offset + 14) === crc32);
  if (!agrees) file.fail(`${quoted}'s header as in the directory`, "a different one");

  const entry = {
    name,
    deflated: method === 8,
    packedBytes: packed,
    unpackedBytes: unpacked,
    crc32,
    dataStart,
  };
  return { entry, offset, length };
}

function readName(file: Fields, at: number, length: number): string {
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      file.slice(at, length),
    );
  } catch {
    return file.fail("names in UTF-8", `other bytes at ${at}`);
  }
  requireEntryName(name, `Cannot read ${file.what}`);
  return name;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** Zip's checksum (IEEE 802.3, reflected). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Unpacks one entry and checks its size and checksum. A stored entry shares the archive's memory.
 *
 * @throws InputError where the data is damaged
 */
export function unpack(bytes: Uint8Array, entry: ZipEntry, what: string): Uint8Array {
  const { name, unpackedBytes } = entry;
  const packed = bytes.subarray(entry.dataStart, entry.dataStart + entry.packedBytes);
  let data = packed;
  if (entry.deflated) {
    // one byte more than declared: a stream that goes on is then seen, and never gets more memory
    const inflated = inflate(
      () => inflateSync(packed, { out: new Uint8Array(unpackedBytes + 1) }),
      entry,
      what,
    );
    if (inflated.length !== unpackedBytes) {
      throw new InputError(
        `Cannot read ${what}: expected ${
          JSON.stringify(name)
        } to unpack to ${unpackedBytes} bytes, ` +
          `found ${inflated.length > unpackedBytes ? "more" : inflated.length}.`,
      );
    }
    data = inflated;
  }
  const sum = crc32(data);
  if (sum !== entry.crc32) {
    throw new InputError(
      `Cannot read ${what}: expected ${JSON.stringify(name)} to have checksum ${
        hex(entry.crc32)
      }, found ${hex(sum)}; the file is damaged.`,
    );
  }
  return data;
}

/**
 * The first bytes of an entry, at least `count` unless it is shorter; unchecked by the checksum.
 *
 * @throws InputError where the data is damaged
 */
export function unpackStart(
  bytes: Uint8Array,
  entry: ZipEntry,
  count: number,
  what: string,
): Uint8Array {
  const packed = bytes.subarray(entry.dataStart, entry.dataStart + entry.packedBytes);
  if (!entry.deflated) return packed.subarray(0, count);
  const pieces: Uint8Array[] = [];
  let length = 0;
  inflate(
    () => {
      const stream = new Inflate((piece) => {
        pieces.push(piece);
        length += piece.length;
      });
      // small steps, so that a hostile stream unpacks at most about a megabyte before we look
      const step = 1024;
      for (let at = 0; at < packed.length && length < count; at += step) {
        stream.push(packed.subarray(at, at + step), at + step >= packed.length);
      }
    },
    entry,
    what,
  );
  const start = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    start.set(piece, at);
    at += piece.length;
  }
  return start;
}

/** Every failure of the library means that the data is damaged. */
function inflate<R>(run: () => R, { name }: ZipEntry, what: string): R {
  try {
    return run();
  } catch (error) {
    throw new InputError(
      `Cannot read ${what}: expected ${JSON.stringify(name)} to unpack, found damaged data (${
        error instanceof Error ? error.message : error
      }).`,
    );
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
