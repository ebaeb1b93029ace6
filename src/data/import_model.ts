/** Models of other programs, from files of their arrays. */
import { InputError } from "../errors.ts";
import { architecture } from "../model/hyperparameters.ts";
import type { Model } from "../model/model.ts";
import { fromJaxLfads, type JaxLfadsOptions } from "../model/foreign/jax_lfads.ts";
import { fromLfadsTorch, type LfadsTorchOptions } from "../model/foreign/lfads_torch.ts";
import type { Source } from "../model/foreign/options.ts";
import type { ForeignTensor } from "../model/foreign/tensors.ts";
import { openNpz } from "./npz.ts";
import { readSafetensors } from "./safetensors.ts";
import { readZipDirectory, type ZipLimits } from "./zip.ts";

/** What the arrays do not tell; which of it counts depends on the program. */
export interface ImportOptions extends Partial<LfadsTorchOptions>, Partial<JaxLfadsOptions> {
  /** default: as the names of the arrays tell */
  readonly from?: Source;
  /** seconds; null where not known */
  readonly binWidth?: number | null;
  /** most parameters of the model; default 2^27 */
  readonly maxParameters?: number;
  readonly limits?: Partial<ZipLimits>;
}

/** A model, and what is not the same as it was there. */
export interface ImportedModel {
  readonly model: Model;
  readonly source: Source;
  /** sentences */
  readonly warnings: readonly string[];
}

const BRACE = "{".charCodeAt(0);

/** What a state dictionary or a parameter dictionary may be wrapped in. */
const WRAPPERS = ["state_dict", "model", "module", "params", "lfads_params"];

/**
 * A model from the file of another program: a state dictionary of lfads-torch saved as safetensors or
 * .npz, or a parameter dictionary of jax-lfads as .npz, safetensors or JSON, flat (`gen.wA`, `gen/wA`) or
 * nested. What cannot be the same here is refused, or said in `warnings`.
 *
 * @param what names the file in messages
 * @throws {InputError} naming what is missing, unknown or not to be had here
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   importModel,
 *   initialise,
 *   npyArray,
 *   parseHyperparameters,
 *   toReference,
 *   writeNpz,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const params_P = initialise(shape, hyperparameters, 0, Float64Array.of(1, 2, 1));
 * // as jax-lfads names them
 * const arrays = [...toReference(params_P, shape)]
 *   .map(([name, { shape, values }]) => [name, npyArray(shape, values)] as const);
 * const { model, source } = importModel(writeNpz(Object.fromEntries(arrays)), "a file", { bins: 5 });
 * assert.equal(source, "jax-lfads");
 * assert.deepEqual(model.params_P, params_P);
 * ```
 */
export function importModel(
  bytes: Uint8Array,
  what: string,
  options: ImportOptions = {},
): ImportedModel {
  const action = `Cannot import ${what}`;
  const tensors = unwrapped(tensorsOf(bytes, what, action, options));
  const source = options.from ?? sourceOf(tensors.keys(), action);
  const { bins } = options;
  if (bins === undefined) {
    throw new InputError(
      `${action}: expected the bins of a trial (--bins), which no array tells, found none.`,
    );
  }
  const foreign = source === "lfads-torch"
    ? fromLfadsTorch(tensors, { ...options, bins }, action)
    : fromJaxLfads(tensors, { ...options, bins }, action);
  const { hyperparameters, T, N, params_P, heldOut, warnings } = foreign;
  const model: Model = {
    architecture: architecture(hyperparameters, T, N),
    hyperparameters,
    params_P,
    binWidth: options.binWidth ?? null,
    seed: 0,
    step: 0,
    ...(heldOut.length > 0 ? { heldOut } : {}),
  };
  return { model, source, warnings };
}

function sourceOf(names: Iterable<string>, action: string): Source {
  const found = [...names];
  if (found.some((name) => name.startsWith("encoder.ic_enc"))) return "lfads-torch";
  if (found.some((name) => name.startsWith("ic_enc.fwd_rnn"))) return "jax-lfads";
  const some = found.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 80)));
  throw new InputError(
    `${action}: expected arrays of lfads-torch ("encoder.ic_enc_h0" …) or jax-lfads ` +
      `("ic_enc.fwd_rnn.wRUHX" …), found ${some.join(", ") || "none"}${
        found.length > 12 ? ", …" : ""
      }.`,
  );
}

