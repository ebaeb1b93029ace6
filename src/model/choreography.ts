/**
 * The choreography of a step, written once: which kernels run, in which order, on which buffers.
 * Every executor runs these recordings.
 */
import { LOSSES, NONLINEARITY_CODES, partialsLength } from "../compute/kernels.ts";
import { type Element, PlanBuilder, type Recorder, type Ref, slice } from "../compute/recording.ts";
import { type Activations, addActivations } from "./activations.ts";
import { gradientJobs } from "./gradients.ts";
import { type Architecture, type Layout, parameterLayout } from "./layout.ts";

/** The numbers of a step that do not change from run to run. */
export interface StepOptions {
  readonly keepRate: number;
  readonly generatorKeepRate: number;
  readonly varMin: number;
  readonly l2: number;
  readonly adamB1: number;
  readonly adamB2: number;
  readonly adamEps: number;
  readonly maxGradNorm: number;
}

/** What a plan is sized for. */
export interface PlanSizes {
  /** most trials in one run */
  readonly B: number;
  /** posterior samples of each trial (1 for training) */
  readonly S: number;
  /** trials of the whole data set, which stays on the device */
  readonly trials: number;
  readonly counts: Extract<Element, "u8" | "u16">;
  /** the share of counts that are not zero; below `SPARSE_BELOW` zeros are skipped */
  readonly density?: number;
  /** noise and masks are written by the caller instead of drawn (golden files, gradient checks) */
  readonly explicitNoise?: boolean;
}

/** Everything that the recordings of one plan share. */
interface Stage {
  readonly model: Architecture;
  readonly layout: Layout;
  readonly options: StepOptions;
  readonly sizes: PlanSizes;
  readonly params_P: Ref;
  readonly counts: Ref;
  readonly factorsHat_GF: Ref;
  readonly norms_F: Ref;
  readonly x: Activations;
  readonly masks: Masks | null;
}

interface Masks {
  readonly keepSpikes_BTN: Ref;
  readonly keepEnc_BT2E: Ref | null;
  readonly keepEnds_B2E: Ref;
  readonly keepGen_RTG: Ref;
}

/** Below these shares of non-zero counts it is faster to skip zeros (measured on the wasm executor). */
export const SPARSE_BELOW = { forward: 0.5, transposed: 0.5 } as const;

function stage(
  plan: PlanBuilder,
  model: Architecture,
  options: StepOptions,
  sizes: PlanSizes,
  training: boolean,
): Stage {
  const { T, N, E, U, G, F } = model.dims;
  const layout = parameterLayout(model);
  const { B, S } = sizes;
  return {
    model,
    layout,
    options,
    sizes,
    params_P: plan.buffer("params_P", layout.length),
    counts: plan.buffer("counts", sizes.trials * T * N, sizes.counts, { shared: true }),
    factorsHat_GF: plan.buffer("factorsHat_GF", G * F),
    norms_F: plan.buffer("norms_F", F),
    x: addActivations(plan, model, B, S, training),
    masks: !sizes.explicitNoise ? null : {
      keepSpikes_BTN: plan.buffer("keepSpikes_BTN", B * T * N),
      keepEnc_BT2E: U > 0 ? plan.buffer("keepEnc_BT2E", B * T * 2 * E) : null,
      keepEnds_B2E: plan.buffer("keepEnds_B2E", B * 2 * E),
      keepGen_RTG: plan.buffer("keepGen_RTG", B * S * T * G),
    },
  };
}

/** How a forward pass reads its Gaussians and whether units are dropped. */
interface Mode {
  readonly sample: 0 | 1;
  readonly dropout: boolean;
}

function parameters(s: Stage): (name: string) => Ref {
  return (name) => {
    const { offset, length } = s.layout.slice(name);
    return slice(s.params_P, offset, length);
  };
}

