/**
 * Spikes from a request's body, in any of the formats. Everything that a body declares is checked
 * before memory is reserved for it; whatever is wrong is an `InputError`.
 */
import { decodeElements, ELEMENT_BYTES, type NumericArray } from "../../data/elements.ts";
import { NPY_HEADER_PREFIX, type NpyArray, parseNpy, parseNpyHeader } from "../../data/npy.ts";
import { openNpz } from "../../data/npz.ts";
import { readSafetensors } from "../../data/safetensors.ts";
import { InputError } from "../../errors.ts";
import { type InferRequest, requireShape, type Takes } from "../service.ts";
import { DTYPES, elementOfDtype } from "./dtypes.ts";
import { TooLargeError, UnsupportedTypeError } from "./errors.ts";
import { parseMediaType } from "./media.ts";
import {
  checkOptions,
  type GivenOptions,
  OPTION_NAMES,
  type OptionName,
  queryOptions,
} from "./options.ts";
import { kindOf } from "./show.ts";
import { type Beside, valuesOf } from "./values.ts";
import { type ArrayFormat, formatOf, MEDIA_TYPES, TENSOR_HEADERS } from "./types.ts";

/** What comes with a body; all of it can be sent to another thread. */
export interface BodyHead {
  readonly contentType: string | null;
  /** after the `?`, without it */
  readonly query: string;
  /** of a raw tensor: see `TENSOR_HEADERS` */
  readonly name: string | null;
  readonly shape: string | null;
  readonly dtype: string | null;
}

/** How much a body may ask for. */
export interface DecodeLimits {
  /** unpacked, in bytes */
  readonly maxUnpackedBytes: number;
}

const ACTION = "Cannot infer";
const NAME = "spikes";
/** Beside the spikes: what a model reads too. */
const BESIDE = ["missing", "trial_lengths", "external"] as const;

/**
 * The format of a body.
 *
 * @throws {UnsupportedTypeError} where its type is not one that is read
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bodyFormat } from "latentd";
 *
 * assert.equal(bodyFormat({ contentType: "application/json; charset=utf-8" }), "json");
 * assert.throws(() => bodyFormat({ contentType: "text/plain" }));
 * ```
 */
export function bodyFormat({ contentType }: Pick<BodyHead, "contentType">): ArrayFormat {
  const media = contentType === null ? null : parseMediaType(contentType);
  const format = media && formatOf(media);
  if (format) return format;
  throw new UnsupportedTypeError(
    `${ACTION}: expected a Content-Type of ${Object.values(MEDIA_TYPES).join(", ")}, found ` +
      `${contentType === null ? "none" : JSON.stringify(contentType.slice(0, 200))}.`,
  );
}

/**
 * The request that a body makes.
 *
 * @throws {InputError} naming the field, what was wanted and what was found
 */
export function decodeInfer(
  body: Uint8Array,
  head: BodyHead,
  model: Takes,
  limits: DecodeLimits,
): InferRequest {
  const format = bodyFormat(head);
  const query = queryOptions(new URLSearchParams(head.query));
  const { spikes, given, beside = {} } = decode(body, head, format, model, limits);
  for (const name of OPTION_NAMES) {
    if (query[name] === undefined || given[name] === undefined) continue;
    throw new InputError(
      `${ACTION}: expected ${name} in the query or in the body, found it in both.`,
    );
  }
  const options = checkOptions({ ...given, ...query });
  return { ...valuesOf(spikes, beside), ...options };
}

export interface Shaped {
  readonly shape: readonly number[];
  readonly data: NumericArray;
}

interface Decoded {
  readonly spikes: Shaped;
  readonly given: GivenOptions;
  readonly beside?: Beside;
}

function decode(
  body: Uint8Array,
  head: BodyHead,
  format: ArrayFormat,
  model: Takes,
  limits: DecodeLimits,
): Decoded {
  if (format !== "raw") refuseTensorHeaders(head, format);
  switch (format) {
    case "npz":
      return decodeNpz(body, model, limits);
    case "npy": {
      const what = "the .npy body";
      requireShape(parseNpyHeader(body.subarray(0, NPY_HEADER_PREFIX), what).shape, model);
      return { spikes: parseNpy(body, what), given: {} };
    }
    case "safetensors":
      return decodeSafetensors(body, model);
    case "raw":
      return { spikes: decodeRaw(body, head, model), given: {} };
    case "json":
      return decodeJson(body, model);
  }
}

function refuseTensorHeaders(head: BodyHead, format: ArrayFormat): void {
  for (const field of ["name", "shape", "dtype"] as const) {
    if (head[field] === null) continue;
    throw new InputError(
      `${ACTION}: expected ${TENSOR_HEADERS[field]} only with ${MEDIA_TYPES.raw}, found it with ` +
        `${MEDIA_TYPES[format]}, which says for itself.`,
    );
  }
}

