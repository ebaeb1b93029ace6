/** A plan that infers: posterior samples, averaged, or the posterior mean. */
import { FAMILIES } from "../compute/kernels.ts";
import { PlanBuilder } from "../compute/recording.ts";
import {
  addStage,
  familyOf,
  parameters,
  type PlanSizes,
  recordForward,
  type StepOptions,
} from "./choreography.ts";
import { type Architecture, readoutNames } from "./layout.ts";

/**
 * A plan that infers, without dropout. Recordings: `sample` (S posterior samples of each trial,
 * averaged) and `mean` (the posterior mean, run with S = 1).
 *
 * Buffers to write: `params_P`, `counts` (what the encoders read), `trials_B` and, where the model has
 * external inputs, `external` (trials × T × X). To read, all averaged over samples: `rates_TBN`
 * (of exp(logRate)), `logRates_TBN`, `mean_gen_HBG` (slot 0 is g0), `mean_factors_HBF` (slot 0 is 0),
 * `mean_inputs_TBU`, `mean_inputParams_TB2U`, `mean_con_HBC`, and `ic_B2I` (the initial condition's mean,
 * log-variance).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   initialise,
 *   parseHyperparameters,
 *   posteriorPlan,
 *   scalars,
 *   stepOptions,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const sizes = { B: 2, S: 1, trials: 4, counts: "u8" } as const;
 * const plan = posteriorPlan(shape, stepOptions(hyperparameters), sizes);
 * const program = await createReferenceExecutor().load(plan);
 * program.write("params_P", initialise(shape, hyperparameters, 0, Float64Array.of(1, 1, 1)));
 * program.write("counts", new Uint8Array(4 * 5 * 3).fill(1));
 * program.write("trials_B", [2, 0]);
 * await program.run("mean", scalars({ B: 2 }));
 * const rates_TBN = await program.read("rates_TBN");
 * assert(rates_TBN.length === 5 * 2 * 3 && rates_TBN.every((rate) => rate > 0));
 * ```
 */
export function posteriorPlan(
  model: Architecture,
  options: StepOptions,
  sizes: PlanSizes,
): PlanBuilder {
  const plan = new PlanBuilder();
  const s = addStage(plan, model, options, sizes, false);
  const { T, N, C, U, G, F } = model.dims;
  const { B } = sizes;
  const { x } = s;
  const p = parameters(s);
  const names = readoutNames(model), family = familyOf(s);
  const rates_TBN = plan.buffer("rates_TBN", T * B * N);
  const logRates_TBN = plan.buffer("logRates_TBN", T * B * N);
  const gen = plan.buffer("mean_gen_HBG", (T + 1) * B * G);
  const factors = plan.buffer("mean_factors_HBF", (T + 1) * B * F);
  const inputs = x.controller && plan.buffer("mean_inputs_TBU", T * B * U);
  const con = x.controller && plan.buffer("mean_con_HBC", (T + 1) * B * C);
  const inputParams = x.controller && plan.buffer("mean_inputParams_TB2U", T * B * 2 * U);

  for (const name of ["sample", "mean"] as const) {
    const r = plan.record(name);
    recordForward(r, s, { sample: name === "sample" ? 1 : 0, dropout: false });
    const { factors_HRF } = x, w = p(names.w), b = p(names.b);
    if (family === "poisson") {
      const buffers = { factors_HRF, w_FN: w, b_N: b, rates_TBN, logRates_TBN };
      r.dispatch("posterior_rates", buffers, { T, N, F });
    } else {
      const buffers = { factors_HRF, w_FQ: w, b_Q: b, rates_TBN, logRates_TBN };
      const numbers = { family: FAMILIES[family], floor: options.observationFloor };
      r.dispatch("posterior_observations", buffers, { T, N, F, ...numbers });
    }
    r.dispatch("average_samples", { source: x.gen_HRG, mean: gen }, { T: T + 1, n: G });
    r.dispatch("average_samples", { source: x.factors_HRF, mean: factors }, { T: T + 1, n: F });
    if (x.controller && inputs && inputParams && con) {
      const { inputs_TRU, inputParams_TR2U, con_HRC } = x.controller;
      r.dispatch("average_samples", { source: con_HRC, mean: con }, { T: T + 1, n: C });
      r.dispatch("average_samples", { source: inputs_TRU, mean: inputs }, { T, n: U });
      r.dispatch("average_samples", { source: inputParams_TR2U, mean: inputParams }, {
        T,
        n: 2 * U,
      });
    }
  }
  return plan;
}
