/**
 * Neurodata Without Borders: the spike times of sorted units, the table of trials, and time series.
 *
 * https://nwb-schema.readthedocs.io: tables keep each column as a dataset; a column of lists is one
 * dataset of all values and an index with the end of each row's. Times are seconds from the session's
 * reference time.
 */
import { InputError } from "../../errors.ts";
import type { ShapedArray } from "../validate.ts";
import type { Layout } from "./counts.ts";
import type { Hdf5File } from "./hdf5/library.ts";
import type { BoundedOptions } from "./options.ts";
import type { Column } from "./selection.ts";
import { quote } from "./source.ts";
import {
  AREA_COLUMNS,
  binTrains,
  type Series,
  type SpikeTrains,
  START,
  STOP,
  type Unit,
} from "./spike_trains.ts";
import { rangesOf } from "./spike_times.ts";

const UNITS = "units", TRIALS = "intervals/trials";
const ELECTRODES = "general/extracellular_ephys/electrodes";

export function isNwb(file: Hdf5File): boolean {
  return file.textAttribute("", "nwb_version") !== null ||
    file.nodeKind(`${UNITS}/spike_times`) === "dataset";
}

/** @throws InputError where there are no units or trials, or a table contradicts itself */
export function readNwb(file: Hdf5File, options: BoundedOptions, action: string): Layout {
  const refused = (["axes", "crop"] as const).filter((name) => options[name]);
  if (refused.length > 0) {
    throw new InputError(
      `${action}: expected no ${
        refused.join(" or ")
      } for an NWB file, whose spikes are times, found ${
        refused.map((name) => quote(String(options[name]))).join(" and ")
      }.`,
    );
  }
  const trains = nwbTrains(file, action);
  const { arrays, warnings, words } = binTrains(trains, options, action);
  const taken = options.behaviour ?? [];
  const aside = trains.series.map(({ name }) => name).filter((name) => !taken.includes(name));
  return {
    arrays,
    warnings: [
      `Counted spike times in ${words}.`,
      ...warnings,
      ...(aside.length > 0
        ? [`Left aside: the time series ${aside.slice(0, 20).map(quote).join(", ")}.`]
        : []),
    ],
    understood: {
      layout: "an NWB file's units and trials",
      spikes: `${UNITS}/spike_times`,
      why: "spike times of the units are counted in windows of the trials",
      roles: {
        [`${UNITS}/spike_times`]: "the spikes",
        [`${UNITS}/spike_times_index`]: "where the spikes of each unit end",
        [`${TRIALS}/${options.align ?? START}`]: "what windows are aligned to",
      },
    },
  };
}

/** The recording, without windows. */
export function nwbTrains(file: Hdf5File, action: string): SpikeTrains {
  const { units, columns } = unitsOf(file, action);
  const trials = trialsOf(file, action);
  return {
    units,
    unitColumns: columns,
    trials: trials.rows,
    trialColumns: trials.columns,
    series: seriesOf(file, action),
  };
}

function has(file: Hdf5File, path: string): boolean {
  return file.nodeKind(path) === "dataset";
}

/** One number or word for each row of a table; lists and matrices are left out. */
function columnsOf(file: Hdf5File, table: string, rows: number): Record<string, Column> {
  const columns: Record<string, Column> = {};
  for (const path of file.paths(`/${table}`)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const at = `${table}/${path}`;
    if (path.includes("/") || name === "id" || !has(file, at)) continue;
    const { shape, kind } = file.entry(at);
    if (shape.length !== 1 || shape[0] !== rows || has(file, `${at}_index`)) continue;
    if (name.endsWith("_index") && has(file, at.slice(0, -"_index".length))) continue;
    if (kind === "numbers") columns[name] = Float64Array.from(file.read(at).data);
    else if (kind === "text") columns[name] = file.readText(at).data;
  }
  return columns;
}

function ids(file: Hdf5File, table: string): number[] | null {
  return has(file, `${table}/id`) ? Array.from(file.read(`${table}/id`).data) : null;
}

function unitsOf(
  file: Hdf5File,
  action: string,
): { units: Unit[]; columns: Record<string, Column> } {
  const values = `${UNITS}/spike_times`, index = `${UNITS}/spike_times_index`;
  if (!has(file, values) || !has(file, index)) {
    const there = file.paths().filter((path) => /spike|unit/i.test(path)).slice(0, 10);
    throw new InputError(
      `${action}: expected an NWB file with "${values}" and "${index}", found ${
        there.map(quote).join(", ") || "neither, nor anything that is named after units"
      }.`,
    );
  }
  const times = Float64Array.from(file.read(values).data);
  const ranges = rangesOf(file.read(index).data, times.length, quote(index), action);
  const known = ids(file, UNITS);
  if (known !== null && known.length !== ranges.length) {
    throw new InputError(
      `${action}: expected an id for each of ${ranges.length} units, found ${known.length}.`,
    );
  }
  const observed = intervalsOf(file, ranges.length, action);
  const units = ranges.map(([from, to], row) => ({
    name: String(known?.[row] ?? row),
    times: times.subarray(from, to),
    observed: observed?.[row] ?? null,
  }));
  return {
    units,
    columns: { ...areas(file, ranges.length, action), ...columnsOf(file, UNITS, ranges.length) },
  };
}