function decoderArguments(s: Stage, mode: Mode) {
  const { model, x, masks, options } = s;
  const { T, E, C, U, G, F } = model.dims;
  const p = parameters(s);
  const gru = model.cell === "gru";
  const c = x.controller;
  const buffers = {
    forward_HBE: x.forward_HBE,
    backward_HBE: x.backward_HBE,
    keepEnds_B2E: masks?.keepEnds_B2E ?? null,
    ends_B2E: x.ends_B2E,
    wInitial_2E2G: p("initialCondition.w_2E2G"),
    bInitial_2G: p("initialCondition.b_2G"),
    icPriorMean_G: p("icPrior.mean_G"),
    icPriorLogVar_G: p("icPrior.logVar_G"),
    epsIc_RG: x.epsIc_RG,
    ic_B2G: x.ic_B2G,
    ...(c && {
      conInput_TB3C: c.conInput_TB3C,
      wConFactors_F3C: p("controller.wFactors_F3C"),
      wConGates_C2C: p("controller.wGates_C2C"),
      wConCandidate_CC: p("controller.wCandidate_CC"),
      h0Con_C: p("controller.h0_C"),
      con_HRC: c.con_HRC,
      conGates_TR3C: c.conGates_TR3C,
      conReset_TRC: c.conReset_TRC,
      wOut_C2U: p("inputs.w_C2U"),
      bOut_2U: p("inputs.b_2U"),
      inputPriorMean_U: p("inputPrior.mean_U"),
      inputPriorLogTau_U: p("inputPrior.logTau_U"),
      inputPriorLogNoiseVar_U: p("inputPrior.logNoiseVar_U"),
      epsInputs_TRU: c.epsInputs_TRU,
      inputParams_TR2U: c.inputParams_TR2U,
      inputs_TRU: c.inputs_TRU,
      wGenInput: p(gru ? "generator.wInput_U3G" : "generator.wInput_UG"),
      klInputs_R: c.klInputs_R,
    }),
    wGenRecurrent: p(gru ? "generator.wGates_G2G" : "generator.wRecurrent_GG"),
    wGenCandidate_GG: gru ? p("generator.wCandidate_GG") : null,
    bGen: p(gru ? "generator.b_3G" : "generator.b_G"),
    keepGen_RTG: masks?.keepGen_RTG ?? null,
    gen_HRG: x.gen_HRG,
    genGates: x.genGates,
    genReset_TRG: x.genReset_TRG,
    factorsHat_GF: s.factorsHat_GF,
    factors_HRF: x.factors_HRF,
    klIc_R: x.klIc_R,
  };
  const numbers = {
    T,
    E,
    C,
    U,
    G,
    F,
    cell: gru ? 1 : 0,
    nonlinearity: NONLINEARITY_CODES[model.nonlinearity],
    sample: mode.sample,
    draw: s.masks || !mode.sample ? 0 : 1,
    dropout: mode.dropout && options.keepRate < 1 ? 1 : 0,
    dropoutGen: mode.dropout && options.generatorKeepRate < 1 ? 1 : 0,
    keepRate: options.keepRate,
    keepRateGen: options.generatorKeepRate,
    varMin: options.varMin,
  };
  return { buffers, numbers };
}

/** Spikes → encoder → initial condition → controller, generator, factors. */
function recordForward(r: Recorder, s: Stage, mode: Mode): void {
  const { model, x, masks, options, sizes } = s;
  const { T, N, E, C, G, F } = model.dims;
  const p = parameters(s);
  const dropout = mode.dropout && options.keepRate < 1 ? 1 : 0;
  const keepRate = options.keepRate;
  r.dispatch(
    "prepare",
    { w_GF: p("factors.w_GF"), factorsHat_GF: s.factorsHat_GF, norms_F: s.norms_F },
    { G, F },
  );
  r.dispatch("encoder_input", {
    counts: s.counts,
    trials_B: x.trials_B,
    keepSpikes_BTN: masks?.keepSpikes_BTN ?? null,
    wInput_ND3E: p("encoder.wInput_ND3E"),
    b_D3E: p("encoder.b_D3E"),
    spikes_TBN: x.spikes_TBN,
    gates_TBD3E: x.gates_TBD3E,
  }, {
    T,
    N,
    E,
    wide: sizes.counts === "u16" ? 1 : 0,
    sparse: (sizes.density ?? 1) < SPARSE_BELOW.forward ? 1 : 0,
    dropout,
    keepRate,
  });
  r.dispatch("encoder", {
    gates_TBD3E: x.gates_TBD3E,
    wGates_DE2E: p("encoder.wGates_DE2E"),
    wCandidate_DEE: p("encoder.wCandidate_DEE"),
    h0_DE: p("encoder.h0_DE"),
    forward_HBE: x.forward_HBE,
    backward_HBE: x.backward_HBE,
    reset_TBDE: x.reset_TBDE,
  }, { T, E });
  if (x.controller) {
    r.dispatch("controller_input", {
      forward_HBE: x.forward_HBE,
      backward_HBE: x.backward_HBE,
      keepEnc_BT2E: masks?.keepEnc_BT2E ?? null,
      wEncoding_2E3C: p("controller.wEncoding_2E3C"),
      b_3C: p("controller.b_3C"),
      enc_TB2E: x.controller.enc_TB2E,
      conInput_TB3C: x.controller.conInput_TB3C,
    }, { T, E, C, dropout, keepRate });
  }
  const decoder = decoderArguments(s, mode);
  r.dispatch("decoder", decoder.buffers, decoder.numbers);
}

