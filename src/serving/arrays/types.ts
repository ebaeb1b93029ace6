/** The formats in which arrays travel. */
import type { MediaType } from "./media.ts";

/**
 * Their names in `Content-Type` and `Accept`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MEDIA_TYPES } from "latentd";
 *
 * assert.equal(MEDIA_TYPES.npz, "application/x-npz");
 * ```
 */
export const MEDIA_TYPES = {
  npz: "application/x-npz",
  safetensors: "application/x-safetensors",
  json: "application/json",
  npy: "application/x-npy",
  /** one tensor, little-endian, C order; name, shape and dtype in headers */
  raw: "application/octet-stream",
} as const;

export type ArrayFormat = keyof typeof MEDIA_TYPES;

/**
 * Names of the formats that answers may have: those of bodies, and HDF5, which takes a library that
 * only a server has.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ANSWER_TYPES } from "latentd";
 *
 * assert.equal(ANSWER_TYPES.hdf5, "application/x-hdf5");
 * ```
 */
export const ANSWER_TYPES = { ...MEDIA_TYPES, hdf5: "application/x-hdf5" } as const;

export type AnswerFormat = keyof typeof ANSWER_TYPES;

/**
 * Headers of a raw tensor: its name, its shape (`8,50,100`) and its dtype as NumPy names it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { TENSOR_HEADERS } from "latentd";
 *
 * const headers = { [TENSOR_HEADERS.shape]: "8,50,100", [TENSOR_HEADERS.dtype]: "uint8" };
 * assert.equal(headers["x-tensor-shape"], "8,50,100");
 * ```
 */
export const TENSOR_HEADERS = {
  name: "x-tensor-name",
  shape: "x-tensor-shape",
  dtype: "x-tensor-dtype",
} as const;

/** Formats that hold one array only. */
export const SINGLE: readonly ArrayFormat[] = ["npy", "raw"];

/** The format of a content type; `application/zip` is read as .npz. Null for others. */
export function formatOf({ type, parameters }: MediaType): ArrayFormat | null {
  if (type === "application/zip") return "npz";
  const formats = Object.keys(MEDIA_TYPES) as ArrayFormat[];
  const format = formats.find((name) => MEDIA_TYPES[name] === type) ?? null;
  const charset = parameters.get("charset")?.toLowerCase() ?? "utf-8";
  return format === "json" && charset !== "utf-8" && charset !== "utf8" ? null : format;
}
