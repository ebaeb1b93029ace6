/** Opens the device that was asked for by name, and says why it is the one that runs. */
import { InputError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import { createReferenceExecutor } from "./reference.ts";
import { createWasmExecutor } from "./wasm.ts";

/** What can be asked for: a device, or `auto` for the fastest that this machine has. */
export const DEVICE_CHOICES = ["auto", "wasm", "reference"] as const;

export type DeviceChoice = typeof DEVICE_CHOICES[number];

/** Which device, and how it computes. */
export interface DeviceOptions {
  /** `auto` (the default), `wasm` or `reference` */
  readonly device?: string;
  /** worker threads of the wasm device; by default one for each processor, at most 16 */
  readonly threads?: number;
  /** the same bits on every machine; somewhat slower */
  readonly reproducible?: boolean;
  /** why a device that is named was named; "asked for by name" by default */
  readonly reason?: string;
}

/** @throws {InputError} for a name that is no device */
export function parseDeviceChoice(name: string): DeviceChoice {
  const known = DEVICE_CHOICES.find((choice) => choice === name);
  if (known) return known;
  throw new InputError(
    `Cannot open a device: expected ${DEVICE_CHOICES.join(", ")}, found ${JSON.stringify(name)}` +
      `${name === "webgpu" ? ", which is not built yet: use auto, wasm or reference" : ""}.`,
  );
}

/**
 * Opens a device. It never falls back to another one: what cannot be opened is an error.
 *
 * @throws {InputError} for an unknown device, or a number of threads that it cannot have
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
  const { threads, reproducible, reason: named = "asked for by name" } = options;
  const choice = parseDeviceChoice(options.device ?? "auto");
  if (choice === "reference") {
    if (threads !== undefined && threads !== 1) {
      throw new InputError(
        `Cannot open the reference device: expected 1 thread, as its plain loops have, found ${threads}.`,
      );
    }
    return createReferenceExecutor(named);
  }
  const reason = choice === "wasm"
    ? named
    : `auto: WebAssembly is the fastest device built so far; this machine shows ` +
      `${navigator.hardwareConcurrency} processors`;
  return await createWasmExecutor({ threads, reproducible, reason });
}
