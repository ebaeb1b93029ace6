/**
 * The HDF5 library as WebAssembly, behind a narrow door: every failure in it is an InputError, and how
 * much a file may make it allocate is bounded before it does.
 */
import type { H5wasmModule } from "./h5wasm.ts";
import { InputError } from "../../../errors.ts";
import { decodeElements, type Element, ELEMENT_BYTES, type NumericArray } from "../../elements.ts";
import type { NpyArray, NpyText } from "../../npy.ts";
import { DEFAULT_ZIP_LIMITS, type ZipLimits } from "../../zip.ts";
import { quote } from "../source.ts";

/** Where a file is: in memory, or on the disk, where only what is needed is read. */
export type Hdf5Input = { readonly bytes: Uint8Array } | { readonly path: string };

/** What an object of a file is. */
export type NodeKind = "group" | "dataset" | "other";

/** A dataset's type and shape, not read yet. */
export interface Hdf5Entry {
  /** From the file's root, without a slash in front. */
  readonly path: string;
  readonly shape: readonly number[];
  /** As NumPy writes it, or words. */
  readonly dtype: string;
  readonly kind: "numbers" | "text" | "references" | "other";
}

type Metadata = ReturnType<H5wasmModule["get_dataset_metadata"]>;

/** Classes of HDF5's types, as H5Tpublic.h numbers them. */
const INTEGER = 0, FLOAT = 1, STRING = 3, COMPOUND = 6, REFERENCE = 7, ENUM = 8;
const GROUP = 0, DATASET = 1;

/** Bytes read at once, so that the library's memory stays small. */
const SLAB_BYTES = 32 * 2 ** 20;

/** Objects of one file; real ones have hundreds. */
const MAX_OBJECTS = 100_000;

/** An open file. Close it. */
export class Hdf5File {
  readonly #module: H5wasmModule;
  readonly #id: bigint;
  readonly #fileBytes: number;
  readonly #limits: ZipLimits;
  readonly #close: () => void;
  #read = 0;
  readonly action: string;

  private constructor(
    module: H5wasmModule,
    id: bigint,
    fileBytes: number,
    limits: ZipLimits,
    action: string,
    close: () => void,
  ) {
    this.#module = module;
    this.#id = id;
    this.#fileBytes = fileBytes;
    this.#limits = limits;
    this.#close = close;
    this.action = action;
  }

  /**
   * Opens a file to read.
   *
   * @param what names the file in messages, in quotes
   * @throws InputError where it is no complete HDF5 file
   */
  static open(
    module: H5wasmModule,
    input: Hdf5Input,
    what: string,
    limits: Partial<ZipLimits> = {},
  ): Hdf5File {
    const action = `Cannot read ${what}`;
    const place = mount(module, input);
    try {
      const id = guard(
        action,
        "a complete HDF5 file",
        () => module.open(place.name, module.H5F_ACC_RDONLY, false, -1, -1),
      );
      return new Hdf5File(
        module,
        id,
        place.bytes,
        { ...DEFAULT_ZIP_LIMITS, ...limits },
        action,
        () => {
          try {
            module.close_file(id);
          } finally {
            place.unmount();
          }
        },
      );
    } catch (error) {
      place.unmount();
      throw error;
    }
  }

  /** Never fails: after a failure in the library nothing of it can be relied on, nor is needed. */
  close(): void {
    try {
      this.#close();
    } catch {
      // what it kept goes with the library's memory
    }
  }

