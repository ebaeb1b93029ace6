/** The module of the thread. */
import { expose, transfer } from "comlink";
import { InputError } from "../../src/server_arrays.ts";
import { ArrayHost, type Counts } from "./host.ts";

/** What the thread answers: errors of what a user gave keep what they are. */
export type Answered<T> = { readonly value: T } | { readonly problem: string };

const host = new ArrayHost();

/** What goes to the other thread without a copy. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer];
  if (typeof value !== "object" || value === null || !("counts_BTN" in value)) return [];
  const { counts_BTN, npz } = value as Counts;
  return [counts_BTN.buffer as ArrayBuffer, ...(npz ? [npz.buffer] : [])];
}

function answer<Args extends unknown[], T>(work: (...args: Args) => T) {
  return (...args: Args): Answered<T> => {
    try {
      const value = work(...args);
      return transfer({ value }, buffersOf(value));
    } catch (error) {
      if (error instanceof InputError) return { problem: error.message };
      throw error;
    }
  };
}

const exposed = {
  toNpz: answer(host.toNpz.bind(host)),
  fromJson: answer(host.fromJson.bind(host)),
  holds: answer(host.holds.bind(host)),
  hold: answer(host.hold.bind(host)),
  counts: answer(host.counts.bind(host)),
  trials: answer(host.trials.bind(host)),
};

export type Exposed = typeof exposed;

expose(exposed);