/** Names with points between, without what all of them begin with. */
function unwrapped(tensors: ReadonlyMap<string, ForeignTensor>): Map<string, ForeignTensor> {
  let named = new Map([...tensors].map(([name, tensor]) => [name.replaceAll("/", "."), tensor]));
  for (;;) {
    const prefix = WRAPPERS.map((word) => `${word}.`).find((word) =>
      named.size > 0 && [...named.keys()].every((name) => name.startsWith(word))
    );
    if (prefix === undefined) return named;
    named = new Map([...named].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  }
}

function tensorsOf(
  bytes: Uint8Array,
  what: string,
  action: string,
  { limits }: ImportOptions,
): ReadonlyMap<string, ForeignTensor> {
  // the length of a safetensors file's header may begin like anything
  const safetensors = bytes[7] === 0 && bytes[8] === BRACE;
  if (!safetensors) {
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) return zipped(bytes, what, action, limits);
    if (bytes[0] === 0x80) throw pickled(action);
    if (bytes[0] === BRACE) return fromJson(bytes, action);
  }
  const { tensors, metadata } = readSafetensors(bytes, what);
  if (metadata.format?.startsWith("latentd ")) {
    throw new InputError(
      `${action}: expected a model of another program, found one of latentd, which is used as it is.`,
    );
  }
  return new Map(Object.entries(tensors));
}

function pickled(action: string): InputError {
  return new InputError(
    `${action}: expected arrays as .npz or safetensors, found a pickle, which only Python can read. In ` +
      `Python: safetensors.torch.save_file(torch.load(FILE, map_location="cpu", ` +
      `weights_only=False)["state_dict"], "model.safetensors").`,
  );
}

function zipped(
  bytes: Uint8Array,
  what: string,
  action: string,
  limits?: Partial<ZipLimits>,
): ReadonlyMap<string, ForeignTensor> {
  // torch.save's files are archives, too
  if (readZipDirectory(bytes, what, limits).some(({ name }) => /(^|\/)data\.pkl$/.test(name))) {
    throw pickled(action);
  }
  const archive = openNpz(bytes, { what, limits });
  return new Map(archive.names.map((name) => [name, archive.read(name)]));
}

/** Most levels of dictionaries and lists. */
const MOST_DEPTH = 16;

function fromJson(bytes: Uint8Array, action: string): Map<string, ForeignTensor> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new InputError(`${action}: expected JSON in UTF-8, found something else.`);
  }
  const tensors = new Map<string, ForeignTensor>();
  const visit = (inner: unknown, path: string, depth: number) => {
    if (depth > MOST_DEPTH) {
      throw new InputError(`${action}: expected at most ${MOST_DEPTH} levels, found more.`);
    }
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
      for (const [name, below] of Object.entries(inner)) {
        visit(below, path === "" ? name : `${path}.${name}`, depth + 1);
      }
    } else tensors.set(path, nestedTensor(inner, path, action));
  };
  visit(value, "", 0);
  return tensors;
}

/** Lists of lists of numbers, each as long as its neighbours. */
function nestedTensor(value: unknown, path: string, action: string): ForeignTensor {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at) && shape.length <= MOST_DEPTH; at = at[0]) {
    shape.push(at.length);
  }
  const data: number[] = [];
  const visit = (inner: unknown, axis: number) => {
    if (axis === shape.length && typeof inner === "number") data.push(inner);
    else if (axis < shape.length && Array.isArray(inner) && inner.length === shape[axis]) {
      for (const below of inner) visit(below, axis + 1);
    } else {
      throw new InputError(
        `${action}: expected ${
          JSON.stringify(path.slice(0, 80))
        } to be lists of numbers of one shape, ` +
          `found ${Array.isArray(inner) ? `a list of ${inner.length}` : typeof inner} in [${
            shape.slice(0, 8).join(", ")
          }].`,
      );
    }
  };
  visit(value, 0);
  return { shape, data: Float64Array.from(data) };
}