  #try<R>(wanted: string, run: () => R): R {
    return guard(this.action, wanted, run);
  }

  /** Paths of everything below a group, in the library's order; what is reached twice stands once. */
  paths(group = "/"): string[] {
    const paths = this.#try(
      "a tree of groups",
      () => this.#module.get_names(this.#id, group, true),
    );
    if (paths.length > MAX_OBJECTS) {
      throw new InputError(
        `${this.action}: expected at most ${MAX_OBJECTS} objects, found ${paths.length}.`,
      );
    }
    return paths;
  }

  /** What stands at a path; null for nothing. Soft links are followed, other files are not opened. */
  nodeKind(path: string): NodeKind | null {
    const type = this.#try(
      `an object ${quote(path)}`,
      () => this.#module.get_type(this.#id, `/${path}`),
    );
    if (type < 0) return null;
    return type === DATASET ? "dataset" : type === GROUP ? "group" : "other";
  }

  entry(path: string): Hdf5Entry {
    const metadata = this.#metadata(path);
    const { kind, dtype } = typeOf(metadata);
    if (metadata.shape === null) return { path, shape: [0], dtype: "empty", kind: "other" };
    return { path, shape: metadata.shape, kind, dtype };
  }

  #metadata(path: string): Metadata {
    return this.#try(
      `a dataset ${quote(path)}`,
      () => this.#module.get_dataset_metadata(this.#id, `/${path}`),
    );
  }

  /** Names of an object's attributes; of the file's with the path "". */
  attributes(path: string): string[] {
    return this.#try(
      `attributes of ${quote(path)}`,
      () => this.#module.get_attribute_names(this.#id, `/${path}`),
    );
  }

  /** The first number of an attribute; null where there is none or it is no number. */
  numberAttribute(path: string, name: string): number | null {
    const value = this.#attribute(path, name, ["numbers"]);
    return value && typeof value[0] === "number" ? value[0] : null;
  }

  /** The texts of an attribute; null where there is none or it is no text. */
  textAttribute(path: string, name: string): string[] | null {
    const value = this.#attribute(path, name, ["text"]);
    return value && value.every((text) => typeof text === "string") ? value : null;
  }

  #attribute(
    path: string,
    name: string,
    kinds: readonly Hdf5Entry["kind"][],
  ): (number | string)[] | null {
    if (!this.attributes(path).includes(name)) return null;
    const module = this.#module;
    const at = `/${path}`;
    return this.#try(`the attribute ${quote(name)} of ${quote(path)}`, () => {
      const metadata = module.get_attribute_metadata(this.#id, at, name);
      const { kind, element } = typeOf(metadata);
      const bytes = metadata.size * metadata.total_size;
      // an attribute is a few numbers or words; whatever is larger is none that is known here
      if (!kinds.includes(kind) || !metadata.shape || bytes > 2 ** 20) return null;
      return this.#withMemory(bytes, (pointer) => {
        module.get_attribute_data(this.#id, at, name, BigInt(pointer));
        const raw = module.HEAPU8.slice(pointer, pointer + bytes);
        if (kind === "numbers" && element) {
          return [...decodeElements(raw, element, { bigEndian: false, action: this.action })];
        }
        const texts = texture(module, raw, metadata);
        if (metadata.vlen) module.reclaim_vlen_memory(this.#id, at, name, BigInt(pointer));
        return texts;
      });
    });
  }

  #withMemory<R>(bytes: number, use: (pointer: number) => R): R {
    // a pointer of 0 is what the library takes for no memory, and it wants some for nothing
    const pointer = this.#module._malloc(Math.max(8, bytes));
    if (pointer === 0) throw new Error(`no memory for ${bytes} bytes`);
    try {
      return use(pointer);
    } finally {
      this.#module._free(pointer);
    }
  }

  /** Numbers. Their shape is the file's. */
  read(path: string): NpyArray {
    const metadata = this.#metadata(path);
    const { kind, dtype, element } = typeOf(metadata);
    const shape = metadata.shape;
    if (kind !== "numbers" || element === null || shape === null) {
      throw new InputError(
        `${this.action}: expected numbers in ${quote(path)}, found ${
          shape === null ? "nothing" : dtype
        }.`,
      );
    }
    const count = this.#allow(path, shape, metadata.size);
    const decode = (raw: Uint8Array) =>
      decodeElements(raw, element, { bigEndian: false, action: `${this.action}: ${quote(path)}` });
    const data = sameKind(decode(new Uint8Array(0)), count);
    let at = 0;
    this.#slabs(path, metadata, (raw) => {
      const piece = decode(raw);
      data.set(piece, at);
      at += piece.length;
    });
    return { shape: [...shape], dtype, data };
  }

  /** Strings, of any kind that HDF5 has. */
  readText(path: string): NpyText {
    const metadata = this.#metadata(path);
    const { kind, dtype } = typeOf(metadata);
    const { shape } = metadata;
    if (kind !== "text" || shape === null) {
      throw new InputError(`${this.action}: expected text in ${quote(path)}, found ${dtype}.`);
    }
    this.#allow(path, shape, metadata.size);
    const data: string[] = [];
    this.#slabs(path, metadata, (raw) => {
      for (const text of texture(this.#module, raw, metadata)) data.push(text);
    });
    return { shape: [...shape], dtype, data };
  }

  /** Paths of the objects that references point to. */
  readReferences(path: string): string[] {
    const metadata = this.#metadata(path);
    const { kind, dtype } = typeOf(metadata);
    if (kind !== "references" || metadata.shape === null) {
      throw new InputError(
        `${this.action}: expected references in ${quote(path)}, found ${dtype}.`,
      );
    }
    this.#allow(path, metadata.shape, metadata.size);
    const paths: string[] = [];
    this.#slabs(path, metadata, (raw) => {
      for (let at = 0; at < raw.length; at += metadata.size) {
        const reference = raw.slice(at, at + metadata.size);
        const name = this.#try(
          `references to objects in ${quote(path)}`,
          () => this.#module.get_referenced_name(this.#id, reference, true),
        );
        paths.push(name.replace(/^\//, ""));
      }
    });
    return paths;
  }

  /**
   * Refuses what a file may not ask for: a few bytes can declare any size, and pack a thousand to one.
   *
   * @returns the number of elements
   */
  #allow(path: string, shape: readonly number[], itemBytes: number): number {
    const count = shape.reduce((product, length) => product * length, 1);
    const bytes = count * itemBytes;
    const { maxUnpackedBytes, maxRatio, ratioFreeBytes } = this.#limits;
    this.#read += bytes;
    if (!(this.#read <= maxUnpackedBytes)) {
      throw new InputError(
        `${this.action}: expected at most ${maxUnpackedBytes} bytes of numbers, found ${
          quote(path)
        } of ` +
          `shape [${shape}] with ${bytes}.`,
      );
    }
    if (bytes > ratioFreeBytes && bytes > maxRatio * this.#fileBytes) {
      throw new InputError(
        `${this.action}: expected large datasets packed at most ${maxRatio} to 1, found ${
          quote(path)
        } of shape [${shape}] with ${bytes} bytes in a file of ${this.#fileBytes}.`,
      );
    }
    return count;
  }

  /** Reads along the first dimension, some rows at a time. */
  #slabs(path: string, metadata: Metadata, take: (raw: Uint8Array) => void): void {
    const module = this.#module;
    const shape = metadata.shape ?? [];
    const rows = shape[0] ?? 1;
    const rowBytes = metadata.size *
      shape.slice(1).reduce((product, length) => product * length, 1);
    if (rows === 0 || rowBytes === 0) return;
    // a chunk is unpacked whole, however little of it is wanted
    const chunk = Math.max(1, metadata.chunks?.[0] ?? 1);
    const most = Math.max(1, Math.floor(SLAB_BYTES / rowBytes));
    const step = shape.length === 0 ? 1 : chunk * Math.max(1, Math.floor(most / chunk));
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const bytes = count * rowBytes;
      const wanted = `readable data in ${quote(path)}`;
      const raw = this.#try(wanted, () =>
        this.#withMemory(bytes, (pointer) => {
          const [counts, offsets, strides] = shape.length === 0 ? [null, null, null] : [
            [count, ...shape.slice(1)].map(BigInt),
            shape.map((_, axis) => BigInt(axis === 0 ? from : 0)),
            shape.map(() => 1n),
          ];
          module.get_dataset_data(this.#id, `/${path}`, counts, offsets, strides, BigInt(pointer));
          const copy = module.HEAPU8.slice(pointer, pointer + bytes);
          if (!metadata.vlen) return copy;
          // strings of any length are pointers into the library's memory: take them before they go
          take(copy);
          module.reclaim_vlen_memory_count(
            this.#id,
            `/${path}`,
            "",
            BigInt(pointer),
            counts ?? [],
          );
          return null;
        }));
      if (raw !== null) take(raw);
    }
  }
}

