/** What computes a run: runs on the same hardware take turns. */
import { fileURLToPath } from "node:url";
import type { DeviceChoice } from "../compute/devices.ts";
import type { Hardware } from "./options.ts";

/** Where a run waits: `auto` is decided when it is about to begin. */
export type Slot = Hardware | "auto";

/** As `openDevice` decides: a GPU has neither threads nor reproducible bits. */
export function slotOf(device: DeviceChoice, reproducible: boolean, threads: number | null): Slot {
  if (device === "webgpu") return "gpu";
  if (device === "auto" && !reproducible && threads === null) return "auto";
  return "cpu";
}

/** What `auto` takes on this machine. */
export async function probe(executable: string): Promise<Hardware> {
  const entry = fileURLToPath(new URL("./probe_process.ts", import.meta.url));
  const args = ["run", "--quiet", "--no-prompt", "--allow-env", "--allow-sys", entry];
  const process = new Deno.Command(executable, { args, stdin: "null" });
  const { success, stdout, stderr } = await process.output();
  const words = new TextDecoder().decode(stdout).trim().split("\n").at(-1);
  if (success && (words === "gpu" || words === "cpu")) return words;
  const said = new TextDecoder().decode(stderr).trim().slice(-1000);
  throw new Error(
    `Cannot look for a GPU, so auto is the CPU: the process that looks failed. ${said}`,
  );
}
