/** Keeps what was measured of adapters in the user's cache folder. */
import { dirname, join } from "node:path";
import { VERSION } from "../version.ts";
import { TILES } from "./webgpu/capabilities.ts";
import type { TuningMemory } from "./webgpu/tune.ts";

/** An environment variable; undefined where there is none, or where this process may not look. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/** Where a user's caches are; undefined where the environment does not say. */
function cacheFolder(): string | undefined {
  const home = variable("HOME");
  return variable("XDG_CACHE_HOME") ?? variable("LOCALAPPDATA") ?? (home && join(home, ".cache"));
}

async function read(path: string): Promise<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(await Deno.readTextFile(path));
    return typeof content === "object" && content !== null ? { ...content } : {};
  } catch {
    // no file, no permission, or no JSON: the adapter is measured again, which takes a moment
    return {};
  }
}

/**
 * The file `latentd/adapters.json` in the cache folder. A file that cannot be read or written only
 * costs the measurement anew.
 */
export function tuningFile(folder = cacheFolder()): TuningMemory {
  const path = folder && join(folder, "latentd", "adapters.json");
  const key = (adapter: string) => `${adapter}, latentd ${VERSION}`;
  return {
    async recall(adapter) {
      if (!path) return undefined;
      const value = (await read(path))[key(adapter)];
      return TILES.find((tile) => tile === value);
    },
    async keep(adapter, tile) {
      if (!path) return;
      const content = JSON.stringify({ ...await read(path), [key(adapter)]: tile }, null, 2);
      try {
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeTextFile(path, `${content}\n`);
      } catch {
        // see above
      }
    },
  };
}
