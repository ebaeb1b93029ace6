/** Formats in a helper's thread, where they would keep the thread that serves for more than a moment. */
import * as Comlink from "comlink";
import { InputError } from "../errors.ts";
import { ANSWER_TYPES, type AnswerFormat, type ArrayFormat } from "./arrays/types.ts";
import { type ArrayCodec, inlineCodec } from "./codec.ts";
import type { HelperHost } from "./helper_host.ts";
import type { NamedArray } from "./service.ts";
import { startHelperWorker } from "./start_worker.ts";
import { WorkerClient } from "./worker_client.ts";

/** What is read or written at once, here: about a millisecond of work. */
const INLINE = { textBytes: 32_768, textNumbers: 4096, binaryBytes: 2 ** 20 } as const;

/** A codec with a thread of its own. */
export interface ThreadedCodec extends ArrayCodec {
  close(): void;
}

/**
 * Small bodies are read where they are, large ones in a thread that starts when it is first needed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createThreadedCodec } from "latentd";
 *
 * const codec = createThreadedCodec();
 * const rates = { shape: [1, 1, 2], data: Float32Array.of(0.5, 1) };
 * const { body } = await codec.encodeArrays(new Map([["rates", rates]]), { samples: 0 }, "json");
 * assert.deepEqual(JSON.parse(new TextDecoder().decode(body)).arrays.rates, [[[0.5, 1]]]);
 * codec.close();
 * ```
 */
export function createThreadedCodec(): ThreadedCodec {
  let helper: WorkerClient<HelperHost> | null = null;
  const call = <X>(work: (host: Comlink.Remote<HelperHost>) => Promise<X>): Promise<X> => {
    helper ??= new WorkerClient<HelperHost>(
      startHelperWorker,
      "the thread that reads and writes formats",
      () => helper = null,
    );
    return helper.call(work);
  };
  return {
    answers: Object.keys(ANSWER_TYPES) as AnswerFormat[],
    async decodeInfer(body, head, model, limits) {
      const text = head.contentType?.includes("json") ?? false;
      if (body.length <= (text ? INLINE.textBytes : INLINE.binaryBytes)) {
        // an archive may unpack to much more than it is: what does goes to the thread
        const maxUnpackedBytes = Math.min(limits.maxUnpackedBytes, INLINE.binaryBytes);
        try {
          return await inlineCodec.decodeInfer(body, head, model, { maxUnpackedBytes });
        } catch (error) {
          if (!(error instanceof InputError) || text) throw error;
        }
      }
      return await call((host) =>
        host.decodeInfer(Comlink.transfer(body, [body.buffer]), head, model, limits)
      );
    },
    async encodeArrays(arrays, facts, format) {
      if (format === "hdf5") {
        const { encodeHdf5 } = await import("./hdf5_answer.ts");
        return await encodeHdf5(arrays, facts);
      }
      const all = [...arrays.values()];
      if (isSmall(all, format)) return await inlineCodec.encodeArrays(arrays, facts, format);
      const sent = Comlink.transfer(new Map(arrays), ownedMemory(all));
      return await call((host) => host.encodeArrays(sent, facts, format));
    },
    async decodeOip(body, head, model) {
      const text = head.headerLength === null ? body.length : Number(head.headerLength);
      if (!(text > INLINE.textBytes) && body.length <= INLINE.binaryBytes) {
        return await inlineCodec.decodeOip(body, head, model);
      }
      return await call((host) =>
        host.decodeOip(Comlink.transfer(body, [body.buffer]), head, model)
      );
    },
    async encodeOip(arrays, wanted, facts) {
      const text = wanted.outputs.filter(({ binary }) => !binary);
      const small = isSmall(text.map(({ name }) => arrays.get(name)!), "json") &&
        isSmall([...arrays.values()], "raw");
      if (small) return await inlineCodec.encodeOip(arrays, wanted, facts);
      const sent = Comlink.transfer(new Map(arrays), ownedMemory([...arrays.values()]));
      return await call((host) => host.encodeOip(sent, wanted, facts));
    },
    close() {
      helper?.abandon("the server is shutting down");
    },
  };
}

function isSmall(arrays: readonly NamedArray[], format: ArrayFormat): boolean {
  const numbers = arrays.reduce((sum, { data }) => sum + data.length, 0);
  const bytes = arrays.reduce((sum, { data }) => sum + data.byteLength, 0);
  return format === "json" ? numbers <= INLINE.textNumbers : bytes <= INLINE.binaryBytes;
}

/** The memories of an answer that can leave this thread; shared ones stay where they are. */
function ownedMemory(arrays: readonly NamedArray[]): ArrayBuffer[] {
  const buffers = new Set(arrays.map(({ data }) => data.buffer));
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}
