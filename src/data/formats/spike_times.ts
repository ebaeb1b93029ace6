/**
 * Spike times as plain arrays, in seconds.
 *
 * | name | shape | what |
 * | --- | --- | --- |
 * | `spike_times` | [spikes] | when each spike was; in MATLAB also one cell for each unit |
 * | `spike_units` | [spikes] | the unit of each spike, from 0 |
 * | `spike_times_index` | [units] | in place of `spike_units`: where each unit's spikes end, as in NWB |
 * | `n_units` | one number | units, where the last ones may be silent |
 * | `trial_start`, `trial_stop` | [trials] | of each trial; without `trial_stop` a window is needed |
 * | any other | [trials] | events in seconds, or labels such as `condition` |
 *
 * Times are from the recording's start. Where each spike is known by its trial (`spike_trials`, from 0)
 * and there is no `trial_start`, times are from the start of that trial, and `trial_duration` (one number,
 * or [trials]) says how long trials are.
 */
import { InputError } from "../../errors.ts";
import type { NpyArray } from "../npy.ts";
import { agreedBinWidth, type Layout } from "./counts.ts";
import type { BoundedOptions, LayoutOptions } from "./options.ts";
import type { Column } from "./selection.ts";
import { type ArraySource, find, leftAside, listed, optional, quote, scalar } from "./source.ts";
import { binTrains, type SpikeTrains, START, STOP, type Unit } from "./spike_trains.ts";

export function isSpikeTimes(source: ArraySource): boolean {
  return find(source, "spike_times") !== null && find(source, "spikes") === null;
}

/** @throws InputError naming the array that does not fit */
export function readSpikeTimes(
  source: ArraySource,
  options: BoundedOptions,
  action: string,
): Layout {
  refuse(options, action);
  const roles: Record<string, string> = {};
  const trains = trainsOf(source, roles, action);
  const inFile = scalar(source, "bin_width_s", action);
  if (find(source, "bin_width_s") !== null) roles.bin_width_s = "seconds per bin";
  const binWidth = options.binWidth ?? agreedBinWidth(inFile, {}, action) ?? undefined;
  const { arrays, warnings, words } = binTrains(trains, { ...options, binWidth }, action);
  return {
    arrays,
    warnings: [
      `Counted spike times in ${words}.`,
      ...warnings,
      ...leftAside(source, roles, trains.trials),
    ],
    understood: {
      layout: "spike times",
      spikes: "spike_times",
      why: "spike times are counted in bins",
      roles,
    },
  };
}

function refuse(options: LayoutOptions, action: string): void {
  const asked = (["axes", "area", "behaviour", "crop"] as const)
    .filter((name) => options[name] !== undefined && options[name] !== false);
  if (asked.length === 0) return;
  throw new InputError(
    `${action}: expected no ${asked.join(" or ")} for spike times in plain arrays, found ${
      asked.map((name) => quote(String(options[name]))).join(" and ")
    }.`,
  );
}

/** The recording, without windows. */
export function trainsOf(
  source: ArraySource,
  roles: Record<string, string>,
  action: string,
): SpikeTrains {
  const take = (name: string, role: string): NpyArray | null => {
    if (find(source, name) === null) return null;
    roles[name] = role;
    const array = optional(source, name);
    if (array !== null && array.shape.length > 1) {
      throw new InputError(
        `${action}: expected ${name} in one dimension, found shape [${array.shape}].`,
      );
    }
    return array;
  };
  const spikeTrials = take("spike_trials", "the trial of each spike");
  const start = take("trial_start", "when each trial starts");
  const relative = start === null && spikeTrials !== null;
  if (start === null && !relative) {
    throw new InputError(
      `${action}: expected spike times together with "trial_start" (or "spike_trials" and ` +
        `"trial_duration"), found ${listed(source.entries)}.`,
    );
  }
  const found = relative
    ? relativeTrains(source, spikeTrials, take, action)
    : absoluteTrains(source, spikeTrials, start, take, roles, action);
  return { ...found, unitColumns: {}, series: [] };
}

type Take = (name: string, role: string) => NpyArray | null;
type Found = Pick<SpikeTrains, "units" | "trials" | "trialColumns">;

function absoluteTrains(
  source: ArraySource,
  spikeTrials: NpyArray | null,
  start: NpyArray | null,
  take: Take,
  roles: Record<string, string>,
  action: string,
): Found {
  const starts = Float64Array.from(start?.data ?? []);
  const trials = starts.length;
  const stop = take("trial_stop", "when each trial stops");
  if (stop) requireLength(stop, trials, "trial_stop", "trial", action);
  const units = unitsOf(source, take, roles, action);
  const columns: Record<string, Column> = {
    [START]: starts,
    trial_start: starts,
    ...(stop
      ? { [STOP]: Float64Array.from(stop.data), trial_stop: Float64Array.from(stop.data) }
      : {}),
    ...trialColumns(source, trials, roles),
  };
  if (spikeTrials !== null) {
    const times = Float64Array.from(take("spike_times", "seconds")?.data ?? []);
    requireInside(spikeTrials, times, starts, stop?.data ?? null, action);
  }
  return { units, trials, trialColumns: columns };
}

