/// <reference lib="deno.worker" />
/** A device's thread: answers what the serving thread asks for, through Comlink; arrays are transferred. */
import { setImmediate } from "node:timers";
import * as Comlink from "comlink";
import type { DeviceInfo } from "../compute/executor.ts";
import { type Calls, lookOut } from "./awake.ts";
import { DeviceHost, type HostOptions } from "./device_host.ts";
import type { Launched } from "./device_models.ts";
import type { Launch } from "./launch.ts";

/** The host, whose results leave this thread without being copied. */
class DeviceWorker extends DeviceHost {
  #calls: Calls | null = null;

  override open(options: HostOptions, threads: MessagePort): Promise<DeviceInfo> {
    this.#calls = options.calls;
    return super.open(options, threads);
  }

  override async launch(id: string, launch: Launch): Promise<Launched | null> {
    const launched = await super.launch(id, launch);
    const { awake } = launch;
    // when the answer is on its way
    if (awake && awake.ms > 0) setImmediate(() => lookOut(this.#calls!, awake.call, awake.ms));
    if (launched === null) return null;
    const owned = launched.buffers.filter((buffer) => buffer !== null);
    return Comlink.transfer(launched, owned);
  }

  override async read(...place: Parameters<DeviceHost["read"]>): Promise<Float64Array> {
    const values = await super.read(...place);
    return Comlink.transfer(values, [values.buffer as ArrayBuffer]);
  }
}

Comlink.expose(new DeviceWorker());
