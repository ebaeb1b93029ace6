/** The datasets of an HDF5 file as a source of arrays; MATLAB's as MATLAB shows them. */
import { InputError } from "../../../errors.ts";
import type { NpyArray } from "../../npy.ts";
import { reversed } from "../axes.ts";
import { type ArraySource, type Entry, listed, quote } from "../source.ts";
import type { Hdf5Entry, Hdf5File } from "./library.ts";

/** Groups in which MATLAB keeps what its variables refer to. */
const MATLAB_INSIDE = /^#(refs|subsystem)#/;

/** @param what names the file in messages, in quotes */
export function hdf5Source(file: Hdf5File, what: string): ArraySource {
  const paths = file.paths().filter((path) => !MATLAB_INSIDE.test(path));
  const datasets = paths.filter((path) => file.nodeKind(path) === "dataset");
  const matlab = datasets.some((path) => classOf(file, path) !== null);
  return matlab ? matlabSource(file, what, paths, datasets) : {
    what,
    format: "an HDF5 file",
    entries: datasets.map((path) => plainEntry(file.entry(path))),
    matlab: false,
    read: (name) => file.read(name),
    readText: (name) => file.readText(name),
    readCells: (name) => {
      throw new InputError(
        `${file.action}: expected a cell array ${quote(name)}, found no MATLAB file.`,
      );
    },
    attribute: (name) => file.numberAttribute("", name),
  };
}

function plainEntry({ path, shape, dtype, kind }: Hdf5Entry): Entry {
  return { name: path, shape, dtype, kind: kind === "references" ? "other" : kind };
}

/** `double`, `cell`, …; null for what MATLAB did not write. */
function classOf(file: Hdf5File, path: string): string | null {
  return file.textAttribute(path, "MATLAB_class")?.[0] ?? null;
}

function matlabSource(
  file: Hdf5File,
  what: string,
  paths: readonly string[],
  datasets: readonly string[],
): ArraySource {
  const sparse = paths.filter((path) =>
    file.nodeKind(path) === "group" && file.attributes(path).includes("MATLAB_sparse")
  );
  const entryOf = (path: string): Entry => {
    const { shape, dtype, kind } = file.entry(path);
    const name = path;
    const size = [...shape].reverse();
    const matlabClass = classOf(file, path);
    if (sparse.some((group) => path.startsWith(`${group}/`))) {
      return { name, shape: size, dtype: "sparse (full() makes it readable)", kind: "other" };
    }
    if (file.attributes(path).includes("MATLAB_empty")) {
      return { name, shape: [0], dtype: "empty", kind: "other" };
    }
    // a structure array's fields refer to their values as cells do
    if (kind === "references") {
      const cells = size.reduce((product, length) => product * length, 1);
      return { name, shape: [cells], dtype: "cells", kind: "cells" };
    }
    if (matlabClass === "char") return { name, shape: [1], dtype: "text", kind: "text" };
    return { name, shape: size, dtype, kind: kind === "numbers" ? kind : "other" };
  };
  const entries = datasets.map(entryOf);
  const read = (path: string): NpyArray => {
    const array = file.read(path);
    const { shape, data } = reversed(array);
    return { shape: [...shape], dtype: array.dtype, data };
  };
  const kindOf = (name: string) => entries.find((entry) => entry.name === name)?.kind;
  return {
    what,
    format: "a MATLAB v7.3 file",
    entries,
    matlab: true,
    read: (name) => {
      if (kindOf(name) === "numbers") return read(name);
      throw new InputError(
        `${file.action}: expected numbers in ${quote(name)}, found ${listed(entries)}.`,
      );
    },
    readText: (name) => {
      const codes = file.read(name).data;
      let text = "";
      for (const code of codes) text += String.fromCharCode(code);
      return { shape: [1], dtype: "text", data: [text] };
    },
    readCells: (name) => file.readReferences(name).map(read),
    attribute: () => null,
  };
}
