/** Bodies to requests, and answers to bodies. */
import { type BodyHead, decodeInfer, type DecodeLimits } from "./arrays/decode.ts";
import { encodeArrays, type Encoded, type Facts, INLINE_ANSWERS } from "./arrays/encode.ts";
import { NotAcceptableError } from "./arrays/errors.ts";
import type { AnswerFormat } from "./arrays/types.ts";
import { decodeOip, encodeOip, type OipFacts, type OipHead, type OipRequest } from "./oip.ts";
import type { InferRequest, ModelDescription, NamedArray, OutputName } from "./service.ts";

/** Formats between bytes and arrays. Bytes that are handed in are taken over. */
export interface ArrayCodec {
  /** formats that it can answer in */
  readonly answers: readonly AnswerFormat[];
  decodeInfer(
    body: Uint8Array<ArrayBuffer>,
    head: BodyHead,
    model: ModelDescription,
    limits: DecodeLimits,
  ): Promise<InferRequest>;
  encodeArrays(
    arrays: ReadonlyMap<OutputName, NamedArray>,
    facts: Facts,
    format: AnswerFormat,
  ): Promise<Encoded>;
  decodeOip(
    body: Uint8Array<ArrayBuffer>,
    head: OipHead,
    model: ModelDescription,
  ): Promise<OipRequest>;
  encodeOip(
    arrays: ReadonlyMap<OutputName, NamedArray>,
    wanted: Pick<OipRequest, "id" | "outputs">,
    facts: OipFacts,
  ): Promise<Encoded>;
}

/**
 * Does everything where it is called: for small bodies, and where there are no threads.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { inlineCodec } from "latentd";
 *
 * const rates = { shape: [1, 1, 2], data: Float32Array.of(0.5, 1) };
 * const { body, headers } = await inlineCodec.encodeArrays(
 *   new Map([["rates", rates]]),
 *   { samples: 0 },
 *   "raw",
 * );
 * assert.equal(headers["x-tensor-shape"], "1,1,2");
 * assert.deepEqual(new Float32Array(body.buffer), rates.data);
 * ```
 */
export const inlineCodec: ArrayCodec = {
  answers: INLINE_ANSWERS,
  // async, so that what is wrong rejects
  // deno-lint-ignore require-await
  decodeInfer: async (body, head, model, limits) => decodeInfer(body, head, model, limits),
  // deno-lint-ignore require-await
  encodeArrays: async (arrays, facts, format) => {
    if (format !== "hdf5") return encodeArrays(arrays, facts, format);
    throw new NotAcceptableError(
      "Cannot answer as HDF5: expected a server, which has a library for it, found a place without.",
    );
  },
  // deno-lint-ignore require-await
  decodeOip: async (body, head, model) => decodeOip(body, head, model),
  // deno-lint-ignore require-await
  encodeOip: async (arrays, wanted, facts) => encodeOip(arrays, wanted, facts),
};