/** Trials one behind the other, with a gap between, so that no window reaches into another's spikes. */
function relativeTrains(
  source: ArraySource,
  spikeTrials: NpyArray | null,
  take: Take,
  action: string,
): Found {
  const duration = take("trial_duration", "how long trials are");
  if (duration === null || spikeTrials === null) {
    throw new InputError(
      `${action}: expected "trial_duration", as "spike_trials" without "trial_start" says that times ` +
        `are from each trial's start, found ${listed(source.entries)}.`,
    );
  }
  let trials = duration.data.length;
  if (duration.shape.length === 0) {
    trials = 0;
    for (const trial of spikeTrials.data) trials = Math.max(trials, trial + 1);
    // the largest trial decides how much memory is reserved
    if (!(trials <= MOST_TRIALS)) {
      throw new InputError(
        `${action}: expected trials from 0 to ${MOST_TRIALS - 1} in spike_trials, found ${
          trials - 1
        }.`,
      );
    }
  }
  const durations = Float64Array.from(
    { length: trials },
    (_, b) => duration.data[duration.shape.length === 0 ? 0 : b],
  );
  const bad = durations.findIndex((seconds) => !(seconds > 0 && seconds < Infinity));
  if (bad >= 0) {
    throw new InputError(
      `${action}: expected trials of more than 0 seconds, found ${durations[bad]} at trial ${bad}.`,
    );
  }
  const times = take("spike_times", "when each spike was, from its trial's start");
  if (times === null) throw new InputError(`${action}: expected "spike_times", found none.`);
  requireInside(
    spikeTrials,
    times.data,
    new Float64Array(trials),
    durations,
    action,
  );
  const roles: Record<string, string> = {};
  const relative = unitsOf(source, take, roles, action, spikeTrials);
  // windows reach at most this far beyond a trial before they would meet another
  const gap = durations.reduce((most, seconds) => Math.max(most, seconds), 0);
  const starts = new Float64Array(trials);
  for (let b = 0, at = gap; b < trials; at += durations[b++] + 2 * gap) starts[b] = at;
  const stops = starts.map((start, b) => start + durations[b]);
  const observed = new Float64Array(2 * trials);
  for (let b = 0; b < trials; b++) observed.set([starts[b], stops[b]], 2 * b);
  const columns = Object.fromEntries(
    Object.entries(trialColumns(source, trials, roles)).map(([name, column]) => [
      name,
      column instanceof Float64Array && /time/i.test(name)
        ? column.map((time, b) => time + starts[b])
        : column,
    ]),
  );
  return {
    units: relative.map(({ name, times, trialOf }) => ({
      name,
      times: times.map((time, i) => time + starts[trialOf[i]]),
      observed,
    })),
    trials,
    trialColumns: { [START]: starts, [STOP]: stops, ...columns },
  };
}

/** @throws InputError naming the first spike that is not in its trial */
function requireInside(
  spikeTrials: NpyArray,
  times: ArrayLike<number>,
  starts: ArrayLike<number>,
  stops: ArrayLike<number> | null,
  action: string,
): void {
  requireLength(spikeTrials, times.length, "spike_trials", "spike", action);
  for (let i = 0; i < times.length; i++) {
    const trial = spikeTrials.data[i];
    if (!(Number.isInteger(trial) && trial >= 0 && trial < starts.length)) {
      throw new InputError(
        `${action}: expected trials 0 to ${
          starts.length - 1
        } in spike_trials, found ${trial} at spike ${i}.`,
      );
    }
    if (!(times[i] >= starts[trial] && times[i] <= (stops?.[trial] ?? Infinity))) {
      throw new InputError(
        `${action}: expected every spike inside its trial, found spike ${i} at ${
          times[i]
        } s outside trial ${trial} from ${starts[trial]} to ${stops?.[trial] ?? "its end"} s.`,
      );
    }
  }
}

function requireLength(
  { shape, data }: NpyArray,
  length: number,
  name: string,
  what: string,
  action: string,
): void {
  if (data.length === length) return;
  throw new InputError(
    `${action}: expected ${name} with one value for each of ${length} ${what}s, found shape [${shape}].`,
  );
}

/** Spikes of one unit, and the trial of each where those are known. */
interface UnitSpikes extends Unit {
  readonly trialOf: Uint32Array;
}