function decodeNpz(
  body: Uint8Array,
  model: Takes,
  { maxUnpackedBytes }: DecodeLimits,
): Decoded {
  const archive = openNpz(body, { what: "the .npz body", limits: { maxUnpackedBytes } });
  // what else a dataset's archive holds is not needed here
  if (!archive.names.includes(NAME)) {
    throw new InputError(
      `${ACTION}: expected arrays "${NAME}" and, where known, "bin_width_s" and ${
        BESIDE.map((name) => `"${name}"`).join(", ")
      }; found ${
        archive.names.length === 0
          ? "none"
          : archive.names.slice(0, 10).map((name) => JSON.stringify(name.slice(0, 80))).join(", ")
      }.`,
    );
  }
  // counts to reconstruct are those that are encoded, and more
  const name = archive.names.includes("recon") ? "recon" : NAME;
  requireShape(archive.header(name).shape, model);
  const given = archive.names.includes("bin_width_s")
    ? {
      bin_width_s: scalar(archive.header("bin_width_s").shape, () => archive.read("bin_width_s")),
    }
    : {};
  const beside = BESIDE.filter((name) => archive.names.includes(name))
    .map((name) => [name, archive.read(name)]);
  return { spikes: archive.read(name), given, beside: Object.fromEntries(beside) };
}

function decodeSafetensors(body: Uint8Array, model: Takes): Decoded {
  const { tensors } = readSafetensors(body, "the safetensors body");
  const { [NAME]: spikes, bin_width_s: width, ...beside } = tensors;
  const unknown = Object.keys(beside).find((name) => !(BESIDE as readonly string[]).includes(name));
  if (unknown !== undefined || spikes === undefined) {
    throw new InputError(
      `${ACTION}: expected tensors "${NAME}" and, where known, "bin_width_s" and ${
        BESIDE.map((name) => `"${name}"`).join(", ")
      }; found ${unknown === undefined ? `no "${NAME}"` : JSON.stringify(unknown.slice(0, 80))}.`,
    );
  }
  requireShape(spikes.shape, model);
  return {
    spikes,
    beside,
    given: width === undefined ? {} : { bin_width_s: scalar(width.shape, () => width) },
  };
}

/** One number of shape [] or [1]. */
function scalar(shape: readonly number[], read: () => Pick<NpyArray, "data">): number {
  if (shape.length <= 1 && shape.every((n) => n === 1)) return read().data[0];
  throw new InputError(
    `${ACTION}: expected bin_width_s to be one number, found shape [${
      shape.slice(0, 8).join(", ")
    }].`,
  );
}

function decodeRaw(body: Uint8Array, head: BodyHead, model: Takes): Shaped {
  const fail = (field: "name" | "shape" | "dtype", wanted: string): never => {
    const found = head[field] === null ? "none" : JSON.stringify(head[field].slice(0, 200));
    throw new InputError(
      `${ACTION}: expected ${TENSOR_HEADERS[field]} to be ${wanted}, found ${found}.`,
    );
  };
  if ((head.name ?? NAME) !== NAME) fail("name", `"${NAME}"`);
  if (head.shape === null || !/^[0-9]{1,15}( *, *[0-9]{1,15})*$/.test(head.shape.trim())) {
    fail("shape", "lengths with commas between, such as 8,50,100");
  }
  const shape = head.shape!.split(",").map(Number);
  requireShape(shape, model);
  const element = elementOfDtype(head.dtype ?? "") ?? fail("dtype", `one of ${DTYPES.join(", ")}`);
  const bytes = shape.reduce((product, n) => product * n, ELEMENT_BYTES[element]);
  if (bytes !== body.length) {
    throw new InputError(
      `${ACTION}: expected ${bytes} bytes for ${NAME} of shape [${shape.join(", ")}] and ` +
        `${head.dtype}, found ${body.length}.`,
    );
  }
  const data = decodeElements(body, element, { bigEndian: false, action: ACTION });
  return { shape, data };
}

function decodeJson(body: Uint8Array, model: Takes): Decoded {
  const value = parseJson(body, ACTION);
  if (!isRecord(value)) {
    throw new InputError(`${ACTION}: expected a JSON object, found ${kindOf(value)}.`);
  }
  const { [NAME]: spikes, external, ...given } = value;
  for (const name of Object.keys(given)) {
    if ((OPTION_NAMES as readonly string[]).includes(name)) continue;
    throw new InputError(
      `${ACTION}: expected the fields ${[NAME, "external", ...OPTION_NAMES].join(", ")}, found ${
        JSON.stringify(name.slice(0, 80))
      }.`,
    );
  }
  return {
    spikes: isRecord(spikes) ? flatSpikes(spikes, model) : nestedSpikes(spikes, model),
    given: given as { [K in OptionName]?: unknown },
    ...(external === undefined ? {} : { beside: { external: jsonArray(external, "external") } }),
  };
}

