/**
 * Opens the device that was asked for by name, and says why it is the one that runs. Only that one is
 * loaded.
 */
import { InputError } from "../errors.ts";
import type { DeviceName, Executor } from "./executor.ts";
import { tuningFile } from "./tuning_file.ts";
import { createWasmExecutor } from "./wasm.ts";
import type { StartThread } from "./wasm_threads.ts";
import type { createWebgpuExecutor } from "./webgpu.ts";
import { describeAdapter, findAdapter, listAdapters } from "./webgpu/adapter.ts";
import type { Capabilities } from "./webgpu/capabilities.ts";

const openReference = async (reason: string): Promise<Executor> =>
  (await import("./reference.ts")).createReferenceExecutor(reason);

const openWebgpu: typeof createWebgpuExecutor = async (options) =>
  await (await import("./webgpu.ts")).createWebgpuExecutor(options);

/** What can be asked for: a device, or `auto` for the fastest that this machine has. */
export const DEVICE_CHOICES = ["auto", "webgpu", "wasm", "reference"] as const;

export type DeviceChoice = typeof DEVICE_CHOICES[number];

/** Which device, and how it computes. */
export interface DeviceOptions {
  /** `auto` (the default), `webgpu`, `wasm` or `reference` */
  readonly device?: string;
  /** worker threads of the wasm device; by default one for each processor, at most 16 */
  readonly threads?: number;
  /** the same bits on every machine; somewhat slower. The wasm device's, too; `reference` always is. */
  readonly reproducible?: boolean;
  /** why a device that is named was named; "asked for by name" by default */
  readonly reason?: string;
  /** starts the wasm device's threads; see `WasmOptions` */
  readonly startThread?: StartThread;
}

/** @throws {InputError} for a name that is no device */
export function parseDeviceChoice(name: string): DeviceChoice {
  const known = DEVICE_CHOICES.find((choice) => choice === name);
  if (known) return known;
  throw new InputError(
    `Cannot open a device: expected ${DEVICE_CHOICES.join(", ")}, found ${JSON.stringify(name)}.`,
  );
}

/**
 * Opens a device. One that is named is never replaced by another: what cannot be opened is an error.
 * `auto` takes a GPU where there is one, else wasm: a software adapter is slower than wasm, and runs
 * only when it is named. `threads` and `reproducible` are wasm's, so `auto` with them takes wasm.
 *
 * @throws {InputError} for an unknown device, one that this machine lacks, or options that it cannot have
 * @throws {Error} when the wasm kernels are not built
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { openDevice } from "latentd";
 *
 * const device = await openDevice({ device: "reference", reason: "an oracle is wanted" });
 * assert.equal(device.info.arithmetic.includes("float64"), true);
 * assert.equal(device.info.reason, "an oracle is wanted");
 * device.close();
 * ```
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Executor> {
  const { threads, reproducible, reason = "asked for by name", startThread } = options;
  const choice = parseDeviceChoice(options.device ?? "auto");
  switch (choice) {
    case "reference":
      requireOneThread(choice, threads);
      return await openReference(reason);
    case "webgpu":
      requireOneThread(choice, threads);
      if (reproducible) {
        throw new InputError(
          "Cannot open the webgpu device: expected no wish for bits that are the same on every " +
            "machine, since every GPU and driver rounds in its own way, found reproducible. The wasm " +
            "and reference devices can.",
        );
      }
      return await openWebgpu({ reason, memory: tuningFile() });
    case "wasm":
      return await createWasmExecutor({ threads, reproducible, reason, startThread });
    case "auto":
      return await openAuto(options);
  }
}

async function openAuto({ threads, reproducible, startThread }: DeviceOptions): Promise<Executor> {
  const wasm = (why: string) =>
    createWasmExecutor({ threads, reproducible, reason: `auto: ${why}`, startThread });
  if (threads !== undefined || reproducible) {
    return await wasm(
      `${
        reproducible ? "the same bits on every machine" : "threads"
      } were asked for, which a GPU ` +
        `does not have`,
    );
  }
  const choice = await autoChoice();
  if (!choice.adapter) return await wasm(choice.why);
  try {
    return await openWebgpu({
      adapter: choice.adapter,
      reason: `auto: ${choice.why}`,
      memory: tuningFile(),
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return await wasm(`the GPU could not be opened. ${error.message}`);
  }
}

/** What `auto` takes on this machine: the adapter of a GPU, or wasm where it is null. */
export async function autoChoice(): Promise<{ adapter: GPUAdapter | null; why: string }> {
  const adapter = await findAdapter();
  if (!adapter) return { adapter: null, why: "no GPU was found" };
  const { name, software } = describeAdapter(adapter);
  return software
    ? { adapter: null, why: `no GPU was found, and ${name} computes on the CPU, slower than wasm` }
    : { adapter, why: "this machine has a GPU" };
}

/** A device that this machine has, not yet opened. */
export interface FoundDevice {
  readonly name: DeviceName;
  /** what computes: the processor, a GPU, or the processor behind a GPU's interface */
  readonly kind: "processor" | "GPU" | "software adapter";
  /** webgpu only: the adapter's name */
  readonly adapter?: string;
  /** webgpu only: what WebGPU says that the adapter can do beyond what all can */
  readonly features?: readonly string[];
  /** @returns the device, and for webgpu its bounds */
  open(): Promise<Executor & { readonly capabilities?: Capabilities }>;
}

/** All devices of this machine: the slowest first. */
export async function listDevices(): Promise<FoundDevice[]> {
  const reason = "listed";
  const adapters = await listAdapters();
  return [
    {
      name: "reference",
      kind: "processor",
      open: () => openReference(reason),
    },
    { name: "wasm", kind: "processor", open: () => createWasmExecutor({ reason }) },
    ...adapters.map((adapter): FoundDevice => {
      const { name, software } = describeAdapter(adapter);
      return {
        name: "webgpu",
        kind: software ? "software adapter" : "GPU",
        adapter: name,
        features: [...adapter.features].sort(),
        open: () => openWebgpu({ adapter, reason, memory: tuningFile() }),
      };
    }),
  ];
}

function requireOneThread(device: DeviceChoice, threads: number | undefined): void {
  if (threads === undefined || threads === 1) return;
  const has = device === "webgpu" ? "whose threads are the GPU's" : "as its plain loops have";
  throw new InputError(
    `Cannot open the ${device} device: expected 1 thread, ${has}, found ${threads}.`,
  );
}
