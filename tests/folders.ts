/** Folders of one test. */
import { join } from "node:path";

/** A folder that is gone after the test. */
export async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "latentd-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every file below a folder, by its path in it, and its size. */
export async function listing(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    const below = isDirectory ? (await listing(path)).map((file) => join(name, file)) : [];
    found.push(isDirectory ? `${name}/` : `${name} ${(await Deno.stat(path)).size}`, ...below);
  }
  return found.sort();
}
