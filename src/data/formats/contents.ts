/** What is in a file, for someone who has never seen it. */
import { InputError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { largest, least } from "../range.ts";
import { cell } from "./selection.ts";
import type { ArraySource, Entry, Understood } from "./source.ts";
import { AREA_COLUMNS, eventNames, type SpikeTrains, START, STOP } from "./spike_trains.ts";

/** A column of trials or units, and what stands in it. */
export interface ColumnFacts {
  readonly name: string;
  readonly distinct: number;
  /** The first few distinct values, as a user would write them, with how often each stands there. */
  readonly values: readonly (readonly [value: string, rows: number])[];
}

/** Spike times before they are counted. */
export interface RecordingFacts {
  readonly units: number;
  readonly spikes: number;
  /** Seconds, of the first and the last spike. */
  readonly span: readonly [number, number] | null;
  readonly trials: number;
  /** Seconds, of the shortest and the longest trial; null where their ends are not known. */
  readonly trialSeconds: readonly [number, number] | null;
  /** What windows can be aligned to, and how many trials have it. */
  readonly events: readonly { readonly name: string; readonly trials: number }[];
  readonly trialColumns: readonly ColumnFacts[];
  readonly unitColumns: readonly ColumnFacts[];
  /** Columns of units that say where they are: what `area` looks at. */
  readonly areas: readonly string[];
  /** What `behaviour` can average. */
  readonly series: readonly string[];
}

/** A file's contents. */
export interface FileContents {
  /** What the file is, in words. */
  readonly format: string;
  readonly bytes: number;
  readonly entries: readonly Entry[];
  /** Null where no dataset can be made of it. */
  readonly understood: Understood | null;
  /** Null for counts. */
  readonly recording: RecordingFacts | null;
}

/** A file's contents, and the dataset in it. */
export interface Inspection {
  readonly contents: FileContents;
  readonly dataset: Dataset | null;
  /** Why there is no dataset: what `readDataset` says. */
  readonly problem: string | null;
}

/**
 * Looks at a file that is open.
 *
 * @param recording its spike times, where it has some
 * @param make its dataset
 */
export function inspection(
  source: Pick<ArraySource, "format" | "entries">,
  bytes: number,
  recording: () => SpikeTrains | null,
  make: () => { understood: Understood; dataset: () => Dataset },
): Inspection {
  let understood: Understood | null = null;
  let dataset: Dataset | null = null;
  let problem: string | null = null;
  try {
    const made = make();
    understood = made.understood;
    dataset = made.dataset();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    problem = error.message;
  }
  let facts: RecordingFacts | null = null;
  try {
    const trains = recording();
    facts = trains && recordingFacts(trains);
  } catch (error) {
    // the problem has been told by the dataset that could not be made
    if (!(error instanceof InputError)) throw error;
    problem ??= error.message;
  }
  const { format, entries } = source;
  return { contents: { format, bytes, entries, understood, recording: facts }, dataset, problem };
}

/** Values shown of a column. */
const SHOWN = 8;

function columnFacts(name: string, rows: number, at: (row: number) => string): ColumnFacts {
  const counts = new Map<string, number>();
  for (let row = 0; row < rows; row++) counts.set(at(row), (counts.get(at(row)) ?? 0) + 1);
  const values = [...counts].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).slice(0, SHOWN);
  return { name, distinct: counts.size, values };
}

function recordingFacts(trains: SpikeTrains): RecordingFacts {
  const { units, unitColumns, trials, trialColumns, series } = trains;
  let spikes = 0, first = Infinity, last = -Infinity;
  for (const { times } of units) {
    spikes += times.length;
    for (const time of times) {
      if (time < first) first = time;
      if (time > last) last = time;
    }
  }
  const starts = trialColumns[START], stops = trialColumns[STOP];
  let trialSeconds: [number, number] | null = null;
  if (starts instanceof Float64Array && stops instanceof Float64Array && trials > 0) {
    const durations = stops.map((stop, i) => stop - starts[i]);
    trialSeconds = [least(durations), largest(durations)];
  }
  const events = eventNames(trialColumns);
  const tables = (columns: SpikeTrains["trialColumns"], rows: number, except: readonly string[]) =>
    Object.entries(columns).filter(([name]) => !except.includes(name))
      .map(([name, column]) => columnFacts(name, rows, (row) => cell(column, row)));
  return {
    units: units.length,
    spikes,
    span: spikes === 0 ? null : [first, last],
    trials,
    trialSeconds,
    events: events.map((name) => {
      const column = trialColumns[name];
      const known = Array.from({ length: trials }, (_, row) => Number(column[row]));
      return { name, trials: known.filter(Number.isFinite).length };
    }),
    trialColumns: tables(trialColumns, trials, events),
    unitColumns: tables(unitColumns, units.length, []),
    areas: AREA_COLUMNS.filter((name) => Object.hasOwn(unitColumns, name)),
    series: series.map(({ name }) => name),
  };
}
