/** The h5wasm package: the part of it that is used, with types, and how it is loaded. */

/** A node of the library's own file system, which is in memory (Emscripten's MEMFS). */
interface FileNode {
  stream_ops: {
    read(
      stream: unknown,
      buffer: Int8Array,
      offset: number,
      length: number,
      position: number,
    ): number;
  };
}

interface FileSystem {
  writeFile(path: string, data: Uint8Array, options?: { canOwn?: boolean }): void;
  readFile(path: string): Uint8Array;
  unlink(path: string): void;
  lookupPath(path: string): { node: FileNode };
}

/** A type, and the shape of what has it. Null: a dataset without any contents. */
export interface H5Metadata {
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly shape: number[] | null;
  readonly total_size: number;
  readonly chunks: number[] | null;
  readonly ref_type?: string;
  readonly enum_type?: { readonly type: number };
}

type Bigints = bigint[] | null;

/** The library. Sizes and pointers of 64 bits are bigints. */
export interface H5wasmModule {
  readonly FS: FileSystem;
  readonly HEAPU8: Uint8Array;
  readonly H5F_ACC_RDONLY: number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  UTF8ToString(pointer: number): string;
  open(name: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(id: bigint): number;
  get_names(id: bigint, group: string, recursive: boolean): string[];
  get_type(id: bigint, path: string): number;
  get_dataset_metadata(id: bigint, path: string): H5Metadata;
  get_dataset_data(
    id: bigint,
    path: string,
    count: Bigints,
    offset: Bigints,
    strides: Bigints,
    pointer: bigint,
  ): number;
  get_attribute_names(id: bigint, path: string): string[];
  get_attribute_metadata(id: bigint, path: string, name: string): H5Metadata;
  get_attribute_data(id: bigint, path: string, name: string, pointer: bigint): number;
  get_referenced_name(id: bigint, reference: Uint8Array, isObject: boolean): string;
  reclaim_vlen_memory(id: bigint, path: string, name: string, pointer: bigint): number;
  reclaim_vlen_memory_count(
    id: bigint,
    path: string,
    name: string,
    pointer: bigint,
    count: bigint[],
  ): number;
  activate_throwing_error_handler(): number;
}

/** What a file to write is made with. */
export interface H5wasmWriter {
  readonly module: H5wasmModule;
  readonly File: typeof import("h5wasm").File;
}

let loaded: Promise<H5wasmWriter> | null = null;

/** Loads the library: some four megabytes, once, and only where an HDF5 file is at hand. */
export function loadH5wasm(): Promise<H5wasmWriter> {
  return loaded ??= load();
}

async function load(): Promise<H5wasmWriter> {
  const { ready, File } = await import("h5wasm");
  const module = await ready as unknown as H5wasmModule;
  // without this, a read that fails returns what happens to be in memory
  module.activate_throwing_error_handler();
  // a file may say that its data are in another: there must be none to wait for
  for (const name of ["stdin", "tty", "tty1"]) module.FS.unlink(`/dev/${name}`);
  return { module, File };
}
