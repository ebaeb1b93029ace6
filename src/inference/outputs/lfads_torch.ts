/**
 * The file that lfads-torch's posterior sampling leaves: the data that it was given and, for each part
 * of the split, `{train,valid}_` and the name of an output (`SessionOutput` in lfads_torch/tuples.py).
 */
import type { Dataset } from "../../data/dataset.ts";
import type { Hdf5Tree } from "../../data/formats/hdf5/tree.ts";
import { lfadsTorchTree, rowsOfSplit } from "../../data/formats/to_hdf5.ts";
import type { NpyArray } from "../../data/npy.ts";
import type { GivenSplit } from "../../data/parts.ts";

/** lfads-torch's names, and ours. `rates_hz` has no name there and keeps its own. */
export const LFADS_TORCH_OUTPUTS: Readonly<Record<string, string>> = {
  output_params: "rates",
  rates_hz: "rates_hz",
  factors: "factors",
  ic_mean: "ic_mean",
  ic_std: "ic_std",
  co_means: "input_mean",
  co_stds: "input_std",
  gen_states: "gen_states",
  gen_init: "gen_init",
  gen_inputs: "gen_inputs",
  con_states: "con_states",
};

/**
 * Checks that the data fit, and says how the file is made.
 *
 * @param split which trials the model was trained on and which not; null where that is not known: then
 * none of them is in `train`
 * @throws {InputError} where a trial is in neither part
 */
export function lfadsTorchOutputs(
  data: Dataset,
  split: GivenSplit | null,
): (outputs: Readonly<Record<string, NpyArray>>) => Hdf5Tree {
  const parts = split ?? {
    train: new Uint32Array(0),
    evaluation: Uint32Array.from({ length: data.trials }, (_, b) => b),
  };
  const { groups, datasets } = lfadsTorchTree(data, parts);
  return (outputs) => {
    const rows = Object.entries(LFADS_TORCH_OUTPUTS).flatMap(([theirs, ours]) =>
      Object.hasOwn(outputs, ours) ? [[theirs, outputs[ours]] as const] : []
    );
    const arrays = rowsOfSplit(Object.fromEntries(rows), parts);
    return {
      groups,
      datasets: [
        ...datasets,
        ...Object.entries(arrays).map(([path, array]) => ({ path, array })),
      ],
    };
  };
}
