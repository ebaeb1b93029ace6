/**
 * What was inferred as an NWB file: the data's units and trials, one trial behind the other, a
 * processing module `lfads` with a time series for everything that each bin has, and a column of the
 * table of trials for everything that each trial has.
 */
import type { Dataset } from "../../data/dataset.ts";
import type { Attributes, Hdf5Tree } from "../../data/formats/hdf5/tree.ts";
import { nwbTree, nwbType } from "../../data/formats/to_nwb.ts";
import { type NpyArray, npyArray } from "../../data/npy.ts";
import { InputError } from "../../errors.ts";

const MODULE = "processing/lfads", TRIALS = "intervals/trials";

interface Described {
  readonly unit: string;
  readonly description: string;
}

/** What each bin has. */
const SERIES: Readonly<Record<string, Described>> = {
  rates: { unit: "spikes per bin", description: "expected spikes per bin of each unit" },
  rates_hz: { unit: "Hz", description: "expected spikes per second of each unit" },
  log_rates: { unit: "ln(spikes per bin)", description: "averaged log-rate of each unit" },
  factors: { unit: "a.u.", description: "factors of LFADS" },
  gen_states: { unit: "a.u.", description: "states of the generator after each bin" },
  con_states: { unit: "a.u.", description: "states of the controller after each bin" },
  gen_inputs: { unit: "a.u.", description: "inferred inputs of the generator" },
  input_mean: { unit: "a.u.", description: "posterior mean of the inferred inputs" },
  input_std: { unit: "a.u.", description: "posterior deviation of the inferred inputs" },
};

/** What each trial has. */
const COLUMNS: Readonly<Record<string, string>> = {
  gen_init: "initial state of the generator",
  ic_mean: "posterior mean of the initial condition",
  ic_std: "posterior deviation of the initial condition",
};

/**
 * Checks that the data fit, and says how the file is made.
 *
 * @throws {InputError} where there is no bin width, no spike, or bins that were not observed
 */
export function nwbOutputs(
  data: Dataset,
): (outputs: Readonly<Record<string, NpyArray>>, samples: number) => Hdf5Tree {
  const { binWidth, missing_BTN, lengths_B, name } = data;
  if (missing_BTN || lengths_B) {
    throw new InputError(
      `Cannot write ${JSON.stringify(name)} as NWB: expected every bin to be observed, found ` +
        `some that were not, and they would be silence there (.npz and .h5 can hold them).`,
    );
  }
  const tree = nwbTree(data);
  return (outputs, samples) => {
    const named = (table: Readonly<Record<string, unknown>>) =>
      Object.keys(table).filter((key) => Object.hasOwn(outputs, key));
    const columns = named(COLUMNS);
    const series = named(SERIES);
    return {
      groups: [
        ...tree.groups.map(({ path, attributes }) => ({
          path,
          attributes: path === TRIALS ? withColumns(attributes ?? {}, columns) : attributes,
        })),
        {
          path: MODULE,
          attributes: nwbType("ProcessingModule", "core", {
            description: `inferred by latentd with LFADS, ${
              samples === 0 ? "at the posterior mean" : `averaged over ${samples} samples`
            }; trials stand one behind the other`,
          }),
        },
        ...series.map((key) => ({
          path: `${MODULE}/${key}`,
          attributes: nwbType("TimeSeries", "core", {
            description: SERIES[key].description,
            comments: "one row for each bin of each trial",
          }),
        })),
      ],
      datasets: [
        ...tree.datasets,
        ...columns.map((key) => ({
          path: `${TRIALS}/${key}`,
          array: outputs[key],
          attributes: nwbType("VectorData", "hdmf-common", { description: COLUMNS[key] }),
        })),
        ...series.flatMap((key): Hdf5Tree["datasets"][number][] => {
          const { shape: [trials, bins, n], data } = outputs[key];
          return [
            {
              path: `${MODULE}/${key}/data`,
              array: npyArray([trials * bins, n], data),
              attributes: { unit: SERIES[key].unit, conversion: 1, resolution: -1 },
            },
            {
              path: `${MODULE}/${key}/starting_time`,
              array: npyArray([], Float64Array.of(0)),
              attributes: { rate: 1 / binWidth!, unit: "seconds" },
            },
          ];
        }),
      ],
    };
  };
}

function withColumns(attributes: Attributes, columns: readonly string[]): Attributes {
  const { colnames } = attributes;
  return { ...attributes, colnames: [...colnames as readonly string[], ...columns] };
}
