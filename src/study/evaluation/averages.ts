/** Averages over trials of anything: what a model that looks at no trial predicts. */

/** For each evaluation trial the mean of the training trials, of its condition where there are any. */
export function trialAverages(
  train_BTX: Float64Array,
  size: number,
  train: Uint32Array,
  evaluation: Uint32Array,
  condition: ArrayLike<number> | null,
): Float64Array {
  const out = new Float64Array(evaluation.length * size);
  evaluation.forEach((trial, b) => {
    const same = [...train.keys()].filter((i) =>
      !condition || condition[train[i]] === condition[trial]
    );
    const from = same.length > 0 ? same : [...train.keys()];
    for (let i = 0; i < size; i++) {
      let sum = 0, known = 0;
      for (const one of from) {
        const value = train_BTX[one * size + i];
        if (Number.isNaN(value)) continue;
        sum += value;
        known++;
      }
      out[b * size + i] = sum / known;
    }
  });
  return out;
}
