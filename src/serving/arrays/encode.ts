/** Answers as bytes, in the format that the caller likes best of those that can hold them. */
import { npyArray, writeNpy } from "../../data/npy.ts";
import { tensor, writeSafetensors } from "../../data/safetensors.ts";
import type { NamedArray } from "../service.ts";
import { MOST_JSON_NUMBERS, nestedJson } from "../../data/nested_json.ts";
import { dtypeOf } from "./dtypes.ts";
import { NotAcceptableError } from "./errors.ts";
import { negotiate } from "./media.ts";
import { storedZip } from "./stored_zip.ts";
import {
  ANSWER_TYPES,
  type AnswerFormat,
  type ArrayFormat,
  MEDIA_TYPES,
  SINGLE,
  TENSOR_HEADERS,
} from "./types.ts";

/** Bytes, and what has to be said about them. */
export interface Encoded {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** What an answer says beside its arrays. */
export type Facts = Readonly<Record<string, string | number | null>>;

/** Formats that are written where there is no other thread and no library. */
export const INLINE_ANSWERS = Object.keys(MEDIA_TYPES) as readonly ArrayFormat[];

/**
 * The format of an answer: what `Accept` likes best, of equals the request's own, then .npz.
 *
 * @param answers formats that can be written: see `ArrayCodec`
 * @throws {NotAcceptableError} where nothing that may be sent can hold `count` arrays
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { answerFormat } from "latentd";
 *
 * assert.equal(answerFormat(null, "json", 8), "json");
 * assert.equal(answerFormat("application/json;q=0.5, application/x-npz", "json", 8), "npz");
 * assert.throws(() => answerFormat("application/octet-stream", "json", 8)); // it holds one array
 * ```
 */
export function answerFormat(
  accept: string | null,
  body: ArrayFormat,
  count: number,
  answers: readonly AnswerFormat[] = INLINE_ANSWERS,
): AnswerFormat {
  const single: readonly AnswerFormat[] = SINGLE;
  const formats = [body, ...answers].filter((format) => count === 1 || !single.includes(format));
  const type = negotiate(accept, formats.map((format) => ANSWER_TYPES[format]));
  const format = formats.find((name) => ANSWER_TYPES[name] === type);
  if (format) return format;
  const offered = [...new Set(formats.map((name) => ANSWER_TYPES[name]))].join(", ");
  throw new NotAcceptableError(
    `Cannot answer: expected Accept to allow one of ${offered}${
      count === 1
        ? ""
        : ` (${SINGLE.map((name) => MEDIA_TYPES[name]).join(" and ")} hold one array)`
    }, found ${JSON.stringify(accept?.slice(0, 200))}.`,
  );
}

/** Encodes an answer's arrays, in their order. */
export function encodeArrays(
  arrays: ReadonlyMap<string, NamedArray>,
  facts: Facts,
  format: ArrayFormat,
): Encoded {
  const headers = { "content-type": MEDIA_TYPES[format] };
  switch (format) {
    case "npz": {
      const files = [...arrays].map(([name, { shape, data }]) =>
        [`${name}.npy`, writeNpy(npyArray(shape, data))] as const
      );
      return { body: storedZip(new Map(files)), headers };
    }
    case "safetensors": {
      const tensors = Object.fromEntries(
        [...arrays].map(([name, { shape, data }]) => [name, tensor(shape, data)]),
      );
      const metadata = Object.fromEntries(
        Object.entries(facts).map(([name, value]) => [name, String(value)]),
      );
      return { body: owned(writeSafetensors(tensors, metadata)), headers };
    }
    case "npy":
    case "raw": {
      const [[name, { shape, data }]] = arrays;
      const tensorHeaders = {
        [TENSOR_HEADERS.name]: name,
        [TENSOR_HEADERS.shape]: shape.join(","),
        [TENSOR_HEADERS.dtype]: dtypeOf(data),
      };
      return format === "npy"
        ? { body: owned(writeNpy(npyArray(shape, data))), headers }
        : { body: littleEndian(data), headers: { ...headers, ...tensorHeaders } };
    }
    case "json":
      return { body: new TextEncoder().encode(json(arrays, facts)), headers };
  }
}

/** A response's body may not stand in shared memory. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? bytes as Uint8Array<ArrayBuffer>
    : new Uint8Array(bytes);
}

/** An array's bytes, each element with its lowest byte first. */
export function littleEndian(data: Float32Array | Float64Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 0) {
    const size = data.BYTES_PER_ELEMENT;
    for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  }
  return bytes;
}

/** JSON knows no infinity and no NaN; it would write null. */
export function requireFinite(
  name: string,
  data: Float32Array | Float64Array,
  instead: string,
): void {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new NotAcceptableError(
    `Cannot answer as JSON: expected finite numbers, found ${data[bad]} in ${name}; ${instead}.`,
  );
}

/** @throws {NotAcceptableError} where arrays are too large to be written as text */
export function requireText(
  arrays: Iterable<{ readonly data: { readonly length: number } }>,
  instead: string,
): void {
  let numbers = 0;
  for (const { data } of arrays) numbers += data.length;
  if (numbers <= MOST_JSON_NUMBERS) return;
  throw new NotAcceptableError(
    `Cannot answer as JSON: expected at most ${MOST_JSON_NUMBERS} numbers, found ${numbers}; ${instead}.`,
  );
}

function json(arrays: ReadonlyMap<string, NamedArray>, facts: Facts): string {
  requireText(arrays.values(), `${MEDIA_TYPES.npz} and ${MEDIA_TYPES.safetensors} can hold it`);
  const parts = [...arrays].map(([name, { shape, data }]) => {
    requireFinite(name, data, `${MEDIA_TYPES.npz} and ${MEDIA_TYPES.safetensors} can hold it`);
    return `${JSON.stringify(name)}:${nestedJson(shape, data)}`;
  });
  return `{${JSON.stringify(facts).slice(1, -1)},"arrays":{${parts.join(",")}}}`;
}
