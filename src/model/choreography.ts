/**
 * The choreography of a step, written once: which kernels run, in which order, on which buffers. Every
 * executor runs these recordings. `training_plan.ts` and `posterior_plan.ts` make plans of them.
 */
import { ELEMENT_CODES, FAMILIES, NONLINEARITY_CODES } from "../compute/kernels.ts";
import { type PlanBuilder, type Recorder, type Ref, slice } from "../compute/recording.ts";
import { type Activations, addActivations, type EncoderActivations } from "./activations.ts";
import { gradientJobs } from "./gradients.ts";
import {
  type Architecture,
  type Layout,
  parameterLayout,
  readoutNames,
  shapeOf,
} from "./layout.ts";

/** The numbers of a step that do not change from run to run. */
export interface StepOptions {
  readonly keepRate: number;
  readonly generatorKeepRate: number;
  /** the share of inputs that is dropped, and that alone has a loss; 0: no coordinated dropout */
  readonly coordinatedDropout: number;
  readonly varMin: number;
  /** zero-inflated gamma: the least value above 0 */
  readonly observationFloor: number;
  readonly adamB1: number;
  readonly adamB2: number;
  readonly adamEps: number;
  readonly maxGradNorm: number;
  readonly weightDecay: number;
}

/** How data are stored on a device: counts, or real numbers. */
export type DataElement = keyof typeof ELEMENT_CODES;

/** What a plan is sized for. */
export interface PlanSizes {
  /** most trials in one run */
  readonly B: number;
  /** posterior samples of each trial (1 for training) */
  readonly S: number;
  /** trials of the whole data set, which stays on the device */
  readonly trials: number;
  readonly counts: DataElement;
  /** the share of counts that are not zero; below `SPARSE_BELOW` zeros are skipped */
  readonly density?: number;
  /** some of the data may be missing (see `MISSING`) */
  readonly gaps?: boolean;
  /** the encoders read `encoded` in place of `counts` */
  readonly encoded?: boolean;
  /** `validate` tells the loss of the data in `validation` */
  readonly validation?: boolean;
  /** multiplies what the encoders read; 1 by default */
  readonly inputScale?: number;
  /** a step may be made of parts of its batch */
  readonly accumulate?: boolean;
  /** noise and masks are written by the caller instead of drawn (golden files, gradient checks) */
  readonly explicitNoise?: boolean;
}

