/** What can go wrong with what is stored, so that each face can answer in its own way. */
import { InputError } from "../errors.ts";

/**
 * There is no such dataset, run or model. Over HTTP: 404.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, NotFoundError } from "latentd";
 *
 * assert(new NotFoundError("no run r-0123456789abcdef") instanceof InputError);
 * ```
 */
export class NotFoundError extends InputError {
  override name = "NotFoundError";
}

/**
 * What was asked for cannot be done in the state that things are in. Over HTTP: 409.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ConflictError, InputError } from "latentd";
 *
 * assert(new ConflictError("a run uses the dataset") instanceof InputError);
 * ```
 */
export class ConflictError extends InputError {
  override name = "ConflictError";
}

/**
 * A limit of this server is reached; see `JobsLimits`. Over HTTP: 413 where what was sent is too large,
 * 429 or 507 where there is too much already.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, LimitError } from "latentd";
 *
 * const error = new LimitError("too many runs wait", "queue");
 * assert(error instanceof InputError && error.limit === "queue");
 * ```
 */
export class LimitError extends InputError {
  override name = "LimitError";
  constructor(message: string, readonly limit: "bytes" | "datasets" | "models" | "queue") {
    super(message);
  }
}

/**
 * The data directory cannot be used: no permission, a full disk, another server, a damaged record. Over
 * HTTP: 507 for a full disk, else 500.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { InputError, StorageError } from "latentd";
 *
 * const error: Error = new StorageError("the disk is full", "full");
 * assert(!(error instanceof InputError)); // not the caller's mistake
 * ```
 */
export class StorageError extends Error {
  override name = "StorageError";
  constructor(
    message: string,
    readonly reason: "full" | "permission" | "locked" | "damaged" | "version" | "other",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What the system calls a disk without room: by its code, or by its words. */
const FULL_CODES = ["ENOSPC", "EDQUOT", "EFBIG"];
const FULL_WORDS = /no space left|quota exceeded|file too large|database or disk is full/i;
const REFUSED_WORDS = /readonly database|unable to open database file|read-only file system/i;
const DAMAGED_WORDS = /not a database|malformed/i;
const DISK_WORDS = /disk I\/O error/i;

function code(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/**
 * An error of the file system or of SQLite in words; errors that speak for themselves stay as they are.
 *
 * @param action what was being done: "Cannot store the dataset"
 */
export function storageError(action: string, error: unknown): unknown {
  if (error instanceof InputError || error instanceof StorageError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (FULL_CODES.includes(code(error)) || FULL_WORDS.test(text)) {
    return new StorageError(
      `${action}: expected room on the disk, found it full (${text}).`,
      "full",
      options,
    );
  }
  const refused = error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable || REFUSED_WORDS.test(text);
  if (refused) {
    return new StorageError(
      `${action}: expected a folder that may be written, found no permission (${text}).`,
      "permission",
      options,
    );
  }
  if (DAMAGED_WORDS.test(text)) {
    return new StorageError(
      `${action}: expected files as they were written, found them damaged (${text}). Restore the ` +
        `data directory from a backup.`,
      "damaged",
      options,
    );
  }
  if (DISK_WORDS.test(text)) {
    return new StorageError(
      `${action}: expected a disk that writes, found that it does not (${text}): it may be full or ` +
        `broken.`,
      "other",
      options,
    );
  }
  return error;
}

/** Does it, with errors of the file system in words. */
export async function withStorageErrors<T>(action: string, what: () => Promise<T>): Promise<T> {
  try {
    return await what();
  } catch (error) {
    throw storageError(action, error);
  }
}
