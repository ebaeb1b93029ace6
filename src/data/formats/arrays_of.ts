/** A dataset as named arrays: what its .npz and its plain HDF5 file hold. */
import type { Dataset } from "../dataset.ts";
import { type NpyArray, npyArray, type NpyText } from "../npy.ts";
import { encodedPart } from "../windows.ts";

/** Strings of NumPy's fixed width. */
export function textArray(data: readonly string[]): NpyText {
  const width = data.reduce((most, text) => Math.max(most, [...text].length), 1);
  return { shape: [data.length], dtype: `<U${width}`, data: [...data] };
}

/** Every part of a dataset under its key; name and warnings are left out. */
export function arraysOf(dataset: Dataset): Record<string, NpyArray | NpyText> {
  const { counts_BTN, trials, T, N, binWidth, condition, conditionNames, truth } = dataset;
  const { neurons, split, missing_BTN, lengths_B, external_BTX } = dataset;
  const whole = npyArray([trials, T, N], counts_BTN);
  const encoded = encodedPart(dataset, counts_BTN);
  const arrays: Record<string, NpyArray | NpyText> = {
    spikes: encoded ? npyArray(encoded.shape, encoded.data) : whole,
  };
  if (binWidth !== null) arrays.bin_width_s = npyArray([], Float64Array.of(binWidth));
  if (condition !== null) arrays.condition = npyArray([trials], condition);
  if (conditionNames) arrays.condition_names = textArray(conditionNames);
  if (truth !== null) {
    const { rates_BTN, latents_BTL, L, A } = truth;
    arrays.rates = npyArray([trials, T, N], rates_BTN);
    if (L > 0) arrays.latents = npyArray([trials, T, L], latents_BTL);
    if (A !== undefined) arrays.A = npyArray([L, L], Float64Array.from(A.flat()));
  }
  if (neurons) arrays.neurons = textArray(neurons);
  if (split) {
    arrays.split_train = npyArray([split.train.length], split.train);
    arrays.split_evaluation = npyArray([split.evaluation.length], split.evaluation);
  }
  if (dataset.sessions) {
    const { names, neurons, session_B } = dataset.sessions;
    arrays.session = npyArray([trials], session_B);
    arrays.session_names = textArray(names);
    arrays.session_neurons = npyArray([names.length], Int32Array.from(neurons));
  }
  if (missing_BTN) arrays.missing = npyArray([trials, T, N], missing_BTN);
  if (lengths_B) arrays.trial_lengths = npyArray([trials], lengths_B);
  if (encoded) arrays.recon = whole;
  if (external_BTX) arrays.external = npyArray(external_BTX.shape, external_BTX.data);
  for (const [name, { shape, data }] of Object.entries(dataset.behaviour_BTD ?? {})) {
    arrays[name] = npyArray(shape, data);
  }
  return arrays;
}
