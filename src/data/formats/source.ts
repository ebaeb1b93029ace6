/** A file of named arrays, whatever its format: what the layouts of recordings are read from. */
import { InputError } from "../../errors.ts";
import type { NpyArray, NpyText } from "../npy.ts";

/** What an entry holds: only numbers and text can be read. `cells` are several arrays of numbers. */
export type EntryKind = "numbers" | "text" | "cells" | "other";

/** One array of a file, not read yet. */
export interface Entry {
  /** With the groups that it is in: `processing/behavior/hand_vel/data`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** As NumPy writes it (`<f8`), or words. */
  readonly dtype: string;
  readonly kind: EntryKind;
}

/** The arrays of a file. */
export interface ArraySource {
  /** Names the file in messages, in quotes. */
  readonly what: string;
  /** What the file is, in words: `a NumPy .npz archive`. */
  readonly format: string;
  readonly entries: readonly Entry[];
  /** Whether dimensions stand in MATLAB's order: an array of one dimension has two there. */
  readonly matlab: boolean;
  /** @throws InputError where there is no such array or it holds no numbers */
  read(name: string): NpyArray;
  /** @throws InputError where there is no such array or it holds no text */
  readText(name: string): NpyText;
  /** The arrays in a cell array. */
  readCells(name: string): NpyArray[];
  /** A number that belongs to the whole file under this name but is no array. */
  attribute(name: string): number | null;
}

/** Entries named in one message. */
const MAX_LISTED = 20;

/** A file's own text in a message: quoted and short. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? text.slice(0, 80) + "…" : text);
}

/** What is there, for messages: `"a" [2,3,4] |u1, "b" …`. */
export function listed(entries: readonly Entry[]): string {
  const list = entries.slice(0, MAX_LISTED)
    .map(({ name, shape, dtype }) => `${quote(name)} [${shape}] ${dtype.slice(0, 20)}`).join(", ");
  const more = entries.length - MAX_LISTED;
  return `${list || "no arrays"}${more > 0 ? ` and ${more} more` : ""}`;
}

export function find(source: ArraySource, name: string): Entry | null {
  return source.entries.find((entry) => entry.name === name) ?? null;
}

/** Numbers under this name, or null where there are none; other kinds are an error. */
export function optional(source: ArraySource, name: string): NpyArray | null {
  const entry = find(source, name);
  if (entry === null) return null;
  const array = source.read(name);
  return source.matlab ? squeezed(array) : array;
}

/** One number under this name, as an array or an attribute; null where there is none. */
export function scalar(source: ArraySource, name: string, action: string): number | null {
  const array = optional(source, name);
  if (array === null) return source.attribute(name);
  if (array.data.length !== 1) {
    throw new InputError(
      `${action}: expected ${name} to be one number, found shape [${array.shape}].`,
    );
  }
  return array.data[0];
}

/** MATLAB has no vectors: a column or a row is one. */
export function squeezed(array: NpyArray): NpyArray {
  const { shape } = array;
  if (shape.length !== 2 || !shape.includes(1)) return array;
  return { ...array, shape: [shape[0] * shape[1]] };
}

/** What was used of a source, and how it was understood. */
export interface Understood {
  /** In words: `lfads-torch`, `spike counts`. */
  readonly layout: string;
  /** Which array holds the spikes and why it was taken; null where spikes come from several. */
  readonly spikes: string | null;
  readonly why: string;
  /** What each entry that was used is, by name. */
  readonly roles: Readonly<Record<string, string>>;
}

/** A sentence about arrays of one row for each trial that were not used, so that nothing is lost unseen. */
export function leftAside(
  source: ArraySource,
  roles: Readonly<Record<string, string>>,
  trials: number,
): string[] {
  const aside = source.entries.filter(({ name, shape, kind }) =>
    !Object.hasOwn(roles, name) && shape[0] === trials && (kind === "numbers" || kind === "cells")
  );
  if (aside.length === 0) return [];
  const named = aside.slice(0, MAX_LISTED).map(({ name, shape }) => `${quote(name)} [${shape}]`);
  const more = aside.length > MAX_LISTED ? ` and ${aside.length - MAX_LISTED} more` : "";
  return [`Left aside: ${named.join(", ")}${more}.`];
}
