/**
 * The file that lfads-torch's posterior sampling leaves: the data that it was given and, for each part
 * of the split, `{train,valid}_` and the name of an output (`SessionOutput` in lfads_torch/tuples.py).
 */
import type { Dataset } from "../../data/dataset.ts";
import type { Hdf5Tree } from "../../data/formats/hdf5/tree.ts";
import { lfadsTorchTree, rowsOfSplit } from "../../data/formats/to_hdf5.ts";
import { type NpyArray, npyArray } from "../../data/npy.ts";
import type { GivenSplit } from "../../data/parts.ts";
import type { ShapedArray } from "../../data/validate.ts";

/** lfads-torch's names, and ours. What has no name there keeps its own. */
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
  trial_lengths: "trial_lengths",
  missing: "missing",
};

/**
 * Checks that the data fit, and says how the file is made.
 *
 * @param split which trials the model was trained on and which not; null where that is not known: then
 * none of them is in `train`
 * @param external inputs that the model takes: they stand behind the inferred ones in `gen_inputs`
 * @throws {InputError} where a trial is in neither part
 */
export function lfadsTorchOutputs(
  data: Dataset,
  split: GivenSplit | null,
  external: ShapedArray | null,
): (outputs: Readonly<Record<string, NpyArray>>) => Hdf5Tree {
  const parts = split ?? {
    train: new Uint32Array(0),
    evaluation: Uint32Array.from({ length: data.trials }, (_, b) => b),
  };
  const { groups, datasets } = lfadsTorchTree(data, parts);
  return (outputs) => {
    const rows: Record<string, ShapedArray> = Object.fromEntries(
      Object.entries(LFADS_TORCH_OUTPUTS).flatMap(([theirs, ours]) =>
        Object.hasOwn(outputs, ours) ? [[theirs, outputs[ours]]] : []
      ),
    );
    if (external) rows.gen_inputs = behind(rows.gen_inputs, external, outputs.factors.shape[1]);
    const arrays = rowsOfSplit(rows, parts);
    return {
      groups,
      datasets: [
        ...datasets,
        ...Object.entries(arrays).map(([path, array]) => ({ path, array })),
      ],
    };
  };
}

/** Inferred inputs, where there are any, and behind them external ones, of the first `T` bins. */
function behind(
  inferred: ShapedArray | undefined,
  { shape: [trials, bins, X], data }: ShapedArray,
  T: number,
): ShapedArray {
  const U = inferred?.shape[2] ?? 0;
  const out = new Float64Array(trials * T * (U + X));
  for (let b = 0; b < trials; b++) {
    for (let t = 0; t < T; t++) {
      const to = (b * T + t) * (U + X);
      for (let u = 0; u < U; u++) out[to + u] = inferred!.data[(b * T + t) * U + u];
      for (let x = 0; x < X; x++) out[to + U + x] = data[(b * bins + t) * X + x];
    }
  }
  return npyArray([trials, T, U + X], out);
}