function unitsOf(
  source: ArraySource,
  take: Take,
  roles: Record<string, string>,
  action: string,
  spikeTrials: NpyArray | null = null,
): UnitSpikes[] {
  const groups = find(source, "spike_times")?.kind === "cells"
    ? source.readCells("spike_times").map(({ data }) => Array.from(data, (_, i) => i))
    : spikesByUnit(source, take, action);
  let times: ArrayLike<number>[];
  if (find(source, "spike_times")?.kind === "cells") {
    roles.spike_times = "when each spike was, a cell for each unit";
    times = source.readCells("spike_times").map(({ data }) => data);
  } else {
    const all = take("spike_times", "when each spike was")?.data ?? new Float64Array(0);
    times = groups.map(() => all);
  }
  const named = find(source, "neurons")?.kind === "text" ? source.readText("neurons").data : null;
  if (named) {
    roles.neurons = "names of the units";
    if (named.length !== groups.length) {
      throw new InputError(
        `${action}: expected a name for each of ${groups.length} units, found ${named.length}.`,
      );
    }
  }
  return groups.map((spikes, n) => ({
    name: named?.[n] ?? String(n),
    times: Float64Array.from(spikes, (i) => times[n][i]),
    trialOf: Uint32Array.from(spikes, (i) => spikeTrials?.data[i] ?? 0),
    observed: null,
  }));
}

/** Which spikes are each unit's. */
function spikesByUnit(source: ArraySource, take: Take, action: string): number[][] {
  const spikes = take("spike_times", "when each spike was");
  const owners = take("spike_units", "the unit of each spike");
  const ends = take("spike_times_index", "where the spikes of each unit end");
  if (spikes === null || (owners === null) === (ends === null)) {
    throw new InputError(
      `${action}: expected "spike_units" or "spike_times_index" to say whose each spike is, found ` +
        `${owners ? "both" : "neither"}: ${listed(source.entries)}.`,
    );
  }
  if (ends !== null) {
    return rangesOf(ends.data, spikes.data.length, "spike_times_index", action).map(([from, to]) =>
      Array.from({ length: to - from }, (_, i) => from + i)
    );
  }
  requireLength(owners as NpyArray, spikes.data.length, "spike_units", "spike", action);
  const declared = take("n_units", "how many units there are");
  let units = declared?.data[0] ?? 0;
  const data = (owners as NpyArray).data;
  for (let i = 0; i < data.length; i++) {
    // the largest unit decides how much memory is reserved
    if (!(Number.isInteger(data[i]) && data[i] >= 0 && data[i] < MOST_UNITS)) {
      throw new InputError(
        `${action}: expected units from 0 to ${MOST_UNITS - 1} in spike_units, found ${
          data[i]
        } at spike ${i}.`,
      );
    }
    if (declared === null) units = Math.max(units, data[i] + 1);
    else if (data[i] >= units) {
      throw new InputError(
        `${action}: expected units below n_units ${units} in spike_units, found ${
          data[i]
        } at spike ${i}.`,
      );
    }
  }
  if (!(Number.isInteger(units) && units >= 0 && units <= MOST_UNITS)) {
    throw new InputError(
      `${action}: expected n_units to be a whole number up to ${MOST_UNITS}, found ${units}.`,
    );
  }
  const groups = Array.from({ length: units }, (): number[] => []);
  for (let i = 0; i < data.length; i++) groups[data[i]].push(i);
  return groups;
}

/** More than any probe has, and than any session. */
const MOST_UNITS = 100_000, MOST_TRIALS = 1_000_000;

/**
 * The ranges that a NWB index column makes of the column it belongs to.
 *
 * @throws InputError where the ends do not ascend, or the last is not the column's
 */
export function rangesOf(
  ends: ArrayLike<number>,
  length: number,
  name: string,
  action: string,
): [number, number][] {
  const ranges: [number, number][] = [];
  for (let i = 0, from = 0; i < ends.length; from = ends[i++]) {
    if (!(Number.isInteger(ends[i]) && ends[i] >= from)) {
      throw new InputError(
        `${action}: expected ${name} to ascend, as it says where each row ends, found ${
          ends[i]
        } at row ${i} after ${from}.`,
      );
    }
    ranges.push([from, ends[i]]);
  }
  const last = ends.length === 0 ? 0 : ends[ends.length - 1];
  if (last !== length) {
    throw new InputError(
      `${action}: expected ${name} to end with the ${length} values that there are, found ${last}.`,
    );
  }
  return ranges;
}

/** Other arrays with one value for each trial. */
function trialColumns(
  source: ArraySource,
  trials: number,
  roles: Record<string, string>,
): Record<string, Column> {
  const columns: Record<string, Column> = {};
  for (const { name, shape, kind } of source.entries) {
    const length = shape.reduce((product, size) => product * size, 1);
    if (Object.hasOwn(roles, name) || length !== trials || shape.length === 0) continue;
    if (shape.length > 1 && !source.matlab) continue;
    if (kind === "text") columns[name] = source.readText(name).data;
    else if (kind === "numbers") columns[name] = Float64Array.from(source.read(name).data);
    else continue;
    roles[name] = "of each trial";
  }
  return columns;
}
