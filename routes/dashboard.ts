/**
 * The dashboard at `/`, and its parts below `/dashboard/`: files of `routes/dashboard/`, and uPlot. Its
 * scripts are TypeScript; what is sent is the same text with its types blanked out.
 */
import type { Hono } from "hono";
import type { Env } from "./context.ts";
import { PAGE_POLICY } from "./middleware/headers.ts";
import { type Load, serveFile } from "./static.ts";

const FOLDER = new URL("dashboard/", import.meta.url);

/** Parts that come from packages. */
const PACKAGED: Readonly<Record<string, Load>> = {
  "uplot.js": async () =>
    (await import("uplot/dist/uPlot.iife.min.js", { with: { type: "text" } })).default,
  "uplot.css": async () =>
    (await import("uplot/dist/uPlot.min.css", { with: { type: "text" } })).default,
};

/** The server's own files: those that are there when it starts are served, and no others. */
export function dashboardRoutes(app: Hono<Env>): void {
  for (const [name, load] of Object.entries(PACKAGED)) {
    serveFile(app, `/dashboard/${name}`, name, PAGE_POLICY, load);
  }
  for (const name of filesBelow(FOLDER)) {
    const load = async () => await Deno.readFile(new URL(name, FOLDER));
    if (name.endsWith(".ts")) {
      // browsers go by the type of the answer, not by the name
      const script = async () => {
        const { stripTypeScriptTypes } = await import("node:module");
        return stripTypeScriptTypes(new TextDecoder().decode(await load()));
      };
      serveFile(app, `/dashboard/${name}`, name.replace(/ts$/, "js"), PAGE_POLICY, script);
      continue;
    }
    serveFile(app, `/dashboard/${name}`, name, PAGE_POLICY, load);
    if (name === "index.html") serveFile(app, "/", name, PAGE_POLICY, load);
  }
}

function* filesBelow(folder: URL, prefix = ""): Generator<string> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* filesBelow(new URL(`${name}/`, folder), `${prefix}${name}/`);
    // which types its scripts are checked with is nothing to a browser
    else if (isFile && name !== "deno.json") yield `${prefix}${name}`;
  }
}