function recordReadout(r: Recorder, s: Stage, gradient: 0 | 1): void {
  const { T, N, F } = s.model.dims;
  const p = parameters(s);
  r.dispatch("readout", {
    factors_HRF: s.x.factors_HRF,
    w_FN: p("readout.w_FN"),
    b_N: p("readout.b_N"),
    counts: s.counts,
    trials_B: s.x.trials_B,
    logRates_TRN: s.x.logRates_TRN,
    dFactors_TRF: gradient ? s.x.dFactors_TRF : null,
    nll_R: s.x.nll_R,
  }, { T, N, F, wide: s.sizes.counts === "u16" ? 1 : 0, gradient });
}

/** From the readout's gradients to every weight's, in `grads_P`. */
function recordBackward(r: Recorder, s: Stage, mode: Mode, grads_P: Ref): void {
  const { model, x, masks, options, sizes } = s;
  const { T, E, C } = model.dims;
  const p = parameters(s);
  const decoder = decoderArguments(s, mode);
  const c = x.controller;
  r.dispatch("decoder_backward", {
    ...decoder.buffers,
    dFactors_TRF: x.dFactors_TRF,
    dIc_B2G: x.dIc_B2G,
    dEnds_B2E: x.dEnds_B2E,
    dIcPrior_B2G: x.dIcPrior_B2G,
    dInputParams_TB2U: c?.dInputParams_TB2U ?? null,
    dInputPrior_B3U: c?.dInputPrior_B3U ?? null,
    dStartCon_BC: c?.dStartCon_BC ?? null,
  }, decoder.numbers);
  if (c) {
    r.dispatch("controller_input_backward", {
      conGates_TR3C: c.conGates_TR3C,
      keepEnc_BT2E: masks?.keepEnc_BT2E ?? null,
      wEncoding_2E3C: p("controller.wEncoding_2E3C"),
      dEnc_TB2E: c.dEnc_TB2E,
    }, {
      T,
      E,
      C,
      dropout: mode.dropout && options.keepRate < 1 ? 1 : 0,
      keepRate: options.keepRate,
    });
  }
  r.dispatch("encoder_backward", {
    gates_TBD3E: x.gates_TBD3E,
    wGates_DE2E: p("encoder.wGates_DE2E"),
    wCandidate_DEE: p("encoder.wCandidate_DEE"),
    forward_HBE: x.forward_HBE,
    backward_HBE: x.backward_HBE,
    dEnds_B2E: x.dEnds_B2E,
    dEnc_TB2E: c?.dEnc_TB2E ?? null,
    dStart_BDE: x.dStart_BDE,
  }, { T, E });
  const sparse = (sizes.density ?? 1) < SPARSE_BELOW.transposed ? 1 : 0;
  r.gradients(gradientJobs(model, s.layout, grads_P, x, sparse));
}

function recordReduce(
  r: Recorder,
  s: Stage,
  partials: Ref,
  losses: Ref,
  grads_P: Ref | null,
): void {
  const { G, F } = s.model.dims;
  const p = parameters(s);
  const w = s.layout.slice("factors.w_GF");
  r.dispatch("reduce", {
    params_P: s.params_P,
    grads_P,
    w_GF: p("factors.w_GF"),
    dw_GF: grads_P && slice(grads_P, w.offset, w.length),
    norms_F: s.norms_F,
    nll_R: s.x.nll_R,
    klIc_R: s.x.klIc_R,
    klInputs_R: s.x.controller?.klInputs_R ?? null,
    partials,
    losses,
  }, { P: s.layout.length, G, F, gradient: grads_P ? 1 : 0, l2: s.options.l2 });
}

