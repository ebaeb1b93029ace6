/** Every score of a model on trials held out, each beside its null and the simple baselines. */
import { averageRates } from "../../analysis/baselines/averages.ts";
import { type PcaPoissonChoice, pcaPoissonRates } from "../../analysis/baselines/pca_poisson.ts";
import type { Dataset } from "../../data/dataset.ts";
import { InputError } from "../../errors.ts";
import type { Model } from "../../model/model.ts";
import { behaviourRows } from "./behaviour.ts";
import { psthRow, truthRow } from "./rates.ts";
import { realRows } from "./real.ts";
import { countsWithGaps, type Inferred, type Scored, type ScoreRow, type Seen } from "./scored.ts";
import {
  type Averages,
  coSmoothingRow,
  fewShotRow,
  forwardRow,
  seenRow,
  seenTask,
} from "./spikes.ts";

/** Scores, and what could not be scored. */
export interface Evaluation {
  readonly rows: readonly ScoreRow[];
  /** why rows are missing: sentences */
  readonly left: readonly string[];
  /** what cross-validation chose for smoothed PCA and Poisson regression; null without held-out neurons */
  readonly pcaPoisson: PcaPoissonChoice | null;
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** trials that few-shot regressions see; 16, or half of the training trials, by default */
  readonly shots?: number;
  /** only spikes and behaviour: what several splits are compared by */
  readonly brief?: boolean;
  /** false leaves out smoothed PCA and Poisson regression, which take the longest, and few-shot scores */
  readonly regression?: boolean;
  /** the model that inferred: needed for the likelihoods of real numbers, which its readout has */
  readonly model?: Model;
}

const SHOTS = 16;

/**
 * Scores what a model inferred on the evaluation trials, with the Neural Latents Benchmark's metrics,
 * and beside each its null, the oracle (true rates) where known, and the simple baselines on the same
 * split. Baselines choose what they have to choose among the training trials.
 *
 * Bits per spike are over each neuron's mean rate in the evaluation trials. Of a model of real numbers
 * (`options.model`), nats per sample stand beside those of the training trials' moments instead, and the
 * share of the variance that its expected values explain beside that of averages over trials.
 *
 * @param inferred for every trial of `data`, in its order
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { evaluate, simulateRotation, splitTrials } from "latentd";
 *
 * const data = simulateRotation({ trials: 20, T: 10, N: 8 });
 * const seen = { ...splitTrials(20, 0.2, 0), heldOut: [1, 4], encodedBins: 8 };
 * const { rates_BTN, latents_BTL } = data.truth!;
 * const { rows } = evaluate(data, seen, { rates_BTN, factors_BTF: latents_BTL });
 * const metrics = rows.map(({ metric }) => metric);
 * assert.deepEqual(metrics.slice(0, 3), ["bits per spike", "co-bps", "fp-bps"]);
 * assert(rows.slice(0, 3).every(({ model, oracle }) => model === oracle)); // it is the truth
 * ```
 */
export function evaluate(
  data: Dataset,
  seen: Seen,
  inferred: Inferred,
  options: EvaluateOptions = {},
): Evaluation {
  const { brief = false, regression = true } = options;
  const rows: ScoreRow[] = [], left: string[] = [];
  const F = inferred.factors_BTF.length / (data.trials * data.T);
  const scored: Scored = { data, counts_BTN: countsWithGaps(data), seen, inferred, F };
  const { observation = "poisson" } = options.model?.architecture ?? {};
  const counted = observation === "poisson" &&
    scored.counts_BTN.every((x) => Number.isNaN(x) || (Number.isInteger(x) && x >= 0));
  const averages = counted ? averagesOf(scored) : null;
  /** A row whose data cannot be used is left out with its reason. */
  const add = (what: string, make: () => ScoreRow | readonly ScoreRow[] | null) => {
    try {
      const made = make();
      if (made) rows.push(...[made].flat());
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      left.push(`${what}: ${error.message}`);
    }
  };
  let choice: PcaPoissonChoice | null = null;
  if (averages) {
    add("bits per spike", () => seenRow(scored, averages));
    if (seen.heldOut.length > 0) {
      add("co-bps", () => {
        if (!regression) return coSmoothingRow(scored, averages, null);
        const baseline = pcaPoissonRates(seenTask(scored), seen.heldOut);
        choice = baseline.choice;
        return coSmoothingRow(scored, averages, baseline);
      });
    } else left.push("co-bps, few-shot co-bps: no neurons are held out (heldOutNeurons).");
    if (seen.encodedBins < data.T) add("fp-bps", () => forwardRow(scored, averages));
    else left.push("fp-bps: the model sees every bin (encodedBins).");
  } else if (options.model && observation !== "poisson") {
    rows.push(...realRows(scored, options.model));
    left.push(
      `bits per spike, co-bps, fp-bps: they are of Poisson counts, and the model's observation is ` +
        `${observation}. Nats per sample say how likely its numbers are.`,
    );
  } else left.push("spikes: the data are other numbers, and bits per spike are of whole counts.");
  if (!brief) {
    const { shots = Math.min(SHOTS, seen.train.length >> 1) } = options;
    if (choice) add("few-shot co-bps", () => fewShotRow(scored, shots, choice!));
    add("PSTH R²", () => psthRow(scored, averages));
    add("R² to the truth", () => truthRow(scored, averages));
  }
  for (const [name, behaviour] of Object.entries(data.behaviour_BTD ?? {})) {
    add(`behaviour R² of ${name}`, () => behaviourRows(scored, name, behaviour));
  }
  return { rows, left, pcaPoisson: choice };
}

function averagesOf({ data, counts_BTN, seen: { train, evaluation } }: Scored): Averages {
  const { T, N, condition } = data;
  const task = { counts_BTN, T, N, train, evaluation };
  return {
    average: averageRates(task),
    perCondition: condition && averageRates({ ...task, condition }),
  };
}