/** Whatever goes wrong in the library means that the file cannot be used. */
function guard<R>(action: string, wanted: string, run: () => R): R {
  try {
    return run();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${action}: expected ${wanted}, found ${reasonOf(error)}.`);
  }
}

/** What the library says, in a few words: the innermost line that means something to a user. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : `failure ${error}`;
  const lines = text.split("\n").map((line) => /^\s*#\d+: .*? in \w+\(\): (.*)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);
  const telling = lines.find((line) => /truncated file|required filter/.test(line)) ?? lines.at(-1);
  const words = (telling ?? text).replaceAll(/\s+/g, " ").trim().slice(0, 160);
  const filter = /required filter '([^']*)'/.exec(words);
  if (filter) return `data packed by ${quote(filter[1])}, which is not known here (gzip is)`;
  return `damaged or unsupported contents (${words.replace(/\.$/, "")})`;
}

/** An array of the same kind of numbers. */
function sameKind(like: NumericArray, length: number): NumericArray {
  return new (like.constructor as new (length: number) => NumericArray)(length);
}

/** What a type is; `element` only for numbers. */
function typeOf(
  { type, size, signed, vlen, enum_type, ref_type }: Metadata,
): { kind: Hdf5Entry["kind"]; dtype: string; element: Element | null } {
  const other = (dtype: string) => ({ kind: "other" as const, dtype, element: null });
  const base = type === ENUM ? enum_type?.type : type;
  if (base === INTEGER || base === FLOAT) {
    const letter = base === FLOAT ? "f" : signed ? "i" : "u";
    const element = `${letter}${size * 8}`;
    if (!isElement(element)) return other(`numbers of ${size} bytes`);
    return { kind: "numbers", dtype: `${size === 1 ? "|" : "<"}${letter}${size}`, element };
  }
  if (type === STRING) {
    return { kind: "text", dtype: vlen ? "text" : `text of ${size} bytes`, element: null };
  }
  if (type === REFERENCE && ref_type === "object") {
    return { kind: "references", dtype: "references", element: null };
  }
  return other(type === COMPOUND ? "records" : "another type");
}

function isElement(name: string): name is Element {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

/** Strings from what the library wrote: characters, or pointers to them. */
function texture(module: H5wasmModule, raw: Uint8Array, metadata: Metadata): string[] {
  const texts: string[] = [];
  if (metadata.vlen) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let at = 0; at < raw.length; at += 4) {
      const pointer = view.getUint32(at, true);
      texts.push(pointer === 0 ? "" : module.UTF8ToString(pointer));
    }
    return texts;
  }
  const decoder = new TextDecoder();
  for (let at = 0; at < raw.length; at += metadata.size) {
    const bytes = raw.subarray(at, at + metadata.size);
    const end = bytes.indexOf(0);
    texts.push(decoder.decode(bytes.slice(0, end < 0 ? bytes.length : end)).replace(/ +$/, ""));
  }
  return texts;
}

/** A file as the library sees it. */
interface Place {
  readonly name: string;
  readonly bytes: number;
  unmount(): void;
}

let mounted = 0;

/** Puts a file where the library finds it: in its own file system, which knows no other files. */
function mount(module: H5wasmModule, input: Hdf5Input): Place {
  const { FS } = module;
  const name = `/file${mounted++}.h5`;
  if ("bytes" in input) {
    FS.writeFile(name, input.bytes, { canOwn: true });
    return { name, bytes: input.bytes.length, unmount: () => FS.unlink(name) };
  }
  const file = Deno.openSync(input.path);
  const bytes = file.statSync().size;
  FS.writeFile(name, new Uint8Array(0));
  const { node } = FS.lookupPath(name);
  Object.defineProperty(node, "usedBytes", { get: () => bytes });
  node.stream_ops = {
    ...node.stream_ops,
    read: (_stream, buffer, offset, length, position) => {
      file.seekSync(position, Deno.SeekMode.Start);
      let done = 0;
      while (done < length) {
        const into = new Uint8Array(
          buffer.buffer,
          buffer.byteOffset + offset + done,
          length - done,
        );
        const read = file.readSync(into);
        if (read === null) break;
        done += read;
      }
      return done;
    },
  };
  return {
    name,
    bytes,
    unmount: () => {
      file.close();
      FS.unlink(name);
    },
  };
}