/** When each unit was observed: from, to, from, to, …; null where the file does not say. */
function intervalsOf(file: Hdf5File, units: number, action: string): Float64Array[] | null {
  const values = `${UNITS}/obs_intervals`, index = `${values}_index`;
  if (!has(file, values)) return null;
  const { shape, data } = file.read(values);
  if (shape.length !== 2 || shape[1] !== 2 || !has(file, index)) {
    throw new InputError(
      `${action}: expected ${
        quote(values)
      } of shape [intervals, 2] with an index, found [${shape}]${
        has(file, index) ? "" : " without one"
      }.`,
    );
  }
  const ranges = rangesOf(file.read(index).data, shape[0], quote(index), action);
  if (ranges.length !== units) {
    throw new InputError(
      `${action}: expected observed intervals for each of ${units} units, found ${ranges.length}.`,
    );
  }
  for (let i = 0; i < shape[0]; i++) {
    if (!(data[2 * i] <= data[2 * i + 1])) {
      throw new InputError(
        `${action}: expected observed intervals to end after they begin, found ${data[2 * i]} to ${
          data[2 * i + 1]
        } s in row ${i}.`,
      );
    }
  }
  return ranges.map(([from, to]) => Float64Array.from(data.subarray(2 * from, 2 * to)));
}

/** Where each unit's first electrode is. */
function areas(file: Hdf5File, units: number, action: string): Record<string, Column> {
  const rows = ids(file, ELECTRODES);
  const values = `${UNITS}/electrodes`, index = `${values}_index`;
  if (rows === null || !has(file, values)) return {};
  const electrodes = file.read(values).data;
  const first = has(file, index)
    ? rangesOf(file.read(index).data, electrodes.length, quote(index), action)
      .map(([from, to]) => from < to ? electrodes[from] : -1)
    : Array.from(electrodes);
  if (first.length !== units) return {};
  const columns: Record<string, Column> = {};
  for (const [name, column] of Object.entries(columnsOf(file, ELECTRODES, rows.length))) {
    if (!AREA_COLUMNS.includes(name) || column instanceof Float64Array) continue;
    columns[name] = first.map((row) => column[row] ?? "");
  }
  return columns;
}

function trialsOf(
  file: Hdf5File,
  action: string,
): { rows: number; columns: Record<string, Column> } {
  const start = `${TRIALS}/${START}`;
  if (!has(file, start)) {
    throw new InputError(
      `${action}: expected an NWB file with a table of trials, "${start}", found none${
        file.nodeKind("intervals") === "group"
          ? ` among ${file.paths("/intervals").slice(0, 10).map(quote).join(", ")}`
          : ""
      }.`,
    );
  }
  const rows = file.entry(start).shape[0] ?? 0;
  const columns = columnsOf(file, TRIALS, rows);
  for (const name of [START, STOP]) {
    if (Object.hasOwn(columns, name) && !(columns[name] instanceof Float64Array)) {
      throw new InputError(`${action}: expected ${name} of trials in seconds, found text.`);
    }
  }
  return { rows, columns };
}

/** Groups with samples and their times. The shortest name that is unique is a series' name. */
function seriesOf(file: Hdf5File, action: string): Series[] {
  const groups = file.paths().filter((path) =>
    path.endsWith("/data") && /^(processing|acquisition)\//.test(path) && has(file, path)
  ).map((path) => path.slice(0, -"/data".length)).filter((group) => {
    const { kind, shape } = file.entry(`${group}/data`);
    return kind === "numbers" && (shape.length === 1 || shape.length === 2) &&
      (has(file, `${group}/timestamps`) || has(file, `${group}/starting_time`));
  });
  const last = (group: string) => group.slice(group.lastIndexOf("/") + 1);
  const times = new Map<string, number>();
  for (const group of groups) times.set(last(group), (times.get(last(group)) ?? 0) + 1);
  return groups.map((group) => ({
    name: times.get(last(group)) === 1 ? last(group) : group,
    load: () => loadSeries(file, group, action),
  }));
}

function loadSeries(
  file: Hdf5File,
  group: string,
  action: string,
): { times: Float64Array; values: ShapedArray } {
  const path = `${group}/data`;
  const { shape, data } = file.read(path);
  const scale = file.numberAttribute(path, "conversion") ?? 1;
  const offset = file.numberAttribute(path, "offset") ?? 0;
  const samples = shape[0];
  const times = has(file, `${group}/timestamps`)
    ? Float64Array.from(file.read(`${group}/timestamps`).data)
    : regularTimes(file, group, samples, action);
  if (times.length !== samples) {
    throw new InputError(
      `${action}: expected a time for each of ${samples} samples of ${quote(group)}, found ` +
        `${times.length}.`,
    );
  }
  const back = times.findIndex((time, i) => !(time >= (times[i - 1] ?? -Infinity)));
  if (back >= 0) {
    throw new InputError(
      `${action}: expected times of ${quote(group)} that ascend, found ${
        times[back]
      } s at sample ${back}.`,
    );
  }
  return {
    times,
    values: {
      shape: [samples, shape[1] ?? 1],
      data: Float64Array.from(data, (value) => value * scale + offset),
    },
  };
}

function regularTimes(
  file: Hdf5File,
  group: string,
  samples: number,
  action: string,
): Float64Array {
  const path = `${group}/starting_time`;
  const rate = file.numberAttribute(path, "rate");
  const start = file.read(path).data[0];
  if (rate === null || !(rate > 0)) {
    throw new InputError(
      `${action}: expected a rate above 0 Hz for ${quote(path)}, found ${rate ?? "none"}.`,
    );
  }
  return Float64Array.from({ length: samples }, (_, i) => start + i / rate);
}
