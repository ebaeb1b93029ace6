/** A plan that trains: the gradient of a batch, Adam, and what the loss is of trials that do not train. */
import { LOSSES, partialsLength } from "../compute/kernels.ts";
import { PlanBuilder, type Recorder, type Ref, slice } from "../compute/recording.ts";
import {
  addStage,
  type Mode,
  parameters,
  type PlanSizes,
  recordBackward,
  recordForward,
  recordReadout,
  type Stage,
  type StepOptions,
} from "./choreography.ts";
import type { Architecture } from "./layout.ts";

/** The buffers in which `reduce` leaves its sums. */
interface Sums {
  readonly l2_P: Ref;
  readonly partials: Ref;
  readonly losses: Ref;
}

function recordReduce(r: Recorder, s: Stage, sums: Sums, grads_P: Ref | null): void {
  const { G, F } = s.model.dims;
  const w = s.layout.slice("factors.w_GF");
  r.dispatch("reduce", {
    params_P: s.params_P,
    grads_P,
    w_GF: parameters(s)("factors.w_GF"),
    dw_GF: grads_P && slice(grads_P, w.offset, w.length),
    norms_F: s.norms_F,
    nll_R: s.x.nll_R,
    klIc_R: s.x.klIc_R,
    klInputs_R: s.x.controller?.klInputs_R ?? null,
    ...sums,
  }, { P: s.layout.length, G, F, gradient: grads_P ? 1 : 0 });
}

/**
 * A plan that trains. Recordings: `step` (forward, backward, clip, Adam), `gradient` (the same
 * without Adam), `evaluate` (losses without dropout), `forward` (with dropout, outputs kept); with
 * `sizes.validation` `validate` (as `evaluate`, the likelihood being that of `validation`); with
 * `sizes.accumulate` `accumulate` (the gradient of a part of a batch, added up) and `update` (Adam on
 * the sum).
 *
 * Buffers to write: `params_P`, `m_P`, `v_P`, `l2_P` (the L2 penalty of each parameter), `counts`
 * (trials × T × N), `trials_B` (which trials the batch holds); where the sizes or the model say so
 * `encoded` and `validation` (like `counts`) and `external` (trials × T × X); and, with
 * `explicitNoise`, `epsIc_RI`, `epsInputs_TRU` and the `keep…` masks.
 * Buffers to read: `losses` (see `LOSSES`; after `accumulate` and `update`: `sums`), `grads_P`,
 * `params_P` and every activation.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   architecture,
 *   createReferenceExecutor,
 *   initialise,
 *   LOSSES,
 *   parseHyperparameters,
 *   scalars,
 *   stepOptions,
 *   trainingPlan,
 * } from "latentd";
 *
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2 });
 * const shape = architecture(hyperparameters, 5, 3);
 * const sizes = { B: 2, S: 1, trials: 4, counts: "u8" } as const;
 * const plan = trainingPlan(shape, stepOptions(hyperparameters), sizes);
 * const program = await createReferenceExecutor().load(plan);
 * program.write("params_P", initialise(shape, hyperparameters, 0, Float64Array.of(1, 1, 1)));
 * program.write("counts", new Uint8Array(4 * 5 * 3).fill(1));
 * program.write("trials_B", [2, 0]);
 * await program.run("step", scalars({ B: 2, learningRate: 0.01 }));
 * const losses = await program.read("losses");
 * assert(losses[LOSSES.indexOf("nll")] > 0 && losses[LOSSES.indexOf("gradNorm")] > 0);
 * ```
 */
export function trainingPlan(
  model: Architecture,
  options: StepOptions,
  sizes: PlanSizes,
): PlanBuilder {
  const plan = new PlanBuilder();
  const s = addStage(plan, model, options, sizes, true);
  const P = s.layout.length;
  const grads_P = plan.buffer("grads_P", P);
  const m_P = plan.buffer("m_P", P);
  const v_P = plan.buffer("v_P", P);
  const perRun = { perRun: true };
  const sums: Sums = {
    l2_P: plan.buffer("l2_P", P),
    partials: plan.buffer("partials", partialsLength(P)),
    losses: plan.buffer("losses", LOSSES.length, "real", perRun),
  };

  const training: Mode = { sample: 1, dropout: true };
  const gradient = (r: Recorder) => {
    recordForward(r, s, training);
    recordReadout(r, s, training, 1);
    recordBackward(r, s, training, grads_P);
    recordReduce(r, s, sums, grads_P);
  };
  const adam = (r: Recorder, grads_P: Ref, losses: Ref) =>
    r.dispatch("adam", { params_P: s.params_P, grads_P, m_P, v_P, losses }, {
      P,
      b1: options.adamB1,
      b2: options.adamB2,
      eps: options.adamEps,
      maxNorm: options.maxGradNorm,
      weightDecay: options.weightDecay,
    });
  gradient(plan.record("gradient"));

  const step = plan.record("step");
  gradient(step);
  adam(step, grads_P, sums.losses);

  if (sizes.accumulate) {
    const sum_P = plan.buffer("sum_P", P);
    const whole = plan.buffer("sums", LOSSES.length, "real", perRun);
    const part = plan.record("accumulate");
    gradient(part);
    const { losses, partials } = sums;
    part.dispatch("accumulate", { grads_P, sum_P, losses, sums: whole, partials }, { P });
    adam(plan.record("update"), sum_P, whole);
  }

  const losses = (name: string, mode: Mode, targets = s.counts) => {
    const r = plan.record(name);
    recordForward(r, s, mode);
    recordReadout(r, s, mode, 0, targets);
    recordReduce(r, s, sums, null);
  };
  losses("evaluate", { sample: 1, dropout: false });
  losses("forward", training);
  if (sizes.validation) {
    const { T, N } = model.dims;
    const length = sizes.trials * T * N;
    const validation = plan.buffer("validation", length, sizes.counts, { shared: true });
    losses("validate", { sample: 1, dropout: false }, validation);
  }
  return plan;
}
