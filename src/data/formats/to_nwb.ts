/**
 * A dataset as an NWB file: units with spike times, and a table of trials one behind the other.
 *
 * Counts do not say when in its bin a spike was: the spikes of a bin stand evenly spaced in it, and the
 * file says so. Counted again with the same bins they are the same counts.
 */
import { InputError } from "../../errors.ts";
import type { Dataset } from "../dataset.ts";
import { npyArray, type NpyText } from "../npy.ts";
import type { Attributes, Hdf5Tree } from "./hdf5/tree.ts";

/** The version of the schema whose required parts are written. */
const NWB_VERSION = "2.7.0";

/** When a file's session was is not known from counts. */
const UNKNOWN_TIME = "1970-01-01T00:00:00+00:00";

type Datasets = Hdf5Tree["datasets"][number][];

function text(data: string[], shape = [data.length]): NpyText {
  return { shape, dtype: "text", data };
}

/** Attributes of an object of a type that a namespace of NWB defines. */
export function nwbType(type: string, namespace: string, more: Attributes = {}): Attributes {
  return { neurodata_type: type, namespace, object_id: crypto.randomUUID(), ...more };
}

/** @throws InputError where the bin width is not known or there are no spikes */
export function nwbTree(dataset: Dataset): Hdf5Tree {
  const { name, trials, T, binWidth, condition, conditionNames, split } = dataset;
  const action = `Cannot write ${JSON.stringify(name)} as NWB`;
  if (binWidth === null) {
    throw new InputError(
      `${action}: expected a bin width, as NWB holds times in seconds, found none (--bin-width).`,
    );
  }
  const starts = Float64Array.from({ length: trials }, (_, b) => b * T * binWidth);
  const labels = condition &&
    (conditionNames ? Array.from(condition, (value) => conditionNames[value]) : null);
  const columns = [
    "start_time",
    "stop_time",
    ...(condition ? ["condition"] : []),
    ...(split ? ["split"] : []),
  ];
  const column = (description: string) => nwbType("VectorData", "hdmf-common", { description });
  const trialColumns: Datasets = [
    {
      path: "intervals/trials/id",
      array: npyArray([trials], Int32Array.from(starts.keys())),
      attributes: nwbType("ElementIdentifiers", "hdmf-common"),
    },
    {
      path: "intervals/trials/start_time",
      array: npyArray([trials], starts),
      attributes: column("start of the trial in seconds"),
    },
    {
      path: "intervals/trials/stop_time",
      array: npyArray([trials], starts.map((start) => start + T * binWidth)),
      attributes: column("end of the trial in seconds"),
    },
  ];
  if (condition) {
    trialColumns.push({
      path: "intervals/trials/condition",
      array: labels ? text(labels) : npyArray([trials], condition),
      attributes: column("condition of the trial"),
    });
  }
  if (split) {
    const parts = new Array<string>(trials).fill("none");
    for (const trial of split.train) parts[trial] = "train";
    for (const trial of split.evaluation) parts[trial] = "val";
    trialColumns.push({
      path: "intervals/trials/split",
      array: text(parts),
      attributes: column("train or val"),
    });
  }
  return {
    groups: [
      {
        path: "",
        attributes: nwbType("NWBFile", "core", { nwb_version: NWB_VERSION }),
      },
      { path: "acquisition" },
      { path: "analysis" },
      { path: "general" },
      { path: "processing" },
      { path: "stimulus" },
      { path: "stimulus/presentation" },
      { path: "stimulus/templates" },
      { path: "intervals" },
      {
        path: "intervals/trials",
        attributes: nwbType("TimeIntervals", "core", {
          colnames: columns,
          description: "trials, one behind the other",
        }),
      },
      {
        path: "units",
        attributes: nwbType("Units", "core", {
          colnames: ["spike_times"],
          description:
            `neurons whose spikes were counted in bins of ${binWidth} s: where in its bin a ` +
            `spike stands is made up, evenly spaced`,
        }),
      },
    ],
    datasets: [
      ...about(name),
      ...trialColumns,
      ...unitDatasets(dataset, starts, binWidth, action),
    ],
  };
}

function about(name: string): Datasets {
  const scalar = (path: string, value: string) => ({ path, array: text([value], []) });
  return [
    scalar("identifier", crypto.randomUUID()),
    scalar("session_description", `${name}, spike counts written by latentd`),
    scalar("session_start_time", UNKNOWN_TIME),
    scalar("timestamps_reference_time", UNKNOWN_TIME),
    { path: "file_create_date", array: text([new Date().toISOString()]) },
  ];
}

function unitDatasets(
  { counts_BTN, trials, T, N, neurons }: Dataset,
  starts: Float64Array,
  binWidth: number,
  action: string,
): Datasets {
  let spikes = 0;
  for (const count of counts_BTN) spikes += count;
  if (spikes === 0) throw new InputError(`${action}: expected at least one spike, found none.`);
  const times = new Float64Array(spikes);
  const ends = new Uint32Array(N);
  let at = 0;
  for (let n = 0; n < N; n++) {
    for (let b = 0; b < trials; b++) {
      for (let t = 0; t < T; t++) {
        const count = counts_BTN[(b * T + t) * N + n];
        for (let k = 0; k < count; k++) {
          times[at++] = starts[b] + (t + (k + 0.5) / count) * binWidth;
        }
      }
    }
    ends[n] = at;
  }
  const whole = neurons?.map(Number);
  const known = whole?.every((id) => Number.isInteger(id) && Math.abs(id) < 2 ** 31) &&
    new Set(whole).size === N;
  const ids = known && whole ? Int32Array.from(whole) : Int32Array.from({ length: N }, (_, n) => n);
  return [
    {
      path: "units/id",
      array: npyArray([N], ids),
      attributes: nwbType("ElementIdentifiers", "hdmf-common"),
    },
    {
      path: "units/spike_times",
      array: npyArray([spikes], times),
      attributes: nwbType("VectorData", "hdmf-common", {
        description: "times of the spikes in seconds, made up within bins",
        resolution: binWidth,
      }),
    },
    {
      path: "units/spike_times_index",
      array: npyArray([N], ends),
      attributes: nwbType("VectorIndex", "hdmf-common", {
        description: "where the spikes of each unit end",
        target: { to: "units/spike_times" },
      }),
    },
  ];
}
