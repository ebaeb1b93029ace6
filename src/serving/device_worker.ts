/// <reference lib="deno.worker" />
/** A device's thread: answers what the serving thread asks for, through Comlink; arrays are transferred. */
import * as Comlink from "comlink";
import { DeviceHost } from "./device_host.ts";
import type { Launched } from "./device_models.ts";
import type { Launch } from "./launch.ts";

/** The host, whose results leave this thread without being copied. */
class DeviceWorker extends DeviceHost {
  override async launch(id: string, launch: Launch): Promise<Launched | null> {
    const launched = await super.launch(id, launch);
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
