/**
 * A zip archive whose files are stored as they are, for answers that are floats: these hardly shrink,
 * and packing them would take longer than inferring them.
 *
 * Format: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
 */
import { crc32 } from "../../data/zip.ts";
import { NotAcceptableError } from "./errors.ts";

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22;
/** 1 January 1980, the earliest date that zip knows: the same files give the same bytes. */
const DATE = 0x0021;
/** Version 2.0 reads it; names are in UTF-8. */
const VERSION = 20, UTF8 = 1 << 11;
/** Larger numbers mean zip64, which is not written here. */
const MOST_BYTES = 2 ** 32 - 2;

/** Writes files by name. */
export function storedZip(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const entries = [...files].map(([name, data]) => ({ name: encoder.encode(name), data }));
  const total = entries.reduce(
    (sum, { name, data }) => sum + LOCAL_BYTES + CENTRAL_BYTES + 2 * name.length + data.length,
    END_BYTES,
  );
  if (total > MOST_BYTES) {
    throw new NotAcceptableError(
      `Cannot answer as .npz: expected less than 4 GiB, found ${total} bytes.`,
    );
  }
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const directory: Uint8Array[] = [];
  let at = 0;
  /** What local header and directory have in common, from the version on. */
  const common = (to: DataView, start: number, sum: number, name: Uint8Array, size: number) => {
    to.setUint16(start, VERSION, true);
    to.setUint16(start + 2, UTF8, true);
    to.setUint16(start + 8, DATE, true);
    to.setUint32(start + 10, sum, true);
    to.setUint32(start + 14, size, true);
    to.setUint32(start + 18, size, true);
    to.setUint16(start + 22, name.length, true);
  };
  for (const { name, data } of entries) {
    const sum = crc32(data);
    const entry = new Uint8Array(CENTRAL_BYTES + name.length);
    const entryView = new DataView(entry.buffer);
    entryView.setUint32(0, CENTRAL, true);
    entryView.setUint16(4, VERSION, true);
    common(entryView, 6, sum, name, data.length);
    entryView.setUint32(42, at, true);
    entry.set(name, CENTRAL_BYTES);
    directory.push(entry);

    view.setUint32(at, LOCAL, true);
    common(view, at + 4, sum, name, data.length);
    bytes.set(name, at + LOCAL_BYTES);
    bytes.set(data, at + LOCAL_BYTES + name.length);
    at += LOCAL_BYTES + name.length + data.length;
  }
  const start = at;
  for (const entry of directory) {
    bytes.set(entry, at);
    at += entry.length;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, entries.length, true);
  view.setUint16(at + 10, entries.length, true);
  view.setUint32(at + 12, at - start, true);
  view.setUint32(at + 16, start, true);
  return bytes;
}
