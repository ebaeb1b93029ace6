/** What this machine has to compute on, and whether each device computes what the reference does. */
import { autoChoice, type FoundDevice, listDevices } from "../compute/devices.ts";
import type { DeviceName, Executor } from "../compute/executor.ts";
import type { Capabilities } from "../compute/webgpu/capabilities.ts";
import { checkRandomShapes } from "./random_shapes.ts";
import type { CheckRow } from "./table.ts";

/** How a device did on models of random shapes. */
export interface SelfCheck {
  readonly passed: boolean;
  /** how many models */
  readonly shapes: number;
  /** the row that is closest to its tolerance, or farthest beyond it */
  readonly worst: CheckRow;
  readonly seconds: number;
}

/** One device, opened and checked. */
export interface DeviceReport {
  readonly device: DeviceName;
  readonly kind: FoundDevice["kind"];
  readonly adapter: string | null;
  /** null where the device could not be opened, like what follows */
  readonly threads: number | null;
  readonly arithmetic: string | null;
  /** of a WebGPU adapter */
  readonly capabilities: Capabilities | null;
  readonly features: readonly string[];
  readonly check: SelfCheck | null;
  /** why it could not be opened, or what it threw */
  readonly failure: string | null;
}

/** All devices of a machine. */
export interface DeviceSurvey {
  readonly devices: readonly DeviceReport[];
  /** what `--device auto` takes, and why */
  readonly auto: {
    readonly device: DeviceName;
    readonly adapter: string | null;
    readonly why: string;
  };
  /** every device could be opened and agrees with the reference */
  readonly passed: boolean;
}

/** How thorough to be. */
export interface SurveyOptions {
  /** decides the random models; 0 by default */
  readonly seed?: number;
  /** models for each device at most; 12 by default */
  readonly shapes?: number;
  /** no further model begins after this many seconds on a device; 6 by default */
  readonly seconds?: number;
  /** called before each device */
  readonly onDevice?: (device: FoundDevice) => void;
}

/** Sizes up to this are drawn for most models, and up to `LARGE` for every fourth. */
const SMALL = 9, LARGE = 40;

/**
 * Opens every device, checks its gradients on random models against the reference (the reference's
 * against finite differences), and says which one `auto` takes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { surveyDevices } from "latentd";
 *
 * const { devices, auto } = await surveyDevices({ shapes: 1 });
 * assert(devices.some(({ device, check }) => device === auto.device && check?.passed));
 * ```
 */
export async function surveyDevices(options: SurveyOptions = {}): Promise<DeviceSurvey> {
  const devices: DeviceReport[] = [];
  for (const found of await listDevices()) {
    options.onDevice?.(found);
    devices.push(await surveyDevice(found, options));
  }
  const { adapter, why } = await autoChoice();
  const gpu = adapter && devices.find(({ kind }) => kind === "GPU");
  const opens = gpu && gpu.threads !== null;
  return {
    devices,
    auto: opens
      ? { device: "webgpu", adapter: gpu.adapter, why }
      : { device: "wasm", adapter: null, why: gpu ? "the GPU could not be opened" : why },
    passed: devices.every(({ failure, check }) => failure === null && check?.passed),
  };
}

/** Opens one device and checks it. What goes wrong is told, not thrown. */
export async function surveyDevice(
  found: FoundDevice,
  options: SurveyOptions = {},
): Promise<DeviceReport> {
  const { name: device, kind, adapter = null, features = [] } = found;
  const words = (error: unknown) => error instanceof Error ? error.message : String(error);
  const unknown = { threads: null, arithmetic: null, capabilities: null };
  const own = { device, kind, adapter, features };
  let executor: Executor & { readonly capabilities?: Capabilities };
  try {
    executor = await found.open();
  } catch (error) {
    return { ...own, ...unknown, check: null, failure: words(error) };
  }
  const { info: { threads, arithmetic }, capabilities = null } = executor;
  const known = { ...own, threads, arithmetic, capabilities };
  try {
    return { ...known, check: await selfCheck(executor, options), failure: null };
  } catch (error) {
    return { ...known, check: null, failure: words(error) };
  } finally {
    executor.close();
  }
}

async function selfCheck(
  executor: Executor,
  { seed = 0, shapes = 12, seconds = 6 }: SurveyOptions,
): Promise<SelfCheck> {
  const began = performance.now(), past = () => (performance.now() - began) / 1000;
  const rows: CheckRow[] = [];
  let done = 0;
  do {
    const largest = done % 4 === 3 ? LARGE : SMALL;
    const all = await checkRandomShapes([executor], { seed: seed + done, shapes: 1, largest });
    // the reference's own rows come with every device's
    const { name } = executor.info;
    rows.push(...all.rows.filter((row) => row.executor.startsWith(name)));
    done++;
  } while (done < shapes && past() < seconds);
  const share = ({ error, tolerance }: CheckRow) =>
    Number.isNaN(error) ? Infinity : error / tolerance;
  return {
    passed: rows.every(({ passed }) => passed),
    shapes: done,
    worst: rows.reduce((worst, row) => share(row) > share(worst) ? row : worst),
    seconds: past(),
  };
}
