/** The defaults on a real recording: where it is absent, nothing is tested, and the name says so. */
import assert from "node:assert/strict";
import {
  bitsPerSpike,
  createWasmExecutor,
  type Dataset,
  datasetFromArrays,
  fit,
  heldOutNeurons,
  infer,
  nullRates,
  parseHyperparameters,
  readDataset,
  splitTrials,
} from "../src/mod.ts";
import { realRecording } from "./recordings.ts";
import { takeColumns, takeTrials } from "../src/analysis/take.ts";

const path = realRecording("datahigh_pmd_2reach_20ms.npz");

/** Some trials of a dataset, and nothing else of it. */
function only({ name, counts_BTN, T, N }: Dataset, trials: Uint32Array): Dataset {
  const data = Uint8Array.from(takeTrials(counts_BTN, trials, T * N));
  return datasetFromArrays({ name, spikes: { shape: [trials.length, T, N], data } });
}

Deno.test({
  name:
    "the defaults, in a third of their steps, predict held-out neurons on held-out trials of a " +
    `recording better than the baseline${path ? "" : " (no recording here)"}`,
  ignore: path === null,
  async fn() {
    // Split 7 of the ten in bench/RESULTS.md, on which smoothed PCA + Poisson regression has 0.318.
    const seed = 7, baseline = 0.318;
    const data = await readDataset(path!);
    const { train, evaluation } = splitTrials(data.trials, 0.2, seed);
    const heldOut = heldOutNeurons(data.N, 0.25, seed);
    const hyperparameters = parseHyperparameters({
      ...{ heldOutNeurons: 0.25, steps: 350, klEnd: 175, decayFactor: 0.994 },
    });
    const executor = await createWasmExecutor({ threads: 2 });
    try {
      const run = fit(only(data, train), executor, { hyperparameters, seed });
      let next = await run.next();
      while (!next.done) next = await run.next();
      const { model } = next.value;
      assert.deepEqual(model.heldOut, heldOut);
      const unseen = only(data, evaluation);
      const { rates_BTN } = await infer(executor, model, unseen, { samples: 32 });
      const rates = takeColumns(rates_BTN, data.N, heldOut);
      const counts = takeColumns(unseen.counts_BTN, data.N, heldOut);
      const N = heldOut.length;
      const score = bitsPerSpike(rates, counts, N, nullRates(counts, N));
      assert.ok(score > baseline, `co-bps ${score.toFixed(3)}`);
    } finally {
      executor.close();
    }
  },
});