/** @throws {InputError} for what is not JSON in UTF-8 */
export function parseJson(body: Uint8Array, action: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new InputError(`${action}: expected JSON in UTF-8, found other bytes.`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(
      `${action}: expected JSON, found ${text.trim() === "" ? "nothing" : "something else"} (${
        error instanceof Error ? error.message.slice(0, 200) : error
      }).`,
    );
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `{"shape": [trials, bins, neurons], "data": [numbers]}` */
function flatSpikes(value: Record<string, unknown>, model: Takes): Shaped {
  const { shape, read } = flatArray(value, NAME);
  requireShape(shape, model);
  return { shape, data: read() };
}

/** What is declared, and the numbers, for which memory is reserved when they are read. */
function flatArray(
  value: Record<string, unknown>,
  name: string,
): { shape: number[]; read: () => Float64Array } {
  const { shape, data, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new InputError(
      `${ACTION}: expected ${name} to have shape and data, found ${
        JSON.stringify(unknown.slice(0, 80))
      }.`,
    );
  }
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new InputError(
      `${ACTION}: expected ${name}.shape to be lengths, found ${kindOf(shape)}.`,
    );
  }
  const read = () => {
    const count = shape.reduce((product, n) => product * n, 1);
    if (!Array.isArray(data) || data.length !== count) {
      throw new InputError(
        `${ACTION}: expected ${name}.data to be an array of ${count} numbers for shape [${
          shape.join(", ")
        }], found ${kindOf(data)}.`,
      );
    }
    const flat = new Float64Array(count);
    for (let i = 0; i < count; i++) flat[i] = numberAt(data[i], [i], name);
    return flat;
  };
  return { shape, read };
}

/** `[[[…neurons], …bins], …trials]` */
function nestedSpikes(value: unknown, model: Takes): Shaped {
  const { shape, read } = nestedArray(value, NAME);
  requireShape(shape, model);
  return { shape, data: read() };
}

/** What is declared by the first row of each axis, and the numbers, read and checked when asked for. */
export function nestedArray(
  value: unknown,
  name: string,
): { shape: number[]; read: () => Float64Array } {
  const list = (value: unknown, at: number[], wanted: string, length?: number): unknown[] => {
    if (Array.isArray(value) && (length === undefined || value.length === length)) return value;
    throw new InputError(
      `${ACTION}: expected ${name}${at.map((i) => `[${i}]`).join("")} to be an array of ${
        length === undefined ? "" : `${length} `
      }${wanted}, found ${kindOf(value)}.`,
    );
  };
  const trials = list(value, [], "trials");
  const bins = trials.length === 0 ? [] : list(trials[0], [0], "bins");
  const T = bins.length, N = T === 0 ? 0 : list(bins[0], [0, 0], "numbers").length;
  // rows are looked at before memory is reserved for all of them
  const read = () => {
    trials.forEach((trial, b) =>
      list(trial, [b], "bins", T).forEach((bin, t) => list(bin, [b, t], "numbers", N))
    );
    const flat = new Float64Array(trials.length * T * N);
    let at = 0;
    (trials as unknown[][][]).forEach((trial, b) =>
      trial.forEach((bin, t) =>
        bin.forEach((count, n) => flat[at++] = numberAt(count, [b, t, n], name))
      )
    );
    return flat;
  };
  return { shape: [trials.length, T, N], read };
}

function jsonArray(value: unknown, name: string): Shaped {
  const { shape, read } = isRecord(value) ? flatArray(value, name) : nestedArray(value, name);
  return { shape, data: read() };
}

/** A number; null is one that was not observed. */
export function numberAt(value: unknown, at: number[], name = NAME): number {
  if (typeof value === "number") return value;
  if (value === null) return NaN;
  throw new InputError(
    `${ACTION}: expected ${name}${at.map((i) => `[${i}]`).join("")} to be a number, found ${
      kindOf(value)
    }.`,
  );
}

/**
 * @throws {TooLargeError} where a body is, or says it is, larger than may be
 */
export function requireLength(bytes: number, most: number, declared = false): void {
  if (bytes <= most) return;
  throw new TooLargeError(
    `${ACTION}: expected a body of at most ${most} bytes, found ${
      declared ? `${bytes} declared` : "more"
    }.`,
  );
}
