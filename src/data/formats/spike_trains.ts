/** Spike times of a recording and its trials, and how windows of them become counts. */
import { InputError } from "../../errors.ts";
import type { DatasetArrays } from "../dataset.ts";
import { largest, least } from "../range.ts";
import type { ShapedArray } from "../validate.ts";
import { type BoundedOptions, type LayoutOptions, requireRoom } from "./options.ts";
import { labels } from "./rows.ts";
import { cell, type Column, type Columns, selectRows } from "./selection.ts";
import { quote } from "./source.ts";

/** One unit of a recording. */
export interface Unit {
  readonly name: string;
  /** seconds from the recording's start */
  readonly times: Float64Array;
  /** where the unit was observed: from, to, from, to, … in seconds; null: throughout */
  readonly observed: Float64Array | null;
}

/** Samples of a quantity. */
export interface Samples {
  /** of each sample, in seconds, ascending */
  readonly times: Float64Array;
  /** [samples, dimensions] */
  readonly values: ShapedArray;
}

/** A quantity that was measured beside the spikes; it is read when it is asked for. */
export interface Series {
  readonly name: string;
  /** @throws InputError where it cannot be used */
  load(): Samples;
}

/** A recording with trials. */
export interface SpikeTrains {
  readonly units: readonly Unit[];
  readonly unitColumns: Columns;
  readonly trials: number;
  /** `start_time`, where known `stop_time`, events and whatever else is known of each trial */
  readonly trialColumns: Columns;
  readonly series: readonly Series[];
}

/** The first column is where windows are aligned to by default. */
export const START = "start_time", STOP = "stop_time";

/** Times this close to a bin's edge, in bins, are on it: they are not known better than that. */
const EDGE = 1e-6;

/** @throws InputError for times that cannot be, naming the first */
export function validateTrains(
  { units, trials, trialColumns }: SpikeTrains,
  action: string,
): void {
  for (const { name, times } of units) {
    const at = times.findIndex((time) => !(time >= 0 && time < Infinity));
    if (at >= 0) {
      throw new InputError(
        `${action}: expected spike times of at least 0 seconds from the recording's start, found ` +
          `${times[at]} at spike ${at} of unit ${quote(name)}.`,
      );
    }
  }
  const starts = trialColumns[START], stops = trialColumns[STOP];
  if (!(starts instanceof Float64Array) || trials === 0) {
    throw new InputError(
      `${action}: expected trials with a time at which each starts, found none.`,
    );
  }
  const late = starts.findIndex((start) => !Number.isFinite(start));
  if (late >= 0) {
    throw new InputError(
      `${action}: expected the start of every trial in seconds, found ${
        starts[late]
      } at trial ${late}.`,
    );
  }
  if (!(stops instanceof Float64Array)) return;
  const wrong = stops.findIndex((stop, trial) => stop <= starts[trial]);
  if (wrong >= 0) {
    throw new InputError(
      `${action}: expected every trial to stop after its start, found trial ${wrong} from ${
        starts[wrong]
      } to ${stops[wrong]} s.`,
    );
  }
}

/** The windows of a recording, before anything is counted. */
interface Windows {
  /** rows of the trials' table */
  readonly rows: readonly number[];
  /** of each window, in seconds */
  readonly from: Float64Array;
  readonly T: number;
  readonly binWidth: number;
  readonly words: string;
}

/**
 * Spikes counted in the bins of aligned windows. A bin holds its start and not its end.
 *
 * @throws InputError for a window that is not so many bins, windows that overlap or begin before the
 *   recording, units or trials that are not there, and spikes that are in no window at all
 */
export function binTrains(
  trains: SpikeTrains,
  options: BoundedOptions,
  action: string,
): { arrays: Omit<DatasetArrays, "name">; warnings: string[]; words: string } {
  validateTrains(trains, action);
  const warnings: string[] = [];
  const units = chosenUnits(trains, options, action);
  const windows = windowsOf(trains, options, warnings, action);
  if (!options.overlap) requireApart(windows, action);
  // two bytes a count, and one more where some were not observed
  requireRoom([windows.rows.length, windows.T, units.length], 3, options, action);
  const { counts, inside } = count(units, windows, action);
  if (inside === 0) {
    const last = largest(units.map(({ times }) => largest(times)));
    throw new InputError(
      `${action}: expected spikes in the windows of the trials, found none of ${
        units.reduce((sum, { times }) => sum + times.length, 0)
      } there: the last spike is at ${last} s, the windows begin between ${
        least(windows.from)
      } and ${largest(windows.from)} s.`,
    );
  }
  const { rows, T, binWidth, words } = windows;
  const missing = unobserved(units, windows);
  const named = conditions(trains, rows, options, action);
  const split = splitOf(trains.trialColumns.split, rows);
  const arrays: Omit<DatasetArrays, "name"> = {
    spikes: { shape: [rows.length, T, units.length], data: counts },
    binWidth,
    condition: named?.condition ?? null,
    conditionNames: named?.names ?? null,
    neurons: units.map(({ name }) => name),
    split,
    missing,
    behaviour: behaviours(trains, windows, options, warnings, action),
  };
  return { arrays, warnings, words };
}

