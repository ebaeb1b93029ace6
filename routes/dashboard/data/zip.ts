/** The files of a .zip (a .npz is one), each unpacked when it is asked for. */

/** Names of the files, and their bytes. */
export interface Archive {
  readonly names: readonly string[];
  /** Unpacks a file; null where there is none of this name. */
  read(name: string): Promise<Uint8Array | null>;
}

interface Entry {
  readonly method: number;
  readonly packed: number;
  readonly at: number;
}

const END = 0x06054b50, CENTRAL = 0x02014b50;

/** @throws where the bytes are no archive of less than 4 GB */
export function openZip(bytes: Uint8Array<ArrayBuffer>): Archive {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new Error("Cannot read the archive: expected a .npz file, found another.");
  const entries = new Map<string, Entry>();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== CENTRAL) throw new Error("Cannot read the archive: damaged.");
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    entries.set(name, {
      method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true),
      at: view.getUint32(at + 42, true),
    });
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return {
    names: [...entries.keys()],
    async read(name) {
      const entry = entries.get(name);
      if (!entry) return null;
      const start = entry.at + 30 + view.getUint16(entry.at + 26, true) +
        view.getUint16(entry.at + 28, true);
      const packed = bytes.subarray(start, start + entry.packed);
      if (entry.method === 0) return packed;
      const unpacked = new Blob([packed]).stream()
        .pipeThrough(new DecompressionStream("deflate-raw"));
      return new Uint8Array(await new Response(unpacked).arrayBuffer());
    },
  };
}
