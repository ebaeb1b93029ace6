/** What figures were measured on, in words. */
import { cpus, totalmem } from "node:os";
import type { DeviceInfo } from "../src/mod.ts";

/** e.g. "16 × AMD EPYC 9654, 128 GiB; NVIDIA H200, driver 580.65; Deno 2.9.6" */
export async function machine(device: DeviceInfo): Promise<string> {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const host = `${processors.length} × ${processors[0].model.trim()}, ${memory} GiB`;
  const gpu = device.adapter ? [await nvidiaDriver() ?? device.adapter] : [];
  return [host, ...gpu, `Deno ${Deno.version.deno}`].join("; ");
}

/** The GPU and its driver where NVIDIA's tool tells them: WebGPU tells no driver's version. */
async function nvidiaDriver(): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("nvidia-smi", {
      args: ["--query-gpu=name,driver_version", "--format=csv,noheader"],
      stderr: "null",
    }).output();
    const [first] = new TextDecoder().decode(stdout).trim().split("\n");
    const [name, version] = first.split(", ");
    return success && version ? `${name}, driver ${version}` : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