function chosenUnits(
  { units, unitColumns }: SpikeTrains,
  { units: text, area }: LayoutOptions,
  action: string,
): Unit[] {
  let rows = units.map((_, row) => row);
  if (text !== undefined) rows = selectRows(text, units.length, unitColumns, "units", action);
  if (area !== undefined) {
    const columns = AREA_COLUMNS.filter((name) => Object.hasOwn(unitColumns, name));
    const inArea = rows.filter((row) =>
      columns.some((name) => cell(unitColumns[name], row) === area)
    );
    if (inArea.length === 0) {
      const known = new Set(
        columns.flatMap((name) => units.map((_, row) => cell(unitColumns[name], row))),
      );
      throw new InputError(
        `${action}: expected units of the area ${quote(area)}, found ${
          [...known].slice(0, 20).map(quote).join(", ") || "units without an area"
        }.`,
      );
    }
    rows = inArea;
  }
  if (rows.length === 0) throw new InputError(`${action}: expected units with spikes, found none.`);
  return rows.map((row) => units[row]);
}

/** Columns of units that say where in the brain they are. */
export const AREA_COLUMNS: readonly string[] = [
  "area",
  "brain_area",
  "location",
  "electrode_group",
  "group_name",
];

function windowsOf(
  { trials, trialColumns }: SpikeTrains,
  options: LayoutOptions,
  warnings: string[],
  action: string,
): Windows {
  const { align = START, binWidth, trials: text } = options;
  const event = Object.hasOwn(trialColumns, align) ? trialColumns[align] : null;
  if (!(event instanceof Float64Array)) {
    throw new InputError(
      `${action}: expected trials with times ${quote(align)} to align to, found ${
        eventNames(trialColumns).map(quote).join(", ")
      }.`,
    );
  }
  if (binWidth === undefined || !(binWidth > 0 && binWidth < Infinity)) {
    throw new InputError(
      `${action}: expected a bin width above 0 seconds to count spike times in (--bin-width SECONDS), ` +
        `found ${binWidth ?? "none"}.`,
    );
  }
  const chosen = text === undefined
    ? Array.from({ length: trials }, (_, row) => row)
    : selectRows(text, trials, trialColumns, "trials", action);
  const rows = chosen.filter((row) => Number.isFinite(event[row]));
  if (rows.length < chosen.length) {
    warnings.push(
      `Left out ${chosen.length - rows.length} of ${chosen.length} trials without a time ${
        quote(align)
      }.`,
    );
  }
  if (rows.length === 0) {
    throw new InputError(`${action}: expected trials with a time ${quote(align)}, found none.`);
  }
  const [from, to] = options.window ?? wholeTrials(trialColumns, rows, options, action);
  const T = binsOf(from, to, binWidth, action);
  const begin = Float64Array.from(rows, (row) => event[row] + from);
  const early = begin.findIndex((time) => time < -EDGE * binWidth);
  if (early >= 0) {
    throw new InputError(
      `${action}: expected windows inside the recording, found that of trial ${
        rows[early]
      } to begin at ${begin[early]} s, before the recording does.`,
    );
  }
  const words = `${T} bins of ${binWidth} s from ${from} to ${to} s around ${align}`;
  return { rows, from: begin, T, binWidth, words };
}

/** Columns with a time for at least one trial: what windows can be aligned to. */
export function eventNames(columns: Columns): string[] {
  return Object.entries(columns)
    .filter(([name, column]) =>
      column instanceof Float64Array && (name === START || /time/i.test(name))
    ).map(([name]) => name);
}

