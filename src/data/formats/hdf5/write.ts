/** Writes HDF5 files that every HDF5 library opens. */
import type { Dataset as H5Dataset, Group as H5Group } from "h5wasm";
import { InputError } from "../../../errors.ts";
import { elementOf, type NumericArray } from "../../elements.ts";
import { isText } from "../../npy.ts";
import type { H5wasmWriter } from "./h5wasm.ts";
import type { AttributeValue, Hdf5Tree } from "./tree.ts";

/** h5wasm's names of types. */
const DTYPES = {
  u8: "<B",
  i8: "<b",
  u16: "<H",
  i16: "<h",
  u32: "<I",
  i32: "<i",
  f32: "<f",
  f64: "<d",
} as const;

/** Larger arrays are packed, in chunks of about this size. */
const CHUNK_BYTES = 2 ** 20;
const PACKED_FROM = 2 ** 16;

/**
 * The bytes of a file with these objects.
 *
 * @throws InputError where the library cannot hold it
 */
export function writeHdf5(
  { module, File }: H5wasmWriter,
  tree: Hdf5Tree,
  what: string,
): Uint8Array {
  const name = "/written.h5";
  try {
    const file = new File(name, "w");
    try {
      for (const { path } of tree.groups) {
        if (path !== "") parentOf(file, path).create_group(baseOf(path));
      }
      for (const { path, array } of tree.datasets) {
        const { shape, data } = array;
        if (isText(array)) {
          parentOf(file, path).create_dataset({
            name: baseOf(path),
            data: array.data,
            shape,
            dtype: "S",
          });
        } else {
          parentOf(file, path).create_dataset({
            name: baseOf(path),
            data: data as NumericArray,
            shape,
            dtype: dtypeOf(data as NumericArray),
            ...packing(shape, data as NumericArray),
          });
        }
      }
      // references need the objects that they point to
      for (const { path, attributes = {} } of [...tree.groups, ...tree.datasets]) {
        for (const [key, value] of Object.entries(attributes)) {
          writeAttribute(file, path, key, value);
        }
      }
      file.flush();
    } finally {
      file.close();
    }
    return module.FS.readFile(name);
  } catch (error) {
    throw new InputError(
      `Cannot write ${what}: expected an HDF5 file that fits into memory, found ${
        (error instanceof Error ? error.message : String(error)).split("\n")[0].slice(0, 160)
      }.`,
    );
  } finally {
    try {
      module.FS.unlink(name);
    } catch {
      // it was not begun
    }
  }
}

type AnyGroup = Pick<H5Group, "create_dataset" | "create_group" | "create_attribute" | "get">;

function parentOf(file: AnyGroup, path: string): AnyGroup {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? file : file.get(path.slice(0, slash)) as H5Group;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function dtypeOf(data: NumericArray): string {
  const element = elementOf(data);
  return DTYPES[element as keyof typeof DTYPES];
}

function packing(
  shape: readonly number[],
  data: NumericArray,
): { chunks?: number[]; compression?: number } {
  if (data.byteLength < PACKED_FROM || shape.length === 0) return {};
  const rowBytes = data.byteLength / shape[0];
  const rows = Math.min(shape[0], Math.max(1, Math.floor(CHUNK_BYTES / rowBytes)));
  return { chunks: [rows, ...shape.slice(1)], compression: 4 };
}

function writeAttribute(file: AnyGroup, path: string, key: string, value: AttributeValue): void {
  const object = path === "" ? file : file.get(path) as H5Group | H5Dataset;
  if (typeof value === "string") object.create_attribute(key, value, [], "S");
  else if (typeof value === "number") object.create_attribute(key, value, [], "<d");
  else if (Array.isArray(value)) object.create_attribute(key, [...value], [value.length], "S");
  else if ("to" in value) {
    const target = file.get(value.to) as H5Dataset;
    object.create_attribute(key, target.create_reference(), [], "Reference");
  }
}
