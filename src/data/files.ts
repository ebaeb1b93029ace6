/** Reading and writing whole files, with errors that say what to do. */
import { InputError } from "../errors.ts";
import { basename, dirname, join } from "node:path";

/** What the operating system's refusal means, or null where it is not about the user's path. */
function explain(error: unknown): string | null {
  if (error instanceof Deno.errors.NotFound) return "no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "no permission";
  if (error instanceof Deno.errors.NotCapable) {
    return "that this process may not (see Deno's --allow-read and --allow-write)";
  }
  if (error instanceof Deno.errors.IsADirectory) return "a folder";
  if (error instanceof Deno.errors.NotADirectory) return "a file where a folder should be";
  return null;
}

/**
 * A file's bytes.
 *
 * @throws InputError where there is no file, it is a folder, or it may not be read
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, readFileOrExplain } from "latentd";
 *
 * await assert.rejects(readFileOrExplain("no/such/spikes.npz"), InputError);
 * ```
 */
export async function readFileOrExplain(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const found = explain(error);
    if (found === null) throw error;
    throw new InputError(`Cannot read ${JSON.stringify(path)}: expected a file, found ${found}.`);
  }
}

/**
 * Opens a file to read; the caller closes it.
 *
 * @throws InputError where there is no file or it may not be read
 */
export async function explainedOpen(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    const found = explain(error);
    if (found === null) throw error;
    throw new InputError(`Cannot read ${JSON.stringify(path)}: expected a file, found ${found}.`);
  }
}

/**
 * Makes a folder, with the folders above it, where there is none.
 *
 * @throws InputError where there is a file instead, or it may not be made
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { makeFolderOrExplain } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * await makeFolderOrExplain(`${folder}/runs/first`);
 * assert((await Deno.stat(`${folder}/runs/first`)).isDirectory);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function makeFolderOrExplain(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    const found = error instanceof Deno.errors.AlreadyExists ? "a file" : explain(error);
    if (found === null) throw error;
    throw new InputError(
      `Cannot make the folder ${JSON.stringify(path)}: expected a place to write, found ${found}.`,
    );
  }
}

/**
 * Writes a file so that a reader, or a crash at any moment, finds either the old contents or the new:
 * into a temporary file in the same folder, to the disk, then renamed. A link at `path` is replaced,
 * not followed.
 *
 * @throws InputError where the folder is missing or may not be written
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readFileOrExplain, writeFileAtomic } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * await writeFileAtomic(`${folder}/counts.bin`, Uint8Array.of(1, 2, 3));
 * assert.deepEqual(await readFileOrExplain(`${folder}/counts.bin`), Uint8Array.of(1, 2, 3));
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${crypto.randomUUID()}.tmp`);
  try {
    await writeAndRename(temporary, path, bytes);
    await syncFolder(folder);
  } catch (error) {
    const found = explain(error);
    if (found === null) throw error;
    throw new InputError(
      `Cannot write ${JSON.stringify(path)}: expected a writable folder, found ${found}.`,
    );
  }
}

async function writeAndRename(temporary: string, path: string, bytes: Uint8Array): Promise<void> {
  const file = await Deno.open(temporary, { write: true, createNew: true });
  try {
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary);
    throw error;
  }
}

/** The rename itself is on the disk only once the folder is. Windows has no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const handle = await Deno.open(folder);
  try {
    await handle.sync();
  } finally {
    handle.close();
  }
}