/** From 0 to the duration that all trials have. */
function wholeTrials(
  columns: Columns,
  rows: readonly number[],
  { align = START, binWidth = 1 }: LayoutOptions,
  action: string,
): [number, number] {
  const starts = columns[START], stops = columns[STOP];
  const ask = "a window around the event (--window FROM:TO, in seconds)";
  if (
    align !== START || !(starts instanceof Float64Array) || !(stops instanceof Float64Array)
  ) {
    throw new InputError(`${action}: expected ${ask}, found none.`);
  }
  const durations = rows.map((row) => stops[row] - starts[row]);
  const shortest = least(durations), longest = largest(durations);
  if (!(longest - shortest <= EDGE * binWidth)) {
    throw new InputError(
      `${action}: expected ${ask}, as trials last from ${short(shortest)} to ${
        short(longest)
      } s, found none.`,
    );
  }
  return [0, shortest];
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function binsOf(from: number, to: number, binWidth: number, action: string): number {
  const bins = (to - from) / binWidth;
  const T = Math.round(bins);
  if (!(to > from) || !Number.isFinite(bins)) {
    throw new InputError(
      `${action}: expected a window that ends after it begins, found ${from} to ${to} s.`,
    );
  }
  if (T < 1 || Math.abs(bins - T) > EDGE * Math.max(1, T)) {
    const whole = Math.max(1, Math.floor(bins));
    throw new InputError(
      `${action}: expected a bin width that divides the window, found ${binWidth} s for ${
        short(to - from)
      } s, ${short(bins)} bins. A window from ${from} to ${
        short(from + whole * binWidth)
      } s has ${whole}.`,
    );
  }
  return T;
}

/** @throws InputError naming the first two windows that share time */
function requireApart({ rows, from, T, binWidth }: Windows, action: string): void {
  const order = [...rows.keys()].sort((a, b) => from[a] - from[b]);
  const length = T * binWidth;
  let overlaps = 0;
  let first = "";
  for (let i = 1; i < order.length; i++) {
    const [before, after] = [order[i - 1], order[i]];
    if (from[before] + length - from[after] <= EDGE * binWidth) continue;
    overlaps++;
    first ||= `those of trials ${rows[before]} and ${rows[after]} from ${short(from[before])} and ${
      short(from[after])
    } s, each ${short(length)} s long`;
  }
  if (overlaps === 0) return;
  throw new InputError(
    `${action}: expected windows that do not overlap, as a spike in two trials would be in training ` +
      `and evaluation, found ${overlaps} that do, first ${first}. A shorter window, or --overlap.`,
  );
}

function count(
  units: readonly Unit[],
  { from, T, binWidth }: Windows,
  action: string,
): { counts: Uint16Array; inside: number } {
  const N = units.length;
  const counts = new Uint16Array(from.length * T * N);
  let inside = 0;
  units.forEach(({ times }, n) => {
    const sorted = isAscending(times) ? times : times.slice().sort();
    for (let b = 0; b < from.length; b++) {
      for (
        let i = firstAtLeast(sorted, from[b] - EDGE * binWidth);
        i < sorted.length;
        i++
      ) {
        const t = Math.floor((sorted[i] - from[b]) / binWidth + EDGE);
        if (t >= T) break;
        if (t < 0) continue;
        const at = (b * T + t) * N + n;
        if (counts[at] === 0xffff) {
          throw new InputError(
            `${action}: expected counts of at most 65535, found more at [trial, bin, neuron] = ` +
              `[${b}, ${t}, ${n}]. A smaller bin width counts fewer.`,
          );
        }
        counts[at]++;
        inside++;
      }
    }
  });
  return { counts, inside };
}

function isAscending(times: Float64Array): boolean {
  for (let i = 1; i < times.length; i++) if (times[i] < times[i - 1]) return false;
  return true;
}

/** The first index whose value is at least `value`. */
function firstAtLeast(sorted: Float64Array, value: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** 1 where a unit was not observed for the whole of a bin; null where all were. */
function unobserved(
  units: readonly Unit[],
  { from, T, binWidth }: Windows,
): ShapedArray | null {
  const N = units.length;
  if (units.every(({ observed }) => observed === null)) return null;
  const missing = new Uint8Array(from.length * T * N);
  const slack = EDGE * binWidth;
  units.forEach(({ observed }, n) => {
    if (observed === null) return;
    const intervals = merged(observed, slack);
    for (let b = 0; b < from.length; b++) {
      for (let t = 0; t < T; t++) {
        const begin = from[b] + t * binWidth, end = begin + binWidth;
        const within = intervals[lastFrom(intervals, begin + slack)];
        if (!(within && end - slack <= within[1])) missing[(b * T + t) * N + n] = 1;
      }
    }
  });
  return missing.includes(1) ? { shape: [from.length, T, N], data: missing } : null;
}

/** The last interval that begins no later than `time`; -1 where none does. */
function lastFrom(intervals: readonly [number, number][], time: number): number {
  let low = 0, high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (intervals[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Intervals that touch are one. */
function merged(observed: Float64Array, slack: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; i + 1 < observed.length; i += 2) pairs.push([observed[i], observed[i + 1]]);
  pairs.sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [from, to] of pairs) {
    const last = joined.at(-1);
    if (last && from <= last[1] + slack) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

function conditions(
  { trialColumns }: SpikeTrains,
  rows: readonly number[],
  { condition: asked }: LayoutOptions,
  action: string,
): { condition: ShapedArray; names: string[] | null } | null {
  const name = asked ?? "condition";
  const column: Column | null = Object.hasOwn(trialColumns, name) ? trialColumns[name] : null;
  if (column === null) {
    if (asked === undefined) return null;
    throw new InputError(
      `${action}: expected a column ${quote(name)} of trials to be the condition, found ${
        Object.keys(trialColumns).slice(0, 40).map(quote).join(", ")
      }.`,
    );
  }
  const numbers = rows.map((row) => Number(column[row]));
  if (column instanceof Float64Array && numbers.every((value) => value === (value | 0))) {
    return { condition: { shape: [rows.length], data: Int32Array.from(numbers) }, names: null };
  }
  return labels(rows.map((row) => cell(column, row)));
}

/** A column that says of each trial whether it is for training or evaluation, in the usual words. */
function splitOf(
  column: Column | undefined,
  rows: readonly number[],
): { train: number[]; evaluation: number[] } | null {
  if (column === undefined || column instanceof Float64Array) return null;
  const named = (pattern: RegExp) =>
    [...rows.keys()].filter((i) => pattern.test(column[rows[i]].trim()));
  const train = named(/^train(ing)?$/i);
  const evaluation = named(/^(val|valid|validation|eval|evaluation)$/i);
  return train.length > 0 && evaluation.length > 0 ? { train, evaluation } : null;
}

/** The mean of a time series in each bin; NaN in bins without a sample. */
function behaviours(
  { series }: SpikeTrains,
  { from, T, binWidth }: Windows,
  { behaviour: asked = [] }: LayoutOptions,
  warnings: string[],
  action: string,
): Record<string, ShapedArray> {
  const found: Record<string, ShapedArray> = {};
  for (const name of asked) {
    const one = series.find((candidate) => candidate.name === name);
    if (!one) {
      throw new InputError(
        `${action}: expected a time series ${quote(name)} of numbers, found ${
          series.map((candidate) => quote(candidate.name)).join(", ") || "none"
        }.`,
      );
    }
    const base = name.slice(name.lastIndexOf("/") + 1).replaceAll(/[^\w.-]/g, "_");
    if (Object.hasOwn(found, base)) {
      throw new InputError(
        `${action}: expected time series of different names, found two called ${quote(base)}.`,
      );
    }
    const array = averaged(one.load(), from, T, binWidth);
    const empty = array.data.reduce((sum, value) => sum + (Number.isNaN(value) ? 1 : 0), 0);
    if (empty > 0) {
      warnings.push(
        `${quote(base)} is NaN in ${empty} of ${array.data.length} values: no samples.`,
      );
    }
    found[base] = array;
  }
  return found;
}

function averaged(
  { times, values }: Samples,
  from: Float64Array,
  T: number,
  binWidth: number,
): ShapedArray & { data: Float64Array } {
  const D = values.shape[1];
  const data = new Float64Array(from.length * T * D);
  for (let b = 0; b < from.length; b++) {
    const counts = new Uint32Array(T * D);
    for (let i = firstAtLeast(times, from[b] - EDGE * binWidth); i < times.length; i++) {
      const t = Math.floor((times[i] - from[b]) / binWidth + EDGE);
      if (t >= T) break;
      if (t < 0) continue;
      for (let d = 0; d < D; d++) {
        const value = values.data[i * D + d];
        if (!Number.isFinite(value)) continue;
        data[(b * T + t) * D + d] += value;
        counts[t * D + d]++;
      }
    }
    for (let i = 0; i < T * D; i++) data[b * T * D + i] /= counts[i];
  }
  return { shape: [from.length, T, D], data };
}
