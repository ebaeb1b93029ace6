/** What is made of an open HDF5 file: a dataset, or a look at its contents. */
import { type Dataset, datasetFromLayout, type ReadDatasetOptions } from "../../dataset.ts";
import { type Inspection, inspection } from "../contents.ts";
import { type Layout, layoutOf } from "../layout.ts";
import { isNwb, nwbTrains, readNwb } from "../nwb.ts";
import { spokenOf } from "../open_numpy.ts";
import { isSpikeTimes, trainsOf } from "../spike_times.ts";
import { Hdf5File, type Hdf5Input } from "./library.ts";
import { hdf5Source } from "./source.ts";
import type { H5wasmModule } from "./h5wasm.ts";

/** @throws InputError naming what is wrong and the first place where it is */
export function readHdf5(
  module: H5wasmModule,
  input: Hdf5Input,
  fileName: string,
  options: ReadDatasetOptions,
): Dataset {
  return withFile(module, input, fileName, options, (file, { what, name, action }) => {
    const layout = isNwb(file) && options.key === undefined
      ? readNwb(file, options, action)
      : layoutOf(hdf5Source(file, what), options, action);
    return datasetFromLayout(name, layout, options, action);
  });
}

/** @throws InputError where the file is no HDF5 file, or damaged */
export function inspectHdf5(
  module: H5wasmModule,
  input: Hdf5Input,
  fileName: string,
  bytes: number,
  options: ReadDatasetOptions,
): Inspection {
  return withFile(module, input, fileName, options, (file, { what, name, action }) => {
    const nwb = isNwb(file);
    const source = hdf5Source(file, what);
    const layout = (): Layout =>
      nwb && options.key === undefined
        ? readNwb(file, options, action)
        : layoutOf(source, options, action);
    return inspection(
      { entries: source.entries, format: nwb ? "an NWB file (HDF5)" : source.format },
      bytes,
      () =>
        nwb ? nwbTrains(file, action) : isSpikeTimes(source) ? trainsOf(source, {}, action) : null,
      () => {
        const made = layout();
        return {
          understood: made.understood,
          dataset: () => datasetFromLayout(name, made, options, action),
        };
      },
    );
  });
}

function withFile<R>(
  module: H5wasmModule,
  input: Hdf5Input,
  fileName: string,
  { limits }: ReadDatasetOptions,
  use: (file: Hdf5File, spoken: ReturnType<typeof spokenOf>) => R,
): R {
  const spoken = spokenOf(fileName);
  const file = Hdf5File.open(module, input, spoken.what, limits);
  try {
    return use(file, spoken);
  } finally {
    file.close();
  }
}
