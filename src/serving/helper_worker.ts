/// <reference lib="deno.worker" />
/** A helper's thread: answers what the serving thread asks for, through Comlink. */
import * as Comlink from "comlink";
import { HelperHost } from "./helper_host.ts";

/** The host, whose results leave this thread without being copied. */
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
}

Comlink.expose(new HelperWorker());