/**
 * A plan that trains. Recordings: `step` (forward, backward, clip, Adam), `gradient` (the same
 * without Adam), `evaluate` (losses without dropout), `forward` (with dropout, log-rates kept).
 *
 * Buffers to write: `params_P`, `m_P`, `v_P`, `counts` (trials × T × N), `trials_B` (which trials the
 * batch holds) and, with `explicitNoise`, `epsIc_RG`, `epsInputs_TRU` and the `keep…` masks.
 * Buffers to read: `losses` (see `LOSSES`), `grads_P`, `params_P` and every activation.
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
  const s = stage(plan, model, options, sizes, true);
  const P = s.layout.length;
  const grads_P = plan.buffer("grads_P", P);
  const m_P = plan.buffer("m_P", P);
  const v_P = plan.buffer("v_P", P);
  const partials = plan.buffer("partials", partialsLength(P));
  const losses = plan.buffer("losses", LOSSES.length, "real", { perRun: true });

  const training: Mode = { sample: 1, dropout: true };
  const gradient = (r: Recorder) => {
    recordForward(r, s, training);
    recordReadout(r, s, 1);
    recordBackward(r, s, training, grads_P);
    recordReduce(r, s, partials, losses, grads_P);
  };
  gradient(plan.record("gradient"));

  const step = plan.record("step");
  gradient(step);
  step.dispatch("adam", { params_P: s.params_P, grads_P, m_P, v_P, losses }, {
    P,
    b1: options.adamB1,
    b2: options.adamB2,
    eps: options.adamEps,
    maxNorm: options.maxGradNorm,
  });

  for (const [name, dropout] of [["evaluate", false], ["forward", true]] as const) {
    const r = plan.record(name);
    recordForward(r, s, { sample: 1, dropout });
    recordReadout(r, s, 0);
    recordReduce(r, s, partials, losses, null);
  }
  return plan;
}

/**
 * A plan that infers, without dropout. Recordings: `sample` (S posterior samples of each trial,
 * averaged) and `mean` (the posterior mean, run with S = 1).
 *
 * Buffers to write: `params_P`, `counts`, `trials_B`. To read, all averaged over samples: `rates_TBN`
 * (of exp(logRate)), `logRates_TBN`, `mean_gen_HBG` (slot 0 is g0), `mean_factors_HBF` (slot 0 is 0),
 * `mean_inputs_TBU`, `mean_inputParams_TB2U`, and `ic_B2G` (the initial condition's mean, log-variance).
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
  const s = stage(plan, model, options, sizes, false);
  const { T, N, U, G, F } = model.dims;
  const { B } = sizes;
  const { x } = s;
  const p = parameters(s);
  const rates_TBN = plan.buffer("rates_TBN", T * B * N);
  const logRates_TBN = plan.buffer("logRates_TBN", T * B * N);
  const gen = plan.buffer("mean_gen_HBG", (T + 1) * B * G);
  const factors = plan.buffer("mean_factors_HBF", (T + 1) * B * F);
  const inputs = x.controller && plan.buffer("mean_inputs_TBU", T * B * U);
  const inputParams = x.controller && plan.buffer("mean_inputParams_TB2U", T * B * 2 * U);

  for (const name of ["sample", "mean"] as const) {
    const r = plan.record(name);
    recordForward(r, s, { sample: name === "sample" ? 1 : 0, dropout: false });
    r.dispatch("posterior_rates", {
      factors_HRF: x.factors_HRF,
      w_FN: p("readout.w_FN"),
      b_N: p("readout.b_N"),
      rates_TBN,
      logRates_TBN,
    }, { T, N, F });
    r.dispatch("average_samples", { source: x.gen_HRG, mean: gen }, { T: T + 1, n: G });
    r.dispatch("average_samples", { source: x.factors_HRF, mean: factors }, { T: T + 1, n: F });
    if (x.controller && inputs && inputParams) {
      const { inputs_TRU, inputParams_TR2U } = x.controller;
      r.dispatch("average_samples", { source: inputs_TRU, mean: inputs }, { T, n: U });
      r.dispatch("average_samples", { source: inputParams_TR2U, mean: inputParams }, {
        T,
        n: 2 * U,
      });
    }
  }
  return plan;
}
