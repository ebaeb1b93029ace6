/**
 * Headless Chromium, whose WebGPU is a second implementation of WGSL (Tint, here on SwiftShader):
 * stricter than Deno's in places, above all about control flow around barriers.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { PageFunctions } from "./page.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function onPath(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

const executablePath = onPath();

/** Where a test in Chromium is left out, with a visible mark: never under CI, which installs it. */
export const withoutChromium = {
  ignore: executablePath === undefined && Deno.env.get("CI") === undefined,
};

/** Where Chromium is. */
export function chromiumPath(): string {
  assert(executablePath, `CI must have Chromium (${NAMES.join(", ")}) on its PATH, and has none`);
  return executablePath;
}

/** Calls a function of `page.ts` in a page of Chromium. */
export async function inChromium<K extends keyof PageFunctions>(
  name: K,
  argument: Parameters<PageFunctions[K]>[0],
): Promise<Awaited<ReturnType<PageFunctions[K]>>> {
  const executablePath = chromiumPath();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", new URL("run.ts", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({ executablePath, name, argument })));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, `${name} failed in Chromium: ${text(stderr)}`);
  return JSON.parse(text(stdout));
}
