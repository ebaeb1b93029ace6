/// <reference lib="deno.worker" />
/** A helper's thread: answers what the serving thread asks for, through Comlink. */
import * as Comlink from "comlink";
import { HelperHost } from "./helper_host.ts";

/** The host, which lets go of what it was lent when a call is over. */
class HelperWorker extends HelperHost {
  override async fixedPoints(...lent: Parameters<HelperHost["fixedPoints"]>) {
    try {
      return await super.fixedPoints(...lent);
    } finally {
      for (const proxy of lent.slice(-2)) {
        (proxy as unknown as Comlink.Remote<object>)[Comlink.releaseProxy]();
      }
    }
  }
}

Comlink.expose(new HelperWorker());
