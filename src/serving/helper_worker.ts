/// <reference lib="deno.worker" />
/** A helper's thread: answers what the serving thread asks for, through Comlink. */
import * as Comlink from "comlink";
import { HelperHost } from "./helper_host.ts";

/** The host: what it made leaves this thread without being copied, what it was lent it lets go of. */
class HelperWorker extends HelperHost {
  override decodeInfer(...given: Parameters<HelperHost["decodeInfer"]>) {
    const request = super.decodeInfer(...given);
    return Comlink.transfer(request, [request.counts_BTN.buffer as ArrayBuffer]);
  }

  override encodeArrays(...given: Parameters<HelperHost["encodeArrays"]>) {
    const encoded = super.encodeArrays(...given);
    return Comlink.transfer(encoded, [encoded.body.buffer]);
  }

  override decodeOip(...given: Parameters<HelperHost["decodeOip"]>) {
    const wanted = super.decodeOip(...given);
    return Comlink.transfer(wanted, [wanted.request.counts_BTN.buffer as ArrayBuffer]);
  }

  override encodeOip(...given: Parameters<HelperHost["encodeOip"]>) {
    const encoded = super.encodeOip(...given);
    return Comlink.transfer(encoded, [encoded.body.buffer]);
  }

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
