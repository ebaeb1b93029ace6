/** Files and folders of the data directory. */
import { join } from "node:path";
import { StorageError } from "./errors.ts";

/** What a crash left half-written: the name that `writeFileAtomic` gives. */
const LEFTOVER = /^\..+\.[0-9a-f-]{36}\.tmp$/;

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return new Uint8Array(digest).toHex();
}

export async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a file or a folder; it need not be there. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Removes what is half-written in a folder, and what has no record. */
export async function sweep(folder: string, isKnown: (name: string) => boolean): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (LEFTOVER.test(name) || !isKnown(name)) await removeIfThere(join(folder, name));
  }
}

/**
 * A stored file.
 *
 * @throws {StorageError} where it is missing
 */
export async function readThere(path: string, what: string): Promise<Uint8Array> {
  return await explainingLoss(what, () => Deno.readFile(path));
}

/** Read and hashed at once: about a millisecond. */
const CHUNK_BYTES = 2 ** 20;

/**
 * A stored file, whose bytes are those that were stored. It is read in parts, so that a large one does
 * not hold up the thread.
 *
 * @throws {StorageError} where it is missing or changed
 */
export async function readStored(path: string, hash: string, what: string): Promise<Uint8Array> {
  const { createHash } = await import("node:crypto");
  const digest = createHash("sha256");
  const bytes = await explainingLoss(what, async () => {
    using file = await Deno.open(path);
    const bytes = new Uint8Array((await file.stat()).size);
    for (let at = 0; at < bytes.length;) {
      const read = await file.read(bytes.subarray(at, at + CHUNK_BYTES));
      if (read === null) return bytes.subarray(0, at); // it was cut off meanwhile
      digest.update(bytes.subarray(at, at += read));
    }
    return bytes;
  });
  const found = digest.digest("hex");
  if (found === hash) return bytes;
  throw new StorageError(
    `Cannot read ${what}: expected the bytes that were stored (SHA-256 ${
      hash.slice(0, 12)
    }…), found ` +
      `others (${found.slice(0, 12)}…). Restore it from a backup.`,
    "damaged",
  );
}

async function explainingLoss<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StorageError(
      `Cannot read ${what}: expected its file in the data directory, found none. Restore it from a ` +
        `backup.`,
      "damaged",
    );
  }
}

/**
 * Locks a file until it is closed or the process ends, however it ends.
 *
 * @returns null where another process has it
 */
export async function tryLock(path: string): Promise<Deno.FsFile | null> {
  const file = await Deno.open(path, { write: true, create: true });
  try {
    if (await file.tryLock(true)) return file;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return null;
}

const LOOK_EVERY_MS = 20;

/** Waits for a lock; null once the signal aborts. */
export async function waitForLock(path: string, signal: AbortSignal): Promise<Deno.FsFile | null> {
  while (!signal.aborted) {
    const lock = await tryLock(path);
    if (lock) return lock;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return null;
}
