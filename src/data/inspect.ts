/** Looks into files of recordings. */
import { basename } from "node:path";
import { datasetFromLayout, type ReadDatasetOptions } from "./dataset.ts";
import { readFileOrExplain } from "./files.ts";
import { type Inspection, inspection } from "./formats/contents.ts";
import { fileKind, readHead } from "./formats/kind.ts";
import { layoutOf } from "./formats/layout.ts";
import { openNumpy } from "./formats/open_numpy.ts";
import { isSpikeTimes, trainsOf } from "./formats/spike_times.ts";

/**
 * What a file holds, which of it would be the spikes and why, and the dataset that it makes or the reason
 * why it makes none.
 *
 * @throws InputError where there is no file, or it is damaged or of an unknown kind
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { inspectFile, simulateRotation, writeDataset } from "latentd";
 *
 * const folder = await Deno.makeTempDir();
 * await writeDataset(`${folder}/spikes.npz`, simulateRotation({ trials: 4, T: 5, N: 3 }));
 * const { contents, dataset, problem } = await inspectFile(`${folder}/spikes.npz`);
 * assert.equal(contents.understood?.spikes, "spikes");
 * assert.deepEqual([dataset?.N, problem], [3, null]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function inspectFile(
  path: string,
  options: ReadDatasetOptions = {},
): Promise<Inspection> {
  const settings: ReadDatasetOptions = { minTrials: 1, ...options };
  const fileName = basename(path);
  if (fileKind(await readHead(path)) === "hdf5") {
    const { hdf5Inspection } = await import("./formats/hdf5/host.ts");
    return await hdf5Inspection({ path }, fileName, settings);
  }
  const bytes = await readFileOrExplain(path);
  const { source, name, action } = openNumpy(bytes, fileName, settings.limits);
  return inspection(
    source,
    bytes.length,
    () => isSpikeTimes(source) ? trainsOf(source, {}, action) : null,
    () => {
      const layout = layoutOf(source, settings, action);
      return {
        understood: layout.understood,
        dataset: () => datasetFromLayout(name, layout, settings, action),
      };
    },
  );
}
