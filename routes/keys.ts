/**
 * Keys that clients show: `latentd_<id>_<secret>`. The data directory has their hashes only. A secret is
 * 256 random bits, so a fast hash without salt is as good as a slow one.
 */
import { join } from "node:path";
import { z } from "zod";
import { InputError, StorageError, writeFileAtomic } from "../src/server.ts";

const keySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1).max(100).regex(/^\P{Cc}*$/u),
  created: z.iso.datetime(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const fileSchema = z.strictObject({ keys: z.array(keySchema).max(1000) });

/** A key as it is stored. */
export type StoredKey = Readonly<z.infer<typeof keySchema>>;

const FILE = "keys.json";
const KEY = /^latentd_([0-9a-f]{12})_([0-9A-Za-z_-]{43})$/;

async function hash(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** The keys of a data directory. */
export async function readKeys(folder: string): Promise<StoredKey[]> {
  const path = join(folder, FILE);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  try {
    return fileSchema.parse(JSON.parse(text)).keys;
  } catch (cause) {
    throw new StorageError(
      `Cannot read the keys: expected ${
        JSON.stringify(path)
      } as it was written, found something else.`,
      "damaged",
      { cause },
    );
  }
}

async function writeKeys(folder: string, keys: readonly StoredKey[]): Promise<void> {
  const text = `${JSON.stringify({ keys }, null, 2)}\n`;
  const path = join(folder, FILE);
  await writeFileAtomic(path, new TextEncoder().encode(text));
  if (Deno.build.os !== "windows") await Deno.chmod(path, 0o600);
}

/** Makes a key. What is returned is shown once and is nowhere else. */
export async function addKey(folder: string, name: string): Promise<{ id: string; key: string }> {
  const keys = await readKeys(folder);
  const id = crypto.getRandomValues(new Uint8Array(6)).toHex();
  const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const key = `latentd_${id}_${secret}`;
  const sha256 = (await hash(key)).toHex();
  const stored = keySchema.safeParse({ id, name, created: new Date().toISOString(), sha256 });
  if (!stored.success) {
    throw new InputError(
      `Cannot add a key: expected a name of 1 to 100 printable characters, found ${
        JSON.stringify(name.slice(0, 120))
      }.`,
    );
  }
  await writeKeys(folder, [...keys, stored.data]);
  return { id, key };
}

/** @throws {InputError} where there is no such key */
export async function removeKey(folder: string, id: string): Promise<void> {
  const keys = await readKeys(folder);
  const left = keys.filter((key) => key.id !== id);
  if (left.length === keys.length) {
    throw new InputError(
      `Cannot remove the key: expected the id of a key (see \`keys list\`), found ${
        JSON.stringify(id.slice(0, 80))
      }.`,
    );
  }
  await writeKeys(folder, left);
}

/** How often the file is looked at, in milliseconds: a key that is removed is refused after that. */
const LOOK_MS = 1000;

/** The keys of a server that runs. */
export class KeyRing {
  #keys = new Map<string, Uint8Array>();
  #read = "";
  #lookedAt = -Infinity;
  #required: boolean;

  private constructor(private readonly folder: string, always: boolean) {
    this.#required = always;
  }

  /** @param always every request needs a key, also while there is none */
  static async open(folder: string, always = false): Promise<KeyRing> {
    const ring = new KeyRing(folder, always);
    await ring.#look();
    return ring;
  }

  get size(): number {
    return this.#keys.size;
  }

  /**
   * Whether requests need a key: always, or once there was one. A server whose last key is removed does
   * not open by that.
   */
  async required(): Promise<boolean> {
    await this.#look();
    this.#required ||= this.#keys.size > 0;
    return this.#required;
  }

  /** The id of a key; null for what is none. It takes the same time for every wrong secret. */
  async find(key: string): Promise<string | null> {
    await this.#look();
    const [, id] = KEY.exec(key) ?? [];
    const found = await hash(key);
    // much of Node comes with it: a server listens sooner without
    const { timingSafeEqual } = await import("node:crypto");
    const wanted = id === undefined ? undefined : this.#keys.get(id);
    const same = timingSafeEqual(found, wanted ?? found.map((byte) => byte ^ 1));
    return same ? id : null;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    let version = "none";
    try {
      const { mtime, size, ino } = await Deno.stat(join(this.folder, FILE));
      version = `${mtime?.getTime()} ${size} ${ino}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (version === this.#read) return;
    const keys = await readKeys(this.folder);
    this.#keys = new Map(keys.map(({ id, sha256 }) => [id, Uint8Array.fromHex(sha256)]));
    this.#read = version;
  }
}
