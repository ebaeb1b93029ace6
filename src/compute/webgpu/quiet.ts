/** Keeps the platform's drivers quiet about what is no concern of theirs. */

const FOLDER = "XDG_RUNTIME_DIR";

/**
 * Runs `body`. Mesa's drivers look for displays when they are loaded, and print errors where no
 * XDG_RUNTIME_DIR is set, as in containers and services: it is set meanwhile. A browser has none.
 */
export async function quietly<X>(body: () => Promise<X>): Promise<X> {
  if (typeof Deno === "undefined" || Deno.build.os !== "linux" || !mayChange()) return await body();
  if (Deno.env.get(FOLDER) !== undefined) return await body();
  Deno.env.set(FOLDER, "/tmp");
  try {
    return await body();
  } finally {
    Deno.env.delete(FOLDER);
  }
}

function mayChange(): boolean {
  return Deno.permissions.querySync({ name: "env", variable: FOLDER }).state === "granted";
}