/** Everything that the recordings of one plan share. */
export interface Stage {
  readonly model: Architecture;
  readonly layout: Layout;
  readonly options: StepOptions;
  readonly sizes: PlanSizes;
  readonly params_P: Ref;
  readonly counts: Ref;
  /** what the encoders read: `counts`, where that is no other */
  readonly encoded: Ref;
  readonly external: Ref | null;
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

/** `sparse` where nobody knows the share: an executor that can skip zeros looks at the data. */
const LOOK = 2;

/** Adds the buffers that every recording of a plan needs. */
export function addStage(
  plan: PlanBuilder,
  model: Architecture,
  options: StepOptions,
  sizes: PlanSizes,
  training: boolean,
): Stage {
  const { T, N, E, V, U, X, G, F } = shapeOf(model);
  const layout = parameterLayout(model);
  const { B, S, trials } = sizes;
  const data = (name: string) => plan.buffer(name, trials * T * N, sizes.counts, { shared: true });
  const params_P = plan.buffer("params_P", layout.length);
  const counts = data("counts");
  return {
    model,
    layout,
    options,
    sizes,
    params_P,
    counts,
    encoded: sizes.encoded ? data("encoded") : counts,
    external: X === 0 ? null : plan.buffer("external", trials * T * X, "real", { shared: true }),
    factorsHat_GF: plan.buffer("factorsHat_GF", G * F),
    norms_F: plan.buffer("norms_F", F),
    x: addActivations(plan, model, B, S, training),
    masks: !sizes.explicitNoise ? null : {
      keepSpikes_BTN: plan.buffer("keepSpikes_BTN", B * T * N),
      keepEnc_BT2E: U > 0 ? plan.buffer("keepEnc_BT2E", B * T * 2 * (V || E)) : null,
      keepEnds_B2E: plan.buffer("keepEnds_B2E", B * 2 * E),
      keepGen_RTG: plan.buffer("keepGen_RTG", B * S * T * G),
    },
  };
}

/** How a forward pass reads its Gaussians and whether units are dropped. */
export interface Mode {
  readonly sample: 0 | 1;
  readonly dropout: boolean;
}

/** A model's parameters by name. */
export function parameters(s: Stage): (name: string) => Ref {
  return (name) => {
    const { offset, length } = s.layout.slice(name);
    return slice(s.params_P, offset, length);
  };
}

/** The share of the encoders' inputs that is kept. */
function spikesKept({ coordinatedDropout, keepRate }: StepOptions): number {
  return coordinatedDropout > 0 ? 1 - coordinatedDropout : keepRate;
}

function decoderArguments(s: Stage, mode: Mode) {
  const { model, x, masks, options } = s;
  const { T, E, C, U, I, G, F } = shapeOf(model);
  const p = parameters(s);
  const gru = model.cell === "gru";
  const { controller: c, encoder } = x;
  const buffers = {
    forward_HBE: encoder.forward_HBE,
    backward_HBE: encoder.backward_HBE,
    keepEnds_B2E: masks?.keepEnds_B2E ?? null,
    ends_B2E: x.ends_B2E,
    wInitial_2E2I: p("initialCondition.w_2E2I"),
    bInitial_2I: p("initialCondition.b_2I"),
    icPriorMean_I: p("icPrior.mean_I"),
    icPriorLogVar_I: p("icPrior.logVar_I"),
    epsIc_RI: x.epsIc_RI,
    ic_B2I: x.ic_B2I,
    ...(x.start && {
      z_RI: x.start.z_RI,
      wStart_IG: p("initialState.w_IG"),
      bStart_G: p("initialState.b_G"),
    }),
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
    genInput_TBW: x.external?.genInput_TBW ?? null,
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
    I,
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
    encoderT: encoder.T,
    firstFactors: model.firstFactors === "generator" ? 1 : 0,
    keepRate: options.keepRate,
    keepRateGen: options.generatorKeepRate,
    varMin: options.varMin,
  };
  return { buffers, numbers };
}

/** Spikes → the states of one encoder. */
function recordEncoder(
  r: Recorder,
  s: Stage,
  mode: Mode,
  name: string,
  { T, E, ...x }: EncoderActivations,
): void {
  const p = parameters(s);
  const { dims } = s.model;
  const keepRate = spikesKept(s.options);
  r.dispatch("encoder_input", {
    counts: s.encoded,
    trials_B: s.x.trials_B,
    keepSpikes_BTN: s.masks?.keepSpikes_BTN ?? null,
    wInput_ND3E: p(`${name}.wInput_ND3E`),
    b_D3E: p(`${name}.b_D3E`),
    spikes_TBN: x.spikes_TBN,
    gates_TBD3E: x.gates_TBD3E,
  }, {
    T,
    N: dims.N,
    E,
    dataT: dims.T,
    element: ELEMENT_CODES[s.sizes.counts],
    gaps: s.sizes.gaps ? 1 : 0,
    sparse: s.sizes.density === undefined ? LOOK : s.sizes.density < SPARSE_BELOW.forward ? 1 : 0,
    dropout: mode.dropout && keepRate < 1 ? 1 : 0,
    keepRate,
    scale: s.sizes.inputScale ?? 1,
  });
  r.dispatch("encoder", {
    gates_TBD3E: x.gates_TBD3E,
    wGates_DE2E: p(`${name}.wGates_DE2E`),
    wCandidate_DEE: p(`${name}.wCandidate_DEE`),
    h0_DE: p(`${name}.h0_DE`),
    forward_HBE: x.forward_HBE,
    backward_HBE: x.backward_HBE,
    reset_TBDE: x.reset_TBDE,
  }, { T, E });
}

/** The controller's view of its encoder: which bins, and how late. */
function controllerNumbers(s: Stage, mode: Mode, encoder: EncoderActivations) {
  const { T, C } = s.model.dims;
  const dropout = mode.dropout && s.options.keepRate < 1 ? 1 : 0;
  const { keepRate } = s.options;
  const lag = s.model.controllerLag ?? 0;
  return { T, E: encoder.E, C, encoderT: encoder.T, lag, dropout, keepRate };
}

/** Spikes → encoders → initial condition → controller, generator, factors. */
export function recordForward(r: Recorder, s: Stage, mode: Mode): void {
  const { x, masks } = s;
  const { T, X, W, G, F } = shapeOf(s.model);
  const p = parameters(s);
  r.dispatch(
    "prepare",
    { w_GF: p("factors.w_GF"), factorsHat_GF: s.factorsHat_GF, norms_F: s.norms_F },
    { G, F },
  );
  recordEncoder(r, s, mode, "encoder", x.encoder);
  if (x.controller) {
    const { encoder, enc_TB2E, conInput_TB3C } = x.controller;
    if (encoder !== x.encoder) recordEncoder(r, s, mode, "controllerEncoder", encoder);
    r.dispatch("controller_input", {
      forward_HBE: encoder.forward_HBE,
      backward_HBE: encoder.backward_HBE,
      keepEnc_BT2E: masks?.keepEnc_BT2E ?? null,
      wEncoding_2E3C: p("controller.wEncoding_2E3C"),
      b_3C: p("controller.b_3C"),
      enc_TB2E,
      conInput_TB3C,
    }, controllerNumbers(s, mode, encoder));
  }
  if (x.external && s.external) {
    const gru = s.model.cell === "gru";
    r.dispatch("external_input", {
      external: s.external,
      trials_B: x.trials_B,
      wExternal_XW: p(gru ? "generator.wExternal_X3G" : "generator.wExternal_XG"),
      b_W: p(gru ? "generator.b_3G" : "generator.b_G"),
      ...x.external,
    }, { T, X, W });
  }
  const decoder = decoderArguments(s, mode);
  r.dispatch("decoder", decoder.buffers, decoder.numbers);
}

/** What the readout's outputs are taken for. */
export function familyOf(s: Stage): keyof typeof FAMILIES {
  return s.model.observation ?? "poisson";
}

/** The loss of `targets`, and where `gradient` its gradients at outputs and factors. */
export function recordReadout(
  r: Recorder,
  s: Stage,
  mode: Mode,
  gradient: 0 | 1,
  targets: Ref = s.counts,
): void {
  const { T, N, F } = s.model.dims;
  const { x, options, sizes, masks } = s;
  const p = parameters(s);
  const names = readoutNames(s.model), family = familyOf(s);
  const coordinated = mode.dropout && options.coordinatedDropout > 0 ? 1 : 0;
  const shared = {
    factors_HRF: x.factors_HRF,
    encoded: coordinated && sizes.encoded ? s.encoded : null,
    trials_B: x.trials_B,
    keepSpikes_BTN: masks?.keepSpikes_BTN ?? null,
    dFactors_HRF: gradient ? x.dFactors_HRF : null,
    nll_R: x.nll_R,
  };
  const gaps = sizes.gaps ? 1 : 0;
  const numbers = { T, N, F, gaps, gradient, coordinated, keepRate: spikesKept(options) } as const;
  if (family === "poisson") {
    r.dispatch("readout", {
      ...shared,
      w_FN: p(names.w),
      b_N: p(names.b),
      counts: targets,
      logRates_TRN: x.outputs_TRQ,
    }, { ...numbers, element: ELEMENT_CODES[sizes.counts] });
  } else {
    r.dispatch("observation", {
      ...shared,
      w_FQ: p(names.w),
      b_Q: p(names.b),
      values: targets,
      outputs_TRQ: x.outputs_TRQ,
    }, {
      ...numbers,
      family: FAMILIES[family],
      varMin: options.varMin,
      floor: options.observationFloor,
    });
  }
}

/** From the readout's gradients to every weight's, in `grads_P`. */
export function recordBackward(r: Recorder, s: Stage, mode: Mode, grads_P: Ref): void {
  const { model, x, masks, sizes } = s;
  const p = parameters(s);
  const decoder = decoderArguments(s, mode);
  const c = x.controller;
  r.dispatch("decoder_backward", {
    ...decoder.buffers,
    dFactors_HRF: x.dFactors_HRF,
    dIc_B2I: x.dIc_B2I,
    dStart_BG: x.start?.dStart_BG ?? null,
    dEnds_B2E: x.dEnds_B2E,
    dIcPrior_B2I: x.dIcPrior_B2I,
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
    }, controllerNumbers(s, mode, c.encoder));
  }
  const encoderBackward = (name: string, encoder: EncoderActivations) =>
    r.dispatch("encoder_backward", {
      gates_TBD3E: encoder.gates_TBD3E,
      wGates_DE2E: p(`${name}.wGates_DE2E`),
      wCandidate_DEE: p(`${name}.wCandidate_DEE`),
      forward_HBE: encoder.forward_HBE,
      backward_HBE: encoder.backward_HBE,
      dEnds_B2E: encoder === x.encoder ? x.dEnds_B2E : null,
      dEnc_TB2E: encoder === c?.encoder ? c.dEnc_TB2E : null,
      dStart_BDE: encoder.dStart_BDE,
    }, { T: encoder.T, E: encoder.E });
  encoderBackward("encoder", x.encoder);
  if (c && c.encoder !== x.encoder) encoderBackward("controllerEncoder", c.encoder);
  const sparse = (sizes.density ?? 1) < SPARSE_BELOW.transposed ? 1 : 0;
  r.gradients(gradientJobs(model, s.layout, grads_P, x, sparse));
}
