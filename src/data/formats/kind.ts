/** What kind of file bytes are. */
import { InputError } from "../../errors.ts";
import { explainedOpen } from "../files.ts";

/** Kinds that data come in; null for anything else. */
export type FileKind = "npz" | "npy" | "hdf5" | null;

const HDF5 = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** The library looks for the signature at these places: MATLAB writes 512 bytes of its own in front. */
const HDF5_STARTS = [0, 512, 1024, 2048, 4096];

/** As many bytes as `fileKind` looks at. */
export const HEAD_BYTES = 4096 + HDF5.length;

/** @param head the file's first bytes, `HEAD_BYTES` of them where there are as many */
export function fileKind(head: Uint8Array): FileKind {
  if (head[0] === 0x93) return "npy";
  if (head[0] === 0x50 && head[1] === 0x4b) return "npz";
  const signed = (start: number) => HDF5.every((byte, i) => head[start + i] === byte);
  return HDF5_STARTS.some(signed) ? "hdf5" : null;
}

/**
 * A file's first bytes.
 *
 * @throws InputError where there is no file, it is a folder, or it may not be read
 */
export async function readHead(path: string): Promise<Uint8Array> {
  const file = await explainedOpen(path);
  try {
    const head = new Uint8Array(HEAD_BYTES);
    let at = 0;
    while (at < head.length) {
      const read = await file.read(head.subarray(at));
      if (read === null) break;
      at += read;
    }
    return head.subarray(0, at);
  } catch (error) {
    if (!(error instanceof Deno.errors.IsADirectory)) throw error;
    throw new InputError(`Cannot read ${JSON.stringify(path)}: expected a file, found a folder.`);
  } finally {
    file.close();
  }
}
